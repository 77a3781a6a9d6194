//! What a scenario is played on: the one trait that hides whether the gateway is native code, a module in wasmtime or Envoy.
//!
//! A [`Driver`] opens a [`Stage`] for each scenario; the stage carries out what the runner says and tells what came of it.
//! Whoever plays knows no driver by name: what one cannot do it says itself, by [`Driver::cannot`].

use std::fmt;

use serde_json::Value;

/// What went wrong with the stage itself, not with the gateway.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Trouble(pub String);

impl Trouble {
    /// From any error.
    pub fn of(error: impl fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// Shorthand.
pub type Result<T> = std::result::Result<T, Trouble>;

/// Something that not every driver can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Let a span of time pass, or begin at a chosen time.
    Clock,
    /// Say which worker of a gateway gets a request.
    ChosenWorker,
    /// Lose a worker's VM.
    LostWorker,
    /// Bytes on a connection, as they are.
    Wire,
}

impl Need {
    /// How a scenario asks for it, for messages.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Clock => "moves the clock (`pass`, `given.time`)",
            Self::ChosenWorker => "names a worker (`worker`)",
            Self::LostWorker => "loses a worker (`lose_worker`)",
            Self::Wire => "sends bytes on a connection (`raw`)",
        }
    }
}

/// What a stage is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The filter's configuration.
    pub configuration: Value,
    /// How many gateways stand before the engine.
    pub gateways: usize,
    /// How many workers each has.
    pub workers: usize,
    /// When it begins, in milliseconds since 1970; none: whenever it is.
    pub time_ms: Option<i64>,
    /// Whether anything is done or looked at that other scenarios on the same gateway would notice or disturb.
    pub alone: bool,
    /// Whether the gateway must not have been used before.
    pub fresh: bool,
}

/// A way to run the gateway.
pub trait Driver: Send + Sync {
    /// Its name on the command line and in `not_on`.
    fn name(&self) -> &'static str;

    /// Whether this is beyond it.
    fn cannot(&self, need: Need) -> bool;

    /// Scenarios with the same answer share what is costly to start; they are best played one after the other.
    fn kinship(&self, setting: &Setting) -> String;

    /// A stage for one scenario.
    ///
    /// # Errors
    /// When the gateway does not start: with what it said, if it refused its configuration.
    fn open(&self, setting: &Setting) -> Result<Box<dyn Stage>>;
}

/// Names a request under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ask(pub u64);

/// Which gateway, and perhaps which of its workers. Both are counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The gateway.
    pub gateway: usize,
    /// The worker.
    pub worker: Option<usize>,
}

/// A request, or what a server saw of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `:method`
    pub method: String,
    /// `:path`: path and query as they are sent.
    pub path: Vec<u8>,
    /// Names in lower case, values as bytes; a name may occur again.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The parts of the body as they are sent; none: no body.
    pub body: Vec<Vec<u8>>,
    /// Trailers; with some the body's length is not announced. Of HTTP/1.1 they end at the gateway.
    pub trailers: Vec<(String, Vec<u8>)>,
    /// HTTP/2 in place of HTTP/1.1.
    pub http2: bool,
    /// In place of all that: these bytes on a connection of their own.
    pub raw: Option<Vec<u8>>,
}

/// What a client got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer.
    Answer(Answer),
    /// None: the connection ended, or its worker was lost.
    Nothing,
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names in lower case, in the order in which they came, without pseudo-headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
    /// Trailers, which HTTP/2 alone carries here.
    pub trailers: Vec<(String, Vec<u8>)>,
}

/// How the engine is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineState {
    /// It answers.
    #[default]
    Up,
    /// Nobody listens.
    Down,
    /// It holds its connections and does nothing; what came meanwhile is done once it is up again.
    Frozen,
}

/// A server beside the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// What stands behind the gateway.
    Upstream,
    /// Where issuers publish their keys.
    KeyServer,
}

