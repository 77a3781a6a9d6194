//! Every order in which the calls of a few workers can reach the engine, with a fault at every place that has one: what
//! the clients are told fits what became of the account.

use serde_json::json;

use super::scene::{ALL, DELAYED, Scene, client};
use crate::test_support::Request;
use crate::test_support::fault::Fault;

const CUSTOMER: &str = "614";

fn add(id: &str, points: u64) -> Request {
    Request::add(CUSTOMER, &json!({"id": id, "points": points}))
}

fn redeem(id: &str, points: u64) -> Request {
    Request::redeem(CUSTOMER, &json!({"id": id, "points": points}))
}

/// Workers of one gateway, and gateways with a worker each.
const TWO: [&[usize]; 2] = [&[2], &[1, 1]];
const THREE: [&[usize]; 2] = [&[3], &[1, 1, 1]];

#[test]
fn redeeming_everything_twice_succeeds_once() {
    for gateways in TWO {
        for max_faults in [0, 1, 2] {
            let runs = Scene {
                gateways,
                start: &[add("start", 100)],
                clients: vec![
                    client(0, &[redeem("a", 100)]),
                    client(1, &[redeem("b", 100)]),
                ],
                max_faults,
                kinds: ALL,
                late_answers: false,
            }
            .explore(|end| {
                assert_eq!(
                    [end.count(201), end.count(400)],
                    [1, 1],
                    "{:?}",
                    end.statuses
                );
                assert_eq!(end.audit.balance(), Some(0));
            });
            assert!(runs > 1);
        }
    }
}

#[test]
fn three_that_redeem_everything() {
    for gateways in THREE {
        for max_faults in [0, 1] {
            Scene {
                gateways,
                start: &[add("start", 100)],
                clients: (0..3)
                    .map(|node| client(node, &[redeem(&format!("r{node}"), 100)]))
                    .collect(),
                max_faults,
                kinds: &[Fault::AnswerLost, DELAYED],
                late_answers: false,
            }
            .explore(|end| {
                assert_eq!(
                    [end.count(201), end.count(400)],
                    [1, 2],
                    "{:?}",
                    end.statuses
                );
                assert_eq!(end.audit.balance(), Some(0));
            });
        }
    }
}

#[test]
fn generated_ids_are_applied_once_too() {
    for gateways in TWO {
        let anonymous = Request::add(CUSTOMER, &json!({"points": 7}));
        Scene {
            gateways,
            start: &[],
            clients: vec![
                client(0, std::slice::from_ref(&anonymous)),
                client(1, std::slice::from_ref(&anonymous)),
            ],
            max_faults: 2,
            kinds: &[Fault::AnswerLost, DELAYED],
            late_answers: false,
        }
        .explore(|end| {
            assert_eq!(end.count(201), 2);
            assert_eq!(end.audit.balance(), Some(14));
        });
    }
}

#[test]
fn creating_twice_succeeds_once() {
    for gateways in TWO {
        for body in [json!({}), json!({"startPoints": {"points": 5}})] {
            let create = Request::create(CUSTOMER, &body);
            Scene {
                gateways,
                start: &[],
                clients: vec![
                    client(0, std::slice::from_ref(&create)),
                    client(1, std::slice::from_ref(&create)),
                ],
                max_faults: 1,
                kinds: ALL,
                late_answers: false,
            }
            .explore(|end| {
                assert_eq!(
                    [end.count(200), end.count(409)],
                    [1, 1],
                    "{:?}",
                    end.statuses
                );
                assert_eq!(end.audit.written().values().sum::<usize>(), 1);
            });
        }
    }
}

#[test]
fn adding_while_it_is_deleted_and_made_again() {
    for gateways in TWO {
        let script = [Request::delete(CUSTOMER), add("again", 3)];
        Scene {
            gateways,
            start: &[add("start", 100)],
            clients: vec![client(0, &script), client(1, &[add("other", 50)])],
            max_faults: 1,
            kinds: ALL,
            late_answers: false,
        }
        .explore(|end| {
            assert_eq!(end.statuses, [vec![200, 201], vec![201]]);
            let written = end.audit.written();
            assert!(
                ["start", "again", "other"]
                    .iter()
                    .all(|id| written[*id] == 1)
            );
            assert_eq!(end.audit.deletions(), 1);
            assert!(matches!(end.audit.balance(), Some(3 | 53)));
        });
    }
}

