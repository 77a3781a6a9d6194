//! One request's life: head, perhaps a body, perhaps a wait for the engine, exactly one end.
//!
//! Decides in which order a request is judged and what becomes of it. How tokens, paths, bodies and accounts work is
//! known one floor below; how bytes travel, one floor above.
//!
//! How to drive it: [`Exchange::advance`] with the head, then as the returned [`Step`] says. After a reply or a pass-on
//! nothing changes any more: whatever comes late is answered with [`Step::Settled`] or, again, [`Step::PassOn`].

mod decision;
mod incoming;
mod judge;
mod reading;
mod request;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use ledger::Timestamp;

use self::incoming::{Arrived, Incoming};
use self::judge::{Request, judge};
use self::reading::{Fallback, Source, fallback};
use self::request::{Accepted, Asked};
use crate::accounts::job::{Job, Outcome, Written};
use crate::api::failure::{Context, Failure};
use crate::api::head::{Head, MAX_ECHOED_PATH_BYTES};
use crate::api::media_type;
use crate::api::reply::Reply;
use crate::api::route::Target;
use crate::host::{Counter, Host, Severity};
use crate::wake::{ExchangeId, News};
use crate::worker::Worker;

/// What happens to an exchange.
#[derive(Debug)]
pub enum Input<'a> {
    /// The request's headers.
    Head {
        /// Names and values as they were sent, pseudo-headers among them.
        headers: &'a [(&'a [u8], &'a [u8])],
        /// Whether no body follows.
        end: bool,
    },
    /// More of the body has arrived.
    BodyGrown {
        /// How many bytes there are by now.
        total_bytes: usize,
    },
    /// The body is complete.
    Body(&'a [u8]),
    /// The body is complete, but the host does not hand it over.
    BodyLost,
    /// What the exchange waited for.
    News(News),
}

/// What to do now.
#[derive(Debug)]
pub enum Step {
    /// Collect the body; report its growth and its end.
    AwaitBody,
    /// Wait until the worker wakes this exchange.
    AwaitOutcome,
    /// Send this reply; the exchange is over.
    Reply(Reply),
    /// Pass the request on with its headers changed; the exchange is over.
    PassOn(Box<Onward>),
    /// Pass on this part too: the request was passed on already.
    Passing,
    /// Nothing: the reply was sent already.
    Settled,
}

/// How a request that is passed on differs from the one that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Onward {
    /// Headers to remove, all of that name: the client's copies of what only the gateway may say.
    pub remove: Vec<String>,
    /// Headers to set after that: who is calling.
    pub add: Option<Rc<[(String, String)]>>,
}

/// One request.
#[derive(Debug)]
pub struct Exchange {
    id: ExchangeId,
    frame: Frame,
    state: State,
}

/// What every reply of this exchange needs.
#[derive(Debug, Default)]
struct Frame {
    /// The path below the common prefix.
    instance: String,
    problem_details: bool,
    origin: Option<Vec<u8>>,
    /// Where the answer to a read came from.
    source: Option<Source>,
}

#[derive(Debug)]
enum State {
    New,
    /// Cannot be judged yet; the gate wakes it.
    AwaitsAccess(Box<Incoming>),
    AwaitsBody(Box<Accepted>),
    AwaitsOutcome(Asked, Option<Fallback>),
    /// Passed on: the rest of the request passes too.
    PassedOn,
    /// Replied to.
    Settled,
}

/// How far an exchange got without failing.
enum Reached {
    PassOn(Box<Onward>),
    /// Not to be judged yet.
    Held,
    /// The answer to a browser's question; it is complete as it is.
    Preflight(Reply),
    Body(Box<Accepted>),
    Job(Asked, Box<Job>),
    Reply(Reply),
}

impl Exchange {
    /// A new exchange; the worker wakes it under `id`.
    #[must_use]
    pub fn new(id: ExchangeId) -> Self {
        Self {
            id,
            frame: Frame::default(),
            state: State::New,
        }
    }

    /// Whether the exchange waits for the worker.
    #[must_use]
    pub const fn awaits_outcome(&self) -> bool {
        matches!(
            self.state,
            State::AwaitsOutcome(..) | State::AwaitsAccess(_)
        )
    }

