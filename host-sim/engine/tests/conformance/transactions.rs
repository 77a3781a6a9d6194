//! Txn: compares, and the operations of one list.

use etcd_wire::compare::{CompareResult, TargetUnion};
use tonic::Code;

use crate::support::requests::{
    ON, RESULTS, all, delete, get, key, keys, nested, nothing, put, put_as, txn, unchanged, when,
};
use crate::support::server::Server;
use crate::{agree, history, read, row};

#[tokio::test]
async fn every_compare() {
    let servers = Server::pair().await;
    agree(&servers, history()).await;
    let mut rows = Vec::new();
    for (key, range_end) in [
        ("k/a", ""),
        ("k/b", ""),
        ("k/x", ""),
        ("k/", "k0"),
        ("x", "y"),
        ("k/", ON),
        ("y", "x"),
    ] {
        for result in RESULTS {
            for number in [0, 1, 2, 4, 6, 9] {
                for wanted in [
                    TargetUnion::Version(number),
                    TargetUnion::CreateRevision(number),
                    TargetUnion::ModRevision(number),
                    TargetUnion::Lease(number),
                    TargetUnion::Value(number.to_string().into()),
                ] {
                    let request = txn(
                        [when(key, range_end, result, wanted)],
                        [get(keys("k/a", ""))],
                        [],
                    );
                    rows.push(row("compare", request, Code::Ok));
                }
            }
        }
    }
    let equal = CompareResult::Equal;
    let mut other_kind = when("k/a", "", equal, TargetUnion::Version(6));
    other_kind.target = 2;
    let mut no_value = when("k/a", "", equal, TargetUnion::Value("".into()));
    no_value.target_union = None;
    rows.extend([
        row(
            "a value of another kind",
            txn([other_kind], [], []),
            Code::Ok,
        ),
        row("no value", txn([no_value], [], []), Code::Ok),
        row(
            "no key",
            txn([unchanged("", 0)], [], []),
            Code::InvalidArgument,
        ),
        row(
            "two compares, the second fails",
            txn(
                [unchanged("k/a", 6), unchanged("k/d", 1)],
                [put("k/a", "no")],
                [put("k/a", "yes")],
            ),
            Code::Ok,
        ),
    ]);
    agree(&servers, rows).await;
}

#[tokio::test]
async fn the_gateway_s_own_transactions() {
    let servers = Server::pair().await;
    let write = |key: &str, revision, value: &str| {
        txn(
            [unchanged(key, revision)],
            [put(key, value)],
            [get(keys(key, ""))],
        )
    };
    let batch = |base: [i64; 3]| {
        all([
            nested(write("a", base[0], "1")),
            nested(write("b", base[1], "2")),
            nested(write("c", base[2], "3")),
        ])
    };
    agree(
        &servers,
        vec![
            row("create", write("a", 0, "first"), Code::Ok),
            row("create again: conflict", write("a", 0, "second"), Code::Ok),
            row("update", write("a", 2, "third"), Code::Ok),
            row("stale update: conflict", write("a", 2, "fourth"), Code::Ok),
            row("batch, one conflict", batch([0, 0, 0]), Code::Ok),
            row("batch, resent", batch([0, 0, 0]), Code::Ok),
            row("batch of updates", batch([3, 4, 4]), Code::Ok),
            row(
                "many reads in one call",
                all([get(keys("a", "")), get(keys("b", "")), get(keys("x", ""))]),
                Code::Ok,
            ),
            row(
                "tombstone removed",
                txn([unchanged("a", 3)], [delete("a", "", false)], []),
                Code::Ok,
            ),
            row("what is left", keys("a", ON), Code::Ok),
        ],
    )
    .await;
}

