//! Txn: transactions inside a transaction, and how large one may be.

use etcd_wire::{RequestOp, TxnRequest};
use tonic::Code;

use crate::support::requests::{ON, all, delete, get, keys, nested, put, txn, unchanged};
use crate::support::server::Server;
use crate::{agree, read, row};

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
