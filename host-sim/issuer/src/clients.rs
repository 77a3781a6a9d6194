//! Who gets tokens: a file that is taken whole or refused by the path of its bad field, or a few built-in clients.
//!
//! Secrets are not kept: what is compared, in constant time, is a keyed digest under a key that only this process knows.

use std::collections::BTreeSet;

use hmac_sha256::HMAC;
use serde::Deserialize;

use crate::limits::{
    DEFAULT_TOKEN_SECONDS, MAX_CLIENTS, MAX_CLIENTS_FILE_BYTES, MAX_ID_BYTES, MAX_SCOPE_BYTES,
    MAX_SCOPES, MAX_SECRET_BYTES, MAX_TOKEN_SECONDS,
};

/// Characters of a tenant's name; the gateway's own default.
const TENANT_LENGTH: std::ops::RangeInclusive<usize> = 3..=16;
/// The scope to see points.
const VIEW: &str = "rewardspoints.rewardpoints_view";
/// The scope to change them.
const MANAGE: &str = "rewardspoints.rewardpoints_manage";

/// Why a file of clients was refused. No secret is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field `{path}`: {reason}")]
pub struct ClientsError {
    /// Where, as in `clients[2].tenant`.
    pub path: String,
    /// What is wrong there.
    pub reason: String,
}

/// The clients by id.
#[derive(Debug)]
pub struct Clients {
    list: Vec<Client>,
    key: Vec<u8>,
    /// Compared with when there is no such client, so that the answer takes as long.
    nobody: [u8; 32],
    built_in: bool,
}

/// A client, without its secret.
#[derive(Debug)]
pub(crate) struct Client {
    /// Claims `sub` and `client_id`.
    pub id: String,
    /// Claim `tenant`.
    pub tenant: String,
    /// What it may have, in the order of the file.
    pub scopes: Vec<String>,
    /// How long its tokens live.
    pub token_seconds: u64,
    digest: [u8; 32],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    clients: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    secret: String,
    tenant: String,
    scopes: Vec<String>,
    token_seconds: Option<u64>,
}

impl Clients {
    /// Clients for development, whose secrets are public: `acme-backend` / `acme-secret` and `other-backend` /
    /// `other-secret` view and manage the points of `acme` and `other`; `acme-viewer` / `viewer-secret` only views.
    #[must_use]
    pub fn built_in() -> Self {
        let entry = |id: &str, secret: &str, tenant: &str, scopes: &[&str]| Entry {
            id: id.to_owned(),
            secret: secret.to_owned(),
            tenant: tenant.to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            token_seconds: None,
        };
        Self::of(
            vec![
                entry("acme-backend", "acme-secret", "acme", &[VIEW, MANAGE]),
                entry("acme-viewer", "viewer-secret", "acme", &[VIEW]),
                entry("other-backend", "other-secret", "other", &[VIEW, MANAGE]),
            ],
            true,
        )
    }

    /// Reads `{"clients": [{"id", "secret", "tenant", "scopes": [...], "token_seconds"?}]}`.
    ///
    /// # Errors
    /// [`ClientsError`] with the path of the first bad field.
    pub fn parse(json: &[u8]) -> Result<Self, ClientsError> {
        if u64::try_from(json.len()).map_or(true, |bytes| bytes > MAX_CLIENTS_FILE_BYTES) {
            let reason = format!("the file is longer than {MAX_CLIENTS_FILE_BYTES} bytes");
            return Err(refused("", reason));
        }
        let mut reader = serde_json::Deserializer::from_slice(json);
        let file: File = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let path = error.path().to_string();
            // Not serde's own words for a wrong type: they quote the value, which may be a secret.
            refused(&path, describe(error.inner()))
        })?;
        reader
            .end()
            .map_err(|error| refused("", describe(&error)))?;
        check(&file.clients)?;
        Ok(Self::of(file.clients, false))
    }

    fn of(entries: Vec<Entry>, built_in: bool) -> Self {
        let key = signing_keys::random_id().into_bytes();
        let list = entries
            .into_iter()
            .map(|entry| Client {
                digest: HMAC::mac(&entry.secret, &key),
                id: entry.id,
                tenant: entry.tenant,
                scopes: entry.scopes,
                token_seconds: entry.token_seconds.unwrap_or(DEFAULT_TOKEN_SECONDS),
            })
            .collect();
        Self {
            list,
            nobody: HMAC::mac(signing_keys::random_id(), &key),
            key,
            built_in,
        }
    }

    /// The client with that id and secret.
    pub(crate) fn authenticate(&self, id: &str, secret: &str) -> Option<&Client> {
        let found = self.list.iter().find(|client| client.id == id);
        let expected = found.map_or(&self.nobody, |client| &client.digest);
        let is_right = HMAC::verify(secret, &self.key, expected);
        found.filter(|_| is_right)
    }

    /// Every scope that some client may have.
    pub(crate) fn all_scopes(&self) -> BTreeSet<&str> {
        let scopes = self.list.iter().flat_map(|client| &client.scopes);
        scopes.map(String::as_str).collect()
    }

    /// Whether these are [`Clients::built_in`].
    #[must_use]
    pub fn are_built_in(&self) -> bool {
        self.built_in
    }

    /// The longest life of a token that any of them gets, in seconds.
    #[must_use]
    pub fn longest_token_seconds(&self) -> u64 {
        let seconds = self.list.iter().map(|client| client.token_seconds);
        seconds.max().unwrap_or(DEFAULT_TOKEN_SECONDS)
    }
}

