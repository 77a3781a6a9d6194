//! Claims that rules of the configuration look at, kept as plain values once the token is verified.
//!
//! Only the types that a rule can test are kept; a claim of any other type counts as absent. What a value means is the rule's.

use std::sync::Arc;

use super::config::MAX_NAME_BYTES;
use crate::config_error::ConfigError;
use crate::rules::ClaimView;
use crate::strict_json::{Json, Object};

/// Most claims that rules may look at.
pub const MAX_KEPT_CLAIMS: usize = 16;
/// Most elements of a list; a longer one counts as absent. Texts are bounded by the token's own size.
pub const MAX_CLAIM_TEXTS: usize = 256;

/// The value of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimValue {
    /// A string.
    Text(String),
    /// An array of strings only, at most [`MAX_CLAIM_TEXTS`].
    Texts(Vec<String>),
    /// `true` or `false`.
    Bool(bool),
    /// A whole number from -2^63 to 2^64-1, written without fraction or exponent.
    Integer(i128),
}

impl ClaimValue {
    /// The value as a rule tests it.
    pub(super) fn view(&self) -> ClaimView<'_> {
        match self {
            Self::Text(text) => ClaimView::Text(text),
            Self::Texts(texts) => ClaimView::Texts(texts),
            Self::Bool(value) => ClaimView::Bool(*value),
            Self::Integer(number) => ClaimView::Integer(*number),
        }
    }

    fn of(value: &Json<'_>) -> Option<Self> {
        match value {
            Json::String(text) => Some(Self::Text(text.clone().into_owned())),
            Json::Bool(value) => Some(Self::Bool(*value)),
            Json::Unsigned(number) => Some(Self::Integer(i128::from(*number))),
            Json::Negative(number) => Some(Self::Integer(i128::from(*number))),
            Json::Array(elements) if elements.len() <= MAX_CLAIM_TEXTS => {
                let text = |element: &Json<'_>| match element {
                    Json::String(text) => Some(text.clone().into_owned()),
                    _ => None,
                };
                let texts: Option<Vec<String>> = elements.iter().map(text).collect();
                texts.map(Self::Texts)
            }
            Json::Array(_) | Json::Object(_) | Json::Float(_) | Json::Null => None,
        }
    }
}

/// The names of the claims to keep.
#[derive(Debug)]
pub(super) struct KeptNames(Arc<[String]>);

impl KeptNames {
    /// # Errors
    /// Too many names, or one that no claim can have.
    pub(super) fn new(names: &[String]) -> Result<Self, ConfigError> {
        let mut distinct: Vec<String> = Vec::new();
        for name in names {
            if name.is_empty() || name.len() > MAX_NAME_BYTES {
                let problem = format!("names of claims must have 1 to {MAX_NAME_BYTES} bytes");
                return Err(ConfigError::new("", problem));
            }
            if !distinct.contains(name) {
                distinct.push(name.clone());
            }
        }
        if distinct.len() > MAX_KEPT_CLAIMS {
            let problem = format!("rules may look at no more than {MAX_KEPT_CLAIMS} claims");
            return Err(ConfigError::new("", problem));
        }
        Ok(Self(distinct.into()))
    }

    pub(super) fn keep(&self, claims: &Object<'_>) -> KeptClaims {
        let value = |name: &String| claims.get(name).and_then(ClaimValue::of);
        KeptClaims {
            names: Arc::clone(&self.0),
            values: self.0.iter().map(value).collect(),
        }
    }
}

/// The values of the claims that are kept. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeptClaims {
    names: Arc<[String]>,
    values: Arc<[Option<ClaimValue>]>,
}

impl KeptClaims {
    pub(super) fn get(&self, name: &str) -> Option<&ClaimValue> {
        let at = self.names.iter().position(|kept| kept == name)?;
        self.values.get(at)?.as_ref()
    }
}
