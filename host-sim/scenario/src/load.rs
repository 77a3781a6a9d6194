//! From a file to a scenario, or to an error that says where in the file it is wrong.
//!
//! YAML first, then the schema, then what a schema cannot say. Every complaint has a line: values are read together with
//! their places, and a path into the document is looked up among these.

mod node;
mod rules;
mod schema;

use std::path::{Path, PathBuf};

use self::node::Node;
pub(crate) use self::rules::{DEFAULT_GATEWAYS, DEFAULT_WORKERS, needs};
use crate::format::Scenario;

/// The schema of scenarios (JSON Schema, 2020-12).
pub const SCHEMA: &str = include_str!("schema.json");

/// No scenario is longer, in bytes: a file that is was not meant.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// How many complaints about one file are shown.
const MAX_COMPLAINTS: usize = 10;

/// A scenario and where it came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Its file.
    pub path: PathBuf,
    /// What it says.
    pub scenario: Scenario,
    places: Node,
}

impl Loaded {
    /// The line on which the value at this JSON pointer stands; that of what is around it, when there is none.
    #[must_use]
    pub fn line(&self, pointer: &str) -> u64 {
        self.places.line(pointer)
    }
}

/// One thing that is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The line.
    pub line: u64,
    /// Where in the document, as `when[2].then.status`; empty: the document itself.
    pub place: String,
    /// What is wrong.
    pub words: String,
}

/// Why a file is no scenario.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error("{path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is too long.
    #[error("{path}: over {MAX_FILE_BYTES} bytes: no scenario", path = path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// It is no YAML.
    #[error("{path}: not YAML: {words}", path = path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// Why, with line and column.
        words: String,
    },
    /// It is YAML and no scenario.
    #[error("{}", shown(path, complaints))]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong, in the order of the file.
        complaints: Vec<Complaint>,
    },
}

fn shown(path: &Path, complaints: &[Complaint]) -> String {
    let line = |it: &Complaint| {
        let colon = if it.place.is_empty() { "" } else { ": " };
        format!(
            "{}:{}: {}{colon}{}",
            path.display(),
            it.line,
            it.place,
            it.words
        )
    };
    let mut lines: Vec<String> = complaints.iter().take(MAX_COMPLAINTS).map(line).collect();
    if complaints.len() > MAX_COMPLAINTS {
        let more = complaints.len() - MAX_COMPLAINTS;
        lines.push(format!("{}: and {more} more", path.display()));
    }
    lines.join("\n")
}

/// Reads a file.
///
/// # Errors
/// [`LoadError`].
pub fn load(path: &Path) -> Result<Loaded, LoadError> {
    let failed = |source| LoadError::Read {
        path: path.to_owned(),
        source,
    };
    if std::fs::metadata(path).map_err(failed)?.len() > MAX_FILE_BYTES {
        return Err(LoadError::TooLong {
            path: path.to_owned(),
        });
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    parse(path, &text)
}

/// Reads the text of a file.
///
/// # Errors
/// [`LoadError`].
pub fn parse(path: &Path, text: &str) -> Result<Loaded, LoadError> {
    let places: Node = serde_saphyr::from_str(text).map_err(|error| LoadError::Yaml {
        path: path.to_owned(),
        words: error.to_string(),
    })?;
    let document = places.value();
    let wrong = |mut complaints: Vec<Complaint>| {
        complaints.sort_by_key(|it| it.line);
        complaints.dedup();
        LoadError::Wrong {
            path: path.to_owned(),
            complaints,
        }
    };
    let complaint = |pointer: &str, words: String| Complaint {
        line: places.line(pointer),
        place: readable(pointer),
        words,
    };
    let complaints: Vec<Complaint> = schema::check(SCHEMA, &document)
        .into_iter()
        .map(|(pointer, words)| complaint(&pointer, words))
        .collect();
    if !complaints.is_empty() {
        return Err(wrong(complaints));
    }
    let scenario: Scenario = serde_path_to_error::deserialize(&document).map_err(|error| {
        let pointer = pointer_of(&error.path().to_string());
        wrong(vec![complaint(&pointer, error.into_inner().to_string())])
    })?;
    let complaints: Vec<Complaint> = rules::check(&scenario)
        .into_iter()
        .map(|(pointer, words)| complaint(&pointer, words))
        .collect();
    if !complaints.is_empty() {
        return Err(wrong(complaints));
    }
    Ok(Loaded {
        path: path.to_owned(),
        scenario,
        places,
    })
}

/// `/when/2/then` as `when[2].then`.
#[must_use]
pub fn readable(pointer: &str) -> String {
    let mut place = String::new();
    for segment in pointer.split('/').skip(1) {
        let segment = segment.replace("~1", "/").replace("~0", "~");
        if !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit()) {
            place.push_str(&format!("[{segment}]"));
        } else {
            if !place.is_empty() {
                place.push('.');
            }
            place.push_str(&segment);
        }
    }
    place
}

/// `when[2].then` as `/when/2/then`.
fn pointer_of(path: &str) -> String {
    let parts = path.split(['.', '[', ']']).filter(|it| !it.is_empty());
    parts.fold(String::new(), |all, part| format!("{all}/{part}"))
}

#[cfg(test)]
mod tests;
