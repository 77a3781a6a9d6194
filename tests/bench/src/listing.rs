//! `listing`: a large tenant, page by page to its end: whether the last pages take as long as the first ones, and whether
//! everybody is there exactly once.
//!
//! Once along the cursors and once by number, one page after the other, as a client that exports everything does. The first
//! page looks at every account of the tenant and is told by itself. The bars were set before the first figure was seen.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use testbed::{Algorithm, DevKeys, EngineKind, Request};

use crate::asking::{expect_body, make_model};
use crate::builds::Builds;
use crate::gates::{self, Cache};
use crate::load::Fill;
use crate::measure::Spread;
use crate::placement::Placement;
use crate::progress;
use crate::report::{Fact, Group, Machine, Report};
use crate::servers::Engine;
use crate::subject::{Gate, Setup, Subject};
use crate::tokens;

const PAGE_SIZE: u64 = 1000;
/// How long one page may take to come at all.
const PAGE_BOUND: Duration = Duration::from_secs(30);
/// What is wanted: of the pages' second half and first half, and of the slowest page, the first included.
const HALVES_BAR: f64 = 1.3;
const SLOWEST_BAR_MS: f64 = 1000.0;
/// Whose copies all others are.
const MODEL: &str = "model";
const MODEL_ENTRIES: u32 = 3;
const POINTS: u32 = 2000;
const PREFIX: &str = "many-";

/// How much of it is run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many accounts the tenant has, besides the one that they are copies of.
    pub accounts: u64,
    /// What is needed besides the filter.
    pub builds: Builds,
}

/// How one gets from page to page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Cursor,
    Number,
}

/// What came of it.
#[derive(Debug, Default)]
struct Pages {
    /// How long each took, in milliseconds.
    ms: Vec<f64>,
    ids: HashSet<String>,
    /// Ids that had been there before.
    repeated: u64,
    /// Pages whose `X-Total-Count` is another one than the number of accounts.
    miscounted: u64,
}

/// Runs the plan.
///
/// # Errors
/// When something cannot be started, or a page is not answered as a page.
pub fn run(plan: &Plan) -> anyhow::Result<Report> {
    let keys = DevKeys::shared()?;
    let tokens = tokens::valid(&keys, Algorithm::Es256, 1, 1)?;
    let token = tokens.first().context("a token")?;
    // The engine has as large a share in a page as the gateway.
    let placement = Placement::share_all();
    let machine = Machine::here(&placement);
    progress("starting etcd and the subject");
    let engine = Engine::start(EngineKind::Etcd, &plan.builds.native, &placement)?;
    let setup = Setup {
        engine: Some(engine.address()),
        beside: vec![engine.pid()],
        ..Setup::new("ours", Gate::Ours(gates::product(&keys, Cache::On)?))
    };
    let mut subject = Subject::start(setup, &placement)?;
    fill(plan, &engine, subject.address(), token)?;
    let accounts = plan.accounts + 1;
    let mut groups = Vec::new();
    for (way, title) in [(Way::Cursor, "by cursor"), (Way::Number, "by number")] {
        progress(&format!("listing {accounts} accounts {title}"));
        let pages = list(subject.address(), token, accounts, way)?;
        groups.push(Group {
            title: title.to_owned(),
            facts: pages.facts(accounts),
            ..Group::default()
        });
    }
    subject.check()?;
    Ok(Report {
        name: "listing",
        machine,
        setting: format!(
            "one Envoy worker, {accounts} accounts on etcd, {PAGE_SIZE} a page, one page after the other"
        ),
        groups,
        notes: Vec::new(),
    })
}

fn fill(plan: &Plan, engine: &Engine, server: SocketAddr, token: &str) -> anyhow::Result<()> {
    make_model(server, token, MODEL, MODEL_ENTRIES, POINTS)?;
    progress(&format!("putting {} accounts into etcd", plan.accounts));
    let fill = Fill {
        program: plan.builds.native.clone(),
        tenant: &tokens::tenant(0),
        like: MODEL,
        customer_prefix: PREFIX,
        count: plan.accounts,
    };
    fill.run(engine.address())?;
    let last = plan.accounts.saturating_sub(1);
    let path = format!("/reward-points/customer/{PREFIX}{last}");
    expect_body(server, &path, token, &(POINTS * MODEL_ENTRIES).to_string())
}

