//! An issuer in this process, asked over its real sockets.
#![allow(dead_code, reason = "not every test program asks everything")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use issuer::{Algorithm, Clients, Config, Running, StartError};
use jwt_simple::prelude::*;
use serde_json::Value;
use tempfile::TempDir;
use testbed::{Request, Response};
use tokio::runtime::Runtime;

/// The name of the issuers here.
pub const NAME: &str = "https://issuer.test/";
/// The media type of a token request.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// A running issuer with a folder of keys of its own.
pub struct Issuer {
    running: Option<Running>,
    runtime: Runtime,
    dir: TempDir,
}

/// The built-in clients on free loopback ports, with keys in `dir`.
pub fn config(dir: &Path) -> Config {
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    Config {
        listen: any_port,
        admin: Some(any_port),
        issuer: NAME.to_owned(),
        audience: None,
        public_url: None,
        keys: dir.join("keys"),
        algorithm: Algorithm::Es256,
        keep_retired: Duration::from_secs(24 * 3600),
        clients: Clients::built_in(),
    }
}

/// What `start` says to that configuration.
pub fn start(config: Config) -> Result<(), StartError> {
    let runtime = Runtime::new().expect("a runtime");
    let started = runtime.block_on(issuer::start(config));
    started.map(|running| runtime.block_on(running.stop()))
}

impl Issuer {
    /// With the built-in clients.
    pub fn start() -> Self {
        Self::start_with(|_| {})
    }

    /// With another configuration.
    pub fn start_with(configure: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let runtime = Runtime::new().expect("a runtime");
        let mut issuer = Self {
            running: None,
            runtime,
            dir,
        };
        issuer.run(configure);
        issuer
    }

    fn run(&mut self, configure: impl FnOnce(&mut Config)) {
        let mut config = config(self.dir.path());
        configure(&mut config);
        let running = self.runtime.block_on(issuer::start(config));
        self.running = Some(running.expect("the issuer starts"));
    }

    /// Stops it and starts another on the same keys.
    pub fn restart(&mut self) {
        self.stop();
        self.run(|_| {});
    }

    /// Stops it.
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.stop());
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.running.as_ref().expect("it runs").local_addr
    }

    /// Where it is administered.
    pub fn admin(&self) -> SocketAddr {
        self.running
            .as_ref()
            .expect("it runs")
            .admin_addr
            .expect("an admin address")
    }

    /// Asks its public listener.
    pub fn ask(&self, request: &Request) -> Response {
        request.send(self.address()).expect("an answer")
    }

    /// Asks for a token with a form.
    pub fn form(&self, body: &str) -> Response {
        self.ask(&form(body))
    }

    /// A token of `acme-backend`.
    pub fn token(&self) -> String {
        let answer = self
            .form("grant_type=client_credentials&client_id=acme-backend&client_secret=acme-secret");
        assert_eq!(answer.status, 200, "{}", answer.text());
        json(&answer)["access_token"]
            .as_str()
            .expect("a token")
            .to_owned()
    }

    /// The ids of the published keys, in their order.
    pub fn published(&self) -> Vec<String> {
        let keys = self.key_set();
        let keys = keys["keys"].as_array().expect("keys").clone();
        keys.iter()
            .map(|key| key["kid"].as_str().expect("a kid").to_owned())
            .collect()
    }

    /// The published keys.
    pub fn key_set(&self) -> Value {
        let answer = self.ask(&Request::new("GET", "/.well-known/jwks.json"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        json(&answer)
    }

    /// Rotates over the admin listener.
    pub fn rotate(&self, query: &str) -> Response {
        Request::new("POST", &format!("/rotate{query}"))
            .send(self.admin())
            .expect("an answer")
    }
}

/// A token request with a form.
pub fn form(body: &str) -> Request {
    Request::new("POST", "/oauth/token")
        .header("content-type", FORM)
        .body(body)
}

/// A body that is JSON.
pub fn json(answer: &Response) -> Value {
    serde_json::from_slice(&answer.body).expect("JSON")
}

/// The `kid` of a token.
pub fn key_id(token: &str) -> String {
    let header = Token::decode_metadata(token).expect("a header");
    header.key_id().expect("a kid").to_owned()
}

/// The claims of `token` as verified with the key of `jwks` that its `kid` names; nothing when there is none.
pub fn verified(jwks: &Value, token: &str) -> Option<Value> {
    let header = Token::decode_metadata(token).expect("a header");
    let keys = jwks["keys"].as_array().expect("keys");
    let jwk = keys
        .iter()
        .find(|jwk| jwk["kid"] == header.key_id().expect("a kid"))?
        .to_string();
    let claims =
        match header.algorithm() {
            "RS256" => RS256PublicKey::from_jwk(&jwk)
                .and_then(|key| key.verify_token::<Value>(token, None)),
            "ES256" => ES256PublicKey::from_jwk(&jwk)
                .and_then(|key| key.verify_token::<Value>(token, None)),
            "EdDSA" => Ed25519PublicKey::from_jwk(&jwk)
                .and_then(|key| key.verify_token::<Value>(token, None)),
            other => panic!("an algorithm that nobody asked for: {other}"),
        };
    Some(serde_json::to_value(claims.expect("a good signature")).expect("claims"))
}
