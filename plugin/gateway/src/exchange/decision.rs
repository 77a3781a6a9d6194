//! One access decision, told to the operator: a counter always, and a line of JSON where the configuration wants it.
//!
//! Decides what such a line holds: never a token, a key, a body or a raw path, and of a subject only a hash.

use serde::Serialize;

use crate::config::DecisionLines;
use crate::gate::Admission;
use crate::host::{Counter, Host, Severity};

/// Longest method and request id that are logged, in bytes; what follows is cut off.
const MAX_LOGGED_BYTES: usize = 64;

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The request goes on.
    Allow,
    /// It does not.
    Deny,
    /// It does, but would not if its rule were enforced.
    Report,
}

/// One decision.
pub(super) struct Decision<'a> {
    pub(super) verdict: Verdict,
    pub(super) request_id: Option<&'a [u8]>,
    /// None where it is not known who asks.
    pub(super) caller: Option<&'a Admission>,
    pub(super) method: &'a [u8],
    /// The pattern of the path, never the path itself.
    pub(super) route: &'a str,
    /// The rule that decided.
    pub(super) rule: &'a str,
    /// The scope that sufficed.
    pub(super) scope: Option<&'a str>,
    /// A fixed word.
    pub(super) reason: &'static str,
    /// The status of the refusal, if there is one.
    pub(super) status: Option<u16>,
}

#[derive(Serialize)]
struct Line<'a> {
    decision: &'static str,
    request_id: Option<std::borrow::Cow<'a, str>>,
    tenant: Option<&'a str>,
    subject: Option<&'a str>,
    method: std::borrow::Cow<'a, str>,
    route: &'a str,
    rule: &'a str,
    scope: Option<&'a str>,
    reason: &'static str,
    status: Option<u16>,
}

impl Decision<'_> {
    /// Counts the decision and writes its line.
    pub(super) fn tell(&self, lines: DecisionLines, host: &impl Host) {
        host.count(match (self.verdict, self.status) {
            (Verdict::Allow, _) => Counter::Allowed,
            (Verdict::Report, _) => Counter::WouldRefuse,
            (Verdict::Deny, Some(401)) => Counter::Unauthenticated,
            (Verdict::Deny, Some(503)) => Counter::Undecided,
            (Verdict::Deny, _) => Counter::Forbidden,
        });
        if self.reason == "tenant_mismatch" {
            host.count(Counter::TenantMismatch);
        }
        let wanted = match lines {
            DecisionLines::All => true,
            DecisionLines::Refused => self.verdict != Verdict::Allow,
            DecisionLines::None => false,
        };
        if wanted && host.writes(Severity::Info) {
            host.log(Severity::Info, &self.line());
        }
    }

    fn line(&self) -> String {
        let line = Line {
            decision: match self.verdict {
                Verdict::Allow => "allow",
                Verdict::Deny => "deny",
                Verdict::Report => "report",
            },
            request_id: self.request_id.map(shown),
            tenant: self.caller.map(|caller| caller.identity().tenant_name()),
            subject: self.caller.and_then(Admission::subject_hash),
            method: shown(self.method),
            route: self.route,
            rule: self.rule,
            scope: self.scope,
            reason: self.reason,
            status: self.status,
        };
        // Text and numbers: this cannot fail.
        serde_json::to_string(&line).unwrap_or_default()
    }
}

fn shown(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes.get(..MAX_LOGGED_BYTES).unwrap_or(bytes))
}
