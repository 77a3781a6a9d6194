//! The judgement of one request's head: may it, and what then.
//!
//! Decides the order in which a request is judged (that of [`Failure`]), for the operations of the API and for the routes
//! that are only guarded. What a token must be is known to the gate, what a route demands to the rules.

use super::decision::{Decision, Verdict};
use super::incoming::Arrived;
use super::request::Accepted;
use super::{Onward, Reached, into_job};
use crate::access::{Forbidden, Permit, Unauthenticated};
use crate::api::bad_input::BadInput;
use crate::api::failure::Failure;
use crate::api::head::{Head, Once};
use crate::api::media_type;
use crate::api::route::{NoRoute, Route, Target, allowed_methods, route};
use crate::gate::{Admission, NotAdmitted};
use crate::host::{Counter, Host};
use crate::policy::Policy;
use crate::rules::{Allow, Match, Mode, Rule};
use crate::wake::ExchangeId;
use crate::worker::Worker;

/// What a route that is not the API's is called in the log when no rule is for it.
const NO_ROUTE: &str = "";

/// A request as far as it is known when it is judged.
pub(super) struct Request<'a> {
    pub(super) head: Head<'a>,
    /// Names of headers that only the gateway may set, as the client sent them.
    pub(super) forged: Vec<String>,
    /// Whether the head is all there is.
    pub(super) end: bool,
}

/// Judges a request. What of its body has come is taken when it is needed, and left where a decision has to wait.
pub(super) fn judge(
    exchange: ExchangeId,
    request: &Request<'_>,
    body: &mut Arrived,
    worker: &mut Worker,
    host: &impl Host,
) -> Result<Reached, Failure> {
    let policy = worker.policy();
    match Target::of(request.head.path) {
        Some(target) => {
            if let Some(reply) = preflight(&policy, &request.head, &target) {
                return Ok(Reached::Preflight(reply));
            }
            operation(exchange, request, &target, body, &policy, worker, host)
        }
        None => passage(exchange, request, &policy, worker, host),
    }
}

fn preflight(
    policy: &Policy,
    head: &Head<'_>,
    target: &Target<'_>,
) -> Option<crate::api::reply::Reply> {
    policy.cors()?.preflight(
        head.method,
        head.origin.value(),
        head.preflight_method.value(),
        allowed_methods(target)?,
    )
}

/// A request for an operation of the API.
fn operation(
    exchange: ExchangeId,
    request: &Request<'_>,
    target: &Target<'_>,
    body: &mut Arrived,
    policy: &Policy,
    worker: &mut Worker,
    host: &impl Host,
) -> Result<Reached, Failure> {
    let head = &request.head;
    refuse_repeated(&head.authorization, "Authorization")?;
    refuse_repeated(&head.tenant, "Emporix-Tenant")?;
    refuse_repeated(&head.idempotency_key, "Idempotency-Key")?;
    refuse_repeated(&head.revision, "x-points-revision")?;
    let found = route(head.method, target);
    let (pattern, rule) = match &found {
        Ok(found) => (
            found.operation.pattern(),
            Some(policy.operations().of(found.operation)),
        ),
        Err(_) => (crate::api::route::PREFIX, None),
    };
    let scribe = Scribe {
        head,
        route: pattern,
        rule: rule.map_or("", |rule| rule.name),
        policy,
    };
    let admission = match worker.authenticate(exchange, head.authorization.value(), host) {
        Ok(admission) => admission,
        Err(NotAdmitted::Wait) => return Ok(Reached::Held),
        Err(error) => {
            let failure = not_admitted(error);
            scribe.denied(None, &failure, host);
            return Err(failure);
        }
    };
    let found = found.map_err(|error| match error {
        NoRoute::UnknownPath => Failure::UnknownPath,
        NoRoute::WrongMethod { allow } => Failure::WrongMethod { allow },
    })?;
    let rule = policy.operations().of(found.operation);
    let leave = admission
        .identity()
        .permit(&rule.requirement, rule.mode, head.tenant.value());
    let leave = match leave {
        Ok(leave) => leave,
        Err(error) => {
            let failure = Failure::Forbidden(error, rule.requirement.named_scopes());
            scribe.denied(Some(&admission), &failure, host);
            return Err(failure);
        }
    };
    match leave.unmet {
        None => scribe.allowed(Some(&admission), leave.scope, host),
        Some(error) => scribe.reported(Some(&admission), error.reason(), host),
    }
    let permit = leave.permit;
    accept(
        permit,
        &found,
        target,
        request,
        std::mem::take(body),
        worker,
        host,
    )
}

