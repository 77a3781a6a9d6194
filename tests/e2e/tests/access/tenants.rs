//! Two tenants, thousands of requests that mix up whatever could name a tenant, and books that must be right to the point.
//!
//! Each of several clients has customers of its own, of the same names with both tenants. It sends one request after the
//! other and looks after each at the other tenant's customer of that name: it is what it was. What a request must do is
//! computed beforehand, from its token alone; so every status, every counter and every account is known.

mod books;
mod judge;
mod plan;
mod wallet;

use std::collections::BTreeMap;
use std::sync::Arc;

use e2e::{Answer, Call, Client, Combination, Version};
use serde_json::json;
use testbed::GatewayKind;
use tokio::task::JoinSet;

use self::books::Books;
use self::plan::{Counted, Effect, Plan, Planner};
use self::wallet::Wallet;
use super::rules::{Guarded, assert_told, plugin};

/// The tenants, and what is in every description of theirs.
const TENANTS: [&str; 2] = ["alpha", "bravo"];
const MARKS: [&str; 2] = ["mark-of-alpha", "mark-of-bravo"];
const CLIENTS: usize = 6;
/// Where chance begins, unless the environment says otherwise.
const SEED_VARIABLE: &str = "TENANTS_SEED";
const SEED: u64 = 0x7e4a_4e75;

/// Requests by how they are counted, and what else is counted of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    sent: u64,
    allowed: u64,
    unauthenticated: u64,
    forbidden: u64,
    /// Answered or passed on without a decision on access.
    without: u64,
    passed_on: u64,
    mismatches: u64,
    forgeries: u64,
}

pub async fn check(on: Combination, requests: usize) {
    let seed = std::env::var(SEED_VARIABLE).map_or(SEED, |text| text.parse().expect("a number"));
    let mut plugin = plugin();
    // Nothing may depend on how fast this machine is today: no token is refused for want of time, no call given up.
    plugin["tokens"] = json!({ "refused_share_percent": 100 });
    for field in ["call_timeout_ms", "write_budget_ms", "read_budget_ms"] {
        plugin["engine"][field] = 10_000.into();
    }
    let guarded = Arc::new(Guarded::start_with(on, plugin).await);
    let before = counted(&guarded);
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let share = requests / CLIENTS + usize::from(number < requests % CLIENTS);
        let guarded = Arc::clone(&guarded);
        clients.spawn(async move {
            let mut client = One::start(&guarded, seed, number).await;
            for place in 0..share {
                client.step(place).await;
            }
            client
        });
    }
    let mut tally = Tally::default();
    let mut told = BTreeMap::new();
    let mut books = Books::default();
    for client in clients.join_all().await {
        tally.add(client.tally);
        told.extend(client.told);
        books.extend(client.books);
    }
    let seed = format!("{on}: {SEED_VARIABLE}={seed}");
    settle(&guarded, &mut tally, &books, &seed).await;
    assert_eq!(
        tally.counts(),
        counted(&guarded).since(before),
        "{seed}: {tally:?}"
    );
    let sum = tally.allowed + tally.unauthenticated + tally.forbidden + tally.without;
    assert_eq!(sum, tally.sent, "{seed}: {tally:?}");
    for name in ["undecided", "would_refuse"] {
        let count = guarded.stack.stat(&format!("reward_points.access.{name}"));
        assert_eq!(count, 0, "{seed}: {name}");
    }
    // Each kind of request came often enough to mean something.
    let seldom = requests as u64 / 50;
    for count in [
        tally.unauthenticated,
        tally.forbidden,
        tally.mismatches,
        tally.forgeries,
        tally.passed_on,
    ] {
        assert!(count > seldom, "{seed}: {tally:?}");
    }
    let seen = guarded.upstream.take();
    assert_eq!(seen.len(), told.len(), "{seed}");
    for seen in seen {
        let case = seen.all("x-case").concat();
        let identity = told
            .remove(&case)
            .unwrap_or_else(|| panic!("{seed}: twice: {case}"));
        let identity = identity
            .as_ref()
            .map(|told| told.each_ref().map(String::as_str));
        assert_told(&format!("{seed}, {case}"), &seen, identity);
    }
    let log = guarded.stack.gateway_log();
    assert!(!log.contains("mark-of"), "{seed}: a description is logged");
    guarded.stack.assert_no_vm_was_reloaded();
}

/// In the end each tenant's list is what the clients' own successful writes made it, to the byte.
async fn settle(guarded: &Guarded, tally: &mut Tally, books: &Books, seed: &str) {
    for (tenant, name) in TENANTS.iter().enumerate() {
        let call = Call::get("/summaryBatch").bearer(&guarded.stack.token(name));
        let list = guarded.ask(&call).await;
        tally.sent += 1;
        tally.allowed += 1;
        assert_eq!(list.status, 200, "{seed}: {}", list.brief());
        assert_eq!(
            list.text(),
            books.list(tenant),
            "{seed}: the books of {name}"
        );
    }
}

/// One client: what it does, and what must come of it.
struct One {
    what: String,
    client: Client,
    planner: Planner,
    wallet: Wallet,
    books: Books,
    tally: Tally,
    /// What the service behind the gateway must be told, by case.
    told: BTreeMap<String, Option<[String; 3]>>,
    counts_underscores: bool,
}

