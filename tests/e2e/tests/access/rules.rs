//! The rules that these tests run under, and a gateway with them in front of a service of the test's own.

use e2e::{Answer, Call, Client, Combination, Reply, Seen, Server, Stack, Version, token};
use serde_json::{Value, json};

/// A gateway with rules, and what it guards.
pub struct Guarded {
    pub stack: Stack,
    pub upstream: Server,
}

/// The development configuration with rules, each of another kind.
pub fn plugin() -> Value {
    let mut plugin = Stack::plugin();
    plugin["guarded_prefixes"] = json!(["/orders", "/staff", "/secret"]);
    let staff = json!([{ "claim": "user_type", "any_of": ["EMPLOYEE", "SERVICE"] }]);
    plugin["rules"] = json!([
        { "name": "closed", "path": "/orders/internal/**", "allow": "denied" },
        {
            "name": "read", "methods": ["GET", "HEAD"], "path": "/orders/{id}/**", "allow": "scopes",
            "any_of": ["orders.view", "orders.manage"],
        },
        {
            "name": "write", "methods": ["POST", "PUT"], "path": "/orders/{id}", "allow": "scopes",
            "all_of": ["orders.view", "orders.manage"],
        },
        { "name": "staff", "path": "/staff/**", "allow": "authenticated", "claims": staff },
        { "name": "trial", "path": "/trial/**", "allow": "scopes", "any_of": ["orders.view"], "mode": "report" },
        { "name": "trial-closed", "path": "/trial-closed", "allow": "denied", "mode": "report" },
        { "name": "health", "path": "/health", "allow": "anonymous" },
        { "name": "account", "path": "/account/*/name", "allow": "authenticated" },
    ]);
    plugin
}

impl Guarded {
    pub async fn start(on: Combination) -> Self {
        Self::start_with(on, plugin()).await
    }

    pub async fn start_with(on: Combination, plugin: Value) -> Self {
        let upstream = Server::start(Reply::new(200, "from behind")).await;
        let address = upstream.address();
        let stack = Stack::start_with(on, plugin, |gateway| gateway.route("/", address));
        Self { stack, upstream }
    }

    pub async fn connect(&self, version: Version) -> Client {
        let client = Client::connect(self.stack.address(), version).await;
        client.expect("connect")
    }

    /// The answer to one request on a connection of its own.
    pub async fn ask(&self, call: &Call) -> Answer {
        let mut client = self.connect(Version::Http1).await;
        let answer = client.send(call).await;
        answer.unwrap_or_else(|error| panic!("{} {}: {error}", call.method, call.path))
    }

    /// A token of `acme` with these scopes, and with other claims changed.
    pub fn token(&self, scope: &str, changes: Value) -> String {
        self.stack
            .sign(token::with(token::claims("acme", scope), changes))
    }
}

/// What a service is told about the caller: tenant, scopes and subject.
pub type Identity<'a> = Option<[&'a str; 3]>;

/// Names of identity headers, and what other servers read as one of them.
const IDENTITY: [&str; 3] = ["x-tenant", "x-scopes", "x-subject"];

/// The service was told this and nothing else about the caller, in whatever spelling.
pub fn assert_told(what: &str, seen: &Seen, identity: Identity<'_>) {
    let fold = |name: &str| name.to_ascii_lowercase().replace('_', "-");
    let told: Vec<(String, String)> = seen
        .headers
        .iter()
        .chain(&seen.trailers)
        .filter(|(name, _)| IDENTITY.contains(&fold(name).as_str()))
        .map(|(name, value)| (name.clone(), String::from_utf8_lossy(value).into_owned()))
        .collect();
    let mut expected: Vec<(String, String)> = identity
        .into_iter()
        .flat_map(|values| IDENTITY.into_iter().zip(values))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut sorted = told;
    sorted.sort();
    expected.sort();
    assert_eq!(sorted, expected, "{what}: {seen:?}");
}
