//! Successful bodies: balances, summaries and lists of them, byte for byte as the API documents them.

use ledger::{AddedView, Balance, EntryId, History, RedeemedView, Summary, Timestamp};
use serde::{Serialize, Serializer};

use crate::accounts::keys::CustomerId;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SummaryBody<'a> {
    customer_id: &'a str,
    active_points: u64,
    summary: ListsBody<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListsBody<'a> {
    #[serde(serialize_with = "added_bodies")]
    added_points_list: &'a [AddedView<'a>],
    #[serde(serialize_with = "redeemed_bodies")]
    redeemed_points_list: &'a [RedeemedView<'a>],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AddedBody<'a> {
    id: &'a str,
    #[serde(rename = "reference-id")]
    reference_id: Option<&'a str>,
    description: &'a str,
    points: u64,
    created_at: String,
    valid_until: Option<String>,
    all_points_after_creation: u64,
    used_points: u64,
    #[serde(serialize_with = "ids")]
    used_with: &'a [&'a EntryId],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RedeemedBody<'a> {
    id: &'a str,
    description: &'a str,
    points: u64,
    created_at: String,
    all_points_after_creation: u64,
}

/// A balance: a bare JSON integer.
#[must_use]
pub fn balance(balance: Balance) -> Vec<u8> {
    balance.get().to_string().into_bytes()
}

/// One customer's summary at `now`.
#[must_use]
pub fn summary(customer: &CustomerId, history: &History, now: Timestamp) -> Vec<u8> {
    let Summary {
        active,
        added,
        redeemed,
    } = history.summary(now);
    let body = SummaryBody {
        customer_id: customer.as_str(),
        active_points: active.get(),
        summary: ListsBody {
            added_points_list: &added,
            redeemed_points_list: &redeemed,
        },
    };
    // Serialising strings and numbers cannot fail.
    serde_json::to_vec(&body).unwrap_or_default()
}

/// An array of summaries in the making: one account at a time is held decoded.
pub struct List {
    body: Vec<u8>,
    max_bytes: usize,
}

impl List {
    /// An empty list that may grow to `max_bytes`.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        let body = vec![b'['];
        Self { body, max_bytes }
    }

    /// Adds a customer's summary at `now`; false when the list has grown too long.
    #[must_use]
    pub fn push(&mut self, customer: &CustomerId, history: &History, now: Timestamp) -> bool {
        if self.body.len() > 1 {
            self.body.push(b',');
        }
        self.body
            .extend_from_slice(&summary(customer, history, now));
        self.body.len() < self.max_bytes
    }

    /// The whole list.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.body.push(b']');
        self.body
    }
}

// One line at a time: a history may have very many.
fn added_bodies<S: Serializer>(lots: &&[AddedView<'_>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(lots.iter().map(added_body))
}

fn redeemed_bodies<S: Serializer>(
    redemptions: &&[RedeemedView<'_>],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(redemptions.iter().map(redeemed_body))
}

fn ids<S: Serializer>(ids: &&[&EntryId], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(ids.iter().map(|id| id.as_str()))
}

fn added_body<'a>(lot: &'a AddedView<'a>) -> AddedBody<'a> {
    AddedBody {
        id: lot.id.as_str(),
        reference_id: lot.reference_id.map(ledger::ReferenceId::as_str),
        description: lot.description.map_or("", ledger::Description::as_str),
        points: lot.points.get(),
        created_at: lot.created_at.to_rfc3339(),
        valid_until: lot.valid_until.map(Timestamp::to_rfc3339),
        all_points_after_creation: lot.balance_after.get(),
        used_points: lot.used_points,
        used_with: &lot.used_with,
    }
}

fn redeemed_body<'a>(redemption: &RedeemedView<'a>) -> RedeemedBody<'a> {
    RedeemedBody {
        id: redemption.id.as_str(),
        description: redemption
            .description
            .map_or("", ledger::Description::as_str),
        points: redemption.points.get(),
        created_at: redemption.created_at.to_rfc3339(),
        all_points_after_creation: redemption.balance_after.get(),
    }
}
