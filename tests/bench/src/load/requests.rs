//! Requests as bytes, made before the clock runs, with a place for a running number where they are to differ.
//!
//! A load is a few templates and a range of numbers: request after request takes the next template, and every so many
//! requests the next number. So a million accounts need no million requests in memory, and none is asked for twice
//! before all others were.

use std::fmt::Write as _;

use anyhow::ensure;

/// What stands in a path where the number goes.
pub const NUMBER: &str = "{n}";

/// What is sent: templates in turn, numbers in turn.
#[derive(Clone, Debug)]
pub struct Requests {
    templates: Vec<Template>,
    numbers: u64,
    each: u64,
}

/// One request; `after` is there when it has a place for a number.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Template {
    before: String,
    after: Option<String>,
}

impl Template {
    fn new(head: &str, authorization: &str, body: Option<&str>) -> Self {
        let mut text = format!("{head} HTTP/1.1\r\nhost: bench\r\n");
        if !authorization.is_empty() {
            text.push_str("authorization: ");
            text.push_str(authorization);
            text.push_str("\r\n");
        }
        if let Some(body) = body {
            let length = body.len();
            text.push_str("content-type: application/json\r\n");
            // Writing to a string cannot fail.
            let _ = write!(text, "content-length: {length}\r\n");
        }
        text.push_str("\r\n");
        text.push_str(body.unwrap_or_default());
        match text.split_once(NUMBER) {
            None => Self {
                before: text,
                after: None,
            },
            Some((before, after)) => Self {
                before: before.to_owned(),
                after: Some(after.to_owned()),
            },
        }
    }
}

impl Requests {
    /// A GET of `path` with each of `authorizations` in turn.
    ///
    /// # Errors
    /// When there is none.
    pub fn get(path: &str, authorizations: &[String]) -> anyhow::Result<Self> {
        Self::new(&format!("GET {path}"), authorizations, None)
    }

    /// A POST of `body` to `path` with each of `authorizations` in turn.
    ///
    /// # Errors
    /// When there is none.
    pub fn post(path: &str, authorizations: &[String], body: &str) -> anyhow::Result<Self> {
        Self::new(&format!("POST {path}"), authorizations, Some(body))
    }

    fn new(head: &str, authorizations: &[String], body: Option<&str>) -> anyhow::Result<Self> {
        ensure!(!authorizations.is_empty(), "a load without a request");
        let templates = authorizations.iter();
        Ok(Self {
            templates: templates
                .map(|one| Template::new(head, one, body))
                .collect(),
            numbers: 1,
            each: 1,
        })
    }

    /// Puts 0, 1, … in the place of [`NUMBER`], `numbers` of them, and then begins anew.
    #[must_use]
    pub fn numbered(mut self, numbers: u64) -> Self {
        self.numbers = numbers.max(1);
        self
    }

    /// Stays at a number for so many requests.
    #[must_use]
    pub fn each_number(mut self, requests: u64) -> Self {
        self.each = requests.max(1);
        self
    }

    /// How many numbers there are.
    #[must_use]
    pub fn numbers(&self) -> u64 {
        self.numbers
    }

    /// For how many requests a number stays.
    #[must_use]
    pub fn each(&self) -> u64 {
        self.each
    }

    /// All templates as wrk's script reads them: two lengths on a line (the second -1 where no number goes), then the bytes.
    pub(super) fn file(&self) -> String {
        let mut file = String::new();
        for Template { before, after } in &self.templates {
            let after_length = after.as_ref().map_or(-1, |after| after.len() as i64);
            // Writing to a string cannot fail.
            let _ = writeln!(file, "{} {after_length}", before.len());
            file.push_str(before);
            file.push_str(after.as_deref().unwrap_or_default());
        }
        file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_cut_where_the_number_goes() {
        let tokens = ["Bearer a".to_owned()];
        let numbered = Requests::post("/c/x{n}/add", &tokens, "{\"points\":1}").expect("requests");
        let before = "POST /c/x";
        let after = "/add HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer a\r\ncontent-type: application/json\r\n\
                     content-length: 12\r\n\r\n{\"points\":1}";
        let expected = format!("{} {}\n{before}{after}", before.len(), after.len());
        assert_eq!(numbered.file(), expected);

        let fixed = Requests::get("/x", &tokens).expect("requests");
        let text = "GET /x HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer a\r\n\r\n";
        assert_eq!(fixed.file(), format!("{} -1\n{text}", text.len()));
        assert!(Requests::get("/x", &[]).is_err());
    }
}
