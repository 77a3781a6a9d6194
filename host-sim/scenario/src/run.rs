//! Many scenarios on several drivers: found, ordered, played by several threads, and counted.
//!
//! Which driver can do what is asked of the drivers; that a scenario was not played is always told with its reason.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::driver::{Driver, Setting, Trouble};
use crate::load::{LoadError, Loaded, load};
use crate::play::{Failure, Verdict, play};
use crate::setting::setting;

/// Ends of files that hold scenarios.
const EXTENSIONS: [&str; 2] = ["yaml", "yml"];

/// One scenario on one driver, played.
#[derive(Clone, Debug)]
pub struct Played {
    /// Its file.
    pub path: PathBuf,
    /// What it shows.
    pub scenario: String,
    /// The driver.
    pub driver: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
}

/// What came of one driver's plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// As expected.
    pub passed: usize,
    /// Otherwise.
    pub failed: usize,
    /// Not played.
    pub cannot_run: usize,
}

/// The tally of one driver.
#[must_use]
pub fn tally(played: &[Played], driver: &str) -> Tally {
    let mut tally = Tally::default();
    for one in played.iter().filter(|it| it.driver == driver) {
        match one.verdict {
            Verdict::Passed => tally.passed += 1,
            Verdict::Failed(_) => tally.failed += 1,
            Verdict::CannotRun(_) => tally.cannot_run += 1,
        }
    }
    tally
}

/// Why there is nothing to play.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// A path that cannot be read.
    #[error("{path}: {source}", path = path.display())]
    Read {
        /// The path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder without scenarios.
    #[error("{path}: no scenarios there: files that end in .yaml or .yml", path = path.display())]
    Nothing {
        /// The folder.
        path: PathBuf,
    },
    /// Files that are no scenarios.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Wrong(Vec<LoadError>),
}

/// Reads all scenarios in these files and folders, by path.
///
/// # Errors
/// [`FindError`]; all wrong files are told of at once.
pub fn find(paths: &[PathBuf]) -> Result<Vec<Loaded>, FindError> {
    let mut files = Vec::new();
    for path in paths {
        let before = files.len();
        collect(path, true, &mut files)?;
        if files.len() == before {
            return Err(FindError::Nothing { path: path.clone() });
        }
    }
    files.sort();
    files.dedup();
    let (mut scenarios, mut wrong) = (Vec::new(), Vec::new());
    for file in files {
        match load(&file) {
            Ok(loaded) => scenarios.push(loaded),
            Err(error) => wrong.push(error),
        }
    }
    if wrong.is_empty() {
        Ok(scenarios)
    } else {
        Err(FindError::Wrong(wrong))
    }
}

fn collect(path: &Path, named: bool, files: &mut Vec<PathBuf>) -> Result<(), FindError> {
    let failed = |source| FindError::Read {
        path: path.to_owned(),
        source,
    };
    if path.is_dir() {
        for entry in std::fs::read_dir(path).map_err(failed)? {
            collect(&entry.map_err(failed)?.path(), false, files)?;
        }
    } else if named
        || path
            .extension()
            .is_some_and(|end| EXTENSIONS.iter().any(|it| end == *it))
    {
        files.push(path.to_owned());
    }
    Ok(())
}

/// Plays every scenario on every driver, `jobs` at a time, and tells of each as it ends. In the order of files and drivers.
pub fn run(
    scenarios: &[Loaded],
    drivers: &[Box<dyn Driver>],
    usual: &Value,
    jobs: usize,
    mut tell: impl FnMut(&Played, usize, usize),
) -> Vec<Played> {
    let settings: Vec<Result<Setting, Trouble>> = scenarios
        .iter()
        .map(|loaded| setting(loaded, usual))
        .collect();
    let mut plays = Vec::new();
    for (place, driver) in drivers.iter().enumerate() {
        let mut own: Vec<_> = (0..scenarios.len()).collect();
        // Kin together; within a kin first those that may be played beside each other, those that want a fresh gateway last.
        own.sort_by_cached_key(|&number| match &settings[number] {
            Ok(setting) => (setting.fresh, driver.kinship(setting), setting.alone),
            Err(_) => (false, String::new(), false),
        });
        plays.extend(own.into_iter().map(|number| (number, place)));
    }
    let (next, total) = (AtomicUsize::new(0), plays.len());
    let (results, incoming) = channel();
    let mut done: Vec<((usize, usize), Played)> = std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            let results = results.clone();
            let (next, plays, settings) = (&next, &plays, &settings);
            scope.spawn(move || {
                while let Some(&(number, place)) = plays.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let played = one(
                        &scenarios[number],
                        &settings[number],
                        drivers[place].as_ref(),
                    );
                    if results.send(((number, place), played)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(results);
        let mut done = Vec::new();
        for (key, played) in incoming {
            tell(&played, done.len() + 1, total);
            done.push((key, played));
        }
        done
    });
    done.sort_by_key(|(key, _)| *key);
    done.into_iter().map(|(_, played)| played).collect()
}

fn one(loaded: &Loaded, setting: &Result<Setting, Trouble>, driver: &dyn Driver) -> Played {
    let began = Instant::now();
    let verdict = match setting {
        Ok(setting) => play(loaded, setting, driver),
        Err(trouble) => Verdict::Failed(Failure {
            line: loaded.line("/given"),
            place: "given".to_owned(),
            words: trouble.to_string(),
        }),
    };
    Played {
        path: loaded.path.clone(),
        scenario: loaded.scenario.scenario.clone(),
        driver: driver.name(),
        verdict,
        took: began.elapsed(),
    }
}
