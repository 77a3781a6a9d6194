//! `host-sim issuer`: the development issuer as a process of its own.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use issuer::{Algorithm, Clients, ClientsError, Config, MAX_CLIENTS_FILE_BYTES, Running};

use crate::announce;
use crate::signals::{HangUp, Stop};

/// The name that tokens of `cargo xtask token` carry, too.
const DEFAULT_ISSUER: &str = "https://issuer.localhost/dev";

/// Command line of `host-sim issuer`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Address for clients and gateways; port 0 picks a free one.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:9400")]
    listen: SocketAddr,
    /// Loopback address for `POST /rotate` and `POST /rotate?drop_old=true`; without it only SIGHUP rotates.
    #[arg(long, value_name = "IP:PORT")]
    admin: Option<SocketAddr>,
    /// The issuer's name, claim `iss`.
    #[arg(long, value_name = "URL", default_value = DEFAULT_ISSUER)]
    issuer: String,
    /// Claim `aud`; left out by default.
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,
    /// Where clients reach the endpoints, for the metadata [default: `http://` and the address listened on].
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Folder of signing keys, readable by its owner only; made when missing.
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// What tokens are signed with: RS256, ES256 or EdDSA.
    #[arg(long, value_name = "ALG", default_value = "ES256", value_parser = parse_algorithm)]
    alg: Algorithm,
    /// How long a key stays published after a rotation; no shorter than the longest life of a token.
    #[arg(long, value_name = "SECONDS", default_value_t = issuer::MAX_TOKEN_SECONDS)]
    keep_retired: u64,
    /// Who gets tokens: `{"clients": [{"id", "secret", "tenant", "scopes": [...], "token_seconds"?}]}` [default: a few
    /// clients whose secrets everybody knows, on loopback addresses only].
    #[arg(long, value_name = "FILE")]
    clients: Option<PathBuf>,
}

/// Why the issuer did not start.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The file of clients cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file of clients is not one.
    #[error("{path}: {source}", path = path.display())]
    Clients {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: ClientsError,
    },
    /// It did not start.
    #[error("the issuer did not start: {0}")]
    Start(#[from] issuer::StartError),
    /// Signals or the runtime.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

fn parse_algorithm(text: &str) -> Result<Algorithm, &'static str> {
    Algorithm::from_name(text).ok_or("expected RS256, ES256 or EdDSA")
}

/// Runs until it is told to stop.
///
/// # Errors
/// [`Failure`].
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let clients = match &arguments.clients {
        Some(path) => read_clients(path)?,
        None => Clients::built_in(),
    };
    let config = Config {
        listen: arguments.listen,
        admin: arguments.admin,
        issuer: arguments.issuer,
        audience: arguments.audience,
        public_url: arguments.public_url,
        keys: arguments.keys,
        algorithm: arguments.alg,
        keep_retired: Duration::from_secs(arguments.keep_retired),
        clients,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (mut stop, mut hang_up) = (Stop::listen()?, HangUp::listen()?);
        let running = issuer::start(config).await?;
        if let Some(admin) = running.admin_addr {
            eprintln!("host-sim: admin http://{admin}");
        }
        announce(&format!("ready http://{}", running.local_addr));
        loop {
            tokio::select! {
                () = stop.asked() => break,
                () = hang_up.came() => rotate(&running).await,
            }
        }
        running.stop().await;
        Ok(())
    })
}

async fn rotate(running: &Running) {
    match running.rotate(false).await {
        Ok(rotated) => eprintln!(
            "host-sim: key {} signs now, {} keys are published",
            rotated.key_id,
            rotated.published.len()
        ),
        // The former key goes on signing.
        Err(error) => eprintln!("host-sim: the key was not rotated: {error}"),
    }
}

fn read_clients(path: &Path) -> Result<Clients, Failure> {
    let failed = |source| Failure::Read {
        path: path.to_path_buf(),
        source,
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut json = Vec::new();
    // One byte more than may be, so that a file that is too long is seen to be so.
    file.take(MAX_CLIENTS_FILE_BYTES.saturating_add(1))
        .read_to_end(&mut json)
        .map_err(failed)?;
    Clients::parse(&json).map_err(|source| Failure::Clients {
        path: path.to_path_buf(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_with_and_without_an_issuer_come_from_the_same_name() {
        assert_eq!(DEFAULT_ISSUER, testbed::DEV_ISSUER);
    }
}
