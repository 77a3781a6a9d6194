//! What is happening, on stderr: on a terminal one line that is written over again and again, otherwise a plain line
//! for each event and one now and then.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::board::Count;
use crate::world::World;

/// Between two looks at whether it is over.
const TICK: Duration = Duration::from_millis(250);
/// Between two lines where there is no terminal.
const PLAIN: Duration = Duration::from_secs(10);
/// Back to the line's beginning, and away with what stood there.
const OVER: &str = "\r\x1b[K";

/// The line; it ends with this.
#[derive(Debug)]
pub(crate) struct Live {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    world: Arc<World>,
    doing: Mutex<String>,
    is_terminal: bool,
    is_over: AtomicBool,
}

impl Live {
    pub(crate) fn start(world: Arc<World>) -> Self {
        let shared = Arc::new(Shared {
            world,
            doing: Mutex::new("everything works".to_owned()),
            is_terminal: stderr().is_terminal(),
            is_over: AtomicBool::new(false),
        });
        let own = Arc::clone(&shared);
        let thread = std::thread::spawn(move || own.run());
        Self {
            shared,
            thread: Some(thread),
        }
    }

    /// That is what is being done from now on.
    pub(crate) fn doing(&self, what: &str) {
        let doing = self.shared.doing.lock();
        *doing.unwrap_or_else(PoisonError::into_inner) = what.to_owned();
        self.shared.show();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // It has nothing to tell.
            let _ = thread.join();
        }
        if self.shared.is_terminal {
            say(OVER);
        }
    }
}

impl Shared {
    fn run(&self) {
        let mut shown = Instant::now();
        while !self.is_over.load(Ordering::SeqCst) {
            std::thread::sleep(TICK);
            if self.is_terminal || shown.elapsed() >= PLAIN {
                self.show();
                shown = Instant::now();
            }
        }
    }

    fn show(&self) {
        let board = &self.world.board;
        let counts = board.counts();
        let doing = self.doing.lock().unwrap_or_else(PoisonError::into_inner);
        let doubtful = [Count::Cut, Count::Silent].map(|count| counts.of(count));
        let wrong = match board.found() {
            0 => String::new(),
            found => format!(" | WRONG {found}"),
        };
        let line = format!(
            "{:4} s | {doing} | done {} refused {} retried {} | 503 {} no answer {}{wrong}",
            board.now().as_secs(),
            counts.of(Count::Acknowledged),
            counts.of(Count::Refused),
            counts.of(Count::Retried),
            counts.of(Count::Unavailable),
            doubtful.iter().sum::<u64>(),
        );
        if self.is_terminal {
            say(&format!("{OVER}{line}"));
        } else {
            say(&format!("{line}\n"));
        }
    }
}

fn say(text: &str) {
    let mut stderr = stderr().lock();
    // Whoever closed stderr wants to hear nothing.
    let _ = stderr
        .write_all(text.as_bytes())
        .and_then(|()| stderr.flush());
}