#[test]
fn deleting_twice_deletes_one_life() {
    for gateways in TWO {
        let script = [Request::delete(CUSTOMER), add("again", 3)];
        Scene {
            gateways,
            start: &[add("start", 100)],
            clients: vec![client(0, &script), client(1, &[Request::delete(CUSTOMER)])],
            max_faults: 1,
            kinds: ALL,
            late_answers: false,
        }
        .explore(|end| {
            assert_eq!(end.statuses, [vec![200, 201], vec![200]]);
            // The second deletion finds nothing, or the account made again.
            let left = if end.audit.deletions() == 1 {
                Some(3)
            } else {
                None
            };
            assert_eq!(end.audit.balance(), left);
        });
    }
}

#[test]
fn the_same_id_at_two_workers() {
    for gateways in TWO {
        for other in [7, 8] {
            Scene {
                gateways,
                start: &[add("start", 100)],
                clients: vec![
                    client(0, &[add("same", 7)]),
                    client(1, &[add("same", other)]),
                ],
                max_faults: 1,
                kinds: ALL,
                late_answers: false,
            }
            .explore(|end| {
                assert_eq!(end.audit.written()["same"], 1);
                if other == 7 {
                    assert_eq!(end.count(201), 2, "{:?}", end.statuses);
                } else {
                    assert_eq!(
                        [end.count(201), end.count(409)],
                        [1, 1],
                        "{:?}",
                        end.statuses
                    );
                }
            });
        }
    }
}

#[test]
fn the_same_key_at_two_workers() {
    for gateways in TWO {
        for (other, refused) in [(7, 0), (8, 1)] {
            let keyed = |points: u64| Request::add(CUSTOMER, &json!({"points": points})).key("k");
            Scene {
                gateways,
                start: &[add("start", 100)],
                clients: vec![client(0, &[keyed(7)]), client(1, &[keyed(other)])],
                max_faults: 1,
                kinds: ALL,
                late_answers: false,
            }
            .explore(|end| {
                assert_eq!(end.count(422), refused, "{:?}", end.statuses);
                assert_eq!(end.count(201), 2 - refused);
                assert_eq!(end.audit.written().len(), 2, "one entry besides the first");
            });
        }
    }
}

#[test]
fn redeeming_parts_never_spends_more_than_there_is() {
    for gateways in TWO {
        Scene {
            gateways,
            start: &[add("start", 10)],
            clients: vec![
                client(0, &[redeem("a", 6), add("b", 1)]),
                client(1, &[redeem("c", 5), redeem("d", 4)]),
            ],
            max_faults: 1,
            kinds: &[Fault::AnswerLost, DELAYED],
            late_answers: false,
        }
        .explore(|end| {
            let audit = &end.audit;
            let done = |id: &str| audit.written().get(id) == Some(&1);
            let spent = [("a", 6), ("c", 5), ("d", 4)]
                .iter()
                .filter(|(id, _)| done(id))
                .map(|(_, points)| points)
                .sum::<u64>();
            assert_eq!(audit.balance(), Some(11 - spent));
            let acknowledged = end.count(201);
            assert_eq!(
                acknowledged,
                audit.written().len() - 1,
                "{:?}",
                end.statuses
            );
        });
    }
}

#[test]
fn answers_that_come_back_in_any_order() {
    let start = [add("start", 100)];
    for gateways in TWO {
        let script = [Request::delete(CUSTOMER), add("again", 3)];
        let scene = |first: &[Request], second: &[Request]| Scene {
            gateways,
            start: &start,
            clients: vec![client(0, first), client(1, second)],
            max_faults: 0,
            kinds: ALL,
            late_answers: true,
        };
        scene(&[redeem("a", 100)], &[redeem("b", 100)]).explore(|end| {
            assert_eq!([end.count(201), end.count(400)], [1, 1]);
            assert_eq!(end.audit.balance(), Some(0));
        });
        scene(&script, &[add("other", 50)]).explore(|end| {
            assert_eq!(end.statuses, [vec![200, 201], vec![201]]);
            assert!(matches!(end.audit.balance(), Some(3 | 53)));
        });
        scene(&[add("same", 7)], &[add("same", 7), redeem("r", 107)]).explore(|end| {
            assert_eq!(end.count(201), 3, "{:?}", end.statuses);
            assert_eq!(end.audit.balance(), Some(0));
            assert_eq!(end.audit.written()["same"], 1);
        });
    }
}