    /// Goes on.
    pub fn advance(&mut self, input: Input<'_>, worker: &mut Worker, host: &impl Host) -> Step {
        let reached = match (std::mem::replace(&mut self.state, State::Settled), input) {
            (State::New, Input::Head { headers, end }) => {
                let request = read(headers, end, worker);
                if !request.forged.is_empty() {
                    host.count(Counter::ForgedIdentity);
                }
                let mut body = Arrived::default();
                let reached = judge(self.id, &request, &mut body, worker, host);
                if !matches!(reached, Ok(Reached::PassOn(_))) {
                    self.frame = Frame::of(&request.head);
                }
                if matches!(reached, Ok(Reached::Held)) {
                    return self.hold(Box::new(Incoming::new(headers, end, body)));
                }
                reached
            }
            (State::AwaitsAccess(mut incoming), Input::News(News::Access)) => {
                let mut body = std::mem::take(&mut incoming.body);
                let headers = incoming.headers();
                let request = read(&headers, incoming.end, worker);
                let reached = judge(self.id, &request, &mut body, worker, host);
                if matches!(reached, Ok(Reached::Held)) {
                    incoming.body = body;
                    return self.hold(incoming);
                }
                reached
            }
            (State::AwaitsAccess(incoming), Input::BodyGrown { total_bytes }) => {
                let max_bytes = worker.config().max_body_bytes;
                if total_bytes <= max_bytes || Target::of(incoming.path()).is_none() {
                    return self.keep(incoming, Arrived::Part { total_bytes });
                }
                // Not to be judged any more: whoever waits holds no more than whoever is served, and the host, when its
                // own bound is met, would answer in words of its own.
                worker.gone(self.id);
                Err(Failure::BodyTooLarge { max_bytes })
            }
            (State::AwaitsAccess(incoming), Input::Body(bytes)) => {
                let total_bytes = bytes.len();
                let whole = match total_bytes > worker.config().max_body_bytes {
                    true => Arrived::TooLong { total_bytes },
                    false => Arrived::Whole(bytes.to_vec()),
                };
                return self.keep(incoming, whole);
            }
            (State::AwaitsAccess(incoming), Input::BodyLost) => {
                return self.keep(incoming, Arrived::Lost);
            }
            (State::AwaitsBody(accepted), Input::BodyGrown { total_bytes }) => accepted
                .check_body(total_bytes, worker.config().max_body_bytes)
                .map(|()| Reached::Body(accepted)),
            (State::AwaitsBody(accepted), Input::Body(bytes)) => {
                (*accepted).ask(bytes, worker, host).map(into_job)
            }
            (State::AwaitsBody(_), Input::BodyLost) => Err(Failure::Unavailable),
            (State::AwaitsOutcome(asked, fallback), Input::News(News::Outcome(outcome))) => {
                let now = host.now();
                let failed = matches!(outcome, Outcome::Unavailable | Outcome::Failing);
                let older = fallback.as_ref().filter(|_| failed);
                match (self.fall_back(&asked, older, worker, now, host), fallback) {
                    (Some(answer), _) => answer.map(Reached::Reply),
                    // There is none that would do: the engine is given its time.
                    (None, Some(fallback)) if matches!(outcome, Outcome::Failing) => {
                        Ok(Reached::Job(asked, Box::new(fallback.again())))
                    }
                    (None, _) => {
                        if asked.is_read() && !matches!(outcome, Outcome::Unavailable) {
                            self.frame.source = Some(Source::Engine);
                        }
                        let reply = asked.reply(outcome, worker.config(), now);
                        reply.map(Reached::Reply)
                    }
                }
            }
            (state, _) => {
                // Late or out of turn: nothing changes.
                self.state = state;
                return match self.state {
                    State::AwaitsBody(_) => Step::AwaitBody,
                    State::AwaitsOutcome(..) | State::AwaitsAccess(_) => Step::AwaitOutcome,
                    State::PassedOn => Step::Passing,
                    State::New | State::Settled => Step::Settled,
                };
            }
        };
        self.settle(reached, worker, host)
    }

