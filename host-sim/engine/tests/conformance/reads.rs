//! Range: which keys, at which revision, in which order; and what compaction takes away.

use etcd_wire::range_request::{SortOrder, SortTarget};
use tonic::Code;

use crate::support::requests::{ON, all, get, key, keys, put};
use crate::support::server::{Call, Server};
use crate::{agree, history, read, row};

#[tokio::test]
async fn reads_of_keys_and_ranges() {
    let servers = Server::pair().await;
    let range = || keys("k/", "k0");
    agree(&servers, vec![row("empty store", key("a"), Code::Ok)]).await;
    agree(&servers, history()).await;
    let mut rows = vec![
        row("one key", key("k/a"), Code::Ok),
        row("a key that is not there", key("k/x"), Code::Ok),
        row("a deleted key", key("k/b"), Code::Ok),
        row("a range", range(), Code::Ok),
        row("to the end", keys("k/c", ON), Code::Ok),
        row("everything", keys(ON, ON), Code::Ok),
        row("an end before the start", keys("l", "k"), Code::Ok),
        row("an end equal to the start", keys("l", "l"), Code::Ok),
        row("no key", key(""), Code::InvalidArgument),
        row("no key but an end", keys("", "z"), Code::InvalidArgument),
        row(
            "serializable",
            read(range(), |r| r.serializable = true),
            Code::Ok,
        ),
        row("keys only", read(range(), |r| r.keys_only = true), Code::Ok),
        row(
            "count only",
            read(range(), |r| r.count_only = true),
            Code::Ok,
        ),
        row(
            "count only, limit",
            read(range(), |r| (r.count_only, r.limit) = (true, 1)),
            Code::Ok,
        ),
        row(
            "far future",
            read(range(), |r| r.revision = 99),
            Code::OutOfRange,
        ),
        row(
            "next revision",
            read(range(), |r| r.revision = 9),
            Code::OutOfRange,
        ),
        row(
            "negative revision",
            read(range(), |r| r.revision = -3),
            Code::Ok,
        ),
        row("negative limit", read(range(), |r| r.limit = -1), Code::Ok),
        row(
            "one key, past",
            read(key("k/b"), |r| r.revision = 5),
            Code::Ok,
        ),
        row(
            "from a key on, past",
            read(keys("k/b", ON), |r| r.revision = 6),
            Code::Ok,
        ),
    ];
    for limit in 1..=4 {
        rows.push(row("limit", read(range(), |r| r.limit = limit), Code::Ok));
    }
    for revision in 1..=8 {
        rows.push(row(
            "past",
            read(range(), |r| r.revision = revision),
            Code::Ok,
        ));
        rows.push(row(
            "past, limited",
            read(range(), |r| (r.revision, r.limit) = (revision, 2)),
            Code::Ok,
        ));
    }
    agree(&servers, rows).await;
}

#[tokio::test]
async fn sorting_and_filtering() {
    let servers = Server::pair().await;
    agree(&servers, history()).await;
    let range = || keys("k/", ON);
    let mut rows = Vec::new();
    for order in [SortOrder::None, SortOrder::Ascend, SortOrder::Descend] {
        for target in [
            SortTarget::Key,
            SortTarget::Version,
            SortTarget::Create,
            SortTarget::Mod,
            SortTarget::Value,
        ] {
            for limit in [0, 2] {
                for keys_only in [false, true] {
                    let request = read(range(), |r| {
                        (r.sort_order, r.sort_target) = (order as i32, target as i32);
                        (r.limit, r.keys_only) = (limit, keys_only);
                    });
                    rows.push(row("sorted", request, Code::Ok));
                }
            }
        }
    }
    for bound in 1..=9 {
        rows.extend([
            row(
                "min mod",
                read(range(), |r| r.min_mod_revision = bound),
                Code::Ok,
            ),
            row(
                "max mod",
                read(range(), |r| r.max_mod_revision = bound),
                Code::Ok,
            ),
            row(
                "min create",
                read(range(), |r| r.min_create_revision = bound),
                Code::Ok,
            ),
            row(
                "max create",
                read(range(), |r| r.max_create_revision = bound),
                Code::Ok,
            ),
            row(
                "min mod, limit 1",
                read(range(), |r| (r.min_mod_revision, r.limit) = (bound, 1)),
                Code::Ok,
            ),
            row(
                "max mod in the past",
                read(range(), |r| (r.max_mod_revision, r.revision) = (bound, 5)),
                Code::Ok,
            ),
        ]);
    }
    agree(&servers, rows).await;
}

#[tokio::test]
async fn compaction() {
    let servers = Server::pair().await;
    agree(
        &servers,
        vec![row("of the future", Call::Compact(5), Code::OutOfRange)],
    )
    .await;
    agree(&servers, history()).await;
    let past = |revision| read(keys("a", ON), |r| r.revision = revision);
    let inside = |revision| all([get(past(revision))]);
    agree(
        &servers,
        vec![
            row("a negative revision inside, before", inside(-1), Code::Ok),
            row("compact", Call::Compact(6), Code::Ok),
            row("again", Call::Compact(6), Code::OutOfRange),
            row("before it", Call::Compact(3), Code::OutOfRange),
            row("of the future", Call::Compact(99), Code::OutOfRange),
            row("a read before it", past(5), Code::OutOfRange),
            row("a read at it", past(6), Code::Ok),
            row("a read behind it", past(7), Code::Ok),
            row("a read of now", past(0), Code::Ok),
            row("a compacted read inside", inside(5), Code::OutOfRange),
            row("a read inside", inside(6), Code::Ok),
            row(
                "a negative revision inside, after",
                inside(-1),
                Code::OutOfRange,
            ),
            row(
                "a compacted read keeps the write from happening",
                all([put("k/z", "1"), get(past(5))]),
                Code::OutOfRange,
            ),
            row("compact to now", Call::Compact(8), Code::Ok),
            row("everything", past(0), Code::Ok),
            row(
                "writing goes on",
                all([put("k/a", "5"), put("k/b", "6")]),
                Code::Ok,
            ),
            row("the compacted revision", past(8), Code::Ok),
        ],
    )
    .await;
}
