//! Every way in which a request fails, and the one function that turns it into a reply.
//!
//! Knows the shapes that clients know by heart, one for each status, and problem details (RFC 9457) for those who prefer
//! them. What an operator is told is a word of its own, [`Failure::reason`]: it never leaves the gateway.

use std::borrow::Cow;
use std::sync::Arc;

use ledger::Timestamp;
use serde::Serialize;

use super::bad_input::BadInput;
use super::reply::Reply;
use crate::access::{Forbidden, Unauthenticated};
use crate::accounts::job::Corrupt;
use crate::accounts::keys::CustomerId;

/// How long a client is asked to wait when the engine did not answer, in seconds.
const RETRY_AFTER_SECONDS: u32 = 1;

/// Room for the body of most problems.
const PROBLEM_BYTES: usize = 384;

/// Why a request is not answered as it wished. In order of precedence, as far as several can apply to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// 401: no valid token.
    Unauthenticated(Unauthenticated),
    /// 404: no such path.
    UnknownPath,
    /// 405: the path is served, but not with this method.
    WrongMethod {
        /// The methods that are served.
        allow: &'static str,
    },
    /// 403: the token is good, but not for this; or no token would be. With the scopes that are told to the client.
    Forbidden(Forbidden, Arc<[String]>),
    /// 415: the body is not JSON.
    UnsupportedMediaType,
    /// 413: the body is too large.
    BodyTooLarge {
        /// The limit in bytes.
        max_bytes: usize,
    },
    /// 400: the input cannot be used, or asks for what the account does not allow.
    BadInput(BadInput),
    /// 422: the idempotency key was used for another request.
    KeyReused,
    /// 409: the account or the entry exists already.
    Conflict(CustomerId),
    /// 404: the customer has no account.
    UnknownCustomer(CustomerId),
    /// 503: not known to be done.
    Unavailable,
    /// 503: refused at once, too much is under way.
    Overloaded,
    /// 503: too many bad tokens came, and new ones are not looked at for a moment.
    TooManyBadTokens,
    /// 503: what the token would have to be checked against is not there.
    AccessUnknown,
    /// 503: an id could not be made; nothing was begun.
    NoRandomness,
    /// 500: the engine holds something that the gateway cannot read.
    Corrupt(Box<Corrupt>),
    /// 500: a job ended in a way that does not answer what was asked. A bug.
    Unexpected,
}

/// What a failure's body speaks of besides the failure itself.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The path below the common prefix, as it was sent.
    pub instance: &'a str,
    /// The realm of a challenge.
    pub realm: &'a str,
    /// Now.
    pub now: Timestamp,
    /// Whether the client prefers problem details.
    pub problem_details: bool,
}

#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
}

