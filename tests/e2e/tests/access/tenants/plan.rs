//! One request by chance: who asks for what, and everything in it that names a tenant by right or by no right.

use e2e::Call;
use serde_json::json;
use testbed::Chance;

use super::books::Books;
use super::judge::judge;
use super::wallet::{Card, Wallet};
use super::{MARKS, TENANTS};

/// How a request is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    Allowed,
    Unauthenticated,
    Forbidden,
    /// No decision on access was made.
    Without,
}

/// What a successful write does to its account. Entries are id, points and description.
#[derive(Clone, Debug)]
pub enum Effect {
    Created,
    Added(String, u64, String),
    Redeemed(String, u64, String),
    Deleted,
}

/// A request and what must come of it.
#[derive(Debug)]
pub struct Plan {
    pub call: Call,
    pub case: String,
    pub card: Card,
    /// Whose token it is, if it is a good one.
    pub speaker: Option<usize>,
    /// The customer's id, and how it stands in a path.
    pub customer: String,
    pub segment: String,
    pub status: u16,
    pub counted: Counted,
    pub effect: Option<(usize, Effect)>,
    pub reads_balance_of: Option<usize>,
    pub reads_list_of: Option<usize>,
    pub is_mismatch: bool,
    pub is_forged: bool,
    /// It has the name of an identity header with underscores.
    pub is_underscored: bool,
    /// It reaches the service behind the gateway, which is told this.
    pub told: Option<Option<[String; 3]>>,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    Balance,
    Summary,
    List,
    Create,
    Add,
    Redeem,
    Delete,
    UnknownPath,
    WrongMethod,
    Order,
    Health,
    Elsewhere,
}

/// How often each is asked, in hundredths.
const ASKS: [(Ask, u64); 12] = [
    (Ask::Balance, 13),
    (Ask::Summary, 9),
    (Ask::List, 3),
    (Ask::Create, 9),
    (Ask::Add, 26),
    (Ask::Redeem, 16),
    (Ask::Delete, 5),
    (Ask::UnknownPath, 3),
    (Ask::WrongMethod, 2),
    (Ask::Order, 7),
    (Ask::Health, 3),
    (Ask::Elsewhere, 4),
];

/// Makes the requests of one client.
pub struct Planner {
    chance: Chance,
    client: usize,
    /// Ids and how they stand in a path. Some look like another tenant's.
    customers: Vec<(String, String)>,
}

impl Planner {
    pub fn new(seed: u64, client: usize) -> Self {
        let customers = [
            ("c%", "c%"),
            ("alpha/c%", "alpha%2Fc%"),
            ("../bravo/customer/c%", "..%2Fbravo%2fcustomer%2fc%"),
            ("c%;tenant=bravo", "c%;tenant=bravo"),
        ];
        let own = |text: &str| text.replacen("c%", &format!("c{client}"), 1);
        Self {
            chance: Chance::new(seed, client as u64),
            client,
            customers: customers
                .map(|(id, segment)| (own(id), own(segment)))
                .to_vec(),
        }
    }

    pub fn plan(&mut self, place: usize, wallet: &Wallet, books: &Books) -> Plan {
        let chance = &mut self.chance;
        let tenant = usize::from(chance.percent(50));
        let card = match chance.percent(76) {
            true => chance.of(&[
                Card::Both,
                Card::Both,
                Card::Both,
                Card::View,
                Card::Manage,
                Card::InScope,
                Card::Agreeing,
                Card::Fresh,
            ]),
            false => chance.of(&Card::BAD),
        };
        let last = self.customers.len() as u64;
        let (customer, segment) =
            self.customers[usize::try_from(chance.below(last)).expect("a place")].clone();
        let case = format!("{}-{place}", self.client);
        let mut ask = chance.below(100);
        let ask = ASKS
            .iter()
            .find(|(_, often)| match ask.checked_sub(*often) {
                Some(rest) => {
                    ask = rest;
                    false
                }
                None => true,
            });
        let (ask, _) = *ask.expect("a hundred hundredths");
        let speaker = card.is_good().then_some(tenant);
        let (call, write) = self.call(ask, tenant, &case, &customer, &segment, books);
        let mut plan = Plan {
            call: call.header("x-case", &case),
            case,
            card,
            speaker,
            customer,
            segment,
            status: 0,
            counted: Counted::Without,
            effect: None,
            reads_balance_of: None,
            reads_list_of: None,
            is_mismatch: false,
            is_forged: false,
            is_underscored: false,
            told: None,
        };
        for value in wallet.shown(card, tenant) {
            plan.call = plan.call.header("authorization", value);
        }
        let named = self.tenant_headers(&mut plan, tenant);
        self.forgeries(&mut plan, tenant);
        judge(&mut plan, ask, tenant, named, write, books);
        plan
    }

