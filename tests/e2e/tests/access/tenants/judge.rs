//! What must come of a request: by its token and what it asks for, whatever else in it names a tenant.

use super::TENANTS;
use super::books::Books;
use super::plan::{Ask, Counted, Effect, Plan};
use super::wallet::Card;

/// What must come of it, in the order in which a request is judged.
pub fn judge(
    plan: &mut Plan,
    ask: Ask,
    tenant: usize,
    named: Result<Option<String>, ()>,
    (success, effect): (u16, Option<Effect>),
    books: &Books,
) {
    let is_ours = !matches!(ask, Ask::Order | Ask::Health | Ask::Elsewhere);
    let (status, counted) = if ask == Ask::Elsewhere {
        plan.told = Some(None);
        (200, Counted::Without)
    } else if plan.card == Card::Twice || named.is_err() {
        // Of the API's it is no decision on access; a rule that was found has decided.
        (
            400,
            if is_ours {
                Counted::Without
            } else {
                Counted::Forbidden
            },
        )
    } else if plan.card == Card::Nothing && ask == Ask::Health {
        plan.told = Some(None);
        (200, Counted::Allowed)
    } else if !plan.card.is_good() {
        (401, Counted::Unauthenticated)
    } else if matches!(ask, Ask::UnknownPath | Ask::WrongMethod) {
        (success, Counted::Without)
    } else if !is_entitled(plan.card, ask) {
        (403, Counted::Forbidden)
    } else if named.is_ok_and(|named| named.is_some_and(|named| named != TENANTS[tenant])) {
        plan.is_mismatch = true;
        (403, Counted::Forbidden)
    } else {
        if !is_ours {
            let subject = format!("subject-of-{}", TENANTS[tenant]);
            plan.told = Some(Some([
                TENANTS[tenant].to_owned(),
                plan.card.scopes(),
                subject,
            ]));
        }
        plan.effect = effect.map(|effect| (tenant, effect));
        let exists = books.balance(tenant, &plan.customer).is_some();
        plan.reads_balance_of = (ask == Ask::Balance && exists).then_some(tenant);
        plan.reads_list_of = (ask == Ask::List).then_some(tenant);
        (success, Counted::Allowed)
    };
    plan.status = status;
    plan.counted = counted;
}

fn is_entitled(card: Card, ask: Ask) -> bool {
    match ask {
        Ask::Balance | Ask::Summary | Ask::List | Ask::Order => card.may_view(),
        Ask::Create | Ask::Add | Ask::Redeem | Ask::Delete => card.may_manage(),
        Ask::UnknownPath | Ask::WrongMethod | Ask::Health | Ask::Elsewhere => true,
    }
}