impl Failure {
    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::BadInput(_) => 400,
            Self::Unauthenticated(_) => 401,
            Self::Forbidden(..) => 403,
            Self::UnknownPath | Self::UnknownCustomer(_) => 404,
            Self::WrongMethod { .. } => 405,
            Self::Conflict(_) => 409,
            Self::BodyTooLarge { .. } => 413,
            Self::UnsupportedMediaType => 415,
            Self::KeyReused => 422,
            Self::Corrupt(_) | Self::Unexpected => 500,
            Self::Unavailable
            | Self::Overloaded
            | Self::TooManyBadTokens
            | Self::AccessUnknown
            | Self::NoRandomness => 503,
        }
    }

    /// A fixed word for the operator.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Unauthenticated(error) => error.reason(),
            Self::Forbidden(error, _) => error.reason(),
            Self::UnknownPath => "unknown_path",
            Self::WrongMethod { .. } => "wrong_method",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::BadInput(BadInput::AmbiguousPath(ambiguity)) => ambiguity.reason(),
            Self::BadInput(_) => "bad_input",
            Self::KeyReused => "key_reused",
            Self::Conflict(_) => "conflict",
            Self::UnknownCustomer(_) => "unknown_customer",
            Self::Unavailable => "engine_unavailable",
            Self::Overloaded => "overloaded",
            Self::TooManyBadTokens => "too_many_bad_tokens",
            Self::AccessUnknown => "access_unknown",
            Self::NoRandomness => "no_randomness",
            Self::Corrupt(_) => "corrupt_document",
            Self::Unexpected => "unexpected_outcome",
        }
    }

    /// The reply, in the shape that the client prefers.
    #[must_use]
    pub fn reply(&self, context: &Context<'_>) -> Reply {
        let body = if context.problem_details {
            Reply::typed(
                self.status(),
                "application/problem+json",
                self.problem(context),
            )
        } else {
            Reply::json(self.status(), self.classic_body(context))
        };
        self.with_headers(body, context)
    }

    fn with_headers(&self, reply: Reply, context: &Context<'_>) -> Reply {
        let realm = context.realm;
        match self {
            Self::Unauthenticated(error) => {
                let mut challenge = format!("Bearer realm=\"{realm}\"");
                if error.token_sent() {
                    challenge.push_str(", error=\"invalid_token\"");
                }
                reply.with("www-authenticate", challenge)
            }
            // No token would help: there is nothing to ask for.
            Self::Forbidden(Forbidden::Denied | Forbidden::NoRule, _) => reply,
            Self::Forbidden(_, scopes) => {
                let mut challenge =
                    format!("Bearer realm=\"{realm}\", error=\"insufficient_scope\"");
                if !scopes.is_empty() {
                    challenge.push_str(&format!(", scope=\"{}\"", scopes.join(" ")));
                }
                reply.with("www-authenticate", challenge)
            }
            Self::WrongMethod { allow } => reply.with("allow", *allow),
            Self::Unavailable
            | Self::Overloaded
            | Self::TooManyBadTokens
            | Self::AccessUnknown
            | Self::NoRandomness => reply.with("retry-after", RETRY_AFTER_SECONDS.to_string()),
            _ => reply,
        }
    }

    fn classic_body(&self, context: &Context<'_>) -> Vec<u8> {
        let json = match self {
            Self::Unauthenticated(error) => {
                let (message, code) = if error.expired() {
                    (
                        "Access Token expired",
                        "keymanagement.service.access_token_expired",
                    )
                } else {
                    ("Invalid access token", "oauth.v2.InvalidAccessToken")
                };
                format!(
                    r#"{{"fault":{{"faultstring":"{message}","detail":{{"errorcode":"{code}"}}}}}}"#
                )
            }
            Self::Forbidden(error, scopes) => {
                let detail = quoted(&forbidden_detail(*error, scopes));
                let message = quoted(match error {
                    Forbidden::MissingScope => "Scope validation failed",
                    Forbidden::TenantMismatch => "Tenant validation failed",
                    Forbidden::ClaimMismatch | Forbidden::Denied | Forbidden::NoRule => {
                        "Access denied"
                    }
                });
                format!(
                    r#"{{"code":403,"status":"Forbidden","message":{message},"details":[{detail}]}}"#
                )
            }
            Self::UnknownCustomer(_) => {
                let message = quoted(&self.detail());
                format!(r#"{{"type":"resource_not_found","status":404,"message":{message}}}"#)
            }
            Self::Conflict(_) => {
                let message = quoted(&self.detail());
                format!(
                    r#"{{"status":409,"type":"application/json","message":"New Reward Point Entry not Created","moreInfo":"","details":[{{"field":null,"type":null,"message":{message},"moreInfo":""}}]}}"#
                )
            }
            Self::Corrupt(_) | Self::Unexpected => {
                let timestamp = context.now.to_rfc3339();
                let path = quoted(context.instance);
                format!(
                    r#"{{"timestamp":"{timestamp}","status":500,"error":"Internal Server Error","path":{path}}}"#
                )
            }
            _ => return self.problem(context),
        };
        json.into_bytes()
    }

    /// RFC 9457; also the classic shape of every status that has none of its own.
    fn problem(&self, context: &Context<'_>) -> Vec<u8> {
        let problem = Problem {
            r#type: "about:blank",
            title: title(self.status()),
            status: self.status(),
            detail: &self.detail(),
            instance: context.instance,
        };
        let mut body = Vec::with_capacity(PROBLEM_BYTES);
        // Serialising strings and a number cannot fail; what there is of a body would still carry the status.
        let _ = serde_json::to_writer(&mut body, &problem);
        body
    }

    /// What the client is told in a sentence.
    fn detail(&self) -> Cow<'static, str> {
        match self {
            Self::Unauthenticated(error) if error.expired() => "Access Token expired".into(),
            Self::Unauthenticated(_) => "Invalid access token".into(),
            Self::UnknownPath => "There is nothing at this path".into(),
            Self::WrongMethod { allow } => format!("This path is served with {allow}").into(),
            Self::Forbidden(error, scopes) => forbidden_detail(*error, scopes).into(),
            Self::UnsupportedMediaType => "The body must be application/json in UTF-8".into(),
            Self::BodyTooLarge { max_bytes } => {
                format!("The body is longer than {max_bytes} bytes").into()
            }
            Self::BadInput(error) => error.to_string().into(),
            Self::KeyReused => {
                "The Idempotency-Key was used before for a different request".into()
            }
            Self::Conflict(customer) => format!(
                "Couldn't create a new reward point entry for the customer '{}'",
                customer.as_str()
            )
            .into(),
            Self::UnknownCustomer(customer) => format!(
                "No reward points found for customer {}",
                customer.as_str()
            )
            .into(),
            Self::Unavailable | Self::NoRandomness => "The request is not known to be done. It is safe to send it again with the same Idempotency-Key or id".into(),
            Self::Overloaded | Self::TooManyBadTokens => "Too many requests are under way and this one was not begun. It is safe to send it again with the same Idempotency-Key or id".into(),
            Self::AccessUnknown => "The request cannot be authorized at the moment and was not begun. It is safe to send it again with the same Idempotency-Key or id".into(),
            Self::Corrupt(_) | Self::Unexpected => "Internal Server Error".into(),
        }
    }
}

fn forbidden_detail(error: Forbidden, scopes: &[String]) -> String {
    match error {
        Forbidden::MissingScope => {
            format!("Missing required scopes '[{}]'", scopes.join(", "))
        }
        Forbidden::TenantMismatch => {
            "Header 'Emporix-Tenant' is not the tenant of the token".to_owned()
        }
        Forbidden::ClaimMismatch | Forbidden::Denied | Forbidden::NoRule => {
            "The request is not allowed".to_owned()
        }
    }
}

fn quoted(text: &str) -> String {
    // Serialising a string cannot fail.
    serde_json::to_string(text).unwrap_or_default()
}

/// The reason phrase of RFC 9110, section 15.
const fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}
