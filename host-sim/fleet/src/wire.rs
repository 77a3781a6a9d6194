//! Operations as requests: heads and bodies as a client would send them, tokens and the filter's configuration.

use ct_codecs::{Base64UrlSafeNoPadding, Encoder as _};
use host::Headers;
use ledger::Timestamp;
use serde_json::{Value, json};

use crate::clock::START_MS;
use crate::plan::{Account, Kind, Name, Operation, Profile, Recency};

/// The engine's cluster.
pub(crate) const ENGINE_CLUSTER: &str = "points-engine";

const ISSUER: &str = "https://issuer.example/";
const SECRET: &[u8; 32] = b"the fleet signs with this secret";
const SCOPE: &str = "rewardspoints.rewardpoints_view rewardspoints.rewardpoints_manage";

/// What stands before an operation's number in its description, its id and its key.
const DESCRIPTION: &str = "o";

/// The filter's configuration in this world.
pub(crate) fn configuration(profile: &Profile) -> Value {
    let mut configuration = json!({
        "issuers": [{
            "issuer": ISSUER,
            "algorithms": ["HS256"],
            "jwks": { "keys": [{ "kty": "oct", "kid": "fleet", "alg": "HS256", "k": encoded(SECRET) }] },
        }],
        "engine": {
            "clusters": [ENGINE_CLUSTER],
            "call_timeout_ms": profile.call_timeout_ms,
            "write_budget_ms": profile.budget_ms,
            "read_budget_ms": profile.budget_ms,
            "max_batch": profile.max_batch,
            "max_in_flight": profile.max_in_flight,
        },
        "reads": { "max_staleness_ms": profile.max_staleness_ms },
        "cache_bytes": profile.cache_bytes,
        "sweep": { "interval_ms": profile.sweep_interval_ms },
        "decision_log": { "lines": "none" },
    });
    for (name, value) in &profile.settings {
        configuration[name] = value.clone();
    }
    configuration
}

fn encoded(bytes: &[u8]) -> String {
    Base64UrlSafeNoPadding::encode_to_string(bytes).unwrap_or_default()
}

/// A token of that tenant that is good all the while, whatever the clocks show.
pub(crate) fn token(tenant: u8) -> String {
    const DAY_S: i64 = 86_400;
    let account = Account {
        tenant,
        customer: 0,
    };
    let header = json!({ "alg": "HS256", "kid": "fleet", "typ": "at+jwt" });
    let claims = json!({
        "iss": ISSUER,
        "sub": "employee",
        "tenant": account.tenant_name(),
        "scope": SCOPE,
        "iat": START_MS / 1000 - DAY_S,
        "exp": START_MS / 1000 + 300 * DAY_S,
    });
    let signed = format!(
        "{}.{}",
        encoded(header.to_string().as_bytes()),
        encoded(claims.to_string().as_bytes())
    );
    let signature = hmac_sha256::HMAC::mac(signed.as_bytes(), SECRET);
    format!("Bearer {signed}.{}", encoded(&signature))
}

/// The text by which an entry tells its operation.
#[must_use]
pub fn description(number: u32) -> String {
    format!("{DESCRIPTION}{number}")
}

/// The operation that an entry with this description is of.
#[must_use]
pub fn number_of(description: &str) -> Option<u32> {
    description.strip_prefix(DESCRIPTION)?.parse().ok()
}

/// The id that a client gives an operation of this number.
#[must_use]
pub fn id(number: u32) -> String {
    format!("i{number}")
}

/// A request as it is sent.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) headers: Headers,
    /// None: the head ends it.
    pub(crate) body: Option<Vec<u8>>,
}

/// The request of an operation that was planned for `at_us`. `session` is the revision that its client wants to see.
pub(crate) fn request(operation: &Operation, at_us: u64, token: &str, session: i64) -> Request {
    let customer = operation.account.customer_name();
    let (method, path) = match operation.kind {
        Kind::Add { .. } => (
            "POST",
            format!("/reward-points/customer/{customer}/addPoints"),
        ),
        Kind::Redeem { .. } => (
            "POST",
            format!("/reward-points/customer/{customer}/redeemPoints"),
        ),
        Kind::Create { .. } => ("POST", format!("/reward-points/customer/{customer}")),
        Kind::Delete => ("DELETE", format!("/reward-points/customer/{customer}")),
        Kind::Balance(_) => ("GET", format!("/reward-points/customer/{customer}")),
        Kind::Summary(_) => ("GET", format!("/reward-points/customer/{customer}/summary")),
        Kind::List => ("GET", "/reward-points/summaryBatch".to_owned()),
    };
    let mut headers = Headers::from_pairs([
        (":method", method),
        (":scheme", "http"),
        (":authority", "points.example"),
        (":path", &path),
        ("authorization", token),
    ]);
    if let Kind::Balance(recency) | Kind::Summary(recency) = operation.kind {
        match recency {
            Recency::Bounded => {}
            Recency::Strict => headers.add(b"cache-control", b"no-cache"),
            Recency::Session if session > 0 => {
                headers.add(b"x-points-revision", session.to_string().as_bytes());
            }
            Recency::Session => {}
            Recency::MaxAge(seconds) => {
                headers.add(b"cache-control", format!("max-age={seconds}").as_bytes());
            }
        }
    }
    if operation.named == Name::Key {
        headers.add(
            b"idempotency-key",
            format!("k{}", operation.number).as_bytes(),
        );
    }
    let body = body(operation, at_us);
    if body.is_some() {
        headers.add(b"content-type", b"application/json");
    }
    Request { headers, body }
}

fn body(operation: &Operation, at_us: u64) -> Option<Vec<u8>> {
    let entry = |points: u32| {
        let mut entry = json!({ "points": points, "description": description(operation.number) });
        if let (Name::Id(number), Some(entry)) = (operation.named, entry.as_object_mut()) {
            entry.insert("id".to_owned(), json!(id(number)));
        }
        entry
    };
    let body = match operation.kind {
        Kind::Add { points, valid_ms } => {
            let mut entry = entry(points);
            if let (Some(valid_until), Some(entry)) =
                (valid_until(at_us, valid_ms), entry.as_object_mut())
            {
                entry.insert("validUntil".to_owned(), json!(valid_until.to_rfc3339()));
            }
            entry
        }
        Kind::Redeem { points } => entry(points),
        Kind::Create {
            points: Some(points),
        } => json!({ "startPoints": entry(points) }),
        Kind::Create { points: None } => json!({}),
        Kind::Delete | Kind::Balance(_) | Kind::Summary(_) | Kind::List => return None,
    };
    Some(body.to_string().into_bytes())
}

/// Until when the points of an operation that was planned for `at_us` are good.
fn valid_until(at_us: u64, valid_ms: Option<u32>) -> Option<Timestamp> {
    let planned_ms = START_MS + (at_us / 1000).cast_signed();
    Timestamp::from_millis(planned_ms + i64::from(valid_ms?))
}
