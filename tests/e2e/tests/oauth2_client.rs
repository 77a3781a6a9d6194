//! A stock OAuth 2.0 client on the gateway's own port: a token by client credentials, and the API with it.
//!
//! The gateway knows the issuer by the keys that it publishes and nothing else, and lets the two anonymous paths through.

use std::net::SocketAddr;
use std::time::Duration;

use e2e::{Combination, on_every_gateway, run};
use oauth2::basic::BasicClient;
use oauth2::{AuthType, ClientId, ClientSecret, HttpRequest, TokenResponse as _, TokenUrl};
use testbed::{Engine, Gateway, Issuer, Request, Response};

/// How long a gateway may take to hold keys that it has not met yet.
const KEYS_BOUND: Duration = Duration::from_secs(60);

on_every_gateway!(a_stock_client_uses_the_api);

fn a_stock_client_uses_the_api(on: Combination) {
    run(async {
        let engine = Engine::of(on.engine).start().expect("an engine");
        let issuer = Issuer::builder().start().expect("an issuer");
        let plugin = testbed::committed_plugin().expect("a plugin configuration");
        let mut gateway = Gateway::of(on.gateway, engine.address(), plugin)
            .issuer(issuer.address())
            .start()
            .unwrap_or_else(|error| panic!("{on}: {error}"));

        for (how, customer) in [
            (AuthType::BasicAuth, "by-header"),
            (AuthType::RequestBody, "by-form"),
        ] {
            let token = token(gateway.address(), how);
            let add = Request::new(
                "POST",
                &format!("/reward-points/customer/{customer}/addPoints?siteCode=main"),
            )
            .bearer(&token)
            .json(r#"{"id":"once","points":7}"#);
            let added = answered(&mut gateway, &add);
            assert_eq!(added.status, 201, "{on}: {}", added.text());
            let balance =
                Request::new("GET", &format!("/reward-points/customer/{customer}")).bearer(&token);
            let read = answered(&mut gateway, &balance);
            assert_eq!((read.status, read.text().as_str()), (200, "7"), "{on}");
        }

        // What rotates keys is not to be had here, and what is not let through by name is not either.
        let ask = |method: &str, path: &str| {
            let answer = Request::new(method, path).send(gateway.address());
            answer.expect("an answer").status
        };
        assert_eq!(ask("GET", "/.well-known/jwks.json"), 200, "{on}");
        assert_eq!(
            ask("GET", "/.well-known/oauth-authorization-server"),
            200,
            "{on}"
        );
        assert_eq!(ask("POST", "/rotate"), 404, "{on}");
        assert_eq!(ask("GET", "/oauth/token"), 405, "{on}");
    });
}

/// A token of the built-in client, asked for at the gateway.
fn token(gateway: SocketAddr, how: AuthType) -> String {
    let (id, secret) = Issuer::CLIENT.split_once(':').expect("an id and a secret");
    let url = format!("http://{gateway}/oauth/token");
    let client = BasicClient::new(ClientId::new(id.to_owned()))
        .set_client_secret(ClientSecret::new(secret.to_owned()))
        .set_token_uri(TokenUrl::new(url).expect("a URL"))
        .set_auth_type(how);
    let granted = client
        .exchange_client_credentials()
        .request(&|request: HttpRequest| testbed::exchange(gateway, &request));
    granted.expect("a token").access_token().secret().clone()
}

/// The first answer that is not "not yet": until a gateway has fetched the keys it says 503.
fn answered(gateway: &mut Gateway, request: &Request) -> Response {
    let to = gateway.address();
    let answer = gateway
        .process()
        .wait_until("it holds the issuer's keys", KEYS_BOUND, |_| {
            let answer = request.send(to).expect("an answer");
            (answer.status != 503).then_some(answer)
        });
    answer.expect("an answer")
}
