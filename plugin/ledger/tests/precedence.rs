//! Which answer an operation gets, one row a case, in the order in which refusals win over one another.

mod support;

use ledger::{
    Account, AccountParts, Balance, Entry, EntryKind, Identity, MAX_OPEN_LOTS, Memory, NewLot,
    OpenLot, Operation, Points, Refusal, State,
};
use support::*;

fn in_the_future(amount: u64) -> NewLot {
    NewLot {
        created_at: Some(t(NOON + 10 * HOUR)),
        ..lot(amount)
    }
}

/// An account with the given number of lots of `Points::MAX`, each written at `NOON`.
fn restored(lots: u64) -> Story {
    let (mut entries, mut open) = (Vec::new(), Vec::new());
    for sequence in 1..=lots {
        let id = id(&format!("{sequence:020}"));
        open.push(OpenLot {
            sequence,
            id: id.clone(),
            created_at: t(NOON),
            valid_until: None,
            remaining: Points::MAX,
        });
        entries.push(Entry {
            sequence,
            identity: Identity::generated(id),
            recorded_at: t(NOON),
            created_at: t(NOON),
            description: None,
            points: Points::MAX,
            balance_after: Balance::new(Points::MAX.get() * sequence).expect("within bounds"),
            kind: EntryKind::Added {
                reference_id: None,
                valid_until: None,
            },
        });
    }
    let account = Account::from_parts(AccountParts {
        generation: 1,
        created_at: t(NOON),
        updated_at: t(NOON),
        opened_by: None,
        lots: open,
        archived: None,
        entries,
        memory: Memory::default(),
    });
    Story {
        state: State::Live(account.expect("a valid account")),
        segments: Vec::new(),
    }
}

#[test]
fn on_nothing() {
    let cases = [
        (create(generated("n")), Ok(Outcome::Changed)),
        (create_with(given("n", 1), lot(5)), Ok(Outcome::Changed)),
        (
            create_with(given("n", 1), in_the_future(5)),
            Err(Refusal::CreatedInFuture),
        ),
        (add(generated("n"), lot(5)), Ok(Outcome::Changed)),
        (
            add(generated("n"), in_the_future(5)),
            Err(Refusal::CreatedInFuture),
        ),
        (redeem(generated("n"), 1), Err(Refusal::NotFound)),
        (
            redeem_at(generated("n"), 1, Some(NOON + HOUR)),
            Err(Refusal::NotFound),
        ),
        (delete(generated("n")), Ok(Outcome::Unchanged)),
    ];
    for (operation, expected) in cases {
        let outcome = Story::new().run(&operation, NOON);
        assert_eq!(outcome, expected, "{operation:?}");
    }
}

#[test]
fn on_an_account() {
    use Outcome::{Changed, Replayed};
    use Refusal::{AlreadyExists, CreatedInFuture, IdReused, KeyReused};
    let five = Balance::new(5).expect("within bounds");
    let insufficient = Refusal::Insufficient { active: five };
    // Bare creation `c` with key 1; lot `a` (client's id, request 2) with key 2; `g` (generated); redemption `r` (request 3).
    let story = Story::of([
        create(keyed(generated("c"), 1, 1)),
        add(keyed(given("a", 2), 2, 2), lot(5)),
        add(generated("g"), lot(1)),
        redeem(given("r", 3), 1),
    ]);
    let cases = [
        // The key decides first, whatever else the operation is.
        (create(keyed(generated("n"), 1, 1)), Ok(Replayed)),
        (create(keyed(generated("n"), 1, 9)), Err(KeyReused)),
        (
            add(keyed(given("n", 2), 2, 2), in_the_future(5)),
            Ok(Replayed),
        ),
        (add(keyed(given("a", 2), 2, 9), lot(5)), Err(KeyReused)),
        (add(keyed(given("a", 9), 2, 9), lot(5)), Err(KeyReused)),
        (redeem(keyed(generated("n"), 2, 9), 99), Err(KeyReused)),
        // Then the id.
        (create(generated("c")), Ok(Replayed)),
        (create(keyed(generated("c"), 7, 7)), Ok(Replayed)),
        (add(given("a", 2), lot(5)), Ok(Replayed)),
        (
            // It was done before; what changes is that its new key is known now.
            add(keyed(given("a", 2), 7, 7), in_the_future(5)),
            Ok(Changed),
        ),
        (add(generated("g"), lot(1)), Ok(Replayed)),
        (redeem(given("r", 3), 1), Ok(Replayed)),
        (add(given("a", 9), lot(5)), Err(IdReused)),
        (add(generated("a"), lot(5)), Err(IdReused)),
        (add(given("g", 9), lot(5)), Err(IdReused)),
        (add(given("c", 9), lot(5)), Err(IdReused)),
        (add(given("r", 9), lot(5)), Err(IdReused)),
        (redeem(given("a", 9), 99), Err(IdReused)),
        (create_with(given("a", 9), lot(5)), Err(IdReused)),
        // Then the state.
        (create(generated("n")), Err(AlreadyExists)),
        (
            create_with(given("n", 1), in_the_future(5)),
            Err(AlreadyExists),
        ),
        (create(keyed(generated("n"), 7, 7)), Err(AlreadyExists)),
        // Then amounts and times.
        (redeem(generated("n"), 6), Err(insufficient)),
        (
            redeem_at(generated("n"), 6, Some(NOON + 10 * HOUR)),
            Err(insufficient),
        ),
        (
            redeem_at(generated("n"), 5, Some(NOON + 10 * HOUR)),
            Err(CreatedInFuture),
        ),
        (add(generated("n"), in_the_future(5)), Err(CreatedInFuture)),
        // Then it is done.
        (redeem(generated("n"), 5), Ok(Changed)),
        (add(keyed(given("n", 1), 7, 7), lot(5)), Ok(Changed)),
        (delete(generated("n")), Ok(Changed)),
    ];
    for (operation, expected) in cases {
        let mut story = story.clone();
        let before = story.state.clone();
        assert_eq!(
            story.run(&operation, NOON + HOUR),
            expected,
            "{operation:?}"
        );
        assert_eq!(
            story.state == before,
            expected != Ok(Changed),
            "{operation:?}"
        );
    }
}

