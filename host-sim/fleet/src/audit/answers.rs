//! Answers to changes: what was acknowledged must be there, what was told once must be told again.

use super::{Answer, Asked, Auditor};
use crate::checks::Check;
use crate::plan::{Kind, Name, Operation};

impl Auditor {
    pub(super) fn write_answered(
        &mut self,
        asked: &Asked,
        operation: &Operation,
        answer: &Answer,
        at_us: u64,
    ) {
        let expected = match operation.kind {
            Kind::Add { .. } | Kind::Redeem { .. } => 201,
            _ => 200,
        };
        let before = self
            .told
            .get(&asked.number)
            .is_some_and(|it| it.acknowledged);
        if answer.status != expected {
            self.refused(asked, operation, answer, at_us);
            if before {
                let words = format!(
                    "operation {} was acknowledged once and is answered {} now",
                    asked.number, answer.status
                );
                self.violated(Check::SameAnswer, at_us, Some(asked.account), words);
            }
            return;
        }
        if before && operation.named == Name::Key && !answer.replayed {
            let words = format!(
                "operation {} was acknowledged before, and its answer does not say so",
                asked.number
            );
            self.violated(Check::SameAnswer, at_us, Some(asked.account), words);
        }
        if let Err(words) = self.is_acknowledged_rightly(asked, operation, answer, at_us) {
            let words = format!(
                "operation {} was answered {expected}: {words}",
                asked.number
            );
            self.violated(Check::Acknowledged, at_us, Some(asked.account), words);
        }
        if let (Some(book), Some(revision)) = (self.books.get_mut(&asked.account), answer.revision)
        {
            book.tell(asked.gateway, revision);
        }
    }

    fn is_acknowledged_rightly(
        &self,
        asked: &Asked,
        operation: &Operation,
        answer: &Answer,
        at_us: u64,
    ) -> Result<(), String> {
        let (Some(told), Some(book)) =
            (self.told.get(&asked.number), self.books.get(&asked.account))
        else {
            return Err("nobody asked for it".to_owned());
        };
        if book.is_spoiled {
            return Ok(());
        }
        let hidden = book.may_hide(told.first_us, at_us);
        if operation.kind.leaves_entry() && told.done == 0 && !hidden {
            return Err("the engine holds no entry of it".to_owned());
        }
        let Some(revision) = answer.revision else {
            // A deletion that found nothing, ever.
            let never = book
                .between(asked.asked_us, at_us)
                .any(|(it, _)| it.revision == 0);
            return match operation.kind == Kind::Delete && never {
                true => Ok(()),
                false => Err("it names no revision".to_owned()),
            };
        };
        let Some((version, until_us)) = book.made_by(revision) else {
            return Err(format!("revision {revision} is none of this account"));
        };
        if told.done > 0 && revision < told.done_revision {
            return Err(format!(
                "it names revision {revision} and was done at {}",
                told.done_revision
            ));
        }
        if until_us < asked.asked_us {
            return Err(format!(
                "revision {revision} was replaced before it was asked for"
            ));
        }
        // A deletion that found nothing may share its commit with a change that followed. One that was done, and found out
        // to be by a later document, names that one's revision: another life may have begun meanwhile.
        let was_gone =
            version.was_gone() || book.before(revision).is_none_or(super::Version::was_gone);
        match operation.kind {
            Kind::Delete if !was_gone && !hidden => {
                Err(format!("the account is there at revision {revision}"))
            }
            // A replay names the newest revision, at which the account may be gone again.
            Kind::Create { points: None }
                if told.attempts == 1 && !version.is_live() && !hidden =>
            {
                Err(format!("there is no account at revision {revision}"))
            }
            _ => Ok(()),
        }
    }
}
