//! What a run came to, as a table for people.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::board::{Count, Counts, Gaps};
use crate::faults::{Fault, Injected, Outcome};
use crate::stage::WORKERS;
use crate::verify::Verified;
use crate::{GATEWAYS, MEMBERS};

/// Of the column with the fault's words.
const WORDS: usize = 36;

/// The result of one run.
#[derive(Clone, Debug)]
pub struct Report {
    pub(crate) seed: u64,
    pub(crate) clients: usize,
    pub(crate) lasted: Duration,
    pub(crate) hold: Duration,
    pub(crate) faults: Vec<Injected>,
    pub(crate) counts: Counts,
    /// How many operations were settled at the end; none when it did not come to that.
    pub(crate) settled: Option<usize>,
    /// None when it did not come to that.
    pub(crate) verified: Option<Verified>,
    /// The step at which the run ended early.
    pub(crate) failure: Option<String>,
    pub(crate) found: u64,
    pub(crate) findings: Vec<String>,
    pub(crate) logs: Vec<PathBuf>,
    pub(crate) network: String,
}

/// All faults of one kind.
#[derive(Debug, Default)]
struct Row {
    times: u64,
    gaps: Gaps,
    longest: Duration,
    unavailable: u64,
    unanswered: u64,
    /// How often each was said.
    words: BTreeMap<String, u64>,
    not_possible: u64,
    reason: String,
}

impl Report {
    /// Whether it came to its end and nothing was wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.found == 0 && self.failure.is_none()
    }

    /// How many operations were acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.counts.of(Count::Acknowledged)
    }

    /// How many faults were injected.
    #[must_use]
    pub fn injected(&self) -> u64 {
        self.rows().values().map(|row| row.times).sum()
    }

    /// The kinds of faults that were not drawn at all.
    #[must_use]
    pub fn not_drawn(&self) -> Vec<&'static str> {
        let is_drawn = |fault| self.faults.iter().any(|injected| injected.fault == fault);
        let missing = Fault::ALL.into_iter().filter(|fault| !is_drawn(*fault));
        missing.map(Fault::words).collect()
    }

    /// The table; when something was wrong also what, the plan of faults and where the logs are.
    #[must_use]
    pub fn table(&self) -> String {
        let mut lines = vec![
            format!(
                "chaos: seed {}, {} clients, {MEMBERS} members of etcd, {GATEWAYS} Envoys of {WORKERS} workers; {:.0} s, faults held for {:?}",
                self.seed,
                self.clients,
                self.lasted.as_secs_f64(),
                self.hold
            ),
            format!("network: {}", self.network),
            String::new(),
            format!(
                "{:WORDS$} {:>5} {:>9} {:>9} {:>9} {:>7} {:>9}",
                "fault", "times", "s no", "s no", "s until", "503", "no"
            ),
            format!(
                "{:WORDS$} {:>5} {:>9} {:>9} {:>9} {:>7} {:>9}",
                "", "", "success", "write", "whole", "", "answer"
            ),
        ];
        let rows = self.rows();
        lines.extend(rows.iter().map(|(fault, row)| line(*fault, row)));
        lines.push(String::new());
        lines.extend(self.figures());
        lines.push(String::new());
        lines.extend(self.verdict());
        if !self.is_clean() {
            lines.extend(self.findings.iter().map(|what| format!("  {what}")));
            lines.push(format!("seed {}; the plan of faults:", self.seed));
            lines.push(plan_of(&self.faults));
            lines.push("logs:".to_owned());
            let logs = self.logs.iter();
            lines.extend(logs.map(|log| format!("  {}", log.display())));
        }
        lines.join("\n")
    }

    fn rows(&self) -> BTreeMap<Fault, Row> {
        let mut rows: BTreeMap<Fault, Row> = BTreeMap::new();
        for fault in Fault::ALL {
            rows.insert(fault, Row::default());
        }
        for injected in &self.faults {
            let row = rows.entry(injected.fault).or_default();
            match &injected.outcome {
                Outcome::NotPossible(reason) => {
                    row.not_possible += 1;
                    row.reason.clone_from(reason);
                }
                Outcome::Done(words) => {
                    row.times += 1;
                    row.gaps = row.gaps.max(injected.gaps);
                    row.longest = row.longest.max(injected.lasted);
                    row.unavailable += injected.unavailable;
                    row.unanswered += injected.unanswered;
                    *row.words.entry(words.clone()).or_default() += 1;
                }
            }
        }
        rows
    }

    fn figures(&self) -> Vec<String> {
        let of = |count| self.counts.of(count);
        let not_possible: u64 = self.rows().values().map(|row| row.not_possible).sum();
        vec![
            format!(
                "faults      {} injected, {not_possible} not possible here",
                self.injected()
            ),
            format!(
                "operations  {} acknowledged ({} found done already), {} refused; requests sent again: {}",
                of(Count::Acknowledged),
                of(Count::FoundDone),
                of(Count::Refused),
                of(Count::Retried)
            ),
            format!(
                "unknown     {} at some time, {} refused with a copy on the way, {} settled at the end",
                of(Count::Unknown),
                of(Count::LeftOpen),
                self.settled
                    .map_or("none".to_owned(), |settled| settled.to_string())
            ),
            format!(
                "no answer   503: {}, nobody there: {}, cut off: {}, silent: {}",
                of(Count::Unavailable),
                of(Count::Unsent),
                of(Count::Cut),
                of(Count::Silent)
            ),
            format!(
                "reads       {} bounded ({} said to be stale), {} with a session's revision, {} strict",
                of(Count::BoundedReads),
                of(Count::StaleReads),
                of(Count::SessionReads),
                of(Count::StrictReads)
            ),
            match self.verified {
                Some(verified) => format!(
                    "at the end  {} entries of {} accounts are the {} operations that were acknowledged, each once, through both \
                     Envoys, from copies and engine; {} documents alike in {MEMBERS} members",
                    verified.entries, verified.accounts, verified.acknowledged, verified.documents
                ),
                None => {
                    "at the end  accounts were not checked: the run did not come to that".to_owned()
                }
            },
        ]
    }

    fn verdict(&self) -> Vec<String> {
        let found = (self.found > 0).then(|| format!("WRONG: {} findings", self.found));
        let failure = self.failure.as_ref();
        let failed = failure.map(|failure| format!("FAILED: the run ended early: {failure}"));
        let mut lines: Vec<String> = failed.into_iter().chain(found).collect();
        if lines.is_empty() {
            lines.push("nothing lost, nothing doubled, nothing older than promised".to_owned());
        }
        lines
    }
}

