//! The rules told a second time, as plainly as possible: a list of accepted writes for each life of the account. Every
//! question is answered by going through the list from its beginning and moving points one at a time.

use ledger::{Balance, Identity, KeyUse, NewLot, Operation, OperationMark, Refusal, Summary};

use crate::support::Outcome;

const DAY: i64 = 24 * 3_600_000;

#[derive(Debug, Default)]
pub struct Naive {
    lives: Vec<Life>,
    keys: Vec<(KeyUse, i64)>,
    updated_at: Option<i64>,
}

#[derive(Debug, Default)]
struct Life {
    operations: Vec<(Identity, i64)>,
    writes: Vec<Write>,
    ended_at: Option<i64>,
}

#[derive(Debug)]
struct Write {
    id: String,
    now: i64,
    created_at: i64,
    points: u64,
    /// None for a redemption; for a lot, its end or never.
    lot: Option<Option<i64>>,
}

/// A summary without types: the balance, then one tuple per lot and per redemption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plain {
    active: u64,
    added: Vec<PlainLot>,
    redeemed: Vec<(String, u64, i64, u64)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct PlainLot {
    id: String,
    points: u64,
    created_at: i64,
    valid_until: Option<i64>,
    balance_after: u64,
    used_points: u64,
    used_with: Vec<String>,
}

impl PlainLot {
    fn is_open(&self, now: i64) -> bool {
        self.points > self.used_points && self.is_valid(now)
    }

    fn is_valid(&self, now: i64) -> bool {
        self.valid_until.is_none_or(|end| now < end)
    }
}

pub fn plain(summary: &Summary<'_>) -> Plain {
    let added = summary.added.iter().map(|lot| PlainLot {
        id: lot.id.as_str().to_owned(),
        points: lot.points.get(),
        created_at: lot.created_at.as_millis(),
        valid_until: lot.valid_until.map(|time| time.as_millis()),
        balance_after: lot.balance_after.get(),
        used_points: lot.used_points,
        used_with: lot
            .used_with
            .iter()
            .map(|id| id.as_str().to_owned())
            .collect(),
    });
    let redeemed = summary.redeemed.iter().map(|redemption| {
        (
            redemption.id.as_str().to_owned(),
            redemption.points.get(),
            redemption.created_at.as_millis(),
            redemption.balance_after.get(),
        )
    });
    Plain {
        active: summary.active.get(),
        added: added.collect(),
        redeemed: redeemed.collect(),
    }
}

fn active(lots: &[PlainLot], now: i64) -> u64 {
    let valid = lots.iter().filter(|lot| lot.is_valid(now));
    valid.map(|lot| lot.points - lot.used_points).sum()
}

impl Naive {
    fn live(&self) -> Option<&Life> {
        self.lives.last().filter(|life| life.ended_at.is_none())
    }

    /// The summary, in the order of writing until it is sorted at the end.
    pub fn summary(&self, clock: i64) -> Option<Plain> {
        let life = self.live()?;
        let now = clock.max(self.updated_at.unwrap_or(clock));
        let mut lots: Vec<PlainLot> = Vec::new();
        let mut redeemed = Vec::new();
        for write in &life.writes {
            match write.lot {
                Some(valid_until) => {
                    lots.push(PlainLot {
                        id: write.id.clone(),
                        points: write.points,
                        created_at: write.created_at,
                        valid_until,
                        balance_after: 0,
                        used_points: 0,
                        used_with: Vec::new(),
                    });
                    let balance_after = active(&lots, write.now);
                    lots.last_mut().expect("just added").balance_after = balance_after;
                }
                None => {
                    for _ in 0..write.points {
                        take_one(&mut lots, write);
                    }
                    let balance_after = active(&lots, write.now);
                    redeemed.push((
                        write.id.clone(),
                        write.points,
                        write.created_at,
                        balance_after,
                    ));
                }
            }
        }
        let active = active(&lots, now);
        lots.sort_by_key(|lot| lot.created_at);
        redeemed.sort_by_key(|redemption| redemption.2);
        Some(Plain {
            active,
            added: lots,
            redeemed,
        })
    }

