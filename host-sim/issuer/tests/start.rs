//! What an issuer refuses to start with, and that it stops in order.

mod common;

use std::io::{Read as _, Write as _};
use std::time::Duration;

use common::{Issuer, config, start};
use issuer::{Clients, StartError};
use serde_json::{Value, json};

fn refusal(configure: impl FnOnce(&mut issuer::Config)) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    let mut config = config(dir.path());
    configure(&mut config);
    start(config).expect_err("refused").to_string()
}

#[test]
fn built_in_clients_and_rotation_stay_on_this_machine() {
    let public = std::net::SocketAddr::from(([0, 0, 0, 0], 0));
    let said = refusal(|config| config.listen = public);
    assert!(
        said.contains("0.0.0.0:0") && said.contains("--clients"),
        "{said}"
    );
    let said = refusal(|config| config.admin = Some(public));
    assert!(
        said.contains("admin listener must be on 127.0.0.1"),
        "{said}"
    );
    let said = refusal(|config| {
        config.clients = clients(&json!([client()])).expect("clients");
        config.admin = Some(public);
    });
    assert!(
        said.contains("admin listener must be on 127.0.0.1"),
        "{said}"
    );

    let dir = tempfile::tempdir().expect("a directory");
    let mut open = config(dir.path());
    open.listen = public;
    open.clients = clients(&json!([client()])).expect("clients");
    assert!(start(open).is_ok());
}

#[test]
fn names_urls_and_times_are_checked() {
    for name in ["", "a b", "a\n"] {
        assert!(refusal(|config| config.issuer = name.to_owned()).contains("issuer's name"));
        assert!(refusal(|config| config.audience = Some(name.to_owned())).contains("audience"));
    }
    for url in ["", "gateway", "ftp://x", "http://x/?a", "http://x y"] {
        assert!(refusal(|config| config.public_url = Some(url.to_owned())).contains("public URL"));
    }
    let said = refusal(|config| config.keep_retired = Duration::from_secs(3599));
    assert!(said.contains("3600 seconds at least"), "{said}");
}

#[test]
fn an_address_in_use_is_named() {
    let first = Issuer::start();
    let taken = first.address();
    let dir = tempfile::tempdir().expect("a directory");
    let mut config = config(dir.path());
    config.listen = taken;
    let refused = start(config).expect_err("in use");
    assert!(matches!(refused, StartError::Listen { address, .. } if address == taken));
}

fn client() -> Value {
    json!({"id": "a", "secret": "hush", "tenant": "acme", "scopes": ["x"]})
}

fn clients(list: &Value) -> Result<Clients, issuer::ClientsError> {
    Clients::parse(json!({ "clients": list }).to_string().as_bytes())
}

#[test]
fn a_file_of_clients_is_taken_whole_or_refused_by_the_path_of_its_bad_field() {
    let with = |field: &str, value: Value| {
        let mut other = client();
        other["id"] = json!("b");
        other[field] = value;
        json!([client(), other])
    };
    let without = |field: &str| {
        let mut list = with("token_seconds", json!(60));
        list[1].as_object_mut().expect("a client").remove(field);
        list
    };
    let scopes = |count: usize| json!((0..count).map(|n| format!("s{n}")).collect::<Vec<_>>());
    let cases = [
        (json!([]), "clients", "1 to 1000"),
        (json!({}), "clients", "wrong type"),
        (json!([7]), "clients[0]", "wrong type"),
        (
            with("surprise", json!(1)),
            "clients[1].surprise",
            "unknown field `surprise`",
        ),
        (without("secret"), "clients[1]", "missing field `secret`"),
        (
            with("id", json!("a")),
            "clients[1].id",
            "\"a\" is there twice",
        ),
        (with("id", json!("")), "clients[1].id", "1 to 128"),
        (with("id", json!("ö")), "clients[1].id", "printable ASCII"),
        (
            with("id", json!("a".repeat(129))),
            "clients[1].id",
            "1 to 128",
        ),
        (with("secret", json!("")), "clients[1].secret", "1 to 256"),
        (
            with("secret", json!(["hush"])),
            "clients[1].secret",
            "wrong type",
        ),
        (
            with("tenant", json!("Acme")),
            "clients[1].tenant",
            "3 to 16",
        ),
        (with("tenant", json!("ab")), "clients[1].tenant", "3 to 16"),
        (with("scopes", json!([])), "clients[1].scopes", "1 to 32"),
        (with("scopes", scopes(33)), "clients[1].scopes", "1 to 32"),
        (
            with("scopes", json!(["a b"])),
            "clients[1].scopes[0]",
            "visible ASCII",
        ),
        (
            with("scopes", json!(["a", "a"])),
            "clients[1].scopes[1]",
            "twice",
        ),
        (
            with("scopes", json!(["x", "tenant=acme"])),
            "clients[1].scopes[1]",
            "field of its own",
        ),
        (
            with("scopes", json!(["x".repeat(97)])),
            "clients[1].scopes[0]",
            "1 to 96",
        ),
        (
            with("token_seconds", json!(0)),
            "clients[1].token_seconds",
            "1 to 86400",
        ),
        (
            with("token_seconds", json!(86401)),
            "clients[1].token_seconds",
            "1 to 86400",
        ),
        (
            with("token_seconds", json!(-1)),
            "clients[1].token_seconds",
            "wrong type",
        ),
    ];
    for (list, path, reason) in cases {
        let refused = clients(&list).expect_err(path);
        assert_eq!(refused.path, path, "{refused}");
        assert!(refused.reason.contains(reason), "{path}: {refused}");
        assert!(
            !refused.to_string().contains("hush"),
            "a secret in {refused}"
        );
    }
    assert!(clients(&with("token_seconds", json!(86400))).is_ok());
    assert!(clients(&with("scopes", scopes(32))).is_ok());

    let twice = r#"{"clients": [{"id": "a", "secret": "hush", "secret": "b", "tenant": "acme", "scopes": ["x"]}]}"#;
    for (text, said) in [
        ("", "is not JSON"),
        ("{}", "missing field `clients`"),
        (r#"{"clients": []} x"#, "is not JSON"),
        (r#"{"clients": [], "more": 1}"#, "unknown field `more`"),
        (twice, "duplicate field `secret`"),
    ] {
        let refused = Clients::parse(text.as_bytes()).expect_err(text).to_string();
        assert!(
            refused.contains(said) && !refused.contains("hush"),
            "{text}: {refused}"
        );
    }
    let long = format!("{}{}", " ".repeat(1024 * 1024), r#"{"clients": []}"#);
    let refused = Clients::parse(long.as_bytes())
        .expect_err("too long")
        .to_string();
    assert!(refused.contains("1048576 bytes"), "{refused}");
}

#[test]
fn a_stop_answers_what_was_asked_and_hangs_up_on_who_asks_nothing() {
    let mut issuer = Issuer::start();
    let address = issuer.address();
    let mut idle = std::net::TcpStream::connect(address).expect("connect");
    idle.write_all(b"GET /.well-known/jwks.json HTTP/1.1\r\nhost: x\r\n\r\n")
        .expect("write");
    let mut first = [0; 12];
    idle.read_exact(&mut first).expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 200");
    issuer.stop();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).expect("the end");
    assert!(rest.ends_with(b"]}"), "the answer came whole");
    assert!(std::net::TcpStream::connect(address).is_err());
}
