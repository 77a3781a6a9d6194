//! Drawing: which operations, for whom, and what goes wrong when.

use super::{Account, Event, Kind, Name, Operation, Plan, Profile, Recency, What, Wish};
use crate::faults::{Fate, Fault, FaultKind};
use crate::random::Random;

/// The operations that a conflict may be with lie at most so many operations back.
const CONFLICT_WITHIN: u64 = 40;

/// Nothing goes wrong before, in microseconds: a gateway that never read its deny-list lets nobody in, and a world of
/// nothing but that shows nothing.
const QUIET_US: u64 = 300_000;

/// Tenants of so many customers are not listed.
const MANY_CUSTOMERS: u32 = 1_000;

/// gRPC statuses with which an engine refuses: 8, too much; 14, not there.
const REFUSALS: [u32; 2] = [8, 14];

/// gRPC statuses with which a watch breaks: 13, internal; 14, not there; 8, a message that was too large.
const BREAKS: [u32; 4] = [13, 14, 14, 8];

pub(super) fn plan(wish: &Wish) -> Plan {
    let mut random = Random::new(crate::random::mix(&[wish.seed, 0x706c_616e]));
    let mut profile = Profile::draw(wish, &mut random);
    let mut events = Vec::new();
    let mut now_us = 0;
    let weights = Weights::draw(&mut random);
    let mut drawn: Vec<(u64, Account)> = Vec::new();
    for number in 1..=wish.operations {
        now_us += random.pause(profile.gap_us.into());
        if number == wish.operations / 2 {
            profile.quiet_from_us = now_us;
            now_us += profile.quiet_us;
        }
        let operation = operation(number, &profile, &weights, &drawn, &mut random);
        drawn.push((number.into(), operation.account));
        if profile.faults.contains(&FaultKind::ClientLeaves) && random.per_mille(25) {
            let fault = Fault::ClientLeaves {
                number,
                again: random.per_mille(700),
            };
            let after_us = match random.per_mille(500) {
                true => random.below(30_000),
                false => random.below(1_500_000),
            };
            events.push(event(now_us + after_us, What::Fault(fault)));
        }
        events.push(event(now_us, What::Operation(operation)));
    }
    for &kind in &profile.faults {
        faults(
            kind,
            now_us,
            &profile,
            wish.operations,
            &mut random,
            &mut events,
        );
    }
    events.sort_by_key(|it| it.at_us);
    Plan { profile, events }
}

const fn event(at_us: u64, what: What) -> Event {
    Event { at_us, what }
}

/// How many of each kind, of all together.
struct Weights {
    add: u64,
    redeem: u64,
    balance: u64,
    summary: u64,
    create: u64,
    delete: u64,
    list: u64,
}

impl Weights {
    fn draw(random: &mut Random) -> Self {
        Self {
            add: random.one_of(&[200, 400]),
            redeem: random.one_of(&[100, 300]),
            balance: random.one_of(&[50, 300, 500]),
            summary: random.one_of(&[0, 10, 30]),
            create: random.one_of(&[5, 30]),
            delete: random.one_of(&[0, 5, 40]),
            list: random.one_of(&[0, 1, 3]),
        }
    }
}

fn operation(
    number: u32,
    profile: &Profile,
    weights: &Weights,
    drawn: &[(u64, Account)],
    random: &mut Random,
) -> Operation {
    let customer = match random.below(1000) < profile.hot_per_mille.into() {
        true => random.below(profile.hot_customers.into()),
        false => random.below(profile.customers.into()),
    };
    let account = Account {
        tenant: u8::try_from(random.below(profile.tenants.into())).unwrap_or(0),
        customer: u32::try_from(customer).unwrap_or(0),
    };
    let kind = match kind(weights, random) {
        // A list of so many accounts takes longer than all else in its world.
        Kind::List if profile.customers >= MANY_CUSTOMERS => Kind::Balance(Recency::Bounded),
        kind => kind,
    };
    let named = match kind {
        Kind::Delete | Kind::Balance(_) | Kind::Summary(_) | Kind::List => Name::Nothing,
        // An account that begins without an entry has no id of the client's.
        Kind::Create { points: None } => Name::Key,
        _ => match random.below(1000) {
            0..400 => Name::Id(number),
            400..800 => Name::Key,
            800..850 => conflict(account, drawn, random).map_or(Name::Id(number), Name::Id),
            _ => Name::Nothing,
        },
    };
    let number_of = |it: u64| usize::try_from(it).unwrap_or(0);
    Operation {
        number,
        client: u32::try_from(random.below(profile.clients.into())).unwrap_or(0),
        account,
        gateway: number_of(random.below(profile.gateways as u64)),
        worker: number_of(random.below(profile.workers as u64)),
        kind,
        named,
        body_after_us: match random.per_mille(100) {
            true => u32::try_from(random.below(20_000)).unwrap_or(0),
            false => 0,
        },
        echoes: u8::from(random.per_mille(match profile.quiet_us {
            0 => 60,
            _ => 300,
        })),
    }
}

