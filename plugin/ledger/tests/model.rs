//! Random scripts against a naive model: a plain list of what was accepted, from which everything is computed afresh every
//! time, point by point. Clocks step back and forth; operations are repeated, deleted and sent again late.

mod naive;
mod support;

use ledger::{NewLot, Operation, OperationMark, REMEMBERED_MS};
use naive::Naive;
use proptest::prelude::*;
use support::*;

/// One step of a script: a clock and what arrives.
#[derive(Debug, Clone)]
struct Step {
    clock: i64,
    arrival: Arrival,
}

#[derive(Debug, Clone)]
enum Arrival {
    New(Box<Operation>),
    /// Whatever arrived so many steps ago, sent again byte by byte.
    Again(usize),
}

/// How many entries leave the account after each step; the naive model knows nothing of it.
fn leaving() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        1 => Just(Vec::new()),
        3 => prop::collection::vec(prop_oneof![3 => Just(0_usize), 2 => 1_usize..4], 40),
    ]
}

fn mark() -> impl Strategy<Value = OperationMark> {
    // Few ids, requests and keys, so that they meet.
    let identity = prop_oneof![
        2 => "[a-f]".prop_map(|id| generated(&id)),
        3 => ("[a-f]", 0_u8..2).prop_map(|(id, request)| given(&id, request)),
        6 => "[0-9]{6}".prop_map(|id| generated(&id)),
    ];
    let key = prop_oneof![3 => Just(None), 1 => (0_u8..3, 0_u8..2).prop_map(Some)];
    (identity, key).prop_map(|(mark, key)| match key {
        Some((key, request)) => keyed(mark, key, request),
        None => mark,
    })
}

fn backdating(clock: i64) -> impl Strategy<Value = Option<i64>> {
    let offset = prop_oneof![-3 * HOUR..0, Just(0), Just(HOUR)];
    prop_oneof![3 => Just(None), 1 => offset.prop_map(move |offset| Some(clock + offset))]
}

fn new_lot(clock: i64) -> impl Strategy<Value = NewLot> {
    // Ends on a coarse grid, so that lots end together and creation and id decide.
    let grid = 12 * HOUR;
    let end = (-1_i64..5).prop_map(move |steps| Some((clock / grid + steps) * grid));
    let end = prop_oneof![2 => Just(None), 3 => end];
    (1_u64..30, end, backdating(clock)).prop_map(|(amount, end, created_at)| NewLot {
        valid_until: end.map(t),
        created_at: created_at.map(t),
        ..lot(amount)
    })
}

fn operation(clock: i64) -> impl Strategy<Value = Operation> {
    prop_oneof![
        1 => mark().prop_map(create),
        1 => (mark(), new_lot(clock)).prop_map(|(mark, lot)| create_with(mark, lot)),
        6 => (mark(), new_lot(clock)).prop_map(|(mark, lot)| add(mark, lot)),
        5 => (mark(), 1_u64..40, backdating(clock))
            .prop_map(|(mark, amount, created_at)| redeem_at(mark, amount, created_at)),
        1 => mark().prop_map(delete),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    // Mostly near the drift of the script; a clock far ahead drags all later writes along.
    let hours = prop_oneof![12 => -3_i64..3, 1 => -20_i64..20];
    let millis = prop_oneof![Just(-1_i64), Just(0), Just(1)];
    let clock = (hours, millis).prop_map(|(hours, millis)| NOON + hours * HOUR + millis);
    clock.prop_flat_map(|clock| {
        let arrival = prop_oneof![
            4 => operation(clock).prop_map(|it| Arrival::New(Box::new(it))),
            1 => (0_usize..6).prop_map(Arrival::Again),
        ];
        arrival.prop_map(move |arrival| Step { clock, arrival })
    })
}

/// A script in which the clock wanders forward, with steps back.
fn script() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((step(), 0_i64..3), 1..40).prop_map(|steps| {
        let mut shift = 0;
        let mut script = Vec::new();
        for (step, hours) in steps {
            shift += hours * HOUR;
            script.push(Step {
                clock: step.clock + shift,
                ..step
            });
        }
        script
    })
}

