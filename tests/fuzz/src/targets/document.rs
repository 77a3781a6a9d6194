//! The account document: what is taken is written back as itself, every shorter look at it says the same, its front says the
//! balance that it has, and every operation on it leaves a document again.

use gateway::accounts::copies::Standing;
use gateway::accounts::document::{Lives, archived, decode, encode, is_live, lives};
use ledger::{Applied, Looked, Operation, Record, State, apply, summary};

use crate::accounts::{add, delete, documents, redeem, time};
use crate::host::NOW_MS;
use crate::steps::bounded;
use crate::{Seen, Target};

pub(super) const TARGET: Target = Target {
    name: "document",
    about: "an account document: written back as itself, every shorter look agrees, every operation leaves a document again",
    max_len: 4096,
    dictionary: "none",
    seeds,
    run,
};

/// The format of which nothing is in segments; it is written as the newer one.
const WHOLE_FORMAT: [u8; 2] = [8, 1];

const HOUR_MS: i64 = 3_600_000;

fn run(bytes: &[u8]) -> Seen {
    let read = bounded("document", bytes.len(), 3_000, || decode(bytes));
    let Ok(state) = read else {
        // A look that is shorter may see less, but never more than a document.
        let _ = (is_live(bytes), archived(bytes), lives(bytes));
        return Seen::Refused;
    };
    let record = match &state {
        State::Live(account) => Record::Live(account.clone()),
        State::Erased(tombstone) => Record::Erased(tombstone.clone()),
        State::Absent => panic!("a document of nothing"),
    };
    let again = bounded("writing", bytes.len(), 3_000, || encode(&record));
    // All but the format.
    assert_eq!(again.get(2..), bytes.get(2..), "written back");
    assert_eq!(decode(&again).as_ref(), Ok(&state), "read again");
    assert!(bytes.starts_with(&WHOLE_FORMAT) || again.starts_with(&[8, 2]));
    shorter_looks(bytes, &state);
    front(&state);
    for operation in [add(201, 3, None), redeem(202, 2), delete(203)] {
        operate(bytes.len(), &state, &operation);
    }
    Seen::Accepted
}

fn shorter_looks(bytes: &[u8], state: &State) {
    assert_eq!(is_live(bytes), Ok(state.live().is_some()));
    let live = state.live();
    let left = live.and_then(|it| it.archived().map(|left| (it.generation(), left.sequence)));
    assert_eq!(archived(bytes), Ok(left));
    match (lives(bytes), live) {
        (Ok(Lives::First), Some(account)) => {
            let at = account.created_at();
            assert!(!ledger::is_later_life(account.generation(), at));
        }
        (
            Ok(Lives::Later {
                generation,
                remembered,
            }),
            Some(account),
        ) => {
            assert_eq!(generation, account.generation());
            let ended = &account.memory().histories;
            let ended = ended.iter().map(|it| (it.generation, it.at.as_millis()));
            assert_eq!(remembered, ended.collect::<Vec<_>>());
        }
        (Ok(Lives::Ended), None) => {}
        (lives, live) => panic!("{lives:?}, but {live:?}"),
    }
}

/// The balance that is told without the document is the document's, for as long as it is said to hold.
fn front(state: &State) {
    let Some(account) = state.live() else {
        return;
    };
    let updated = account.updated_at().as_millis();
    for clock in [NOW_MS, updated, updated - HOUR_MS, updated + HOUR_MS] {
        let Some(clock) = ledger::Timestamp::from_millis(clock) else {
            continue;
        };
        let Standing::Live(span) = Standing::of(state, clock) else {
            panic!("an account that does not live");
        };
        assert_eq!(span.at(clock), Some(account.balance(clock)));
        if let Some(until) = span.until {
            assert_eq!(span.at(until), None, "until then and no longer");
        }
    }
    let all = summary(account.entries(), account.updated_at());
    assert_eq!(
        all.added.len() + all.redeemed.len(),
        account.entries().len()
    );
}

fn operate(length: usize, state: &State, operation: &Operation) {
    let clock = time(NOW_MS);
    let looked = Looked::nothing(operation);
    let applied = bounded("operation", length, 3_000, || {
        apply(state, operation, &looked, clock)
    });
    if let Ok(Applied::Changed(next) | Applied::Remembered(next)) = applied {
        let written = encode(&next);
        assert_eq!(
            decode(&written),
            Ok(State::from(next)),
            "after an operation"
        );
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = documents();
    // The older format, and a document of a newer gateway.
    let mut whole = seeds[2].clone();
    whole[1] = 1;
    let mut newer = seeds[2].clone();
    newer[1] = 3;
    let cut = seeds[2][..40].to_vec();
    seeds.extend([whole, newer, cut]);
    seeds
}