/// An earlier operation of the same account.
fn conflict(account: Account, drawn: &[(u64, Account)], random: &mut Random) -> Option<u32> {
    let within = usize::try_from(random.between(1, CONFLICT_WITHIN)).ok()?;
    let recent = drawn.iter().rev().take(within);
    let mut same = recent.filter(|(_, it)| *it == account);
    let same = same.next_back()?;
    u32::try_from(same.0).ok()
}

fn kind(weights: &Weights, random: &mut Random) -> Kind {
    let points = |random: &mut Random, most| u32::try_from(random.between(1, most)).unwrap_or(1);
    let recency = |random: &mut Random| match random.below(10) {
        0..5 => Recency::Bounded,
        5..7 => Recency::Strict,
        7..9 => Recency::Session,
        _ => Recency::MaxAge(u32::try_from(random.below(3)).unwrap_or(0)),
    };
    let of = [
        weights.add,
        weights.redeem,
        weights.balance,
        weights.summary,
        weights.create,
        weights.delete,
        weights.list,
    ];
    let mut drawn = random.below(of.iter().sum());
    let place = of.iter().position(|&weight| {
        let here = drawn < weight;
        drawn = drawn.saturating_sub(weight);
        here
    });
    match place {
        Some(0) => Kind::Add {
            points: points(random, 100),
            valid_ms: random
                .per_mille(150)
                .then(|| u32::try_from(random.between(50, 20_000)).unwrap_or(50)),
        },
        Some(1) => Kind::Redeem {
            points: points(random, 150),
        },
        Some(2) => Kind::Balance(recency(random)),
        Some(3) => Kind::Summary(recency(random)),
        Some(4) => Kind::Create {
            points: random.per_mille(700).then(|| points(random, 100)),
        },
        Some(5) => Kind::Delete,
        _ => Kind::List,
    }
}

/// How many faults of a kind come in ten thousand operations, from time to time.
const fn rates(kind: FaultKind) -> [u64; 3] {
    match kind {
        FaultKind::CallLost
        | FaultKind::AnswerLost
        | FaultKind::CallLate
        | FaultKind::CallTwice
        | FaultKind::AnswerSlow
        | FaultKind::AnswerGarbled
        | FaultKind::CallRefused => [10, 60, 300],
        FaultKind::WatchBreak
        | FaultKind::WatchStall
        | FaultKind::WatchLag
        | FaultKind::Compaction => [5, 20, 60],
        FaultKind::VmLost | FaultKind::VmTrap => [5, 15, 40],
        FaultKind::EngineRestart
        | FaultKind::LeaderLoss
        | FaultKind::SlowDisk
        | FaultKind::StaleRead => [2, 5, 10],
        FaultKind::Partition | FaultKind::Drain | FaultKind::ClockStep => [3, 8, 15],
        FaultKind::GatewayRestart => [1, 3, 6],
        // These are drawn with the operations, or hold all the while.
        FaultKind::ClientLeaves | FaultKind::ClockSkew | FaultKind::Eviction => [0, 0, 0],
    }
}

/// For how long a fault of a kind keeps somebody from being served, in milliseconds: the middle of what is drawn, or what it takes
/// to be back.
const fn takes_ms(kind: FaultKind) -> Option<u64> {
    Some(match kind {
        FaultKind::EngineRestart
        | FaultKind::Partition
        | FaultKind::SlowDisk
        | FaultKind::StaleRead
        | FaultKind::WatchLag => 1_500,
        FaultKind::LeaderLoss => 1_300,
        FaultKind::WatchStall => 2_000,
        FaultKind::GatewayRestart => 500,
        FaultKind::VmLost | FaultKind::VmTrap => 100,
        _ => return None,
    })
}

