//! Notices that a part of the gateway died. A gateway with a dead worker must end, not lose the requests dealt to it.
//!
//! A panic inside a task does not end its thread, but may leave the worker's state in pieces: it counts just as much.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What went wrong, as one line for a person.
pub(super) type Failures = UnboundedReceiver<String>;

/// Rings on behalf of one thread.
#[derive(Clone, Debug)]
pub(super) struct Alarm {
    name: String,
    failures: UnboundedSender<String>,
}

impl Alarm {
    pub fn new() -> (Self, Failures) {
        let (failures, receiver) = unbounded_channel();
        let name = "the gateway".to_owned();
        (Self { name, failures }, receiver)
    }

    /// The same bell, pulled by another thread.
    pub fn named(&self, name: String) -> Self {
        Self {
            name,
            failures: self.failures.clone(),
        }
    }

    pub fn raise(&self, what: &str) {
        // Nobody listens any more: it is ending already.
        let _ = self.failures.send(format!("{} {what}", self.name));
    }

    /// Rings when a panic passes by.
    pub fn on_panic(&self) -> OnPanic<'_> {
        OnPanic(self)
    }
}

/// See [`Alarm::on_panic`].
#[must_use = "it watches for as long as it lives"]
pub(super) struct OnPanic<'a>(&'a Alarm);

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.raise("panicked; its last words are above");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_and_a_quiet_end_is_not() {
        let (alarm, mut failures) = Alarm::new();
        let (quiet, loud) = (alarm.named("one".to_owned()), alarm.named("two".to_owned()));
        let fine = std::thread::spawn(move || drop(quiet.on_panic())).join();
        assert!(fine.is_ok() && failures.try_recv().is_err());
        let died = std::thread::spawn(move || {
            let _watch = loud.on_panic();
            panic!("on purpose");
        })
        .join();
        assert!(died.is_err());
        let told = failures.try_recv().expect("told");
        assert!(told.starts_with("two panicked"), "{told}");
    }
}