    /// The request without any headers that say who asks, the status if it is let through, and what it does then.
    fn call(
        &mut self,
        ask: Ask,
        tenant: usize,
        case: &str,
        customer: &str,
        segment: &str,
        books: &Books,
    ) -> (Call, (u16, Option<Effect>)) {
        let other = TENANTS[1 - tenant];
        let description = format!("{} in {case}", MARKS[tenant]);
        let id = format!("{}-{case}", TENANTS[tenant]);
        let balance = books.balance(tenant, customer);
        let chance = &mut self.chance;
        let points = 1 + chance.below(2_000);
        let noise = chance.of(&[
            "",
            "",
            "&tenant=bravo",
            "&tenant=alpha&customerId=c0",
            "&emporix-tenant=bravo&scope=x",
        ]);
        let query = noise.replacen('&', "?", 1);
        let entry = json!({ "id": id, "points": points, "description": description });
        let mut noisy = entry.clone();
        if chance.percent(40) {
            for name in ["tenant", "tenantId", "Emporix-Tenant", "tenant_id"] {
                noisy[name] = other.into();
            }
            noisy["metadata"] = json!({ "tenant": other, "customerId": "c0" });
        }
        let known = |status| (if balance.is_some() { status } else { 404 }, None);
        match ask {
            Ask::Balance => (Call::balance(&format!("{segment}{query}")), known(200)),
            Ask::Summary => (Call::summary(&format!("{segment}{query}")), known(200)),
            Ask::List => (Call::get(&format!("/summaryBatch{query}")), (200, None)),
            Ask::Delete => (
                Call::delete(&format!("/customer/{segment}{query}")),
                (200, Some(Effect::Deleted)),
            ),
            Ask::Create => {
                let mut body = json!({ "startPoints": entry, "tenant": other });
                let claimed = chance.of(&[
                    None,
                    Some(customer),
                    Some(customer),
                    Some("c0-of-the-other"),
                ]);
                if let Some(claimed) = claimed {
                    body["customerId"] = claimed.into();
                }
                let bare = chance.percent(20);
                if bare {
                    body["startPoints"].take();
                    body.as_object_mut()
                        .expect("an object")
                        .remove("startPoints");
                }
                let path = format!("/customer/{segment}?siteCode=main{noise}");
                let outcome = match (claimed, balance) {
                    (Some("c0-of-the-other"), _) => (400, None),
                    (_, Some(_)) => (409, None),
                    (_, None) if bare => (200, Some(Effect::Created)),
                    (_, None) => (200, Some(Effect::Added(id, points, description))),
                };
                (Call::post(&path, body.to_string()), outcome)
            }
            Ask::Add => {
                let path = format!("/customer/{segment}/addPoints?siteCode=main{noise}");
                let effect = Effect::Added(id, points, description);
                (Call::post(&path, noisy.to_string()), (201, Some(effect)))
            }
            Ask::Redeem => {
                let path = format!("/customer/{segment}/redeemPoints{query}");
                let outcome = match balance {
                    None => (404, None),
                    Some(balance) if balance < points => (400, None),
                    Some(_) => (201, Some(Effect::Redeemed(id, points, description))),
                };
                (Call::post(&path, noisy.to_string()), outcome)
            }
            Ask::UnknownPath => {
                let path = chance.of(&[
                    "/bravo/customer/c0",
                    "/alpha/summaryBatch",
                    "/tenants/bravo/customer/c0/summary",
                    "/customer/c0/../../bravo/customer/c0",
                    "/customer/c0/summary/bravo",
                ]);
                (Call::get(&format!("{path}{query}")), (404, None))
            }
            Ask::WrongMethod => {
                let call = Call::new("PATCH", format!("/reward-points/customer/{segment}{query}"));
                (
                    call.header("content-type", "application/json")
                        .body(noisy.to_string()),
                    (405, None),
                )
            }
            Ask::Order => (
                Call::new("GET", format!("/orders/{other}{query}")),
                (200, None),
            ),
            Ask::Health => (Call::new("GET", format!("/health{query}")), (200, None)),
            Ask::Elsewhere => {
                let path = chance.of(&[
                    "/elsewhere",
                    "/bravo/reward-points/summaryBatch",
                    "/reward-pointsx/customer/c0",
                ]);
                (Call::new("GET", format!("{path}{query}")), (200, None))
            }
        }
    }

    /// Adds what names a tenant by right. Gives the one value that counts; `Err`: there are several.
    fn tenant_headers(&mut self, plan: &mut Plan, tenant: usize) -> Result<Option<String>, ()> {
        let (own, other) = (TENANTS[tenant], TENANTS[1 - tenant]);
        let upper = own.to_uppercase();
        let chance = &mut self.chance;
        let values = match chance.below(20) {
            0..10 => vec![],
            10..14 => vec![own],
            14..16 => vec![other],
            16 => vec![chance.of(&[own, other]), chance.of(&[own, other])],
            17 => vec![upper.as_str()],
            18 => vec![""],
            _ => vec![chance.of(&["alpha,bravo", "alpha bravo", "*"])],
        };
        for value in &values {
            plan.call = plan.call.clone().header("emporix-tenant", value);
        }
        match values.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some((*one).to_owned())),
            _ => Err(()),
        }
    }

    /// Adds what names a tenant, or a caller, by no right.
    fn forgeries(&mut self, plan: &mut Plan, tenant: usize) {
        let chance = &mut self.chance;
        let other = TENANTS[1 - tenant];
        let mut add = |name: &str, value: &str| {
            plan.call = plan.call.clone().header(name, value);
        };
        if chance.percent(15) {
            plan.is_forged = true;
            for _ in 0..=chance.below(2) {
                add("x-tenant", other);
            }
        }
        if chance.percent(10) {
            plan.is_forged = true;
            add(
                "x-scopes",
                "rewardspoints.rewardpoints_view rewardspoints.rewardpoints_manage orders.view",
            );
            add("x-subject", "root");
        }
        if chance.percent(10) {
            plan.is_underscored = true;
            add("x_tenant", other);
        }
        if chance.percent(10) {
            add("tenant", other);
            add("emporix_tenant", other);
            add("x-emporix-tenant", other);
            add("x-forwarded-host", other);
            add("cookie", &format!("tenant={other}"));
        }
        if chance.percent(20) {
            add("host", &format!("{other}.example"));
        }
    }
}
