//! Single requests, to prepare what is measured and to see that it does what it should: a subject that answers wrongly is
//! not worth measuring.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use testbed::Request;

/// How long one of them may take.
const ANSWER_BOUND: Duration = Duration::from_secs(10);
/// So many requests prepare at the same time.
const AT_ONCE: u64 = 16;
/// How often one is sent again that was answered 503: a gateway that has just started may not have reached its engine.
const ATTEMPTS: usize = 20;

/// POSTs `body` and expects 201.
pub(crate) fn post(
    server: SocketAddr,
    path: &str,
    authorization: &str,
    body: &str,
) -> anyhow::Result<()> {
    let request = Request::new("POST", path)
        .header("authorization", authorization)
        .json(body)
        .io_bound(ANSWER_BOUND);
    let mut answer = request.send(server)?;
    for _ in 1..ATTEMPTS {
        if answer.status != 503 {
            break;
        }
        answer = request.send(server)?;
    }
    ensure!(
        answer.status == 201,
        "POST {path} is answered {}: {}",
        answer.status,
        answer.text()
    );
    Ok(())
}

/// Makes the account that others are copies of: so many adds of so many points.
pub(crate) fn make_model(
    server: SocketAddr,
    authorization: &str,
    customer: &str,
    entries: u32,
    points: u32,
) -> anyhow::Result<()> {
    let path = format!("/reward-points/customer/{customer}/addPoints");
    let body = format!(
        r#"{{"points":{points},"description":"a purchase in the shop of the main street"}}"#
    );
    for _ in 0..entries {
        post(server, &path, authorization, &body)?;
    }
    Ok(())
}

/// Adds points to customers `prefix`0, `prefix`1, …
pub(crate) fn add_points(
    server: SocketAddr,
    authorization: &str,
    prefix: &str,
    count: u64,
    points: u32,
) -> anyhow::Result<()> {
    let body = format!(r#"{{"points":{points}}}"#);
    let part = |first: u64| -> anyhow::Result<()> {
        for number in (first..count).step_by(AT_ONCE as usize) {
            let path = format!("/reward-points/customer/{prefix}{number}/addPoints");
            post(server, &path, authorization, &body)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..AT_ONCE)
            .map(|first| scope.spawn(move || part(first)))
            .collect();
        running.into_iter().try_for_each(|thread| {
            let ended = thread.join();
            ended.map_err(|_| anyhow::anyhow!("a preparing thread panicked"))?
        })
    })
}

/// GETs `path` and expects 200 with that body.
pub(crate) fn expect_body(
    server: SocketAddr,
    path: &str,
    authorization: &str,
    body: &str,
) -> anyhow::Result<()> {
    let answer = Request::new("GET", path)
        .header("authorization", authorization)
        .io_bound(ANSWER_BOUND)
        .send(server)
        .with_context(|| format!("GET {path}"))?;
    let text = answer.text();
    ensure!(
        answer.status == 200 && text == body,
        "GET {path} is answered {} `{text}`, not 200 `{body}`",
        answer.status
    );
    Ok(())
}
