//! Deletions of one account: each request ends one life at most, between the moment at which it was sent and its answer.
//!
//! Which one it was is not to be seen, so each answer takes the oldest end that its request may have been: later ones have
//! more requests to choose from. A request of unknown outcome may end a life for ever.

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Deletions {
    /// Requests that may still end a life: when they were sent, and their operations.
    under_way: Vec<(u64, u32)>,
    /// Ends of lives that no answered request has been taken for, oldest first.
    ends_us: Vec<u64>,
}

impl Deletions {
    /// A request is sent.
    pub(super) fn asked(&mut self, number: u32, at_us: u64) {
        self.under_way.push((at_us, number));
    }

    /// It was answered.
    pub(super) fn answered(&mut self, number: u32) {
        let Some(place) = self.under_way.iter().position(|it| it.1 == number) else {
            return;
        };
        let (asked_us, _) = self.under_way.remove(place);
        if let Some(its) = self.ends_us.iter().position(|it| *it >= asked_us) {
            self.ends_us.remove(its);
        }
    }

    /// So many lives have ended. Whether each end may be the work of a request of its own.
    pub(super) fn ended(&mut self, at_us: u64, lives: u64) -> bool {
        let left = self.under_way.len().saturating_sub(self.ends_us.len());
        if u64::try_from(left).is_ok_and(|it| it < lives) {
            return false;
        }
        self.ends_us.extend((0..lives).map(|_| at_us));
        let mut pairs = self.ends_us.iter().zip(&self.under_way);
        pairs.all(|(end_us, (asked_us, _))| asked_us <= end_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_ends_one_life() {
        let mut deletions = Deletions::default();
        assert!(!deletions.ended(5, 1));
        deletions.asked(1, 10);
        deletions.asked(2, 20);
        assert!(deletions.ended(30, 2));
        assert!(!deletions.ended(30, 1));
    }

    #[test]
    fn what_was_answered_ends_nothing_any_more() {
        let mut deletions = Deletions::default();
        deletions.asked(1, 10);
        deletions.answered(1);
        assert!(!deletions.ended(20, 1), "it found nothing");
        deletions.asked(2, 30);
        assert!(deletions.ended(40, 1));
        deletions.answered(2);
        assert!(!deletions.ended(50, 1), "it has ended its life");
    }

    #[test]
    fn a_request_ends_no_life_before_it_was_sent() {
        let mut deletions = Deletions::default();
        deletions.asked(1, 10);
        assert!(deletions.ended(20, 1));
        deletions.asked(2, 30);
        // The first one's end is not the second's to take.
        deletions.answered(2);
        assert!(!deletions.ended(40, 1));
    }

    #[test]
    fn an_answer_takes_the_oldest_end() {
        let mut deletions = Deletions::default();
        deletions.asked(1, 10);
        assert!(deletions.ended(20, 1));
        deletions.asked(2, 30);
        assert!(deletions.ended(40, 1));
        // It is for the one that came when there was no other.
        deletions.answered(1);
        deletions.asked(3, 50);
        assert!(deletions.ended(60, 1));
    }
}
