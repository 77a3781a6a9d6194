//! A development issuer: an OAuth 2.0 token endpoint for client credentials, with keys that rotate on demand.
//!
//! It decides who gets a token, what the token says and which keys are published. It refuses to know the gateway: what a
//! scope or a tenant is good for is decided there. It is meant for one machine, has no users, consents, refresh tokens or
//! introspection, and speaks plain HTTP.
//!
//! - `POST /oauth/token`: RFC 6749, section 4.4; the token is a JWT in the shape of RFC 9068.
//! - `GET /.well-known/jwks.json`: the public keys, RFC 7517.
//! - `GET /.well-known/oauth-authorization-server`: metadata, RFC 8414.
//! - `POST /rotate`, on a listener of its own that is for this machine alone.
//!
//! [`start`] listens and serves; [`Running`] stops it.

mod admin;
mod answer;
mod authentication;
mod clients;
mod documents;
mod form;
mod limits;
mod refusal;
mod ring;
mod serve;
mod token;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use signing_keys::KeyFolder;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use clients::{Clients, ClientsError};
pub use limits::{
    MAX_CLIENTS, MAX_CLIENTS_FILE_BYTES, MAX_ID_BYTES, MAX_SCOPE_BYTES, MAX_SCOPES,
    MAX_SECRET_BYTES, MAX_TOKEN_SECONDS,
};
pub use ring::Rotated;
pub use signing_keys::{Algorithm, Error as KeyError};

use documents::Metadata;
use ring::Ring;
use serve::Side;

/// What an issuer needs to know.
#[derive(Debug)]
pub struct Config {
    /// Where clients and gateways come in; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where rotation is asked for, a loopback address. `None`: only [`Running::rotate`] rotates.
    pub admin: Option<SocketAddr>,
    /// Claim `iss`.
    pub issuer: String,
    /// Claim `aud`, left out when `None`.
    pub audience: Option<String>,
    /// Under which URL clients reach the endpoints, for the metadata. `None`: `http://` and the address listened on.
    pub public_url: Option<String>,
    /// The folder of keys, made when missing.
    pub keys: PathBuf,
    /// What tokens are signed with. Rotation exchanges the key for this algorithm; other keys in the folder are published.
    pub algorithm: Algorithm,
    /// How long a key stays published after its successor was made. Tokens signed by it live no longer than this.
    pub keep_retired: Duration,
    /// Who gets tokens.
    pub clients: Clients,
}

/// Why an issuer did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Everybody knows the secrets of the built-in clients.
    #[error(
        "{0} can be reached from other machines, and the built-in clients' secrets are public: give --clients FILE, or listen on 127.0.0.1"
    )]
    BuiltInClientsInPublic(SocketAddr),
    /// Whoever can rotate keys can lock every client out.
    #[error(
        "{0} can be reached from other machines: the admin listener must be on 127.0.0.1 or [::1]"
    )]
    AdminInPublic(SocketAddr),
    /// `iss` or `aud` cannot be that.
    #[error("the {what} must be 1 to {limit} bytes without spaces and control characters, not {given:?}", limit = limits::MAX_URL_BYTES)]
    Name {
        /// What it was to be.
        what: &'static str,
        /// What was given.
        given: String,
    },
    /// The URL for the metadata cannot be that.
    #[error("the public URL must begin with http:// or https://, be at most {limit} bytes and have no query, not {given:?}", limit = limits::MAX_URL_BYTES)]
    PublicUrl {
        /// What was given.
        given: String,
    },
    /// A retired key would go while tokens signed by it are good.
    #[error(
        "retired keys must be kept for {needed} seconds at least, the longest life of a token: {given} are too few"
    )]
    KeptTooShortly {
        /// The longest life of a token.
        needed: u64,
        /// What was given.
        given: u64,
    },
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which one.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The thread that makes the first key died.
    #[error("the keys were not made")]
    Died,
}

/// What every request needs.
#[derive(Debug)]
pub(crate) struct Issuer {
    name: String,
    audience: Option<String>,
    clients: Clients,
    ring: Ring,
    metadata: Metadata,
}

/// A listening issuer. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct Running {
    /// Where clients and gateways come in.
    pub local_addr: SocketAddr,
    /// Where rotation is asked for.
    pub admin_addr: Option<SocketAddr>,
    issuer: Arc<Issuer>,
    stop: watch::Sender<bool>,
    serving: Vec<JoinHandle<()>>,
}

