//! `cargo xtask up`: an engine, an issuer and a gateway on this machine, until Ctrl-C.
//!
//! Ready means that a signed request was answered by the API, not that a port is open. What it started ends with it,
//! however it ends; the data stays.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use testbed::{
    DevKeys, Engine, EngineKind, Gateway, GatewayKind, Issuer, Port, Process, Request, TokenRequest,
};

use crate::{build, progress, toolchain};

/// Between two looks at children and signals.
const WATCH: Duration = Duration::from_millis(100);
/// How long the first signed request may take until it is answered.
const ANSWER_BOUND: Duration = Duration::from_secs(30);
/// One attempt of it.
const ATTEMPT_BOUND: Duration = Duration::from_secs(5);
/// Between two attempts.
const ATTEMPT_PAUSE: Duration = Duration::from_millis(50);
/// The printed token outlasts a working day.
const TOKEN_SECONDS: u64 = 12 * 3600;
/// The tenant of the printed token.
const TENANT: &str = "acme";

/// What to start, and where.
#[derive(Debug, Args)]
pub struct Options {
    /// What runs the filter.
    #[arg(long, value_enum, default_value_t = GatewayChoice::Envoy)]
    gateway: GatewayChoice,
    /// What holds the accounts.
    #[arg(long, value_enum, default_value_t = EngineChoice::Embedded)]
    engine: EngineChoice,
    /// The gateway's port on 127.0.0.1.
    #[arg(long, default_value_t = 8080, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// How many workers share the connections.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: u16,
    /// Where the engine keeps its data [default: target/dev/data/ENGINE].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum GatewayChoice {
    Envoy,
    HostSim,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum EngineChoice {
    Embedded,
    Etcd,
}

/// Starts everything, prints how to use it, and waits for Ctrl-C, SIGTERM or a child's end.
///
/// # Errors
/// When something cannot be built, found or started, or a child ends by itself.
pub fn run(options: &Options) -> anyhow::Result<()> {
    // Found out before minutes of building, not after.
    drop(Port::fixed(options.port)?);
    let gateway_kind = match options.gateway {
        GatewayChoice::Envoy => GatewayKind::Envoy,
        GatewayChoice::HostSim => GatewayKind::HostSim,
    };
    let engine_kind = match options.engine {
        EngineChoice::Embedded => EngineKind::Embedded,
        EngineChoice::Etcd => EngineKind::Etcd,
    };
    // Before anything is started: builds and installations end with us too.
    testbed::stop_on_signals();
    let outcome =
        prepare(gateway_kind, engine_kind).and_then(|()| serve(options, gateway_kind, engine_kind));
    match outcome {
        Err(error) if testbed::interrupted() => {
            progress(&format!("stopped while starting: {error:#}"));
            Ok(())
        }
        outcome => outcome,
    }
}

/// Builds and installs what is missing.
fn prepare(gateway: GatewayKind, engine: EngineKind) -> anyhow::Result<()> {
    toolchain::ensure_c_compiler()?;
    build::module()?;
    // The issuer at least is part of it.
    build::host_sim()?;
    if gateway == GatewayKind::Envoy {
        progress(&format!("Envoy is {}", testbed::tools::envoy()?.display()));
    }
    if engine == EngineKind::Etcd {
        progress(&format!("etcd is {}", testbed::tools::etcd()?.display()));
    }
    Ok(())
}

fn serve(
    options: &Options,
    gateway_kind: GatewayKind,
    engine_kind: EngineKind,
) -> anyhow::Result<()> {
    let keys = DevKeys::shared()?;
    let work = testbed::dev_dir()
        .join("run")
        .join(options.port.to_string());
    if work.exists() {
        std::fs::remove_dir_all(&work).with_context(|| format!("remove {}", work.display()))?;
    }
    let data = match &options.data {
        Some(dir) => std::path::absolute(dir).with_context(|| format!("find {}", dir.display()))?,
        None => testbed::dev_dir().join("data").join(engine_kind.name()),
    };

    progress(&format!(
        "starting the {} engine on {}",
        engine_kind.name(),
        data.display()
    ));
    let mut engine = Engine::of(engine_kind)
        .data_dir(&data)
        .work_dir(&work)
        .start()?;
    progress("starting the issuer");
    let mut issuer = Issuer::builder()
        .keys_dir(DevKeys::shared_dir())
        .public_url(&format!("http://127.0.0.1:{}", options.port))
        .work_dir(&work)
        .start()?;
    progress(&format!(
        "starting {} with {} workers",
        gateway_kind.name(),
        options.workers
    ));
    let mut gateway = Gateway::of(gateway_kind, engine.address(), testbed::committed_plugin()?)
        .port(options.port)
        .issuer(issuer.address())
        .workers(options.workers)
        .work_dir(&work)
        .start()?;
    let token = keys.token(&TokenRequest {
        expires_in_seconds: TOKEN_SECONDS,
        ..TokenRequest::new(TENANT)
    })?;
    wait_for_an_answer(gateway.address(), &token)
        .with_context(|| format!("see the logs in {}", work.display()))?;

    print_usage(&gateway, &token);
    progress(&format!(
        "admin {}, issuer's admin {}, logs {}; Ctrl-C stops",
        gateway.admin_url(),
        issuer.admin_url(),
        work.display()
    ));
    let outcome = watch([engine.process(), issuer.process(), gateway.process()]);
    // The gateway first, so that no request meets a gateway without an engine.
    gateway.process().stop();
    issuer.process().stop();
    engine.process().stop();
    progress(&format!("stopped; the data stays in {}", data.display()));
    outcome
}

/// Sends a signed request until the API answers it. A 503 or no answer means not yet; a refusal means never.
fn wait_for_an_answer(gateway: SocketAddr, token: &str) -> anyhow::Result<()> {
    let request = Request::new("GET", "/reward-points/customer/nobody")
        .bearer(token)
        .io_bound(ATTEMPT_BOUND);
    let deadline = Instant::now() + ANSWER_BOUND;
    loop {
        let last = match request.send(gateway) {
            Ok(answer) if matches!(answer.status, 200 | 404) => {
                if answer
                    .header("content-type")
                    .is_some_and(|kind| kind.starts_with("application/json"))
                {
                    return Ok(());
                }
                bail!(
                    "the gateway answered {}, but not in the API's words: {}",
                    answer.status,
                    answer.text()
                );
            }
            Ok(answer) if answer.status == 503 => format!("503 {}", answer.text()),
            Ok(answer) => bail!(
                "the gateway refuses a signed request: {} {}",
                answer.status,
                answer.text()
            ),
            Err(error) => error.to_string(),
        };
        if testbed::interrupted() {
            bail!("interrupted");
        }
        if Instant::now() >= deadline {
            bail!("no answer to a signed request within {ANSWER_BOUND:?}, at last: {last}");
        }
        std::thread::sleep(ATTEMPT_PAUSE);
    }
}

fn print_usage(gateway: &Gateway, token: &str) {
    let customer = format!("{}/reward-points/customer/alice", gateway.base_url());
    let authorization = format!("-H 'Authorization: Bearer {token}'");
    let json = "-H 'Content-Type: application/json'";
    println!("ready {}", gateway.base_url());
    println!("token {token}");
    println!(
        r#"curl -i {authorization} {json} -d '{{"points": 100}}' '{customer}/addPoints?siteCode=main'"#
    );
    println!(r#"curl -i {authorization} {json} -d '{{"points": 40}}' '{customer}/redeemPoints'"#);
    println!(r#"curl -i {authorization} '{customer}/summary'"#);
    println!(
        "curl -s -u {} -d grant_type=client_credentials {}/oauth/token",
        Issuer::CLIENT,
        gateway.base_url()
    );
}

/// Returns when we are asked to stop; fails when a child ends by itself.
fn watch(mut children: [&mut Process; 3]) -> anyhow::Result<()> {
    while !testbed::interrupted() {
        for child in &mut children {
            check_alive(child)?;
        }
        std::thread::sleep(WATCH);
    }
    Ok(())
}

fn check_alive(process: &mut Process) -> anyhow::Result<()> {
    match process.exit_status() {
        None => Ok(()),
        Some(status) => bail!(
            "the {} ended by itself ({status})\n--- end of {}\n{}",
            process.name(),
            process.log_path().display(),
            process.log_tail()
        ),
    }
}
