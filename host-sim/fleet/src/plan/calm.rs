//! What clients ask for while nothing is wrong with the engine: some of it must be done.

use super::{Kind, Operation, Plan, What};
use crate::faults::Fault;

/// So long before something goes wrong nobody needs to be done, in microseconds: what is asked for may wait so long.
const BEFORE_US: u64 = 2_000_000;

/// So long after it nobody needs to be let in, in microseconds: who looks whether the engine is back pauses in between.
const AFTER_US: u64 = 5_000_000;

impl Plan {
    /// The additions of calm times, by number: those that one fault or another keeps from the engine are few.
    pub(crate) fn calm_additions(&self) -> Vec<u32> {
        let outages: Vec<(u64, u64)> = self
            .events
            .iter()
            .filter_map(|event| match &event.what {
                What::Fault(fault) => Some((event.at_us, outage_us(fault)?)),
                What::Operation(_) => None,
            })
            .map(|(at_us, for_us)| {
                let from_us = at_us.saturating_sub(BEFORE_US);
                (from_us, at_us + for_us + AFTER_US)
            })
            .collect();
        let is_calm = |at_us: u64| {
            !outages
                .iter()
                .any(|(from_us, to_us)| (from_us..=to_us).contains(&&at_us))
        };
        self.events
            .iter()
            .filter_map(|event| match &event.what {
                What::Operation(Operation {
                    kind: Kind::Add { .. },
                    number,
                    ..
                }) if is_calm(event.at_us) => Some(*number),
                _ => None,
            })
            .collect()
    }
}

/// For how long this keeps a whole gateway, or all of them, from having anything done.
fn outage_us(fault: &Fault) -> Option<u64> {
    let ms = match *fault {
        Fault::EngineRestart { down_ms } => down_ms,
        Fault::LeaderLoss { for_ms }
        | Fault::SlowDisk { for_ms, .. }
        | Fault::Partition { for_ms, .. } => for_ms,
        Fault::GatewayRestart { .. } => 0,
        _ => return None,
    };
    Some(u64::from(ms) * 1000)
}

#[cfg(test)]
mod tests {
    use super::super::{Account, Event, Name, Settings, Wish};
    use super::*;
    use crate::faults::Fate;
    use crate::named::Set;

    fn addition(number: u32, at_us: u64) -> Event {
        let operation = Operation {
            number,
            client: 0,
            account: Account {
                tenant: 0,
                customer: 0,
            },
            gateway: 0,
            worker: 0,
            kind: Kind::Add {
                points: 1,
                valid_ms: None,
            },
            named: Name::Nothing,
            body_after_us: 0,
            echoes: 0,
        };
        Event {
            at_us,
            what: What::Operation(operation),
        }
    }

    fn calm_beside(fault: Fault) -> Vec<u32> {
        let mut plan = Plan::draw(&Wish {
            seed: 1,
            gateways: 1,
            workers: 1,
            operations: 0,
            faults: Set::none(),
            settings: Settings::new(),
        });
        let at_us = 10_000_000;
        plan.events = vec![
            addition(1, at_us - BEFORE_US - 1),
            addition(2, at_us - BEFORE_US),
            Event {
                at_us,
                what: What::Fault(fault),
            },
            addition(3, at_us + AFTER_US),
            addition(4, at_us + AFTER_US + 1_000_001),
        ];
        plan.calm_additions()
    }

    #[test]
    fn calm_is_what_no_outage_reaches() {
        assert_eq!(calm_beside(Fault::EngineRestart { down_ms: 1_000 }), [1, 4]);
        assert_eq!(calm_beside(Fault::LeaderLoss { for_ms: 1_001 }), [1]);
        assert_eq!(calm_beside(Fault::GatewayRestart { gateway: 0 }), [1, 4]);
    }

    #[test]
    fn what_befalls_a_few_is_no_outage() {
        let lost = Fault::Call {
            gateway: 0,
            worker: 0,
            fate: Fate::Lost,
        };
        assert_eq!(calm_beside(lost), [1, 2, 3, 4]);
    }
}
