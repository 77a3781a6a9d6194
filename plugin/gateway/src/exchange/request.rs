//! A request that may be done: what it asks of the accounts, and what their outcome means to its client.

use ledger::{Operation, Refusal, Timestamp};

use super::reading;
use super::{Outcome, Written};
use crate::access::Permit;
use crate::accounts::history::whole;
use crate::accounts::job::{Corrupt, Job, Wanted};
use crate::accounts::keys::CustomerId;
use crate::accounts::list::{List, Listing, Part};
use crate::accounts::marks::{Kind, RequestDigest};
use crate::accounts::terms::Terms;
use crate::api::bad_input::BadInput;
use crate::api::body::{self, Entry, Rules};
use crate::api::failure::Failure;
use crate::api::head::Head;
use crate::api::input::{self, Query};
use crate::api::recency::recency;
use crate::api::render;
use crate::api::reply::Reply;
use crate::api::route::{self, Route, Target};
use crate::config::{Config, Site};
use crate::host::{Host, NoRandomness};
use crate::planted::{Bug, is_planted};
use crate::worker::Worker;

/// A permitted request whose path, query and headers are in order.
#[derive(Debug)]
pub(super) struct Accepted {
    permit: Permit,
    wish: Wish,
    idempotency_key: Option<Vec<u8>>,
    /// Whether a body would be of no known type.
    takes_no_body: bool,
}

#[derive(Debug)]
enum Wish {
    List {
        part: Part,
        with_total: bool,
    },
    Customer {
        operation: route::Operation,
        customer: CustomerId,
        site: (String, Site),
        terms: Terms,
    },
}

/// What was asked of the accounts, as far as the reply needs it.
#[derive(Debug)]
pub(super) enum Asked {
    Balance(CustomerId),
    Summary(CustomerId),
    List {
        paged: bool,
        with_total: bool,
    },
    Write {
        operation: route::Operation,
        customer: CustomerId,
        keyed: bool,
        /// What was to be redeemed.
        wanted: u64,
    },
}

impl Accepted {
    pub(super) fn new(
        permit: Permit,
        route: &Route<'_>,
        target: &Target<'_>,
        head: &Head<'_>,
        config: &Config,
    ) -> Result<Self, Failure> {
        let operation = route.operation;
        let key = if operation.is_post() {
            input::idempotency_key(&head.idempotency_key)?
        } else {
            None
        };
        let wish = if operation == route::Operation::SummaryBatch {
            Wish::List {
                part: Query::parse(target.query)?.part()?,
                with_total: head
                    .total_count
                    .value()
                    .is_some_and(|value| value.eq_ignore_ascii_case(b"true")),
            }
        } else {
            let customer = input::customer_id(route.customer_segment)?;
            let site = if operation.has_site() {
                let query = Query::parse(target.query)?;
                let (code, site) = query.site(&config.sites)?;
                (code.to_owned(), site)
            } else {
                (String::new(), Site::default())
            };
            let recency = recency(&head.cache_control, &head.revision)?;
            let reads = &config.reads;
            let terms = match operation {
                route::Operation::Balance => reading::terms(recency, reads.balance, reads),
                route::Operation::Summary => reading::terms(recency, reads.summary, reads),
                _ => Terms::STRICT,
            };
            Wish::Customer {
                operation,
                customer,
                site,
                terms,
            }
        };
        Ok(Self {
            permit,
            wish,
            idempotency_key: key.map(<[u8]>::to_vec),
            takes_no_body: operation.is_post() && head.content_type.value().is_none(),
        })
    }

    /// Whether a body of which there are so many bytes may go on.
    pub(super) const fn check_body(
        &self,
        total_bytes: usize,
        max_bytes: usize,
    ) -> Result<(), Failure> {
        if total_bytes > 0 && self.takes_no_body {
            Err(Failure::UnsupportedMediaType)
        } else if total_bytes > max_bytes {
            Err(Failure::BodyTooLarge { max_bytes })
        } else {
            Ok(())
        }
    }