/// Faults of one kind take up to so much of a world's time, in thousandths, but for a single one, which may take all of it: where
/// nobody is served little is shown. A long world of busy clients is over within seconds.
const MOST_PER_MILLE: u64 = 60;

fn faults(
    kind: FaultKind,
    end_us: u64,
    profile: &Profile,
    operations: u32,
    random: &mut Random,
    events: &mut Vec<Event>,
) {
    let rate = random.one_of(&rates(kind)) * u64::from(operations);
    // What is left over comes by chance.
    let number = rate / 10_000 + u64::from(random.below(10_000) < rate % 10_000);
    let most = takes_ms(kind).map_or(u64::MAX, |each_ms| {
        (end_us * MOST_PER_MILLE / 1_000_000 / each_ms).max(1)
    });
    let number = number.min(most);
    let quiet_us = QUIET_US.min(end_us / 8);
    for _ in 0..number {
        let at_us = quiet_us + random.below(end_us - quiet_us);
        if let Some(fault) = fault(kind, profile, random) {
            events.push(event(at_us, What::Fault(fault)));
        }
    }
}

fn fault(kind: FaultKind, profile: &Profile, random: &mut Random) -> Option<Fault> {
    let number_of = |it: u64| usize::try_from(it).unwrap_or(0);
    let gateway = number_of(random.below(profile.gateways as u64));
    let worker = number_of(random.below(profile.vms() as u64));
    let a_worker = number_of(random.below(profile.workers as u64));
    let ms = |random: &mut Random, least, most| {
        u32::try_from(random.between(least, most)).unwrap_or(u32::MAX)
    };
    let call = |fate| Fault::Call {
        gateway,
        worker,
        fate,
    };
    Some(match kind {
        FaultKind::CallLost => call(Fate::Lost),
        FaultKind::AnswerLost => call(Fate::AnswerLost),
        FaultKind::CallLate => call(Fate::Late(ms(random, 1, 3_000))),
        FaultKind::CallTwice => call(Fate::Twice(ms(random, 1, 3_000))),
        FaultKind::AnswerSlow => call(Fate::Slow(ms(random, 5, 900))),
        FaultKind::AnswerGarbled => call(Fate::Garbled),
        FaultKind::CallRefused => call(Fate::Refused(random.one_of(&REFUSALS))),
        FaultKind::EngineRestart => Fault::EngineRestart {
            down_ms: ms(random, 1, 3_000),
        },
        FaultKind::LeaderLoss => Fault::LeaderLoss {
            for_ms: ms(random, 50, 2_500),
        },
        FaultKind::SlowDisk => Fault::SlowDisk {
            for_ms: ms(random, 100, 3_000),
            delay_ms: ms(random, 5, 600),
        },
        FaultKind::StaleRead => Fault::StaleRead {
            for_ms: ms(random, 100, 3_000),
            behind: random.one_of(&[1, 5, 20]),
        },
        FaultKind::Compaction => Fault::Compaction {
            keep: random.one_of(&[0, 0, 5, 100]),
        },
        FaultKind::WatchBreak => Fault::WatchBreak {
            gateway,
            status: random.one_of(&BREAKS),
        },
        FaultKind::WatchStall => Fault::WatchStall {
            gateway,
            for_ms: ms(random, 20, 4_000),
        },
        FaultKind::WatchLag => Fault::WatchLag {
            gateway,
            for_ms: ms(random, 100, 3_000),
            by_ms: ms(random, 20, 900),
        },
        FaultKind::Partition => Fault::Partition {
            gateway,
            for_ms: ms(random, 20, 3_000),
        },
        FaultKind::VmLost => Fault::VmLost { gateway, worker },
        FaultKind::VmTrap => Fault::VmTrap {
            gateway,
            worker,
            host_calls: ms(random, 0, 40),
        },
        FaultKind::Drain => Fault::Drain {
            gateway,
            worker: a_worker,
        },
        FaultKind::GatewayRestart => Fault::GatewayRestart { gateway },
        FaultKind::ClockStep => Fault::ClockStep {
            gateway,
            by_ms: random.one_of(&[-20_000, -700, -150, -20, 20, 150, 700, 20_000]),
        },
        FaultKind::ClientLeaves | FaultKind::ClockSkew | FaultKind::Eviction => return None,
    })
}
