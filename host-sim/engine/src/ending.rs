//! A thread whose end is never silent: why it ended is told to whoever serves on top of it.
//!
//! Decides nothing about what to do then. A panic counts as a reason like any other; only an end that the thread
//! itself calls regular (nobody needs it any more) comes without one.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::watch;

/// Hears why the thread ended.
#[derive(Debug, Clone)]
pub struct Ending(watch::Receiver<Option<String>>);

/// With what the thread reports a fault while it goes on to answer those who wait.
#[derive(Debug)]
pub struct Report(watch::Sender<Option<String>>);

impl Report {
    /// Tells the reason. The first one counts.
    pub fn fault(&self, reason: &str) {
        self.0.send_if_modified(|told| {
            let first = told.is_none();
            told.get_or_insert_with(|| reason.to_owned());
            first
        });
    }
}

impl Ending {
    /// Completes with the reason once there is one.
    pub async fn reason(mut self) -> String {
        loop {
            if let Some(reason) = self.0.borrow_and_update().clone() {
                return reason;
            }
            if self.0.changed().await.is_err() {
                // The thread ended as it should, which it does only when nobody needs it any more.
                return std::future::pending().await;
            }
        }
    }
}

/// Runs `work` on a thread called `name`.
pub fn spawn(name: &str, work: impl FnOnce(&Report) + Send + 'static) -> std::io::Result<Ending> {
    let (tell, told) = watch::channel(None);
    let report = Report(tell);
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            // What `work` owns is gone after a panic; nothing half-done is looked at again.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(&report))) {
                report.fault(&format!("a defect ended the writer: {}", text(&*panic)));
            }
        })?;
    Ok(Ending(told))
}

fn text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without words")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_reason() {
        let row = 7;
        let ending = spawn("doomed", move |_| panic!("row {row} is impossible")).unwrap();
        let reason = ending.reason().await;
        assert!(reason.contains("row 7 is impossible"), "{reason}");
    }

    #[tokio::test]
    async fn the_first_fault_is_the_reason() {
        let ending = spawn("doomed", |report| {
            report.fault("the disk is full");
            report.fault("a consequence");
            panic!("another consequence");
        })
        .unwrap();
        assert_eq!(ending.reason().await, "the disk is full");
    }
}