/// What was done, when and to whom.
fn plan_of(faults: &[Injected]) -> String {
    let lines = faults.iter().map(|injected| {
        let words = match &injected.outcome {
            Outcome::Done(words) => words.clone(),
            Outcome::NotPossible(reason) => format!("not possible here: {reason}"),
        };
        format!(
            "{:7.2} s to {:7.2} s  {}: {words}",
            injected.begun.as_secs_f64(),
            (injected.begun + injected.lasted).as_secs_f64(),
            injected.fault.words()
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn line(fault: Fault, row: &Row) -> String {
    let words = fault.words();
    if row.not_possible > 0 && row.times == 0 {
        return format!(
            "{words:WORDS$} {:>5} not possible here: {} ({} times)",
            0, row.reason, row.not_possible
        );
    }
    if row.times == 0 {
        return format!("{words:WORDS$} {:>5} not in the time of this run", 0);
    }
    let said = row.words.iter().map(|(words, times)| match times {
        1 => words.clone(),
        times => format!("{words} ({times} times)"),
    });
    format!(
        "{words:WORDS$} {:>5} {:>9.2} {:>9.2} {:>9.2} {:>7} {:>9}  {}",
        row.times,
        row.gaps.any.as_secs_f64(),
        row.gaps.write.as_secs_f64(),
        row.longest.as_secs_f64(),
        row.unavailable,
        row.unanswered,
        said.collect::<Vec<_>>().join("; ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(found: u64, failure: Option<&str>) -> Report {
        let fault = Injected {
            fault: Fault::KillLeader,
            outcome: Outcome::Done("member-2".to_owned()),
            begun: Duration::from_secs(3),
            lasted: Duration::from_secs(6),
            gaps: Gaps::default(),
            unavailable: 5,
            unanswered: 0,
        };
        Report {
            seed: 17,
            clients: 4,
            lasted: Duration::from_secs(9),
            hold: Duration::from_secs(2),
            faults: vec![fault],
            counts: Counts::default(),
            settled: failure.is_none().then_some(0),
            verified: failure.is_none().then(Verified::default),
            failure: failure.map(str::to_owned),
            found,
            findings: (0..found).map(|it| format!("finding-{it}")).collect(),
            logs: vec!["member-1.log".into()],
            network: "relays".to_owned(),
        }
    }

    #[test]
    fn a_run_that_ends_early_is_not_clean_and_tells_all_that_it_knows() {
        let failed = report(2, Some("not whole again"));
        assert!(!failed.is_clean());
        let table = failed.table();
        for words in [
            "FAILED: the run ended early: not whole again",
            "WRONG: 2 findings",
            "finding-0",
            "finding-1",
            "seed 17; the plan of faults:",
            "kill -9 of the leader: member-2",
            "accounts were not checked",
            "member-1.log",
        ] {
            assert!(table.contains(words), "no {words:?} in\n{table}");
        }
        assert!(!table.contains("nothing lost"), "{table}");
        let without_findings = report(0, Some("interrupted"));
        assert!(!without_findings.is_clean());
        assert!(!without_findings.table().contains("nothing lost"));
    }

    #[test]
    fn only_a_run_that_ends_without_findings_is_clean() {
        assert!(report(0, None).is_clean());
        assert!(report(0, None).table().contains("nothing lost"));
        assert!(!report(1, None).is_clean());
        assert!(report(1, None).table().contains("WRONG: 1 findings"));
    }

    #[test]
    fn kinds_that_were_not_drawn_are_named() {
        let missing = report(0, None).not_drawn();
        assert_eq!(missing.len(), Fault::ALL.len() - 1);
        assert!(!missing.contains(&Fault::KillLeader.words()));
    }
}
