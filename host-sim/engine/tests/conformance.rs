//! The embedded engine and a real etcd answer the same calls with the same answers.
//!
//! Every test starts a fresh pair of servers, makes the same calls to both in the same order, and compares every field
//! that does not say which server answered. etcd is the judge; the code in a row only says what the row is about. Needs
//! an `etcd` on the PATH or in `ETCD`; without one the suite fails.

mod support;

use etcd_wire::compare::{CompareResult, TargetUnion};
use etcd_wire::range_request::{SortOrder, SortTarget};
use etcd_wire::{RangeRequest, RequestOp, StatusRequest, TxnRequest};
use support::generate::Random;
use support::requests::{
    ON, RESULTS, all, delete, get, key, keys, nested, nothing, put, put_as, txn, unchanged, when,
};
use support::server::{Call, Outcome, Server};
use tonic::Code;

/// What a row is about, the call, and the code that it ends with.
type Row = (&'static str, Call, Code);

fn row(name: &'static str, call: impl Into<Call>, code: Code) -> Row {
    (name, call.into(), code)
}

/// Makes the calls to both servers, one after the other.
async fn agree(servers: &[Server; 2], rows: Vec<Row>) {
    for (name, call, code) in rows {
        let [ours, theirs] = both(servers, &call).await;
        assert_eq!(ours, theirs, "{name}: engine (left) and etcd (right)");
        assert_eq!(ours.code(), code, "{name}: {ours:?}");
    }
}

async fn both(servers: &[Server; 2], call: &Call) -> [Outcome; 2] {
    [servers[0].call(call).await, servers[1].call(call).await]
}

fn read(base: RangeRequest, change: impl FnOnce(&mut RangeRequest)) -> RangeRequest {
    let mut request = base;
    change(&mut request);
    request
}

/// Revisions 2 to 8: five keys, one rewritten, one deleted.
fn history() -> Vec<Row> {
    let put = |name, key, value| row(name, all([put(key, value)]), Code::Ok);
    vec![
        put("first key", "k/a", "1"),
        put("second key", "k/b", "3"),
        put("third key", "k/c", "2"),
        put("a key outside", "l", "9"),
        put("a key again", "k/a", "4"),
        row("a key removed", all([delete("k/b", "", true)]), Code::Ok),
        put("a fourth key", "k/d", "0"),
    ]
}

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

#[tokio::test]
async fn nested_transactions() {
    let servers = Server::pair().await;
    let put_if_absent =
        |key: &str, value: &str| txn([unchanged(key, 0)], [put(key, value)], [get(keys(key, ""))]);
    agree(
        &servers,
        vec![
            row(
                "a nested compare does not see the parent's put",
                all([
                    put("p", "1"),
                    nested(txn(
                        [unchanged("p", 0)],
                        [put("q", "absent")],
                        [put("q", "present")],
                    )),
                ]),
                Code::Ok,
            ),
            row(
                "nor a sibling's",
                all([
                    nested(put_if_absent("s", "1")),
                    nested(txn([unchanged("s", 0)], [put("t", "absent")], [])),
                ]),
                Code::Ok,
            ),
            row(
                "but a nested read does",
                all([
                    nested(put_if_absent("u", "1")),
                    nested(all([get(keys("u", ""))])),
                ]),
                Code::Ok,
            ),
            row(
                "three deep, mixed branches",
                txn(
                    [unchanged("p", 9)],
                    [],
                    [
                        nested(txn(
                            [unchanged("p", 2)],
                            [
                                nested(put_if_absent("v", "1")),
                                nested(put_if_absent("p", "2")),
                                put("w", "1"),
                            ],
                            [put("x", "1")],
                        )),
                        nested(txn(
                            [unchanged("p", 0)],
                            [],
                            [nested(all([delete("q", "", true)]))],
                        )),
                        get(keys("p", ON)),
                    ],
                ),
                Code::Ok,
            ),
            row(
                "the same key in both branches",
                all([nested(txn(
                    [unchanged("v", 0)],
                    [put("y", "1")],
                    [put("y", "2")],
                ))]),
                Code::Ok,
            ),
            row(
                "the same key in two siblings",
                all([nested(all([put("y", "1")])), nested(all([put("y", "2")]))]),
                Code::InvalidArgument,
            ),
            row(
                "the same key in a child and its parent",
                all([nested(all([put("y", "1")])), put("y", "2")]),
                Code::InvalidArgument,
            ),
            row(
                "the same key across branches of siblings",
                all([
                    nested(txn([unchanged("y", 0)], [put("y", "1")], [])),
                    nested(txn([unchanged("y", 0)], [], [put("y", "2")])),
                ]),
                Code::InvalidArgument,
            ),
            row(
                "a child deletes what its parent puts",
                all([nested(all([delete("y", "", false)])), put("y", "2")]),
                Code::InvalidArgument,
            ),
            row(
                "a child puts what a sibling before it deletes",
                all([
                    nested(all([delete("y", "", false)])),
                    nested(all([put("y", "1")])),
                ]),
                Code::InvalidArgument,
            ),
            row(
                "a child deletes what a sibling before it puts",
                all([
                    nested(all([put("y", "3")])),
                    nested(all([delete("y", "", true)])),
                    get(keys("y", "")),
                ]),
                Code::Ok,
            ),
            row("everything", keys("a", ON), Code::Ok),
            row(
                "everything before",
                read(keys("a", ON), |r| r.revision = 6),
                Code::Ok,
            ),
            row(
                "only nested reads",
                all([nested(all([get(keys("a", ON))]))]),
                Code::Ok,
            ),
            row(
                "only empty nested ones",
                all([nested(all([])), nested(all([]))]),
                Code::Ok,
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn limits_of_a_transaction() {
    let servers = Server::pair().await;
    let puts = |count: usize| -> Vec<RequestOp> {
        (0..count).map(|n| put(&format!("k{n:04}"), "v")).collect()
    };
    let success = |success| TxnRequest {
        success,
        ..Default::default()
    };
    let batch = |count: usize, inner: usize| {
        success(
            (0..count)
                .map(|n| {
                    nested(success(
                        (0..inner).map(|m| put(&format!("n{n}/{m}"), "v")).collect(),
                    ))
                })
                .collect(),
        )
    };
    let compares = |count: usize| TxnRequest {
        compare: (0..count).map(|_| unchanged("a", 0)).collect(),
        ..Default::default()
    };
    let sized = |bytes: usize| all([put("large", &"x".repeat(bytes))]);
    let bound = 1_572_864;
    agree(
        &servers,
        vec![
            row("128 operations", success(puts(128)), Code::Ok),
            row("129 operations", success(puts(129)), Code::InvalidArgument),
            row(
                "129 in the branch not taken",
                TxnRequest {
                    failure: puts(129),
                    ..Default::default()
                },
                Code::InvalidArgument,
            ),
            row("128 compares", compares(128), Code::Ok),
            row("129 compares", compares(129), Code::InvalidArgument),
            row("127 nested ones of 1", batch(127, 1), Code::Ok),
            row("128 nested ones of 1", batch(128, 1), Code::InvalidArgument),
            row("64 nested ones of 64", batch(64, 64), Code::Ok),
            row("64 nested ones of 65", batch(64, 65), Code::InvalidArgument),
            row("a large value", sized(bound - 1024), Code::Ok),
            row("too large a value", sized(bound), Code::InvalidArgument),
            row(
                "a little larger",
                sized(bound + 400 * 1024),
                Code::InvalidArgument,
            ),
            row(
                "what is there",
                read(keys("a", ON), |r| r.keys_only = true),
                Code::Ok,
            ),
        ],
    )
    .await;
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

#[tokio::test]
async fn random_calls() {
    const CALLS: usize = 1_500;
    let servers = Server::pair().await;
    let mut random = Random::new(0x5eed);
    let mut accepted = 0;
    for number in 0..CALLS {
        let revision = servers[0].running().revision();
        let call = random.call(revision);
        let [ours, theirs] = both(&servers, &call).await;
        assert_eq!(ours, theirs, "call {number}: {call:?}");
        accepted += usize::from(ours.code() == Code::Ok);
    }
    // A generator that produces only refusals would prove nothing.
    assert!(accepted > CALLS / 2, "{accepted} of {CALLS} accepted");
    assert!(servers[0].running().revision() > 200);
}

#[tokio::test]
async fn status() {
    for server in Server::pair().await {
        let server_name = server.name;
        let status = server.maintenance().status(StatusRequest {}).await;
        let status = status.expect("a status").into_inner();
        let header = status.header.expect("a header");
        assert_eq!(header.revision, 1, "{server_name}");
        assert_eq!(status.leader, header.member_id, "{server_name}");
        assert!(header.raft_term >= 1, "{server_name}");
        assert_eq!(status.raft_term, header.raft_term, "{server_name}");
        assert!(status.version.starts_with("3."), "{server_name}");
        assert!(status.db_size > 0, "{server_name}");
        assert!(status.raft_index > 0, "{server_name}");
        assert!(!status.is_learner, "{server_name}");
        assert!(status.errors.is_empty(), "{server_name}");
    }
}