impl One {
    async fn start(guarded: &Guarded, seed: u64, number: usize) -> Self {
        let on = guarded.stack.combination();
        let version = [Version::Http1, Version::Http2][number % 2];
        Self {
            what: format!("{on}: {SEED_VARIABLE}={seed}, client {number}"),
            client: guarded.connect(version).await,
            planner: Planner::new(seed, number),
            wallet: Wallet::new(guarded.stack.keys()),
            books: Books::default(),
            tally: Tally::default(),
            told: BTreeMap::new(),
            // Envoy drops such headers before the filter sees them.
            counts_underscores: on.gateway == GatewayKind::HostSim,
        }
    }

    async fn step(&mut self, place: usize) {
        let plan = self.planner.plan(place, &self.wallet, &self.books);
        let what = format!(
            "{}, request {place}: {} {} under {:?}",
            self.what, plan.call.method, plan.call.path, plan.card
        );
        let answer = self.send(&plan.call, &what).await;
        self.note(&plan);
        assert_eq!(
            answer.status,
            plan.status,
            "{what}: {}\n{plan:?}",
            answer.brief()
        );
        let text = answer.text();
        for (tenant, mark) in MARKS.iter().enumerate() {
            let may_see = plan.speaker == Some(tenant);
            assert!(
                may_see || !text.contains(mark),
                "{what}: sees {mark}: {text}"
            );
        }
        if let Some(tenant) = plan.reads_balance_of {
            let balance = self.books.balance(tenant, &plan.customer);
            assert_eq!(
                Some(text.clone()),
                balance.map(|it| it.to_string()),
                "{what}"
            );
        }
        if plan.reads_list_of.is_some() {
            for own in self.books.texts(plan.reads_list_of) {
                assert!(text.contains(own), "{what}: {own} is not in {text}");
            }
        }
        if let Some((tenant, effect)) = plan.effect.clone() {
            self.apply(tenant, &plan, effect, &what).await;
        }
        // What the other tenant has under the same name is what it was.
        let victim = plan.speaker.map_or(place % 2, |speaker| 1 - speaker);
        let now = self.look(victim, &plan, &what).await;
        assert_eq!(
            now.as_deref(),
            self.books.text(victim, &plan.customer),
            "{what}"
        );
    }

    async fn apply(&mut self, tenant: usize, plan: &Plan, effect: Effect, what: &str) {
        self.books.apply(tenant, &plan.customer, effect);
        let now = self.look(tenant, plan, what).await;
        self.books.check(tenant, &plan.customer, now, what);
    }

    /// A customer's summary as its tenant sees it; nothing when there is no account.
    async fn look(&mut self, tenant: usize, plan: &Plan, what: &str) -> Option<String> {
        let call = Call::summary(&plan.segment).bearer(self.wallet.viewer(tenant));
        let answer = self.send(&call, what).await;
        self.tally.sent += 1;
        self.tally.allowed += 1;
        match answer.status {
            200 => Some(answer.text()),
            404 => None,
            _ => panic!("{what}: a look: {}", answer.brief()),
        }
    }

    async fn send(&mut self, call: &Call, what: &str) -> Answer {
        let answer = self.client.send(call).await;
        answer.unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    fn note(&mut self, plan: &Plan) {
        let tally = &mut self.tally;
        tally.sent += 1;
        *match plan.counted {
            Counted::Allowed => &mut tally.allowed,
            Counted::Unauthenticated => &mut tally.unauthenticated,
            Counted::Forbidden => &mut tally.forbidden,
            Counted::Without => &mut tally.without,
        } += 1;
        tally.mismatches += u64::from(plan.is_mismatch);
        let forged = plan.is_forged || (plan.is_underscored && self.counts_underscores);
        tally.forgeries += u64::from(forged);
        if let Some(told) = &plan.told {
            tally.passed_on += 1;
            self.told.insert(plan.case.clone(), told.clone());
        }
    }
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.allowed += other.allowed;
        self.unauthenticated += other.unauthenticated;
        self.forbidden += other.forbidden;
        self.without += other.without;
        self.passed_on += other.passed_on;
        self.mismatches += other.mismatches;
        self.forgeries += other.forgeries;
    }

    /// The part that the gateway counts too.
    fn counts(self) -> Self {
        Self {
            sent: 0,
            without: 0,
            ..self
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            allowed: self.allowed - before.allowed,
            unauthenticated: self.unauthenticated - before.unauthenticated,
            forbidden: self.forbidden - before.forbidden,
            passed_on: self.passed_on - before.passed_on,
            mismatches: self.mismatches - before.mismatches,
            forgeries: self.forgeries - before.forgeries,
            ..self
        }
    }
}

/// What the gateway has counted.
fn counted(guarded: &Guarded) -> Tally {
    let of = |name: &str| guarded.stack.stat(&format!("reward_points.{name}"));
    Tally {
        allowed: of("access.allowed"),
        unauthenticated: of("access.unauthenticated"),
        forbidden: of("access.forbidden"),
        passed_on: of("passed_on"),
        mismatches: of("access.tenant_mismatch"),
        forgeries: of("access.forged_identity"),
        ..Tally::default()
    }
}