/// All pages to the end. A page that is not full, or brings nobody new, is the last: a listing that goes round ends too.
fn list(server: SocketAddr, token: &str, accounts: u64, way: Way) -> anyhow::Result<Pages> {
    let mut pages = Pages::default();
    let mut next = match way {
        Way::Cursor => Some(String::new()),
        Way::Number => Some("&pageNumber=1".to_owned()),
    };
    while let Some(place) = next {
        ensure!(!testbed::interrupted(), "interrupted");
        let path = format!("/reward-points/summaryBatch?pageSize={PAGE_SIZE}{place}");
        let request = Request::new("GET", &path)
            .header("authorization", token)
            .header("x-total-count", "true")
            .io_bound(PAGE_BOUND);
        let start = Instant::now();
        let answer = request.send(server)?;
        let ms = start.elapsed().as_secs_f64() * 1000.0;
        ensure!(
            answer.status == 200,
            "GET {path} is answered {}: {}",
            answer.status,
            answer.text()
        );
        let summaries: Vec<Value> = serde_json::from_slice(&answer.body)
            .with_context(|| format!("GET {path} is answered no list"))?;
        let ids = summaries
            .iter()
            .filter_map(|one| one["customerId"].as_str());
        let total = answer.header("x-total-count");
        let brought = pages.add(ms, ids, total.as_deref() == Some(&accounts.to_string()));
        next = match way {
            _ if brought == 0 => None,
            Way::Cursor => answer
                .header("x-next-cursor")
                .map(|cursor| format!("&next={cursor}")),
            Way::Number if summaries.len() < PAGE_SIZE as usize => None,
            Way::Number => Some(format!("&pageNumber={}", pages.ms.len() + 1)),
        };
    }
    Ok(pages)
}

impl Pages {
    /// One more; how many it brought that were not there before.
    fn add<'a>(
        &mut self,
        ms: f64,
        ids: impl Iterator<Item = &'a str>,
        rightly_counted: bool,
    ) -> usize {
        let before = self.ids.len();
        for id in ids {
            self.repeated += u64::from(!self.ids.insert(id.to_owned()));
        }
        self.ms.push(ms);
        self.miscounted += u64::from(!rightly_counted);
        self.ids.len() - before
    }

    /// The time of the second half as a multiple of that of the first; the first page, which would only flatter it, is left
    /// out, and so are a middle one and a last one that is not full.
    fn halves(&self, accounts: u64) -> Option<f64> {
        let full = usize::try_from(accounts / PAGE_SIZE).unwrap_or(usize::MAX);
        let others = self.ms.get(1..full.min(self.ms.len()))?;
        let half = others.len() / 2;
        let (first, second) = (others.get(..half)?, others.get(others.len() - half..)?);
        (half > 0).then(|| second.iter().sum::<f64>() / first.iter().sum::<f64>())
    }

    fn facts(&self, accounts: u64) -> Vec<Fact> {
        let all = Spread::of(self.ms.clone());
        let first = self.ms.first().copied().unwrap_or_default();
        let mut facts = vec![
            Fact::new("pages", self.ms.len() as f64, "pages"),
            Fact::new("total", self.ms.iter().sum(), "ms"),
            Fact::new("first page", first, "ms"),
            Fact::new("a page, p50", all.median, "ms"),
            Fact::new("slowest page", all.high, "ms").at_most(SLOWEST_BAR_MS),
        ];
        facts.extend(self.halves(accounts).map(|halves| {
            Fact::new("second half / first half", halves, "times").at_most(HALVES_BAR)
        }));
        facts.extend([
            Fact::new("accounts seen", self.ids.len() as f64, "accounts").exactly(accounts as f64),
            Fact::new("seen again", self.repeated as f64, "accounts").exactly(0.0),
            Fact::new(
                "pages with another X-Total-Count",
                self.miscounted as f64,
                "pages",
            )
            .exactly(0.0),
        ]);
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_leave_the_first_page_and_a_short_one_out() {
        let cases: [(&[f64], u64, Option<f64>); 5] = [
            (&[900.0, 10.0, 10.0, 20.0, 20.0, 1.0], 5001, Some(2.0)),
            (&[900.0, 10.0, 99.0, 30.0], 4000, Some(3.0)),
            (&[900.0, 10.0, 1.0], 2001, None),
            (&[900.0], 1, None),
            (&[], 0, None),
        ];
        for (ms, accounts, expected) in cases {
            let pages = Pages {
                ms: ms.to_vec(),
                ..Pages::default()
            };
            assert_eq!(pages.halves(accounts), expected, "{ms:?}");
        }
    }

    #[test]
    fn who_comes_twice_is_counted_and_not_new() {
        let mut pages = Pages::default();
        assert_eq!(pages.add(1.0, ["a", "b"].into_iter(), true), 2);
        assert_eq!(pages.add(1.0, ["b", "c"].into_iter(), false), 1);
        assert_eq!(
            (pages.ids.len(), pages.repeated, pages.miscounted),
            (3, 1, 1)
        );
    }
}
