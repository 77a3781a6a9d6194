//! One request's life: head, perhaps a body, perhaps a wait for the engine, exactly one end.
//!
//! Decides in which order a request is judged and what becomes of it. How tokens, paths, bodies and accounts work is
//! known one floor below; how bytes travel, one floor above.
//!
//! How to drive it: [`Exchange::advance`] with the head, then as the returned [`Step`] says. After a reply or a pass-on
//! nothing changes any more: whatever comes late is answered with [`Step::Settled`] or, again, [`Step::PassOn`].

mod request;
#[cfg(test)]
mod tests;

use ledger::Timestamp;

use self::request::{Accepted, Asked};
use crate::access::{BearerToken, MANAGE, NativeCrypto, VIEW};
use crate::accounts::job::{Job, Outcome, Written};
use crate::api::bad_input::BadInput;
use crate::api::failure::{Context, Failure};
use crate::api::head::{Head, MAX_ECHOED_PATH_BYTES, Once};
use crate::api::media_type;
use crate::api::reply::Reply;
use crate::api::route::{NoRoute, Target, route};
use crate::host::{Counter, Host, Severity};
use crate::worker::{ExchangeId, Worker};

/// Headers that tell an upstream who is calling. Only the gateway may set them, so a client's copies are removed from
/// every request that is passed on.
pub const IDENTITY_HEADERS: [&str; 3] = ["x-tenant", "x-scopes", "x-subject"];

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
    /// The job is over that the exchange waited for.
    Outcome(Outcome),
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
    /// Pass the request on without [`IDENTITY_HEADERS`]; the exchange is over, whatever follows passes too.
    PassOn,
    /// Nothing: the reply was sent already.
    Settled,
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
}

#[derive(Debug)]
enum State {
    New,
    AwaitsBody(Box<Accepted>),
    AwaitsOutcome(Asked),
    /// Passed on: the rest of the request passes too.
    PassedOn,
    /// Replied to.
    Settled,
}

