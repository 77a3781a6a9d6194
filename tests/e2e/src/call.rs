//! A request of the API and its answer, as data: the tests' vocabulary.

use bytes::Bytes;

/// How much of a body a message shows.
const BRIEF_CHARACTERS: usize = 400;

/// A request to be sent by any client.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: &'static str,
    /// Path and query, as they are to be sent.
    pub path: String,
    /// Names in lower case, values as bytes; a name may occur again.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body; empty means none.
    pub body: Bytes,
}

impl Call {
    /// A request without headers and body.
    #[must_use]
    pub fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// `GET` of a path below `/reward-points`.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self::new("GET", format!("/reward-points{path}"))
    }

    /// `POST` of JSON to a path below `/reward-points`.
    #[must_use]
    pub fn post(path: &str, json: impl Into<Bytes>) -> Self {
        let call = Self::new("POST", format!("/reward-points{path}"));
        call.header("content-type", "application/json").body(json)
    }

    /// `DELETE` of a path below `/reward-points`.
    #[must_use]
    pub fn delete(path: &str) -> Self {
        Self::new("DELETE", format!("/reward-points{path}"))
    }

    /// The balance of a customer.
    #[must_use]
    pub fn balance(customer: &str) -> Self {
        Self::get(&format!("/customer/{customer}"))
    }

    /// The summary of a customer.
    #[must_use]
    pub fn summary(customer: &str) -> Self {
        Self::get(&format!("/customer/{customer}/summary"))
    }

    /// Adding points to a customer.
    #[must_use]
    pub fn add(customer: &str, json: impl Into<Bytes>) -> Self {
        Self::post(
            &format!("/customer/{customer}/addPoints?siteCode=main"),
            json,
        )
    }

    /// Redeeming points of a customer.
    #[must_use]
    pub fn redeem(customer: &str, json: impl Into<Bytes>) -> Self {
        Self::post(&format!("/customer/{customer}/redeemPoints"), json)
    }

    /// The same request with one header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// The same request under that token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// The same request with that body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names in lower case, values as text.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Status and the beginning of the body in one line, for messages.
    #[must_use]
    pub fn brief(&self) -> String {
        let text: String = self.text().chars().take(BRIEF_CHARACTERS).collect();
        format!("{} {text}", self.status)
    }
}
