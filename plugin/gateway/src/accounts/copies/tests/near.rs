//! Fronts that a VM remembers: as good as those in shared data, whatever others do in between.

use super::*;
use crate::accounts::copies::Near;
use crate::host::{
    Counter, Gauge, Host, Mismatch, NativeVerdict, NoRandomness, Severity, Shared, SharedVersion,
    SignatureCheck, When,
};

const NOW: i64 = 1_000_000;

/// A host under whose calls, after each that touches shared data, another worker reads an account.
struct Watched<'a> {
    host: &'a TestHost,
    copies: &'a Copies,
    near: &'a Near,
}

impl Watched<'_> {
    fn read(&self) -> Option<i64> {
        let front = self
            .near
            .front(self.copies, self.host, &account("614"), t(NOW));
        front.map(|it| it.revision)
    }
}

impl Host for Watched<'_> {
    fn shared_get(&self, key: &str) -> Shared {
        let answer = self.host.shared_get(key);
        self.read();
        answer
    }

    fn shared_set(&self, key: &str, value: &[u8], when: When) -> Result<(), Mismatch> {
        let answer = self.host.shared_set(key, value, when);
        self.read();
        answer
    }

    fn shared_touch(&self, key: &str) {
        self.host.shared_touch(key);
        self.read();
    }

    fn now(&self) -> Timestamp {
        self.host.now()
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        self.host.random(bytes)
    }

    fn check_signature(&self, check: &SignatureCheck<'_>) -> NativeVerdict {
        self.host.check_signature(check)
    }

    fn count(&self, counter: Counter) {
        self.host.count(counter);
    }

    fn gauge(&self, gauge: Gauge, value: u64) {
        self.host.gauge(gauge, value);
    }

    fn writes(&self, severity: Severity) -> bool {
        self.host.writes(severity)
    }

    fn log(&self, severity: Severity, line: &str) {
        self.host.log(severity, line);
    }
}

fn epoch_of(near: &Near, copies: &Copies, host: &TestHost) -> Option<u32> {
    let front = near.front(copies, host, &account("614"), t(NOW));
    front.map(|it| it.epoch)
}

#[test]
fn a_reader_between_any_two_calls_of_a_writer_knows_the_new_state_when_it_is_done() {
    let (host, copies) = small();
    let near = Near::default();
    let watched = Watched {
        host: &host,
        copies: &copies,
        near: &near,
    };
    let [mine, neighbour] = neighbours(&copies, 2).try_into().expect("two accounts");
    for revision in 1..5 {
        assert_eq!(
            copies.install(&watched, &mine, &at(revision, b"document")),
            Kept::Held
        );
        assert_eq!(watched.read(), Some(revision));
        // The same entry, for somebody else.
        copies.install(&watched, &neighbour, &at(revision, b"other"));
        assert_eq!(watched.read(), Some(revision));
        let epoch = u32::try_from(revision).expect("a small number");
        assert!(copies.confirm(&watched, &mine, STORE, revision, || Some(epoch)));
        assert_eq!(epoch_of(&near, &copies, &host), Some(epoch));
    }
    assert_eq!(copies.refresh(&watched, &mine, &at(9, b"")), Kept::Held);
    assert_eq!(watched.read(), Some(9));
    // Pushed out by as many others as fit.
    for other in neighbours(&copies, 9).iter().skip(1) {
        copies.install(&watched, other, &at(10, b""));
    }
    assert_eq!(watched.read(), None);
}

#[test]
fn what_nobody_was_told_of_is_missed_for_a_moment_only() {
    let (host, copies) = small();
    let near = Near::default();
    let account = account("614");
    copies.install(&host, &account, &at(1, b""));
    let revision = |now| {
        let front = near.front(&copies, &host, &account, t(now));
        front.map(|it| it.revision)
    };
    assert_eq!(revision(NOW), Some(1));
    // A writer's VM is gone between its two calls.
    let entry = copies.layout.front_name(&account);
    let front = Front {
        revision: 2,
        ..copies.front(&host, &account).expect("a front")
    };
    let mut set = account.as_bytes().to_vec();
    front.write(&mut set);
    host.shared.borrow_mut().put(&entry, &set);
    assert_eq!(revision(NOW + 249), Some(1));
    assert_eq!(revision(NOW + 250), Some(2));
    // Nor is one believed that is from the future: the clock was set back.
    assert_eq!(revision(NOW + 249), Some(2));
    host.shared.borrow_mut().put(&entry, b"");
    assert_eq!(revision(NOW), None);
}

#[test]
fn a_version_with_content_is_somebody_elses_and_tells_nothing() {
    let (host, copies) = small();
    let near = Near::default();
    let account = account("614");
    copies.install(&host, &account, &at(1, b""));
    let stripe = copies.layout.stripe_name(&account).to_owned();
    assert!(matches!(
        host.shared_get(&stripe),
        Shared::Erased(SharedVersion(_))
    ));
    host.shared.borrow_mut().put(&stripe, b"something");
    for revision in 1..4 {
        let front = near.front(&copies, &host, &account, t(NOW));
        assert_eq!(front.map(|it| it.revision), Some(revision));
        copies.install(&host, &account, &at(revision + 1, b""));
        host.shared.borrow_mut().put(&stripe, b"something");
    }
}