#[tokio::test]
async fn writes_inside_one_transaction() {
    let servers = Server::pair().await;
    let not_there = || [unchanged("n", 0)];
    let flags = |key, value, ignore_value, ignore_lease, lease| {
        put_as(key, value, |put| {
            put.prev_kv = true;
            (put.ignore_value, put.ignore_lease) = (ignore_value, ignore_lease);
            put.lease = lease;
        })
    };
    let many = |value| all([put("a", value), put("b", value), put("c", value)]);
    agree(
        &servers,
        vec![
            row("several puts", many("1"), Code::Ok),
            row("several again", many("2"), Code::Ok),
            row(
                "reads between writes see them",
                all([
                    get(keys("a", ON)),
                    put("d", "1"),
                    get(keys("a", ON)),
                    delete("a", "c", true),
                    get(keys("a", ON)),
                    delete("zz", "", false),
                ]),
                Code::Ok,
            ),
            row(
                "reads of the past between writes",
                all([
                    put("e", "1"),
                    get(read(keys("a", ON), |r| r.revision = 2)),
                    get(read(keys("a", ON), |r| r.revision = 4)),
                ]),
                Code::Ok,
            ),
            row(
                "a read of the revision being written",
                all([put("e", "2"), get(read(keys("a", ON), |r| r.revision = 6))]),
                Code::OutOfRange,
            ),
            row(
                "a delete of nothing",
                all([delete("q", "", true)]),
                Code::Ok,
            ),
            row("an empty transaction", all([]), Code::Ok),
            row(
                "previous value",
                all([flags("d", "2", false, false, 0)]),
                Code::Ok,
            ),
            row(
                "no previous value",
                all([flags("f", "2", false, false, 0)]),
                Code::Ok,
            ),
            row(
                "keep the value",
                all([flags("f", "", true, false, 0)]),
                Code::Ok,
            ),
            row(
                "keep the lease",
                all([flags("f", "5", false, true, 0)]),
                Code::Ok,
            ),
            row(
                "keep the value of nothing",
                all([flags("g", "", true, false, 0)]),
                Code::InvalidArgument,
            ),
            row(
                "keep and give a value",
                all([flags("f", "x", true, false, 0)]),
                Code::InvalidArgument,
            ),
            row(
                "keep and give a lease",
                all([flags("f", "x", false, true, 5)]),
                Code::InvalidArgument,
            ),
            row(
                "a lease that is not there",
                all([flags("f", "x", false, false, 5)]),
                Code::NotFound,
            ),
            row(
                "a key put twice",
                all([put("a", "1"), put("a", "2")]),
                Code::InvalidArgument,
            ),
            row(
                "put and delete",
                all([put("a", "1"), delete("a", "", false)]),
                Code::InvalidArgument,
            ),
            row(
                "put inside a deleted range",
                all([delete("a", "c", false), put("b", "1")]),
                Code::InvalidArgument,
            ),
            row(
                "put behind a deleted range",
                all([delete("a", "c", true), put("c", "1")]),
                Code::Ok,
            ),
            row(
                "put in a delete without end",
                all([delete("c", ON, true), put("d", "7")]),
                Code::Ok,
            ),
            row("everything", keys("a", ON), Code::Ok),
            row(
                "put, then a delete without end",
                all([put("m", "7"), delete("m", ON, true)]),
                Code::Ok,
            ),
            row(
                "an operation without content",
                all([nothing()]),
                Code::InvalidArgument,
            ),
            row(
                "put without key",
                all([put("", "1")]),
                Code::InvalidArgument,
            ),
            row(
                "read without key",
                all([get(key(""))]),
                Code::InvalidArgument,
            ),
            row(
                "delete without key",
                all([delete("", "", false)]),
                Code::InvalidArgument,
            ),
            row(
                "wrong in the branch not taken",
                txn(not_there(), [put("n", "1")], [put("", "1")]),
                Code::InvalidArgument,
            ),
            row(
                "a future read in the branch not taken",
                txn(
                    not_there(),
                    [put("n", "1")],
                    [get(read(key("a"), |r| r.revision = 999))],
                ),
                Code::Ok,
            ),
            row("everything again", keys("a", ON), Code::Ok),
        ],
    )
    .await;
}