/// How far an exchange got without failing.
enum Reached {
    PassOn,
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
        matches!(self.state, State::AwaitsOutcome(_))
    }

    /// Goes on.
    pub fn advance(&mut self, input: Input<'_>, worker: &mut Worker, host: &impl Host) -> Step {
        let reached = match (std::mem::replace(&mut self.state, State::Settled), input) {
            (State::New, Input::Head { headers, end }) => self.head(headers, end, worker, host),
            (State::AwaitsBody(accepted), Input::BodyGrown { total_bytes }) => {
                let max_bytes = worker.config().max_body_bytes;
                if total_bytes > 0 && accepted.takes_no_body() {
                    Err(Failure::UnsupportedMediaType)
                } else if total_bytes > max_bytes {
                    Err(Failure::BodyTooLarge { max_bytes })
                } else {
                    Ok(Reached::Body(accepted))
                }
            }
            (State::AwaitsBody(accepted), Input::Body(bytes)) => {
                (*accepted).ask(bytes, worker.config(), host).map(into_job)
            }
            (State::AwaitsBody(_), Input::BodyLost) => Err(Failure::Unavailable),
            (State::AwaitsOutcome(asked), Input::Outcome(outcome)) => asked
                .reply(outcome, worker.config(), host.now())
                .map(Reached::Reply),
            (state, _) => {
                // Late or out of turn: nothing changes.
                self.state = state;
                return match self.state {
                    State::AwaitsBody(_) => Step::AwaitBody,
                    State::AwaitsOutcome(_) => Step::AwaitOutcome,
                    State::PassedOn => Step::PassOn,
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
            Ok(Reached::PassOn) => {
                self.state = State::PassedOn;
                host.count(Counter::PassedOn);
                return Step::PassOn;
            }
            Ok(Reached::Body(accepted)) => {
                self.state = State::AwaitsBody(accepted);
                return Step::AwaitBody;
            }
            Ok(Reached::Reply(reply)) => return answer(reply, host),
            Ok(Reached::Job(asked, job)) => match worker.submit(self.id, *job, host) {
                Ok(()) => {
                    self.state = State::AwaitsOutcome(asked);
                    return Step::AwaitOutcome;
                }
                Err(_) => Failure::Overloaded,
            },
            Err(failure) => failure,
        };
        let now = host.now();
        self.report(&failure, host);
        answer(failure.reply(&self.context(worker, now)), host)
    }

    /// Judges the head, in the order of precedence that [`Failure`] declares; only a repeated header comes before
    /// everything else, because it leaves open what the request says.
    fn head(
        &mut self,
        headers: &[(&[u8], &[u8])],
        end: bool,
        worker: &Worker,
        host: &impl Host,
    ) -> Result<Reached, Failure> {
        let head = Head::read(headers.iter().copied());
        let Some(target) = Target::of(&head.path) else {
            return Ok(Reached::PassOn);
        };
        self.frame = Frame::of(&head, &target);
        refuse_repeated(&head.authorization, "Authorization")?;
        refuse_repeated(&head.tenant, "Emporix-Tenant")?;
        refuse_repeated(&head.idempotency_key, "Idempotency-Key")?;
        let now = host.now();
        let token = BearerToken::from_authorization(head.authorization.value())
            .map_err(Failure::Unauthenticated)?;
        let verified = worker
            .access()
            .verify(token, NativeCrypto::none(), host)
            .map_err(|rejected| Failure::Unauthenticated(rejected.reason))?;
        let identity = verified
            .identity_at(now.as_millis())
            .map_err(Failure::Unauthenticated)?;
        let route = route(&head.method, &target).map_err(|error| match error {
            NoRoute::UnknownPath => Failure::UnknownPath,
            NoRoute::WrongMethod { allow } => Failure::WrongMethod { allow },
        })?;
        let scopes = if route.operation.is_read() {
            VIEW
        } else {
            MANAGE
        };
        let permit = identity
            .permit(&scopes, head.tenant.value())
            .map_err(|error| Failure::Forbidden(error, scopes))?;
        if route.operation.is_post() {
            check_body_headers(&head, end, worker.config().max_body_bytes)?;
        }
        let accepted = Accepted::new(permit, &route, &target, &head, worker.config())?;
        if !end {
            // Also where a body means nothing: nothing is begun before the request is complete, so that whatever cuts it
            // short cuts off a request and not an answer.
            return Ok(Reached::Body(Box::new(accepted)));
        }
        accepted.ask(&[], worker.config(), host).map(into_job)
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

impl Frame {
    fn of(head: &Head, target: &Target<'_>) -> Self {
        let path = target.below_prefix;
        let echoed = path.get(..MAX_ECHOED_PATH_BYTES).unwrap_or(path);
        Self {
            instance: String::from_utf8_lossy(echoed).into_owned(),
            problem_details: media_type::prefers_problem(&head.accept),
        }
    }
}

fn into_job((asked, job): (Asked, Job)) -> Reached {
    Reached::Job(asked, Box::new(job))
}

fn answer(reply: Reply, host: &impl Host) -> Step {
    host.count(match reply.status {
        500.. => Counter::ServerError,
        400.. => Counter::ClientError,
        _ => Counter::Success,
    });
    Step::Reply(reply)
}

fn refuse_repeated(header: &Once, name: &'static str) -> Result<(), Failure> {
    if header.is_repeated() {
        return Err(Failure::BadInput(BadInput::RepeatedHeader(name)));
    }
    Ok(())
}

/// What the head says of the body: a type that we do not read, or a length that we do not take.
fn check_body_headers(head: &Head, end: bool, max_bytes: usize) -> Result<(), Failure> {
    let readable = match &head.content_type {
        Once::Sent(value) => media_type::is_json(value),
        // Without a type there must be no body; of one without a length that shows when its first byte comes.
        Once::Absent => end || matches!(head.content_length.value(), None | Some(b"0")),
        Once::Repeated => false,
    };
    if !readable {
        return Err(Failure::UnsupportedMediaType);
    }
    let declared = head
        .content_length
        .value()
        .and_then(|value| std::str::from_utf8(value).ok()?.parse::<u64>().ok());
    let max = u64::try_from(max_bytes).unwrap_or(u64::MAX);
    if declared.is_some_and(|bytes| bytes > max) {
        return Err(Failure::BodyTooLarge { max_bytes });
    }
    Ok(())
}