    /// Reads the body, if the operation has one, and says what to ask of the accounts.
    pub(super) fn ask(
        self,
        body: &[u8],
        worker: &Worker,
        host: &impl Host,
    ) -> Result<(Asked, Job), Failure> {
        let config = worker.config();
        let tenant = self.permit.tenant();
        let (operation, customer, site, terms) = match self.wish {
            Wish::List { part, with_total } => {
                let asked = Asked::List {
                    paged: part != Part::Whole,
                    with_total,
                };
                let limits = config.summary_batch.limits();
                let list = List::new(tenant.clone(), part, limits, config.engine.placement());
                return Ok((asked, Job::List(Box::new(list))));
            }
            Wish::Customer {
                operation,
                customer,
                site,
                terms,
            } => (operation, customer, site, terms),
        };
        let key = worker.account_key(tenant, &customer);
        let (asked, wanted) = match operation {
            route::Operation::Balance => (Asked::Balance(customer), Wanted::Account),
            route::Operation::Summary => (Asked::Summary(customer), Wanted::History),
            _ => {
                let request = Change {
                    operation,
                    customer: &customer,
                    site: &site,
                    idempotency_key: self.idempotency_key.as_deref(),
                    allow_backdating: config.allow_backdating,
                };
                let change = request.read(body, host)?;
                let asked = Asked::Write {
                    operation,
                    keyed: self.idempotency_key.is_some(),
                    wanted: match &change {
                        Operation::Redeem { redemption, .. } => redemption.points.get(),
                        _ => 0,
                    },
                    customer,
                };
                return Ok((asked, Job::Change(key, change)));
            }
        };
        Ok((asked, Job::Read(key, wanted, terms)))
    }
}

/// A request to change an account.
struct Change<'a> {
    operation: route::Operation,
    customer: &'a CustomerId,
    site: &'a (String, Site),
    idempotency_key: Option<&'a [u8]>,
    allow_backdating: bool,
}

impl Change<'_> {
    fn read(&self, body: &[u8], host: &impl Host) -> Result<Operation, Failure> {
        let key = self.idempotency_key;
        let (code, site) = self.site;
        let rules = Rules {
            site: *site,
            allow_backdating: self.allow_backdating,
        };
        Ok(match self.operation {
            route::Operation::AddPoints => {
                let Entry { id, content: lot } = body::add_points(body, rules)?;
                let digest = RequestDigest::new(Kind::Add).lot(code, Some(&lot));
                let mark = digest.mark(Kind::Add, id, key, host)?;
                Operation::Add { mark, lot }
            }
            route::Operation::RedeemPoints => {
                let Entry { id, content } = body::redeem_points(body, rules)?;
                let digest = RequestDigest::new(Kind::Redeem).redemption(&content);
                let mark = digest.mark(Kind::Redeem, id, key, host)?;
                let redemption = content;
                Operation::Redeem { mark, redemption }
            }
            route::Operation::Create => {
                let (id, start) = match body::create(body, self.customer, rules)? {
                    Some(entry) => (entry.id, Some(entry.content)),
                    None => (None, None),
                };
                let digest = RequestDigest::new(Kind::Create).lot(code, start.as_ref());
                let mark = digest.mark(Kind::Create, id, key, host)?;
                Operation::Create { mark, start }
            }
            _ => {
                let mark = RequestDigest::new(Kind::Delete).mark(Kind::Delete, None, None, host)?;
                Operation::Delete { mark }
            }
        })
    }
}

impl Asked {
    /// Whether nothing was to be changed.
    pub(super) const fn is_read(&self) -> bool {
        !matches!(self, Self::Write { .. })
    }

