//! What happened, as lines of JSON: nothing is kept unless somebody wants to read it.

use serde_json::{Map, Value, json};

/// The lines of one run, or nothing.
#[derive(Debug, Default)]
pub struct Trace(Option<Vec<String>>);

impl Trace {
    /// One that keeps all.
    #[must_use]
    pub fn kept() -> Self {
        Self(Some(Vec::new()))
    }

    /// Adds a line: when, what, and more about it, which is only made up when the line is kept.
    pub(crate) fn line(&mut self, at_us: u64, event: &str, more: impl FnOnce() -> Value) {
        if let Some(lines) = &mut self.0 {
            let mut line = Map::new();
            line.insert("at_us".to_owned(), json!(at_us));
            line.insert("event".to_owned(), json!(event));
            if let Value::Object(more) = more() {
                line.extend(more);
            }
            lines.push(Value::Object(line).to_string());
        }
    }

    /// The lines so far.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        self.0.as_deref().unwrap_or_default()
    }
}
