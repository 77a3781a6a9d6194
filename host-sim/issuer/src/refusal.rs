//! Why no token was given, and how that is said (RFC 6749, section 5.2).

use http::header::{ALLOW, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use crate::answer::{self, Answer};

/// Declared in the order in which the causes are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Not POST.
    Method,
    /// Not a form.
    MediaType,
    /// Over `MAX_BODY_BYTES`.
    TooLong,
    /// Parameters in the URI, where logs keep them.
    Query,
    /// Escapes or characters that no form has.
    Malformed,
    /// A parameter that may be there once is there twice.
    Repeated(&'static str),
    /// Two `Authorization` headers.
    RepeatedAuthorization,
    /// A client that authenticates in the header and in the body.
    TwoAuthentications,
    /// No `grant_type`.
    NoGrantType,
    /// No such client, another secret, no authentication or none that is understood: it is not told which.
    InvalidClient,
    /// Another grant than client credentials.
    GrantType,
    /// A scope that is malformed or that the client may not have.
    Scope,
    /// The keys cannot be used. The operator is told why.
    Keys,
}

impl Refusal {
    fn words(&self) -> (StatusCode, &'static str, String) {
        let invalid = |status, words: &str| (status, "invalid_request", words.to_owned());
        let bad = StatusCode::BAD_REQUEST;
        match self {
            Self::Method => invalid(StatusCode::METHOD_NOT_ALLOWED, "This endpoint takes POST"),
            Self::MediaType => invalid(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The body must be application/x-www-form-urlencoded",
            ),
            Self::TooLong => invalid(StatusCode::PAYLOAD_TOO_LARGE, "The body is too long"),
            Self::Query => invalid(bad, "Parameters belong in the body, not in the URI"),
            Self::Malformed => invalid(bad, "The body is not a form"),
            Self::Repeated(name) => invalid(bad, &format!("Parameter {name} is repeated")),
            Self::RepeatedAuthorization => invalid(bad, "Header Authorization is repeated"),
            Self::TwoAuthentications => invalid(
                bad,
                "The client authenticates in the header and in the body",
            ),
            Self::NoGrantType => invalid(bad, "Parameter grant_type is missing"),
            Self::InvalidClient => (
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                "Client authentication failed".to_owned(),
            ),
            Self::GrantType => (
                bad,
                "unsupported_grant_type",
                "Only client_credentials is supported".to_owned(),
            ),
            Self::Scope => (
                bad,
                "invalid_scope",
                "The scope is malformed or not granted to this client".to_owned(),
            ),
            Self::Keys => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "server_error",
                "The signing keys cannot be used".to_owned(),
            ),
        }
    }

    /// The answer that says it.
    pub fn answer(&self) -> Answer {
        let (status, error, description) = self.words();
        let body = json!({ "error": error, "error_description": description });
        let mut answer = answer::not_stored(answer::json(status, &body));
        let header = match self {
            Self::Method => Some((ALLOW, "POST")),
            // RFC 6749 asks for it when Basic was used, RFC 9110 (section 15.5.2) with every 401.
            Self::InvalidClient => Some((WWW_AUTHENTICATE, r#"Basic realm="issuer""#)),
            _ => None,
        };
        if let Some((name, value)) = header {
            answer
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        answer
    }
}
