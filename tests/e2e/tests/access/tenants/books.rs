//! What each tenant's accounts must be, by its own successful writes alone: plain sums, no lots and no clock.

use std::collections::BTreeMap;

use serde_json::Value;

use super::plan::Effect;

/// A tenant's place and a customer's id.
type Owner = (usize, String);

/// The accounts of both tenants.
#[derive(Default)]
pub struct Books {
    accounts: BTreeMap<Owner, Account>,
    /// Each account's summary as it was read after its last write.
    texts: BTreeMap<Owner, String>,
}

#[derive(Default)]
struct Account {
    balance: u64,
    added: Vec<Entry>,
    redeemed: Vec<Entry>,
}

/// Id, points, description.
type Entry = (String, u64, String);

impl Books {
    pub fn balance(&self, tenant: usize, customer: &str) -> Option<u64> {
        let account = self.accounts.get(&(tenant, customer.to_owned()));
        account.map(|account| account.balance)
    }

    pub fn text(&self, tenant: usize, customer: &str) -> Option<&str> {
        let text = self.texts.get(&(tenant, customer.to_owned()));
        text.map(String::as_str)
    }

    /// The summaries of one tenant, or of none.
    pub fn texts(&self, tenant: Option<usize>) -> impl Iterator<Item = &str> {
        let own = self
            .texts
            .iter()
            .filter(move |((own, _), _)| Some(*own) == tenant);
        own.map(|(_, text)| text.as_str())
    }

    /// All summaries of a tenant as the API lists them.
    pub fn list(&self, tenant: usize) -> String {
        let texts: Vec<&str> = self.texts(Some(tenant)).collect();
        format!("[{}]", texts.join(","))
    }

    /// Takes in the accounts of others.
    pub fn extend(&mut self, other: Self) {
        self.accounts.extend(other.accounts);
        self.texts.extend(other.texts);
    }

    pub fn apply(&mut self, tenant: usize, customer: &str, effect: Effect) {
        let owner = (tenant, customer.to_owned());
        let mut account = self.accounts.remove(&owner).unwrap_or_default();
        match effect {
            Effect::Deleted => return,
            Effect::Created => {}
            Effect::Added(id, points, description) => {
                account.balance += points;
                account.added.push((id, points, description));
            }
            Effect::Redeemed(id, points, description) => {
                account.balance -= points;
                account.redeemed.push((id, points, description));
            }
        }
        self.accounts.insert(owner, account);
    }

    /// The summary that was read after a write is what the account must be; it is kept.
    pub fn check(&mut self, tenant: usize, customer: &str, text: Option<String>, what: &str) {
        let owner = (tenant, customer.to_owned());
        let Some(account) = self.accounts.get(&owner) else {
            assert_eq!(text, None, "{what}: it is deleted");
            self.texts.remove(&owner);
            return;
        };
        let text = text.unwrap_or_else(|| panic!("{what}: there is no account"));
        let said: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(said["customerId"], customer, "{what}: {text}");
        assert_eq!(said["activePoints"], account.balance, "{what}: {text}");
        let entries = |list: &str| -> Vec<Entry> {
            let list = said["summary"][list].as_array().expect("a list").iter();
            let string = |value: &Value| value.as_str().expect("a string").to_owned();
            list.map(|it| {
                let points = it["points"].as_u64().expect("points");
                (string(&it["id"]), points, string(&it["description"]))
            })
            .collect()
        };
        assert_eq!(
            sorted(entries("addedPointsList")),
            sorted(account.added.clone()),
            "{what}"
        );
        assert_eq!(
            sorted(entries("redeemedPointsList")),
            sorted(account.redeemed.clone()),
            "{what}"
        );
        self.texts.insert(owner, text);
    }
}

/// Entries of one millisecond have no order that could be foretold.
fn sorted(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort();
    entries
}