    fn settle(
        &mut self,
        reached: Result<Reached, Failure>,
        worker: &mut Worker,
        host: &impl Host,
    ) -> Step {
        let failure = match reached {
            Ok(Reached::PassOn(onward)) => {
                self.state = State::PassedOn;
                host.count(Counter::PassedOn);
                return Step::PassOn(onward);
            }
            // Held where it was judged.
            Ok(Reached::Held) => return Step::AwaitOutcome,
            Ok(Reached::Preflight(reply)) => return answer_with(reply, host),
            Ok(Reached::Body(accepted)) => {
                self.state = State::AwaitsBody(accepted);
                return Step::AwaitBody;
            }
            Ok(Reached::Reply(reply)) => return answer_with(self.decorated(reply, worker), host),
            Ok(Reached::Job(asked, job)) => {
                let answer = self.glance(&asked, &job, worker, host);
                match answer {
                    Some(Ok(reply)) => return answer_with(self.decorated(reply, worker), host),
                    Some(Err(failure)) => failure,
                    None => {
                        let fallback = fallback(&job);
                        match worker.submit(self.id, *job, host) {
                            Ok(()) => {
                                self.state = State::AwaitsOutcome(asked, fallback);
                                return Step::AwaitOutcome;
                            }
                            Err(_) => Failure::Overloaded,
                        }
                    }
                }
            }
            Err(failure) => failure,
        };
        let now = host.now();
        self.report(&failure, host);
        let reply = failure.reply(&self.context(worker, now));
        answer_with(self.decorated(reply, worker), host)
    }

    /// Waits with a request that cannot be judged yet; more of its body may come meanwhile.
    fn hold(&mut self, incoming: Box<Incoming>) -> Step {
        // What is not for the API is passed on as it stands in the host's buffer.
        let wants_more = !incoming.end
            && matches!(incoming.body, Arrived::Nothing | Arrived::Part { .. })
            && Target::of(incoming.path()).is_some();
        self.state = State::AwaitsAccess(incoming);
        match wants_more {
            true => Step::AwaitBody,
            false => Step::AwaitOutcome,
        }
    }

    /// Keeps what of a body came before its request could be judged.
    fn keep(&mut self, mut incoming: Box<Incoming>, body: Arrived) -> Step {
        incoming.body = body;
        self.hold(incoming)
    }

    /// What a client must be told besides: where a read's answer came from, and what a browser of another origin wants.
    fn decorated(&self, reply: Reply, worker: &Worker) -> Reply {
        let reply = match self.frame.source {
            // A failure is nobody's answer about an account, except that there is none.
            Some(source) if matches!(reply.status, 200 | 404) => source.tell(reply),
            _ => reply,
        };
        match worker.policy().cors() {
            Some(cors) => cors.decorate(reply, self.frame.origin.as_deref()),
            None => reply,
        }
    }

    fn context<'a>(&'a self, worker: &'a Worker, now: Timestamp) -> Context<'a> {
        Context {
            instance: &self.frame.instance,
            realm: &worker.config().realm,
            now,
            problem_details: self.frame.problem_details,
        }
    }

    /// Failures that are the gateway's or the engine's own are an operator's business; a client's are only counted.
    fn report(&self, failure: &Failure, host: &impl Host) {
        let severity = match failure {
            Failure::Corrupt(_) | Failure::Unexpected => Severity::Error,
            Failure::Unavailable | Failure::Overloaded | Failure::NoRandomness => Severity::Warning,
            // Decisions on access have a line of their own; there may be very many of them.
            _ => return,
        };
        let mut line = format!(
            "{}: request answered {}",
            failure.reason(),
            failure.status()
        );
        if let Failure::Corrupt(corrupt) = failure {
            line.push_str(&format!(": {}: {}", corrupt.key, corrupt.error));
        }
        host.log(severity, &line);
    }
}

/// Reads a head.
fn read<'a>(headers: &[(&'a [u8], &'a [u8])], end: bool, worker: &Worker) -> Request<'a> {
    let policy = worker.policy();
    let names = headers.iter().map(|&(name, _)| name);
    let forged = names
        .filter(|name| policy.identity_headers().covers(name))
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect();
    Request {
        head: Head::read(headers.iter().copied()),
        forged,
        end,
    }
}

impl Frame {
    fn of(head: &Head<'_>) -> Self {
        let path = match Target::of(head.path) {
            Some(target) => target.below_prefix,
            None => head
                .path
                .split(|&byte| byte == b'?')
                .next()
                .unwrap_or_default(),
        };
        let echoed = path.get(..MAX_ECHOED_PATH_BYTES).unwrap_or(path);
        Self {
            source: None,
            instance: String::from_utf8_lossy(echoed).into_owned(),
            problem_details: media_type::prefers_problem(&head.accept),
            origin: head.origin.value().map(<[u8]>::to_vec),
        }
    }
}

fn into_job((asked, job): (Asked, Job)) -> Reached {
    Reached::Job(asked, Box::new(job))
}

fn answer_with(reply: Reply, host: &impl Host) -> Step {
    host.count(match reply.status {
        500.. => Counter::ServerError,
        400.. => Counter::ClientError,
        _ => Counter::Success,
    });
    Step::Reply(reply)
}
