//! The token endpoint: requests and their exact answers, in the order in which refusals are looked for.

mod common;

use std::time::{SystemTime, UNIX_EPOCH};

use common::{FORM, Issuer, NAME, form, json, verified};
use issuer::{Algorithm, Clients};
use serde_json::json;
use testbed::Request;

const VIEW: &str = "rewardspoints.rewardpoints_view";
const MANAGE: &str = "rewardspoints.rewardpoints_manage";
/// acme-backend:acme-secret
const BASIC: &str = "Basic YWNtZS1iYWNrZW5kOmFjbWUtc2VjcmV0";
/// acme-backend:wrong
const WRONG: &str = "Basic YWNtZS1iYWNrZW5kOndyb25n";

#[test]
fn a_token_is_what_was_asked_for_and_signed_by_a_published_key() {
    for algorithm in Algorithm::ALL {
        let issuer = Issuer::start_with(|config| {
            config.algorithm = algorithm;
            config.audience = Some("points".to_owned());
        });
        let before = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a time")
            .as_secs();
        let answer =
            issuer.ask(&form("grant_type=client_credentials").header("authorization", BASIC));
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(
            answer.header("content-type").as_deref(),
            Some("application/json")
        );
        assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"));
        assert_eq!(answer.header("pragma").as_deref(), Some("no-cache"));
        let mut body = json(&answer);
        let token = body["access_token"].take();
        let token = token.as_str().expect("a token");
        let scope = format!("{VIEW} {MANAGE}");
        assert_eq!(
            body,
            json!({"access_token": null, "token_type": "Bearer", "expires_in": 3600, "scope": scope})
        );

        let header = jwt_simple::token::Token::decode_metadata(token).expect("a header");
        assert_eq!(
            (header.algorithm(), header.signature_type()),
            (algorithm.name(), Some("at+jwt"))
        );
        let mut claims = verified(&issuer.key_set(), token).expect("published");
        let (issued, id) = (claims["iat"].as_u64().expect("iat"), claims["jti"].take());
        assert!(issued >= before);
        assert_eq!(id.as_str().map(str::len), Some(32));
        assert_eq!(
            claims,
            json!({
                "iss": NAME, "sub": "acme-backend", "client_id": "acme-backend", "aud": "points", "iat": issued,
                "exp": issued + 3600, "jti": null, "tenant": "acme", "scope": scope,
            })
        );
        assert_ne!(issuer.token(), token);
    }
}