/// How such a server behaves from now on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// Whether it listens.
    pub up: bool,
    /// The first whose path is a prefix of what is asked for counts; none: 404.
    pub answers: Vec<Canned>,
}

/// An answer to give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canned {
    /// Prefix of the paths that it is for.
    pub path: String,
    /// What is answered; none: nothing, ever.
    pub answer: Option<Answer>,
}

impl Behaviour {
    /// What is answered to this; none: nothing, ever.
    #[must_use]
    pub fn answer(&self, path: &[u8]) -> Option<Answer> {
        let fits = |canned: &&Canned| path.starts_with(canned.path.as_bytes());
        let not_found = Answer {
            status: 404,
            ..Answer::default()
        };
        let found = self.answers.iter().find(fits);
        found.map_or(Some(not_found), |canned| canned.answer.clone())
    }
}

/// A key of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySeen {
    /// The key.
    pub key: Vec<u8>,
    /// How often it was written since it is there.
    pub writes: u64,
}

/// One scenario's gateways, engine and servers.
pub trait Stage {
    /// The time there, in milliseconds since 1970.
    fn now_ms(&self) -> i64;

    /// What a tenant that the scenario calls `name` is called here: where stages share an engine, no two share a tenant.
    fn tenant(&mut self, name: &str) -> String;

    /// Sends a request and does not wait.
    ///
    /// # Errors
    /// When it cannot be sent from here at all.
    fn begin(&mut self, place: Place, request: &Request) -> Result<Ask>;

    /// Waits until a request is over.
    ///
    /// # Errors
    /// When it hangs.
    fn finish(&mut self, ask: Ask) -> Result<Outcome>;

    /// The client of a request goes away.
    ///
    /// # Errors
    /// When there is no such request.
    fn leave(&mut self, ask: Ask) -> Result<()>;

    /// Lets this much time pass.
    ///
    /// # Errors
    /// When the clock cannot be moved.
    fn pass(&mut self, ms: u64) -> Result<()>;

    /// Lets a little time pass, in which what is under way goes on; it begins once all of that is on its way.
    ///
    /// # Errors
    /// When something broke meanwhile.
    fn linger(&mut self) -> Result<()>;

    /// Makes the engine be so.
    ///
    /// # Errors
    /// When that does not work.
    fn engine(&mut self, state: EngineState) -> Result<()>;

    /// Makes a server behave so.
    ///
    /// # Errors
    /// When that does not work.
    fn serve(&mut self, service: Service, behaviour: Behaviour) -> Result<()>;

    /// What a server has been asked since the beginning, in order.
    ///
    /// # Errors
    /// When it cannot be told.
    fn seen(&mut self, service: Service) -> Result<Vec<Request>>;

    /// A worker's VM ends with all that it had under way; another one takes its place.
    ///
    /// # Errors
    /// When that cannot be done.
    fn lose_worker(&mut self, place: Place) -> Result<()>;

    /// Puts a key with an empty value into the engine, or deletes it.
    ///
    /// # Errors
    /// When the engine does not do it.
    fn mark(&mut self, key: &[u8], present: bool) -> Result<()>;

    /// The engine's keys with this prefix.
    ///
    /// # Errors
    /// When the engine does not tell.
    fn keys(&mut self, prefix: &[u8]) -> Result<Vec<KeySeen>>;

    /// A counter or gauge of a gateway under the module's name for it; 0 when it was never touched.
    ///
    /// # Errors
    /// When it cannot be told.
    fn metric(&mut self, gateway: usize, name: &str) -> Result<u64>;

    /// Whether all is well that no scenario asks about: no gateway ended, no worker's VM trapped.
    ///
    /// # Errors
    /// What is not.
    fn is_well(&mut self) -> Result<()>;

    /// What a gateway's filter wrote since the beginning.
    ///
    /// # Errors
    /// When it cannot be told.
    fn log(&mut self, gateway: usize) -> Result<Vec<String>>;
}