/// What a permitted request asks for, or how far it is from being complete.
fn accept(
    permit: Permit,
    route: &Route<'_>,
    target: &Target<'_>,
    request: &Request<'_>,
    body: Arrived,
    worker: &Worker,
    host: &impl Host,
) -> Result<Reached, Failure> {
    let (head, end) = (&request.head, request.end);
    let config = worker.config();
    let max_bytes = config.max_body_bytes;
    if route.operation.is_post() {
        check_body_headers(head, end, max_bytes)?;
    }
    let accepted = Accepted::new(permit, route, target, head, config)?;
    match body {
        Arrived::Nothing if end => accepted.ask(&[], worker, host).map(into_job),
        // Also where a body means nothing: nothing is begun before the request is complete, so that whatever cuts it
        // short cuts off a request and not an answer.
        Arrived::Nothing => Ok(Reached::Body(Box::new(accepted))),
        Arrived::Part { total_bytes } => accepted
            .check_body(total_bytes, max_bytes)
            .map(|()| Reached::Body(Box::new(accepted))),
        Arrived::TooLong { total_bytes } => {
            accepted.check_body(total_bytes, max_bytes)?;
            Err(Failure::BodyTooLarge { max_bytes })
        }
        Arrived::Whole(bytes) => {
            accepted.check_body(bytes.len(), max_bytes)?;
            accepted.ask(&bytes, worker, host).map(into_job)
        }
        Arrived::Lost => Err(Failure::Unavailable),
    }
}

/// A request for something that the gateway guards and does not serve.
fn passage(
    exchange: ExchangeId,
    request: &Request<'_>,
    policy: &Policy,
    worker: &mut Worker,
    host: &impl Host,
) -> Result<Reached, Failure> {
    let head = &request.head;
    let rules = policy.rules();
    if rules.is_empty() {
        return Ok(onward(request, None));
    }
    let scribe = |route, rule| Scribe {
        head,
        route,
        rule,
        policy,
    };
    let rule = match rules.judge(head.method, head.path) {
        Match::Unguarded => return Ok(onward(request, None)),
        Match::Ambiguous(ambiguity) => {
            let failure = Failure::BadInput(BadInput::AmbiguousPath(ambiguity));
            scribe(NO_ROUTE, "").denied(None, &failure, host);
            return Err(failure);
        }
        Match::DefaultDeny => {
            let failure = Failure::Forbidden(Forbidden::NoRule, [].into());
            scribe(NO_ROUTE, "").denied(None, &failure, host);
            return Err(failure);
        }
        Match::Rule(rule) => rule,
    };
    let scribe = scribe(rule.pattern(), rule.name());
    let mut caller = None;
    match guard(exchange, head, rule, &mut caller, worker, host) {
        Ok(scope) => scribe.allowed(caller.as_ref(), scope, host),
        Err(Refusal::Wait) if rule.mode() == Mode::Enforce => {
            return Ok(Reached::Held);
        }
        Err(Refusal::Wait) => {
            // A rule that only reports holds nobody up.
            worker.gone(exchange);
            scribe.reported(None, "not_ready", host);
        }
        // A request that contradicts its own token about the tenant is refused in every mode.
        Err(Refusal::Failure(failure))
            if rule.mode() == Mode::Enforce || contradicts_tenant(&failure) =>
        {
            scribe.denied(caller.as_ref(), &failure, host);
            return Err(failure);
        }
        Err(Refusal::Failure(failure)) => {
            scribe.reported(caller.as_ref(), failure.reason(), host);
        }
    }
    Ok(onward(request, caller.as_ref()))
}

/// Whether a refusal is about the tenant that the request names.
fn contradicts_tenant(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Forbidden(Forbidden::TenantMismatch, _)
            | Failure::BadInput(BadInput::RepeatedHeader("Emporix-Tenant"))
    )
}

