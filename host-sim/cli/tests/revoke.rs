//! `host-sim revoke` as a process, against both engines.

use std::net::SocketAddr;
use std::process::{Command, Output};

const ISSUER: &str = "https://issuer.localhost/dev";

fn revoke(engine: SocketAddr, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_host-sim"))
        .args(["revoke", "--engine", &engine.to_string()])
        .args(arguments)
        .output()
        .expect("host-sim runs")
}

/// What it printed when it succeeded.
fn said(engine: SocketAddr, arguments: &[&str]) -> String {
    let output = revoke(engine, arguments);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        (output.status.code(), words.as_str()),
        (Some(0), ""),
        "{arguments:?}"
    );
    String::from_utf8(output.stdout).expect("text")
}

fn add(engine: SocketAddr, arguments: &[&str]) -> String {
    said(engine, &[&["--issuer", ISSUER], arguments].concat())
}

#[test]
fn entries_come_and_go_in_the_embedded_engine() {
    // This very build of the command, whichever one the environment names.
    let data = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let config = engine::Config::new(SocketAddr::from(([127, 0, 0, 1], 0)), data.path());
    let running = runtime
        .block_on(engine::start(config))
        .expect("the engine starts");
    entries_come_and_go(running.local_addr());
    long_lists_come_in_pages(running.local_addr());
    runtime.block_on(running.stop()).expect("the engine stops");
}

#[test]
fn entries_come_and_go_in_etcd() {
    let etcd = testbed::Engine::etcd().start().expect("etcd");
    entries_come_and_go(etcd.address());
}

fn entries_come_and_go(engine: SocketAddr) {
    assert_eq!(said(engine, &["--list"]), "");
    let token = format!("{ISSUER} jti 0f/1\n");
    assert_eq!(add(engine, &["--jti", "0f/1"]), format!("revoked: {token}"));
    assert_eq!(
        add(engine, &["--jti", "0f/1"]),
        format!("revoked: {token}"),
        "again"
    );
    let subject = format!("{ISSUER} sub a%20clerk\n");
    assert_eq!(
        add(engine, &["--sub", "a clerk"]),
        format!("revoked: {subject}")
    );
    let time = format!("{ISSUER} issued-before 1700000000\n");
    assert_eq!(
        add(engine, &["--issued-before", "2023-11-14T22:13:20Z"]),
        format!("revoked: {time}")
    );
    let other = said(engine, &["--issuer", "https://a/", "--sub", "a clerk"]);
    assert_eq!(other, "revoked: https://a/ sub a%20clerk\n");
    let others = "https://a/ sub a%20clerk\n";
    assert_eq!(
        said(engine, &["--list"]),
        format!("{others}{time}{token}{subject}")
    );

    assert_eq!(
        add(engine, &["--sub", "a clerk", "--remove"]),
        format!("removed: {subject}")
    );
    assert_eq!(
        add(engine, &["--sub", "a clerk", "--remove"]),
        format!("not there: {subject}")
    );
    assert_eq!(
        add(engine, &["--issued-before", "1700000000", "--remove"]),
        format!("removed: {time}")
    );
    assert_eq!(said(engine, &["--list"]), format!("{others}{token}"));
    assert_eq!(
        add(engine, &["--jti", "0f/1", "--remove"]),
        format!("removed: {token}")
    );
    said(
        engine,
        &["--issuer", "https://a/", "--sub", "a clerk", "--remove"],
    );
    assert_eq!(said(engine, &["--list"]), "");
}

/// Over 250 entries are more than one page.
fn long_lists_come_in_pages(address: SocketAddr) {
    use etcd_wire::{PutRequest, RequestOp, TxnRequest, request_op::Request};
    let put = |number: usize| RequestOp {
        request: Some(Request::RequestPut(PutRequest {
            key: format!("/points/1/revoked/i/jti/{number:04}").into(),
            ..Default::default()
        })),
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}"));
        let channel = endpoint.expect("an address").connect_lazy();
        let mut client = engine::rpc::kv_client::KvClient::new(channel);
        for first in (0..1100).step_by(100) {
            let request = TxnRequest {
                success: (first..first + 100).map(put).collect(),
                ..Default::default()
            };
            client.txn(request).await.expect("written");
        }
    });
    let expected: String = (0..1100)
        .map(|number| format!("i jti {number:04}\n"))
        .collect();
    assert_eq!(said(address, &["--list"]), expected);
}

#[test]
fn a_command_that_makes_no_sense_is_2_and_an_engine_that_is_not_there_is_1() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = nobody.local_addr().expect("an address");
    drop(nobody);
    for arguments in [
        &[][..],
        &["--issuer", ISSUER],
        &["--jti", "a"],
        &["--issuer", ISSUER, "--jti", "a", "--sub", "b"],
        &["--list", "--remove"],
        &["--list", "--issuer", ISSUER],
    ] {
        assert_eq!(
            revoke(address, arguments).status.code(),
            Some(2),
            "{arguments:?}"
        );
    }
    for (arguments, said) in [
        (&["--list"][..], "the engine:"),
        (
            &["--issuer", ISSUER, "--jti", ""],
            "the jti must be 1 to 2048 bytes",
        ),
        (
            &["--issuer", ISSUER, "--issued-before", "soon"],
            "\"soon\" is no time",
        ),
        (
            &["--issuer", ISSUER, "--issued-before", "9999999999999"],
            "more than a day ahead",
        ),
    ] {
        let output = revoke(address, arguments);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{words}");
        assert!(words.contains(said), "{words}");
        assert!(output.stdout.is_empty());
    }
}
