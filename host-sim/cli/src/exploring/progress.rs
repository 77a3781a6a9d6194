//! Showing how far a search has come: a bar with rate and time left on a terminal, else a line every few seconds.

use std::io::IsTerminal as _;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fleet::{Progress, Search};

/// How often a terminal is written over.
const REDRAWN_EVERY: Duration = Duration::from_millis(200);

/// How often a line is written elsewhere.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Characters of the bar.
const BAR: u64 = 30;

/// Shows progress on standard error until it is stopped.
pub fn show(search: &Search, progress: &Progress) {
    let interactive = std::io::stderr().is_terminal();
    let every = if interactive {
        REDRAWN_EVERY
    } else {
        LINE_EVERY
    };
    let began = Instant::now();
    loop {
        std::thread::park_timeout(every);
        if progress.stop.load(Ordering::Relaxed) {
            break;
        }
        let line = line(search, progress, began.elapsed());
        match interactive {
            true => eprint!("\r{line}\u{1b}[K"),
            false => eprintln!("{line}"),
        }
    }
    if interactive {
        eprint!("\r\u{1b}[K");
    }
}

fn line(search: &Search, progress: &Progress, took: Duration) -> String {
    let seeds = search.seeds.end - search.seeds.start;
    let all = seeds.saturating_mul(search.operations.into()).max(1);
    // Requests are counted as they end, operations with their worlds; a request or two for each operation.
    let (over, answers) = (
        progress.operations.load(Ordering::Relaxed),
        progress.answers.load(Ordering::Relaxed),
    );
    let most = over + search.threads as u64 * u64::from(search.operations);
    let done = answers.clamp(over, most).min(all);
    let seconds = took.as_secs_f64().max(0.001);
    let rate = done as f64 / seconds;
    let left = (all - done) as f64 / rate.max(1.0);
    let filled = done * BAR / all;
    let bar: String = (0..BAR)
        .map(|it| if it < filled { '#' } else { '.' })
        .collect();
    format!(
        "[{bar}] {} of {seeds} seeds, {rate:.0} operations/s, {:.0} s left",
        progress.seeds.load(Ordering::Relaxed),
        left
    )
}