    /// What the client is told.
    pub(super) fn reply(
        self,
        outcome: Outcome,
        config: &Config,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        match (outcome, self) {
            (
                Outcome::Read {
                    account: Some(account),
                    ..
                },
                Self::Balance(_),
            ) => {
                let balance = account.balance(now);
                Ok(Reply::json(200, render::balance(balance)))
            }
            (
                Outcome::Read {
                    account: Some(account),
                    ..
                },
                Self::Summary(customer),
            ) => {
                // Nothing has left the document: it is all there is.
                let history = whole((*account).clone(), &[]).map_err(|error| {
                    Failure::Corrupt(Corrupt::new(customer.as_str().as_bytes(), error))
                })?;
                let body = render::summary(&customer, &history, now);
                Ok(Reply::json(200, body))
            }
            (Outcome::History(history), Self::Summary(customer)) => {
                let body = render::summary(&customer, &history, now);
                Ok(Reply::json(200, body))
            }
            (
                Outcome::Read { account: None, .. },
                Self::Balance(customer) | Self::Summary(customer),
            ) => Err(Failure::UnknownCustomer(customer)),
            (Outcome::HistoryTooLong, _) => Err(BadInput::HistoryTooLong.into()),
            (Outcome::Listed(listing), Self::List { paged, with_total }) => {
                list_reply(&listing, paged, with_total, config, now)
            }
            (Outcome::ListTooLong, _) => Err(BadInput::ListTooLong.into()),
            (Outcome::TooManyAccounts, _) => Err(BadInput::TooManyAccounts.into()),
            (
                Outcome::Written { written, revision },
                Self::Write {
                    operation, keyed, ..
                },
            ) => {
                let reply = Reply::empty(operation.success_status());
                let reply = match revision {
                    // A deletion that found nothing, ever: there is no revision to wait for.
                    0 => reply,
                    revision => reply.with("x-points-revision", revision.to_string()),
                };
                Ok(if keyed && written == Written::ReplayedByKey {
                    reply.with("idempotency-replayed", "true")
                } else {
                    reply
                })
            }
            (
                Outcome::Refused(refusal),
                Self::Write {
                    customer, wanted, ..
                },
            ) => Err(refused(refusal, customer, wanted)),
            (Outcome::Unavailable | Outcome::Failing, _) => Err(Failure::Unavailable),
            (Outcome::Corrupt(corrupt), _) => Err(Failure::Corrupt(corrupt)),
            _ => Err(Failure::Unexpected),
        }
    }
}

fn list_reply(
    listing: &Listing,
    paged: bool,
    with_total: bool,
    config: &Config,
    now: Timestamp,
) -> Result<Reply, Failure> {
    let mut body = render::List::new(config.summary_batch.max_bytes);
    let forgotten = usize::from(is_planted(Bug::ListForgets) && listing.accounts.len() > 2);
    for (customer, stored) in listing.accounts.iter().skip(forgotten) {
        let history = Listing::history(customer, stored).map_err(Failure::Corrupt)?;
        if !body.push(customer, &history, now) {
            return Err(BadInput::ListTooLong.into());
        }
    }
    let body = body.finish();
    let mut reply = Reply::json(200, body);
    if with_total {
        reply = reply.with("x-total-count", listing.total.to_string());
    }
    if paged
        && listing.more
        && let Some((last, _)) = listing.accounts.last()
    {
        reply = reply.with("x-next-cursor", input::cursor(last, listing.mark));
    }
    Ok(reply)
}

fn refused(refusal: Refusal, customer: CustomerId, wanted: u64) -> Failure {
    match refusal {
        Refusal::KeyReused => Failure::KeyReused,
        Refusal::IdReused | Refusal::AlreadyExists if is_planted(Bug::ConflictAsFault) => {
            Failure::Unexpected
        }
        Refusal::IdReused | Refusal::AlreadyExists => Failure::Conflict(customer),
        Refusal::NotFound => Failure::UnknownCustomer(customer),
        Refusal::Insufficient { active } => BadInput::Insufficient {
            wanted,
            active: active.get(),
        }
        .into(),
        Refusal::BalanceLimit => BadInput::BalanceLimit.into(),
        Refusal::CreatedInFuture => BadInput::CreatedInFuture.into(),
        Refusal::AccountFull => BadInput::AccountFull.into(),
    }
}

impl From<BadInput> for Failure {
    fn from(error: BadInput) -> Self {
        Self::BadInput(error)
    }
}

impl From<NoRandomness> for Failure {
    fn from(NoRandomness: NoRandomness) -> Self {
        Self::NoRandomness
    }
}