/// Why a rule does not let a request through.
enum Refusal {
    Wait,
    Failure(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// Whether `rule` lets this request through, and the scope that sufficed. `caller` is who asks, as far as that is certain.
fn guard<'r>(
    exchange: ExchangeId,
    head: &Head<'_>,
    rule: &'r Rule,
    caller: &mut Option<Admission>,
    worker: &mut Worker,
    host: &impl Host,
) -> Result<Option<&'r str>, Refusal> {
    let requirement = match rule.allow() {
        Allow::Denied => {
            return Err(Failure::Forbidden(Forbidden::Denied, [].into()).into());
        }
        Allow::Anonymous => None,
        Allow::Token(requirement) => Some(requirement),
    };
    refuse_repeated(&head.authorization, "Authorization")?;
    refuse_repeated(&head.tenant, "Emporix-Tenant")?;
    let admission = match worker.authenticate(exchange, head.authorization.value(), host) {
        Ok(admission) => admission,
        Err(NotAdmitted::Wait) => return Err(Refusal::Wait),
        // Whoever is let in without a token may send other credentials, which are the upstream's business.
        Err(NotAdmitted::Refused(error)) if requirement.is_none() && !error.token_sent() => {
            return Ok(None);
        }
        Err(error) => return Err(not_admitted(error).into()),
    };
    let identity = admission.identity();
    let tenant_header = head.tenant.value();
    let leave = match requirement {
        _ if rule.mode() == Mode::Report && identity.agrees_with(tenant_header).is_err() => {
            Err(Failure::Forbidden(Forbidden::TenantMismatch, [].into()))
        }
        Some(requirement) => identity
            .permit(requirement, Mode::Enforce, tenant_header)
            .map(|leave| leave.scope)
            .map_err(|error| Failure::Forbidden(error, requirement.named_scopes())),
        None => identity
            .agrees_with(tenant_header)
            .map(|()| None)
            .map_err(|error| Failure::Forbidden(error, [].into())),
    };
    // A request that contradicts its own token is nobody's, whatever else is wrong with it.
    if identity.agrees_with(tenant_header).is_ok() {
        *caller = Some(admission);
    }
    Ok(leave?)
}

fn onward(request: &Request<'_>, caller: Option<&Admission>) -> Reached {
    Reached::PassOn(Box::new(Onward {
        remove: request.forged.clone(),
        add: caller.map(Admission::told_to_upstreams),
    }))
}

/// Writes down decisions about one request.
struct Scribe<'a> {
    head: &'a Head<'a>,
    route: &'a str,
    rule: &'a str,
    policy: &'a Policy,
}

impl Scribe<'_> {
    fn allowed(&self, caller: Option<&Admission>, scope: Option<&str>, host: &impl Host) {
        self.tell(Verdict::Allow, caller, scope, "allowed", None, host);
    }

    fn reported(&self, caller: Option<&Admission>, reason: &'static str, host: &impl Host) {
        self.tell(Verdict::Report, caller, None, reason, None, host);
    }

    fn denied(&self, caller: Option<&Admission>, failure: &Failure, host: &impl Host) {
        if matches!(failure, Failure::Unauthenticated(Unauthenticated::Revoked)) {
            host.count(Counter::RevokedTokens);
        }
        let status = Some(failure.status());
        self.tell(Verdict::Deny, caller, None, failure.reason(), status, host);
    }

    fn tell(
        &self,
        verdict: Verdict,
        caller: Option<&Admission>,
        scope: Option<&str>,
        reason: &'static str,
        status: Option<u16>,
        host: &impl Host,
    ) {
        let decision = Decision {
            verdict,
            request_id: self.head.request_id.value(),
            caller,
            method: self.head.method,
            route: self.route,
            rule: self.rule,
            scope,
            reason,
            status,
        };
        decision.tell(self.policy.lines(), host);
    }
}

fn not_admitted(error: NotAdmitted) -> Failure {
    match error {
        NotAdmitted::Refused(error) => Failure::Unauthenticated(error),
        NotAdmitted::Busy => Failure::TooManyBadTokens,
        NotAdmitted::NotReady | NotAdmitted::Wait => Failure::AccessUnknown,
    }
}

fn refuse_repeated(header: &Once<'_>, name: &'static str) -> Result<(), Failure> {
    if header.is_repeated() {
        return Err(Failure::BadInput(BadInput::RepeatedHeader(name)));
    }
    Ok(())
}

/// What the head says of the body: a type that we do not read, or a length that we do not take.
fn check_body_headers(head: &Head<'_>, end: bool, max_bytes: usize) -> Result<(), Failure> {
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