/// What arrives at each step, with repetitions filled in.
fn arrivals(script: &[Step]) -> Vec<(i64, Operation)> {
    let mut arrived: Vec<(i64, Operation)> = Vec::new();
    for step in script {
        let operation = match &step.arrival {
            Arrival::New(operation) => *operation.clone(),
            Arrival::Again(ago) => match arrived.len().checked_sub(ago + 1) {
                Some(place) => arrived[place].1.clone(),
                None => continue,
            },
        };
        arrived.push((step.clock, operation));
    }
    arrived
}

fn compare(story: &Story, model: &Naive, clock: i64) {
    let Some(account) = story.state.live() else {
        assert_eq!(model.summary(clock), None);
        return;
    };
    let mut clocks = vec![clock, clock - HOUR, clock + 50 * HOUR];
    if let Some(change) = account.next_change_at(t(clock)) {
        let change = change.as_millis();
        assert_eq!(
            story.balance(clock),
            story.balance(change - 1),
            "no change before"
        );
        assert!(
            story.balance(change) < story.balance(clock),
            "a change then"
        );
        clocks.extend([change - 1, change]);
    } else {
        assert_eq!(
            story.balance(clock),
            story.balance(clock + 1000 * HOUR),
            "no change"
        );
    }
    let span = account.balance_span(t(clock));
    assert!(span.at(t(clock)).is_some(), "{span:?} at {clock}");
    if let Some(since) = span.since {
        clocks.extend([since.as_millis() - 1, since.as_millis()]);
    }
    for clock in clocks {
        if let Some(balance) = span.at(t(clock)) {
            assert_eq!(balance, account.balance(t(clock)), "{span:?} at {clock}");
        }
        check_invariants(story, t(clock));
        let summary = naive::plain(&story.history().summary(t(clock)));
        assert_eq!(Some(summary), model.summary(clock));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_ledger_is_the_naive_model(script in script(), leaving in leaving()) {
        let mut story = Story::new();
        let mut model = Naive::default();
        let leaving = leaving.into_iter().chain(std::iter::repeat(0));
        for ((clock, operation), count) in arrivals(&script).into_iter().zip(leaving) {
            let expected = model.apply(&operation, clock);
            let before = story.state.clone();
            let outcome = story.run(&operation, clock);
            prop_assert_eq!(outcome, expected, "{:?}", operation);
            if outcome != Ok(Outcome::Changed) {
                prop_assert_eq!(&story.state, &before);
            } else {
                let repeated = story.clone().run(&operation, clock);
                prop_assert_eq!(repeated, Ok(Outcome::Replayed), "{:?}", operation);
            }
            story.archive(count);
            compare(&story, &model, clock);
        }
    }

    #[test]
    fn nothing_sent_late_revives_a_deleted_account(script in script(), leaving in leaving()) {
        let mut story = Story::new();
        let mut done = Vec::new();
        let mut last = NOON;
        let leaving = leaving.into_iter().chain(std::iter::repeat(0));
        for ((clock, operation), count) in arrivals(&script).into_iter().zip(leaving) {
            let now = story.state.now(t(clock)).as_millis();
            if story.run(&operation, clock) == Ok(Outcome::Changed) {
                done.push((now, operation));
                last = now;
            }
            story.archive(count);
        }
        let end = delete(generated("the end"));
        let was_live = story.state.live().is_some();
        let outcome = story.run(&end, last);
        prop_assert_eq!(outcome == Ok(Outcome::Changed), was_live);
        let mut again = story.clone();
        prop_assert_eq!(again.run(&create(generated("anew")), last), Ok(Outcome::Changed));
        for mut story in [story, again] {
            let before = story.state.clone();
            for (written, operation) in &done {
                let late = last.max(written + REMEMBERED_MS);
                if late - written <= REMEMBERED_MS {
                    let outcome = story.run(operation, late);
                    prop_assert_eq!(outcome, Ok(Outcome::Replayed), "{:?}", operation);
                    prop_assert_eq!(&story.state, &before);
                }
            }
        }
    }
}