#[test]
fn a_creation_with_a_lot_is_known_by_that_lot() {
    let story = Story::of([create_with(keyed(given("s", 1), 1, 1), lot(100))]);
    assert_eq!(story.account().opened_by(), None);
    let cases = [
        (create_with(given("s", 1), lot(100)), Ok(Outcome::Replayed)),
        (
            create_with(keyed(generated("n"), 1, 1), lot(100)),
            Ok(Outcome::Replayed),
        ),
        (create_with(given("s", 2), lot(101)), Err(Refusal::IdReused)),
        (
            create_with(given("other", 1), lot(100)),
            Err(Refusal::AlreadyExists),
        ),
    ];
    for (operation, expected) in cases {
        let outcome = story.clone().run(&operation, NOON + HOUR);
        assert_eq!(outcome, expected, "{operation:?}");
    }
}

#[test]
fn a_full_account_stays_below_the_largest_balance() {
    // While this holds, `Refusal::BalanceLimit` guards what cannot happen yet.
    let story = restored(u64::try_from(MAX_OPEN_LOTS).expect("a small number"));
    assert!(story.account().balance(t(NOON)) < Balance::MAX);
}

#[test]
fn an_account_has_so_many_open_lots_and_no_more() {
    let most = u64::try_from(MAX_OPEN_LOTS).expect("a small number");
    let full: [(Operation, Result<Outcome, Refusal>); 5] = [
        (
            add(generated("n"), in_the_future(1)),
            Err(Refusal::CreatedInFuture),
        ),
        (add(generated("n"), lot(1)), Err(Refusal::AccountFull)),
        (redeem(generated("n"), 1), Ok(Outcome::Changed)),
        (
            add(generated(&format!("{:020}", 1)), lot(1)),
            Ok(Outcome::Replayed),
        ),
        (delete(generated("n")), Ok(Outcome::Changed)),
    ];
    let story = restored(most);
    for (operation, expected) in full {
        let outcome = story.clone().run(&operation, NOON);
        assert_eq!(outcome, expected, "{operation:?}");
    }
}

#[test]
fn what_is_remembered_of_earlier_lives_takes_room_until_it_is_forgotten() {
    let most = u64::try_from(MAX_OPEN_LOTS).expect("a small number");
    let mut story = restored(most);
    assert_eq!(
        story.run(&delete(generated("d")), NOON),
        Ok(Outcome::Changed)
    );
    for operation in [create(generated("n")), add(generated("n"), lot(1))] {
        let outcome = story.clone().run(&operation, NOON + 24 * HOUR);
        assert_eq!(outcome, Err(Refusal::AccountFull));
        let outcome = story.clone().run(&operation, NOON + 24 * HOUR + 1);
        assert_eq!(outcome, Ok(Outcome::Changed));
    }
}