    pub fn apply(&mut self, operation: &Operation, clock: i64) -> Result<Outcome, Refusal> {
        let now = clock.max(self.updated_at.unwrap_or(clock));
        let mark = operation.mark();
        if let Some(known) = self.known(mark, now) {
            return known;
        }
        let exists = self.live().is_some();
        match operation {
            Operation::Create { .. } if exists => return Err(Refusal::AlreadyExists),
            Operation::Redeem { .. } if !exists => return Err(Refusal::NotFound),
            Operation::Delete { .. } if !exists => return Ok(Outcome::Unchanged),
            _ => {}
        }
        let write = self.judge(operation, now)?;
        self.updated_at = Some(now);
        self.keys.extend(mark.key.map(|key| (key, now)));
        if !exists {
            self.lives.push(Life::default());
        }
        let life = self.lives.last_mut().expect("a life");
        life.operations.push((mark.identity.clone(), now));
        life.writes.extend(write);
        life.ended_at = matches!(operation, Operation::Delete { .. }).then_some(now);
        Ok(Outcome::Changed)
    }

    fn known(&mut self, mark: &OperationMark, now: i64) -> Option<Result<Outcome, Refusal>> {
        let (is_same, is_taken) = self.holders(mark, now);
        if is_same && mark.identity.fingerprint.is_none() {
            return Some(Ok(Outcome::Replayed));
        }
        if let Some(key) = &mark.key {
            for (used, at) in &self.keys {
                if used.digest == key.digest && now - at <= DAY {
                    let is_same = used.request == key.request;
                    let replayed = Ok(Outcome::Replayed);
                    return Some(if is_same {
                        replayed
                    } else {
                        Err(Refusal::KeyReused)
                    });
                }
            }
        }
        if !is_same {
            return is_taken.then_some(Err(Refusal::IdReused));
        }
        let (Some(key), Some(_)) = (mark.key, self.live()) else {
            return Some(Ok(Outcome::Replayed));
        };
        // The operation is an old one, its key is new: from now on the key stands for it.
        self.keys.push((key, now));
        self.updated_at = Some(now);
        Some(Ok(Outcome::Changed))
    }

    /// Whether this very operation is known, and whether its id belongs to any of this life.
    fn holders(&self, mark: &OperationMark, now: i64) -> (bool, bool) {
        let mut is_same = false;
        let mut is_taken = false;
        for life in &self.lives {
            let counts = life.ended_at.is_none_or(|ended_at| now - ended_at <= DAY);
            for (identity, done_at) in &life.operations {
                // A generated id that was old when its life ended is not kept.
                let kept = identity.fingerprint.is_some()
                    || life
                        .ended_at
                        .is_none_or(|ended_at| ended_at - done_at <= DAY);
                is_same |= counts && kept && identity == &mark.identity;
                is_taken |= life.ended_at.is_none() && identity.id == mark.identity.id;
            }
        }
        (is_same, is_taken)
    }

    /// The write that the operation makes on the account, if it writes one.
    fn judge(&self, operation: &Operation, now: i64) -> Result<Option<Write>, Refusal> {
        let id = operation.mark().identity.id.as_str().to_owned();
        let lot_write = |lot: &NewLot| -> Result<Option<Write>, Refusal> {
            Ok(Some(Write {
                id: id.clone(),
                now,
                created_at: created(lot.created_at.map(|time| time.as_millis()), now)?,
                points: lot.points.get(),
                lot: Some(lot.valid_until.map(|time| time.as_millis())),
            }))
        };
        match operation {
            Operation::Create { start: None, .. } | Operation::Delete { .. } => Ok(None),
            Operation::Create {
                start: Some(lot), ..
            }
            | Operation::Add { lot, .. } => lot_write(lot),
            Operation::Redeem { redemption, .. } => {
                let active = self.summary(now).map_or(0, |summary| summary.active);
                if redemption.points.get() > active {
                    let active = Balance::new(active).expect("a small number");
                    return Err(Refusal::Insufficient { active });
                }
                Ok(Some(Write {
                    id,
                    now,
                    created_at: created(redemption.created_at.map(|time| time.as_millis()), now)?,
                    points: redemption.points.get(),
                    lot: None,
                }))
            }
        }
    }
}

fn created(asked: Option<i64>, now: i64) -> Result<i64, Refusal> {
    let created_at = asked.unwrap_or(now);
    if created_at > now {
        return Err(Refusal::CreatedInFuture);
    }
    Ok(created_at)
}

/// One point out of the open lot that comes first.
fn take_one(lots: &mut [PlainLot], write: &Write) {
    let open = lots.iter_mut().filter(|lot| lot.is_open(write.now));
    let first = open.min_by_key(|lot| {
        (
            lot.valid_until.unwrap_or(i64::MAX),
            lot.created_at,
            lot.id.clone(),
        )
    });
    let lot = first.expect("enough was active");
    lot.used_points += 1;
    if lot.used_with.last() != Some(&write.id) {
        lot.used_with.push(write.id.clone());
    }
}
