//! Answers to lists: all accounts of a tenant, as they were at one revision.

use std::collections::{BTreeMap, BTreeSet};

use super::reads::{Shown, Summary};
use super::{Answer, Asked, Auditor};
use crate::checks::Check;
use crate::plan::Account;

impl Auditor {
    pub(super) fn list_answered(&mut self, asked: &Asked, answer: &Answer, at_us: u64) {
        let tenant = asked.account.tenant;
        if answer.status != 200 {
            let words = format!(
                "a list has an answer that the API does not have: {}",
                answer.shown()
            );
            return self.violated(Check::Status, at_us, None, words);
        }
        let listed: Result<Vec<Summary<'_>>, _> = serde_json::from_slice(&answer.body);
        let judged = match &listed {
            Err(error) => Err((Check::Listing, format!("the list cannot be read: {error}"))),
            Ok(listed) => match listed.iter().find_map(Summary::of_no_operation) {
                Some(description) => Err((
                    Check::Isolation,
                    format!("a line of no operation: {description:?}"),
                )),
                None => self
                    .is_list_of(asked, tenant, listed, at_us)
                    .map_err(|words| (Check::Listing, words)),
            },
        };
        if let Err((check, words)) = judged {
            let words = format!("operation {}: {words}", asked.number);
            self.violated(check, at_us, None, words);
        }
    }

    fn is_list_of(
        &self,
        asked: &Asked,
        tenant: u8,
        listed: &[Summary<'_>],
        at_us: u64,
    ) -> Result<(), String> {
        let mut shown: BTreeMap<Account, Shown> = BTreeMap::new();
        for summary in listed {
            let name = Account {
                tenant,
                customer: 0,
            };
            let account = Account::named(&name.tenant_name(), &summary.customer_id);
            let account = account.ok_or_else(|| format!("there is no {}", summary.customer_id))?;
            let what = summary.shown();
            let what =
                what.ok_or_else(|| format!("what is shown of {account} contradicts itself"))?;
            if shown.insert(account, what).is_some() {
                return Err(format!("{account} is shown twice"));
            }
        }
        let clock_ms = self.shown(asked.gateway, asked.asked_us, at_us);
        let fits = |account: Account, revision: i64| {
            let what = shown.get(&account).unwrap_or(&Shown::Nothing);
            let book = self.books.get(&account);
            book.map_or(*what == Shown::Nothing, |book| {
                book.is_spoiled || what.is_of(book, book.at(revision), clock_ms)
            })
        };
        // What changed meanwhile may be shown as it was at any revision, but all at the same one.
        let from = self.log.partition_point(|it| it.0 <= asked.revision);
        let news = self.log.get(from..).unwrap_or_default();
        let news = || news.iter().filter(|it| it.1.tenant == tenant);
        let changed: BTreeSet<Account> = news().map(|it| it.1).collect();
        let known = self.books.keys().filter(|it| it.tenant == tenant);
        let all = known.chain(shown.keys());
        let mut wrong = all.filter(|it| !changed.contains(it) && !fits(**it, self.revision));
        if let Some(account) = wrong.next() {
            let what = shown.get(account);
            return Err(format!(
                "{account} is shown as {what:?}, as it has not been since the list was asked for"
            ));
        }
        let mut revisions = std::iter::once(asked.revision).chain(news().map(|it| it.0));
        match revisions.any(|revision| changed.iter().all(|it| fits(*it, revision))) {
            true => Ok(()),
            false => Err(format!(
                "{} accounts changed meanwhile, and there is no revision at which all were as they are shown",
                changed.len()
            )),
        }
    }
}
