//! What is asked for when all is over: whoever is still shut then is shut for ever.

use super::{Account, Kind, Name, Operation, Plan, Recency, What};

impl Plan {
    /// A strict read through each worker of each gateway, of the accounts that were asked for last.
    pub(crate) fn last_reads(&self) -> Vec<Operation> {
        let of_plan = || {
            self.events.iter().filter_map(|event| match &event.what {
                What::Operation(it) => Some(it),
                What::Fault(_) => None,
            })
        };
        let newest = of_plan().map(|it| it.number).max().unwrap_or(0);
        let first = Account {
            tenant: 0,
            customer: 0,
        };
        let workers = self.profile.workers;
        let accounts = of_plan().rev().map(|it| it.account);
        let accounts = accounts.chain(std::iter::repeat(first));
        (0..self.profile.gateways * workers)
            .zip(newest + 1..)
            .zip(accounts)
            .map(|((place, number), account)| Operation {
                number,
                client: 0,
                account,
                gateway: place / workers,
                worker: place % workers,
                kind: Kind::Balance(Recency::Strict),
                named: Name::Nothing,
                body_after_us: 0,
                echoes: 0,
            })
            .collect()
    }
}
