//! Tokens of both tenants, good and bad, each kind made once and used again and again, as clients do.

use std::collections::BTreeMap;

use e2e::token;
use serde_json::{Value, json};
use testbed::{Algorithm, DevKeys};

use super::TENANTS;

const VIEW: &str = "rewardspoints.rewardpoints_view orders.view";
const MANAGE: &str = "saasag.rewardpoints_manage";

/// A kind of token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Card {
    /// Views and manages.
    Both,
    View,
    Manage,
    /// As [`Card::Both`], the tenant in a pseudo-scope alone.
    InScope,
    /// The same, in the claim too.
    Agreeing,
    /// Signed anew for each use, so never remembered.
    Fresh,
    /// From here on none is good. No token at all:
    Nothing,
    NoTenant,
    Conflicting,
    TwoInScope,
    List,
    Upper,
    Expired,
    OtherSignature,
    Garbage,
    /// Two of them in one request.
    Twice,
}

impl Card {
    pub const GOOD: [Self; 6] = [
        Self::Both,
        Self::View,
        Self::Manage,
        Self::InScope,
        Self::Agreeing,
        Self::Fresh,
    ];
    pub const BAD: [Self; 10] = [
        Self::Nothing,
        Self::NoTenant,
        Self::Conflicting,
        Self::TwoInScope,
        Self::List,
        Self::Upper,
        Self::Expired,
        Self::OtherSignature,
        Self::Garbage,
        Self::Twice,
    ];

    pub fn is_good(self) -> bool {
        Self::GOOD.contains(&self)
    }

    pub fn may_view(self) -> bool {
        self.is_good() && self != Self::Manage
    }

    pub fn may_manage(self) -> bool {
        self.is_good() && self != Self::View
    }

    /// Its scopes, as a service is told.
    pub fn scopes(self) -> String {
        match self {
            Self::View => VIEW.to_owned(),
            Self::Manage => MANAGE.to_owned(),
            _ => format!("{VIEW} {MANAGE}"),
        }
    }
}

/// Tokens by kind and tenant.
pub struct Wallet {
    keys: &'static DevKeys,
    made: BTreeMap<(Card, usize), String>,
}

impl Wallet {
    pub fn new(keys: &'static DevKeys) -> Self {
        let mut wallet = Self {
            keys,
            made: BTreeMap::new(),
        };
        for card in Card::GOOD.into_iter().chain(Card::BAD) {
            for tenant in [0, 1] {
                wallet
                    .made
                    .insert((card, tenant), wallet.make(card, tenant));
            }
        }
        wallet
    }

    /// Values of `Authorization` for one request.
    pub fn shown(&self, card: Card, tenant: usize) -> Vec<String> {
        let bearer = |card, tenant| format!("Bearer {}", self.made[&(card, tenant)]);
        match card {
            Card::Nothing => vec![],
            Card::Twice => vec![bearer(Card::Both, tenant), bearer(Card::Both, 1 - tenant)],
            Card::Fresh => vec![format!("Bearer {}", self.make(card, tenant))],
            card => vec![bearer(card, tenant)],
        }
    }

    /// A token to look at a tenant's accounts with.
    pub fn viewer(&self, tenant: usize) -> &str {
        &self.made[&(Card::View, tenant)]
    }

    fn make(&self, card: Card, tenant: usize) -> String {
        let (own, other) = (TENANTS[tenant], TENANTS[1 - tenant]);
        let scope = card.scopes();
        let claims = token::claims(own, &scope);
        let changes = match card {
            Card::InScope => json!({ "tenant": null, "scope": format!("tenant={own} {scope}") }),
            Card::Agreeing => json!({ "scope": format!("{scope} tenant={own}") }),
            Card::NoTenant => json!({ "tenant": null }),
            Card::Conflicting => json!({ "scope": format!("{scope} tenant={other}") }),
            Card::TwoInScope => {
                json!({ "tenant": null, "scope": format!("tenant={own} {scope} tenant={other}") })
            }
            Card::List => json!({ "tenant": [own, other] }),
            Card::Upper => json!({ "tenant": own.to_uppercase() }),
            Card::Expired => json!({ "exp": token::now_seconds() - 60 }),
            _ => Value::Null,
        };
        let signed = self
            .keys
            .sign(Algorithm::Es256, token::with(claims, changes));
        let signed = signed.expect("a token");
        match card {
            Card::OtherSignature => token::forged(&signed),
            Card::Garbage => format!("{own}.{other}.{own}"),
            _ => signed,
        }
    }
}