/// Opens the folder of keys, listens, and serves in the background.
///
/// # Errors
/// [`StartError`].
pub async fn start(config: Config) -> Result<Running, StartError> {
    check(&config)?;
    let listener = bind(config.listen).await?;
    let local_addr = address_of(&listener, config.listen)?;
    let (admin, admin_addr) = match config.admin {
        Some(address) => {
            let admin = bind(address).await?;
            let bound = address_of(&admin, address)?;
            (Some(admin), Some(bound))
        }
        None => (None, None),
    };
    let (folder, algorithm, keep) = (config.keys, config.algorithm, config.keep_retired);
    // Making an RSA key takes a while.
    let opening = tokio::task::spawn_blocking(move || {
        Ring::open(
            KeyFolder::open(&folder)?,
            algorithm,
            keep,
            SystemTime::now(),
        )
    });
    let ring = opening.await.map_err(|_| StartError::Died)??;
    let public_url = config
        .public_url
        .unwrap_or_else(|| format!("http://{local_addr}"));
    let issuer = Arc::new(Issuer {
        metadata: Metadata::new(
            &config.issuer,
            public_url.trim_end_matches('/'),
            &config.clients,
        ),
        name: config.issuer,
        audience: config.audience,
        clients: config.clients,
        ring,
    });
    let (stop, stopped) = watch::channel(false);
    let serve = |listener, side| {
        tokio::spawn(serve::listen(
            listener,
            Arc::clone(&issuer),
            side,
            stopped.clone(),
        ))
    };
    let mut serving = vec![serve(listener, Side::Public)];
    serving.extend(admin.map(|admin| serve(admin, Side::Admin)));
    Ok(Running {
        local_addr,
        admin_addr,
        issuer,
        stop,
        serving,
    })
}

impl Running {
    /// Makes a new key and signs with it from now on; with `drop_old` its predecessors are published no longer.
    ///
    /// # Errors
    /// When the key cannot be made or kept; then the old one goes on.
    pub async fn rotate(&self, drop_old: bool) -> Result<Rotated, KeyError> {
        let issuer = Arc::clone(&self.issuer);
        let rotating =
            tokio::task::spawn_blocking(move || issuer.ring.rotate(drop_old, SystemTime::now()));
        match rotating.await {
            Ok(rotated) => rotated,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Accepts nobody more, lets open requests end within a grace period, and returns when that is done.
    pub async fn stop(self) {
        // Without receivers everybody has left already.
        let _ = self.stop.send(true);
        for serving in self.serving {
            let _ = serving.await;
        }
    }
}

fn check(config: &Config) -> Result<(), StartError> {
    if let Some(address) = config.admin.filter(|admin| !admin.ip().is_loopback()) {
        return Err(StartError::AdminInPublic(address));
    }
    if config.clients.are_built_in() && !config.listen.ip().is_loopback() {
        return Err(StartError::BuiltInClientsInPublic(config.listen));
    }
    let is_text = |text: &str| {
        (1..=limits::MAX_URL_BYTES).contains(&text.len())
            && !text.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    let names = [
        ("issuer's name", Some(&config.issuer)),
        ("audience", config.audience.as_ref()),
    ];
    for (what, given) in names {
        if let Some(given) = given.filter(|given| !is_text(given)) {
            let given = given.clone();
            return Err(StartError::Name { what, given });
        }
    }
    if let Some(url) = &config.public_url {
        let is_http = url.starts_with("http://") || url.starts_with("https://");
        if !is_http || !is_text(url) || url.contains(['?', '#']) {
            return Err(StartError::PublicUrl { given: url.clone() });
        }
    }
    let (needed, given) = (
        config.clients.longest_token_seconds(),
        config.keep_retired.as_secs(),
    );
    if given < needed {
        return Err(StartError::KeptTooShortly { needed, given });
    }
    Ok(())
}

async fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| StartError::Listen { address, source })
}

fn address_of(listener: &TcpListener, address: SocketAddr) -> Result<SocketAddr, StartError> {
    let found = listener.local_addr();
    found.map_err(|source| StartError::Listen { address, source })
}
