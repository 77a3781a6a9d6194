//! How much is asked about at a time.

use super::*;

#[test]
fn pages_that_are_too_much_get_smaller_and_grow_again() {
    let mut bench = Bench::new(1000);
    let unavailable = Answer::Unknown { grpc_status: 8 };
    bench.tick(0);
    for _ in 0..10 {
        while bench.tick(HOUR).is_none() {}
        bench.answer(unavailable.clone());
    }
    assert_eq!(bench.sweeper.page_accounts, 1);
    while bench.sweeper.page_accounts == 1 {
        if let Some(call) = bench.tick(1000) {
            bench.carry_out(call);
        }
    }
    assert_eq!(bench.sweeper.page_accounts, 2);
    bench.walk();
    assert_eq!(bench.sweeper.page_accounts, PAGE_ACCOUNTS);
}

#[test]
fn ranges_of_which_no_answer_came_are_narrower_and_empty_ones_take_no_pause() {
    let mut bench = Bench::new(60 * 60 * 1000);
    bench.put_tombstone("614", NOW - OLD_ENOUGH);
    bench.tick(0);
    for _ in 0..3 {
        while bench.tick(1000).is_none() {}
        bench.answer(Answer::Unknown { grpc_status: 4 });
    }
    // Tenants begin with letters: there is nothing below "@", nor above "`" but what is there.
    let below = bench.sweeper.walk.range().1.to_vec();
    assert!(
        below.as_slice() < b"/points/1/account/@".as_slice(),
        "{below:?}"
    );
    let began_ms = bench.steady_ms + FAILURE_PAUSE_MS;
    while bench.stands("614") {
        if let Some(call) = bench.tick(50) {
            bench.carry_out(call);
        }
    }
    assert!(
        bench.steady_ms < began_ms + 1000,
        "{}",
        bench.steady_ms - began_ms
    );
}
