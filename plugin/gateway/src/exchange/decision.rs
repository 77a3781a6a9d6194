//! One access decision, told to the operator: a counter always, and a line of JSON where the configuration wants it.
//!
//! Decides what such a line holds: never a token, a key, a body or a raw path, and of a subject only a hash.

use crate::config::DecisionLines;
use crate::gate::Admission;
use crate::host::{Counter, Host, Severity};

/// Longest method and request id that are logged, in bytes; what follows is cut off.
const MAX_LOGGED_BYTES: usize = 64;

/// Most lines are no longer, in bytes.
const TYPICAL_LINE_BYTES: usize = 384;

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
        let mut line = String::with_capacity(TYPICAL_LINE_BYTES);
        line.push_str(match self.verdict {
            Verdict::Allow => r#"{"decision":"allow""#,
            Verdict::Deny => r#"{"decision":"deny""#,
            Verdict::Report => r#"{"decision":"report""#,
        });
        let tenant = self.caller.map(|caller| caller.identity().tenant_name());
        let subject = self.caller.and_then(Admission::subject_hash);
        member(
            &mut line,
            "request_id",
            self.request_id.map(shown).as_deref(),
        );
        member(&mut line, "tenant", tenant);
        member(&mut line, "subject", subject);
        member(&mut line, "method", Some(&shown(self.method)));
        member(&mut line, "route", Some(self.route));
        member(&mut line, "rule", Some(self.rule));
        member(&mut line, "scope", self.scope);
        member(&mut line, "reason", Some(self.reason));
        line.push_str(r#","status":"#);
        match self.status {
            Some(status) => line.push_str(&status.to_string()),
            None => line.push_str("null"),
        }
        line.push('}');
        line
    }
}

/// Adds a member to an object: there is a line for every request, so it is written without the machinery of a serializer.
fn member(line: &mut String, name: &'static str, value: Option<&str>) {
    line.push_str(",\"");
    line.push_str(name);
    line.push_str("\":");
    let Some(value) = value else {
        line.push_str("null");
        return;
    };
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if value.bytes().all(is_plain) {
        line.push('"');
        line.push_str(value);
        line.push('"');
    } else {
        // Serialising a string cannot fail.
        line.push_str(&serde_json::to_string(value).unwrap_or_default());
    }
}

fn shown(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes.get(..MAX_LOGGED_BYTES).unwrap_or(bytes))
}
