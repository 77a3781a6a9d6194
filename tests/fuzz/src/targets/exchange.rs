//! A whole request through a whole worker, with an engine that answers whatever the input says.
//!
//! The input is text, cut at lines of two hyphens: the head (`METHOD PATH`, then `name: value` lines; `@` for the bearer's
//! token is a genuine one of the tenant acme), the body, then what the engine answers, one part a call, see [`script`]. One
//! exchange comes to exactly one end within its budget of time; nobody without a token reaches an account or a success; no key
//! of another tenant is ever asked for; a write succeeds only after the engine answered; a reply is a reply.

mod script;

use std::sync::LazyLock;

use gateway::api::reply::Reply;
use gateway::config::Config;
use gateway::engine::StreamEffect;
use gateway::exchange::{Exchange, Input, Step};
use gateway::wake::ExchangeId;
use gateway::worker::{TICK_MS, Worker};
use serde_json::{Value, json};

use self::script::Script;
use crate::host::FuzzHost;
use crate::signing::{Signer, issuer};
use crate::steps::bounded;
use crate::{Seen, Target};

pub(super) const TARGET: Target = Target {
    name: "exchange",
    about: "a whole request through a worker and an engine that answers anything: one end, in time, by the rules of access",
    max_len: 4096,
    dictionary: "exchange",
    seeds: script::seeds,
    run,
};

/// Rounds of [`TICK_MS`] after which an exchange must have come to its end: twice the longest hold.
const MAX_ROUNDS: u32 = 240;

/// What a request's whole life may take besides, hundreds of ticks and all: as if for so many bytes more.
const LIFE_BYTES: usize = 7_000;

/// Every status that a client may see.
const STATUSES: [u16; 14] = [
    200, 201, 204, 400, 401, 403, 404, 405, 409, 413, 415, 422, 500, 503,
];

static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let mut trusted = issuer();
    trusted["jwks"]["keys"] = json!([trusted["jwks"]["keys"][0]]);
    let document = json!({
        "issuers": [trusted],
        "engine": {"clusters": ["engine"]},
        "sites": {"main": {}, "yearly": {"validity_in_months": 12}},
        "rules": [{"name": "shop", "path": "/shop/**", "allow": "authenticated"}],
        "guarded_prefixes": ["/admin"],
        "sweep": {"interval_ms": 0},
    });
    Config::parse(document.to_string().as_bytes()).expect("a good configuration")
});

static TOKEN: LazyLock<String> = LazyLock::new(|| Signer::Hmac.token());

fn run(input: &[u8]) -> Seen {
    let Some(mut script) = Script::read(input, &TOKEN) else {
        return Seen::Refused;
    };
    let host = match &script.planted {
        Some(bytes) => FuzzHost::planted(bytes),
        None => FuzzHost::new(),
    };
    let worker = Worker::new(CONFIG.clone(), &host).expect("a good configuration");
    let length = input.len() + LIFE_BYTES;
    let ends = bounded("request", length, 3_000, || {
        let mut life = Life {
            worker,
            host,
            exchange: Exchange::new(ExchangeId(1)),
            ends: Vec::new(),
        };
        life.live(&mut script);
        life.ends
    });
    let [end] = &ends[..] else {
        panic!("{} ends", ends.len());
    };
    judge(end, &script)
}

/// How an exchange ended.
enum End {
    Reply(Reply),
    PassedOn,
}

struct Life {
    worker: Worker,
    host: FuzzHost,
    exchange: Exchange,
    ends: Vec<End>,
}

impl Life {
    fn live(&mut self, script: &mut Script) {
        self.worker.tick(&self.host);
        let headers = script.headers.clone();
        let headers: Vec<(&[u8], &[u8])> = headers
            .iter()
            .map(|(name, value)| (&name[..], &value[..]))
            .collect();
        let body = script.body.clone();
        let end = body.is_none();
        self.advance(Input::Head {
            headers: &headers,
            end,
        });
        if let Some(body) = &body {
            let total_bytes = body.len();
            self.advance(Input::BodyGrown { total_bytes });
            self.advance(Input::Body(body));
        }
        for _ in 0..MAX_ROUNDS {
            self.round(script);
            if !self.ends.is_empty() && self.worker.is_idle() {
                break;
            }
            self.host.pass(TICK_MS.into());
            self.worker.tick(&self.host);
        }
        // What comes late changes nothing.
        let before = self.ends.len();
        self.advance(Input::BodyLost);
        self.advance(Input::Head {
            headers: &headers,
            end: true,
        });
        assert_eq!(self.ends.len(), before, "a second end");
    }

    /// Carries out what the worker wants, until it wants nothing.
    fn round(&mut self, script: &mut Script) {
        loop {
            let calls = self.worker.take_calls(&self.host);
            let streams = self.worker.take_streams();
            let woken = self.worker.take_woken();
            if calls.is_empty() && streams.is_empty() && woken.is_empty() {
                return;
            }
            for call in calls {
                let answer = script.answer(&call);
                self.worker.answered(call.id, answer, &self.host);
            }
            for effect in streams {
                if let StreamEffect::Open { id, .. } = effect {
                    for message in script.watched() {
                        self.worker.stream_message(id, message, &self.host);
                    }
                    self.worker.stream_closed(id, 14, &self.host);
                }
            }
            for woken in woken {
                self.advance(Input::News(woken.news));
            }
        }
    }

    fn advance(&mut self, input: Input<'_>) {
        match self.exchange.advance(input, &mut self.worker, &self.host) {
            Step::Reply(reply) => self.ends.push(End::Reply(reply)),
            Step::PassOn(_) => self.ends.push(End::PassedOn),
            Step::AwaitBody | Step::AwaitOutcome | Step::Passing | Step::Settled => {}
        }
    }
}

fn judge(end: &End, script: &Script) -> Seen {
    let End::Reply(reply) = end else {
        assert!(!script.is_ours, "the API's own path was passed on");
        return Seen::Accepted;
    };
    let status = reply.status;
    assert!(STATUSES.contains(&status), "{status}");
    for (name, value) in &reply.headers {
        let plain = value.bytes().all(|it| it == b' ' || it.is_ascii_graphic());
        assert!(plain, "{name}: {value:?}");
    }
    let is_json = reply.headers.iter().any(|(name, value)| {
        *name == "content-type"
            && (value == "application/json" || value == "application/problem+json")
    });
    if is_json {
        let body: Value = serde_json::from_slice(&reply.body).expect("JSON");
        // Bodies that say a status say the reply's.
        let told = [&body["status"], &body["code"]]
            .into_iter()
            .find_map(Value::as_u64);
        assert!(
            status < 400 || told.is_none_or(|it| it == u64::from(status)),
            "{body}"
        );
    }
    let success = status < 300;
    assert!(!success || script.has_token, "a success without a token");
    assert!(
        script.has_token || !script.touched,
        "an account without a token"
    );
    assert!(
        !success || !script.is_write || script.answered,
        "a write that nobody confirmed"
    );
    Seen::accepted(success)
}
