//! A customer's summary as the API tells it, held against the books.

use std::collections::HashSet;
use std::time::Instant;

use serde::Deserialize;

use crate::books::{Book, Effect, Fate, Identity, Operation};

#[derive(Debug, Deserialize)]
struct Summary {
    #[serde(rename = "customerId")]
    customer: String,
    #[serde(rename = "activePoints")]
    active: u64,
    summary: Lists,
}

#[derive(Debug, Deserialize)]
struct Lists {
    #[serde(rename = "addedPointsList")]
    added: Vec<Entry>,
    #[serde(rename = "redeemedPointsList")]
    redeemed: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    id: String,
    description: String,
    points: u64,
    #[serde(rename = "usedPoints", default)]
    used: u64,
}

/// What a summary must hold.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Demand {
    /// All that was acknowledged before then, and of the rest what was sent.
    Before(Instant),
    /// What was acknowledged, and nothing else: nobody writes any more.
    Exactly,
}

/// What a summary told that was in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) balance: u64,
    pub(crate) entries: usize,
}

/// Holds the body of a summary (none: there is no account) against what is known of that account.
///
/// # Errors
/// What is wrong first, in words.
pub(crate) fn check(body: Option<&[u8]>, book: &Book, demand: Demand) -> Result<Told, String> {
    let mut found = HashSet::new();
    let mut told = Told {
        balance: 0,
        entries: 0,
    };
    if let Some(body) = body {
        let summary: Summary = serde_json::from_slice(body)
            .map_err(|error| format!("a summary that cannot be read: {error}"))?;
        if summary.customer != book.customer {
            return Err(format!("it is the summary of {}", summary.customer));
        }
        let lists = [
            (Effect::Add, &summary.summary.added),
            (Effect::Redeem, &summary.summary.redeemed),
        ];
        for (effect, list) in lists {
            for entry in list {
                check_entry(entry, effect, book, demand)?;
                if !found.insert(entry.description.clone()) {
                    return Err(format!("{} is there twice", entry.description));
                }
            }
        }
        let sum = |list: &[Entry]| list.iter().map(|entry| entry.points).sum::<u64>();
        let [added, redeemed] = lists.map(|(_, list)| sum(list));
        let used: u64 = summary.summary.added.iter().map(|entry| entry.used).sum();
        if added.checked_sub(redeemed) != Some(summary.active) || used != redeemed {
            return Err(format!(
                "{added} added, {redeemed} redeemed, {used} of lots used, {} active",
                summary.active
            ));
        }
        told.balance = summary.active;
        told.entries = found.len();
    }
    let must_be_there = |fate| match (fate, demand) {
        (Fate::Done(then), Demand::Before(since)) => then < since,
        (Fate::Done(_), Demand::Exactly) => true,
        (Fate::Unknown | Fate::Refused, _) => false,
    };
    match book
        .all(must_be_there)
        .iter()
        .find(|it| !found.contains(&it.name))
    {
        Some(lost) => Err(format!("{} was acknowledged and is not there", lost.name)),
        None => Ok(told),
    }
}

fn check_entry(entry: &Entry, effect: Effect, book: &Book, demand: Demand) -> Result<(), String> {
    let name = &entry.description;
    let Some((operation, fate)) = book.find(name) else {
        return Err(format!("{name:?} (id {}) was never sent here", entry.id));
    };
    if !is_made_by(entry, effect, &operation) {
        return Err(format!("{entry:?} is no {operation:?}"));
    }
    match (fate, demand) {
        (Fate::Refused, _) => Err(format!("{name} was refused and is there")),
        (Fate::Unknown, Demand::Exactly) => Err(format!("{name} is there and not acknowledged")),
        (Fate::Done(_), _) | (Fate::Unknown, Demand::Before(_)) => Ok(()),
    }
}

fn is_made_by(entry: &Entry, effect: Effect, operation: &Operation) -> bool {
    operation.effect == effect
        && operation.points == entry.points
        && (operation.identity == Identity::Key || operation.name == entry.id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn book() -> Book {
        let book = Book::new(0, "ann".to_owned());
        let operation = |name: &str, effect, points| Operation {
            name: name.to_owned(),
            effect,
            points,
            identity: Identity::Entry,
        };
        for (name, effect, points) in [
            ("a", Effect::Add, 10),
            ("b", Effect::Add, 5),
            ("r", Effect::Redeem, 4),
            ("x", Effect::Redeem, 9),
        ] {
            book.send(&operation(name, effect, points));
        }
        book.done("a");
        book.done("r");
        book.refused("x");
        book
    }

    fn told(added: &[(&str, u64, u64)], redeemed: &[(&str, u64)], active: u64) -> String {
        let added: Vec<_> = added
            .iter()
            .map(|(id, points, used)| json!({ "id": id, "description": id, "points": points, "usedPoints": used }))
            .collect();
        let redeemed: Vec<_> = redeemed
            .iter()
            .map(|(id, points)| json!({ "id": id, "description": id, "points": points }))
            .collect();
        let lists = json!({ "addedPointsList": added, "redeemedPointsList": redeemed });
        json!({ "customerId": "ann", "activePoints": active, "summary": lists }).to_string()
    }

    #[test]
    fn every_difference_to_the_books_is_found() {
        let now = Demand::Before(Instant::now() + std::time::Duration::from_secs(1));
        let (a, r) = (("a", 10, 4), ("r", 4));
        let cases = [
            (told(&[a], &[r], 6), Demand::Exactly, None),
            (told(&[a, ("b", 5, 0)], &[r], 11), now, None),
            (
                told(&[a, ("b", 5, 0)], &[r], 11),
                Demand::Exactly,
                Some("b is there and not acknowledged"),
            ),
            (
                told(&[("a", 10, 0)], &[], 10),
                now,
                Some("r was acknowledged and is not there"),
            ),
            (told(&[a, a], &[r], 16), now, Some("a is there twice")),
            (
                told(&[("a", 10, 9)], &[("x", 9)], 1),
                now,
                Some("x was refused and is there"),
            ),
            (
                told(&[a, ("other", 1, 0)], &[r], 7),
                now,
                Some("\"other\" (id other) was never sent here"),
            ),
            (
                told(&[a], &[r], 7),
                now,
                Some("10 added, 4 redeemed, 4 of lots used, 7 active"),
            ),
            (
                told(&[("a", 10, 3)], &[r], 6),
                now,
                Some("10 added, 4 redeemed, 3 of lots used, 6 active"),
            ),
        ];
        for (body, demand, expected) in cases {
            let found = check(Some(body.as_bytes()), &book(), demand).err();
            assert_eq!(found.as_deref(), expected, "{body}");
        }
        let long_ago = Demand::Before(Instant::now());
        assert!(check(None, &Book::new(0, "new".to_owned()), long_ago).is_ok());
        assert!(check(None, &book(), Demand::Exactly).is_err());
    }
}