#[test]
fn every_refusal_is_said_as_the_rfc_says_it() {
    let issuer = Issuer::start();
    let invalid =
        |words: &str| format!(r#"{{"error":"invalid_request","error_description":"{words}"}}"#);
    let client = r#"{"error":"invalid_client","error_description":"Client authentication failed"}"#
        .to_owned();
    let grant = r#"{"error":"unsupported_grant_type","error_description":"Only client_credentials is supported"}"#.to_owned();
    let scope = r#"{"error":"invalid_scope","error_description":"The scope is malformed or not granted to this client"}"#.to_owned();
    let (twice, form_expected) = (
        invalid("The client authenticates in the header and in the body"),
        invalid("The body must be application/x-www-form-urlencoded"),
    );
    let good = "grant_type=client_credentials";
    let basic = |body: &str| form(body).header("authorization", BASIC);
    let typed = |kind: &str| {
        Request::new("POST", "/oauth/token")
            .header("content-type", kind)
            .header("authorization", BASIC)
            .body(good)
    };
    let at = |path: &str| {
        Request::new("POST", path)
            .header("content-type", FORM)
            .header("authorization", BASIC)
            .body(good)
    };
    let cases = [
        (
            "GET",
            Request::new("GET", "/oauth/token"),
            405,
            invalid("This endpoint takes POST"),
        ),
        (
            "PUT",
            Request::new("PUT", "/oauth/token").body("x"),
            405,
            invalid("This endpoint takes POST"),
        ),
        (
            "no type",
            Request::new("POST", "/oauth/token").body(good),
            415,
            form_expected.clone(),
        ),
        (
            "JSON",
            typed("application/json"),
            415,
            form_expected.clone(),
        ),
        (
            "two types",
            typed(FORM).header("content-type", FORM),
            415,
            form_expected,
        ),
        (
            "too long",
            basic(&format!("{good}&a={}", "x".repeat(16 * 1024))),
            413,
            invalid("The body is too long"),
        ),
        (
            "query",
            at("/oauth/token?grant_type=client_credentials"),
            400,
            invalid("Parameters belong in the body, not in the URI"),
        ),
        (
            "escape",
            basic("grant_type=%"),
            400,
            invalid("The body is not a form"),
        ),
        (
            "not UTF-8",
            basic("grant_type=%ff"),
            400,
            invalid("The body is not a form"),
        ),
        (
            "repeated",
            basic(&format!("{good}&{good}")),
            400,
            invalid("Parameter grant_type is repeated"),
        ),
        (
            "repeated and empty",
            basic(&format!("{good}&scope=&scope={VIEW}")),
            400,
            invalid("Parameter scope is repeated"),
        ),
        (
            "two headers",
            basic(good).header("authorization", BASIC),
            400,
            invalid("Header Authorization is repeated"),
        ),
        (
            "both",
            basic(&format!(
                "{good}&client_id=acme-backend&client_secret=acme-secret"
            )),
            400,
            twice.clone(),
        ),
        (
            "secret and header",
            basic(&format!("{good}&client_secret=acme-secret")),
            400,
            twice.clone(),
        ),
        (
            "another id",
            basic(&format!("{good}&client_id=other-backend")),
            400,
            twice.clone(),
        ),
        (
            "id and nonsense",
            form(&format!("{good}&client_id=a")).header("authorization", "Basic !"),
            400,
            twice,
        ),
        (
            "no grant",
            basic("scope=x"),
            400,
            invalid("Parameter grant_type is missing"),
        ),
        (
            "empty grant",
            basic("grant_type="),
            400,
            invalid("Parameter grant_type is missing"),
        ),
        (
            "empty body",
            basic(""),
            400,
            invalid("Parameter grant_type is missing"),
        ),
        ("nobody", form(good), 401, client.clone()),
        (
            "id alone",
            form(&format!("{good}&client_id=acme-backend")),
            401,
            client.clone(),
        ),
        (
            "secret alone",
            form(&format!("{good}&client_secret=acme-secret")),
            401,
            client.clone(),
        ),
        (
            "wrong secret",
            form(&format!(
                "{good}&client_id=acme-backend&client_secret=wrong"
            )),
            401,
            client.clone(),
        ),
        (
            "unknown client",
            form(&format!(
                "{good}&client_id=nobody&client_secret=acme-secret"
            )),
            401,
            client.clone(),
        ),
        (
            "wrong Basic",
            form(good).header("authorization", WRONG),
            401,
            client.clone(),
        ),
        (
            "malformed Basic",
            form(good).header("authorization", "Basic !"),
            401,
            client.clone(),
        ),
        (
            "Bearer",
            form(good).header("authorization", "Bearer x"),
            401,
            client.clone(),
        ),
        // Whoever is not known learns nothing of what is supported.
        (
            "wrong Basic, wrong grant",
            form("grant_type=password").header("authorization", WRONG),
            401,
            client,
        ),
        ("another grant", basic("grant_type=password"), 400, grant),
        (
            "foreign scope",
            basic(&format!("{good}&scope={VIEW}+more")),
            400,
            scope.clone(),
        ),
        (
            "prefix of a scope",
            basic(&format!("{good}&scope=rewardspoints")),
            400,
            scope.clone(),
        ),
        (
            "two spaces",
            basic(&format!("{good}&scope={VIEW}++{MANAGE}")),
            400,
            scope.clone(),
        ),
        (
            "space at the end",
            basic(&format!("{good}&scope={VIEW}+")),
            400,
            scope.clone(),
        ),
        ("quote", basic(&format!("{good}&scope=%22")), 400, scope),
    ];
    for (name, request, status, body) in cases {
        let answer = issuer.ask(&request);
        assert_eq!((answer.status, answer.text()), (status, body), "{name}");
        assert_eq!(
            answer.header("cache-control").as_deref(),
            Some("no-store"),
            "{name}"
        );
        assert_eq!(
            answer.header("content-type").as_deref(),
            Some("application/json"),
            "{name}"
        );
        let challenge = (status == 401).then_some(r#"Basic realm="issuer""#);
        assert_eq!(
            answer.header("www-authenticate").as_deref(),
            challenge,
            "{name}"
        );
        assert_eq!(
            answer.header("allow").as_deref(),
            (status == 405).then_some("POST"),
            "{name}"
        );
    }
}

#[test]
fn what_is_granted_is_what_was_asked_for() {
    let issuer = Issuer::start();
    let viewer = "client_id=acme-viewer&client_secret=viewer-secret";
    let backend = "client_id=acme-backend&client_secret=acme-secret";
    let cases = [
        (backend, "", format!("{VIEW} {MANAGE}"), "acme"),
        (backend, "&scope=", format!("{VIEW} {MANAGE}"), "acme"),
        (
            backend,
            "&scope=rewardspoints.rewardpoints_manage",
            MANAGE.to_owned(),
            "acme",
        ),
        (
            backend,
            "&scope=rewardspoints.rewardpoints_manage%20rewardspoints.rewardpoints_view+rewardspoints.rewardpoints_manage",
            format!("{MANAGE} {VIEW}"),
            "acme",
        ),
        // What means nothing here is ignored, however often it comes.
        (
            viewer,
            "&resource=a&resource=b&tenant=other",
            VIEW.to_owned(),
            "acme",
        ),
        (
            "client_id=other-backend&client_secret=other-secret",
            "",
            format!("{VIEW} {MANAGE}"),
            "other",
        ),
    ];
    for (client, more, scope, tenant) in cases {
        let answer = issuer.form(&format!("{client}&grant_type=client_credentials{more}"));
        assert_eq!(answer.status, 200, "{client}{more}: {}", answer.text());
        let body = json(&answer);
        assert_eq!(body["scope"], scope, "{client}{more}");
        let token = body["access_token"].as_str().expect("a token");
        let claims = verified(&issuer.key_set(), token).expect("published");
        assert_eq!(
            (&claims["scope"], &claims["tenant"]),
            (&json!(scope), &json!(tenant))
        );
        assert!(claims.get("aud").is_none());
    }
    // To name oneself beside the header is allowed.
    let named =
        form("grant_type=client_credentials&client_id=acme-backend").header("authorization", BASIC);
    assert_eq!(issuer.ask(&named).status, 200);
}

#[test]
fn basic_credentials_may_hold_any_character() {
    let file = json!({"clients": [{
        "id": "a:b c", "secret": "p+q%&=\"", "tenant": "acme", "scopes": [VIEW], "token_seconds": 7,
    }]});
    let clients = Clients::parse(file.to_string().as_bytes()).expect("clients");
    let issuer = Issuer::start_with(|config| config.clients = clients);
    // a%3Ab+c:p%2Bq%25%26%3D%22
    let basic = "Basic YSUzQWIrYzpwJTJCcSUyNSUyNiUzRCUyMg==";
    let answer = issuer.ask(&form("grant_type=client_credentials").header("authorization", basic));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(json(&answer)["expires_in"], 7);
    let body = "grant_type=client_credentials&client_id=a:b+c&client_secret=p%2Bq%25%26%3D%22";
    assert_eq!(issuer.form(body).status, 200);
}
