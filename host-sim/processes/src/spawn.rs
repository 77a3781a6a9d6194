//! Starts children from one thread that lives as long as this process.
//!
//! The kernel's "die with the parent" is tied to the *thread* that forked. Tests run on threads that end before a
//! shared fixture does, so no test thread may fork by itself.

use std::io;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};

use crate::sys;

struct Order {
    command: Command,
    answer: Sender<io::Result<Child>>,
}

/// Starts `command` as the leader of its own process group that dies with this process.
pub fn spawn(mut command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<Sender<Order>> = OnceLock::new();
    sys::die_with_parent(&mut command);
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, inbox) = channel::<Order>();
        std::thread::spawn(move || {
            for mut order in inbox {
                // A requester that is gone has dropped nothing of worth: the child dies with its handle's process.
                let _ = order.answer.send(order.command.spawn());
            }
        });
        orders
    });
    let (answer, result) = channel();
    let gone = |_| io::Error::other("the spawning thread is gone");
    spawner
        .send(Order { command, answer })
        .map_err(|_| io::Error::other("the spawning thread is gone"))?;
    result.recv().map_err(gone)?
}