fn check(entries: &[Entry]) -> Result<(), ClientsError> {
    if !(1..=MAX_CLIENTS).contains(&entries.len()) {
        let reason = format!("{} clients, but 1 to {MAX_CLIENTS} may be", entries.len());
        return Err(refused("clients", reason));
    }
    let mut ids = BTreeSet::new();
    for (index, entry) in entries.iter().enumerate() {
        let at =
            |field: &str, reason: String| refused(&format!("clients[{index}].{field}"), reason);
        // RFC 6749, appendices A.1 and A.2.
        let visible = |text: &str, limit| {
            (1..=limit).contains(&text.len())
                && text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
        };
        if !visible(&entry.id, MAX_ID_BYTES) {
            return Err(at(
                "id",
                format!("must be 1 to {MAX_ID_BYTES} printable ASCII characters"),
            ));
        }
        if !ids.insert(&entry.id) {
            return Err(at("id", format!("{:?} is there twice", entry.id)));
        }
        if !visible(&entry.secret, MAX_SECRET_BYTES) {
            return Err(at(
                "secret",
                format!("must be 1 to {MAX_SECRET_BYTES} printable ASCII characters"),
            ));
        }
        if !is_tenant(&entry.tenant) {
            return Err(at(
                "tenant",
                "must be 3 to 16 characters, a-z and 0-9, and start with a letter".to_owned(),
            ));
        }
        let seconds = entry.token_seconds.unwrap_or(DEFAULT_TOKEN_SECONDS);
        if !(1..=MAX_TOKEN_SECONDS).contains(&seconds) {
            return Err(at(
                "token_seconds",
                format!("must be 1 to {MAX_TOKEN_SECONDS}"),
            ));
        }
        check_scopes(&entry.scopes, at)?;
    }
    Ok(())
}

fn check_scopes(
    scopes: &[String],
    at: impl Fn(&str, String) -> ClientsError,
) -> Result<(), ClientsError> {
    if !(1..=MAX_SCOPES).contains(&scopes.len()) {
        return Err(at("scopes", format!("must be 1 to {MAX_SCOPES} scopes")));
    }
    let mut seen = BTreeSet::new();
    for (index, scope) in scopes.iter().enumerate() {
        let at = |reason: String| at(&format!("scopes[{index}]"), reason);
        if !is_scope(scope) || scope.len() > MAX_SCOPE_BYTES {
            return Err(at(format!(
                "must be 1 to {MAX_SCOPE_BYTES} visible ASCII characters without quote and backslash"
            )));
        }
        if scope.starts_with("tenant=") {
            return Err(at(
                "the tenant is a field of its own, not a scope".to_owned()
            ));
        }
        if !seen.insert(scope) {
            return Err(at("is there twice".to_owned()));
        }
    }
    Ok(())
}

/// RFC 6749, section 3.3: a scope-token.
pub(crate) fn is_scope(text: &str) -> bool {
    let fits = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !text.is_empty() && text.bytes().all(fits)
}

fn is_tenant(text: &str) -> bool {
    TENANT_LENGTH.contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn refused(path: &str, reason: String) -> ClientsError {
    let path = if path.is_empty() { "." } else { path };
    ClientsError {
        path: path.to_owned(),
        reason,
    }
}

/// What is wrong with the JSON, without any of its values.
fn describe(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let place = format!("line {} column {}", error.line(), error.column());
    let is_about_names = ["missing field", "unknown field", "duplicate field"]
        .iter()
        .any(|start| words.starts_with(start));
    if is_about_names {
        words
    } else if error.is_data() {
        format!("has the wrong type, at {place}")
    } else {
        format!("is not JSON, at {place}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_secret_of_the_right_client_opens() {
        let clients = Clients::built_in();
        let who = |id, secret| {
            clients
                .authenticate(id, secret)
                .map(|client| client.id.as_str())
        };
        assert_eq!(who("acme-backend", "acme-secret"), Some("acme-backend"));
        for (id, secret) in [
            ("acme-backend", "other-secret"),
            ("acme-backend", ""),
            ("acme-backend", "acme-secret "),
            ("ACME-BACKEND", "acme-secret"),
            ("nobody", "acme-secret"),
            ("", ""),
        ] {
            assert_eq!(who(id, secret), None, "{id} {secret}");
        }
        assert!(!format!("{clients:?}").contains("acme-secret"));
    }

    #[test]
    fn what_is_built_in_would_be_accepted_from_a_file() {
        let clients = Clients::built_in();
        assert!(
            clients.list.iter().all(|client| is_tenant(&client.tenant)
                && client.scopes.iter().all(|scope| is_scope(scope)))
        );
    }
}
