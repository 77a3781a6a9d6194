//! The sweepers of a worker, one for each cluster: their calls, by numbers of the worker's.
//!
//! Whoever holds a cluster's feed sweeps it, so one VM of a gateway does. What is removed is the sweeper's to decide.

use super::Worker;
use crate::config::Config;
use crate::engine::{Answer, Call, CallId};
use crate::gate::Moment;
use crate::host::Host;
use crate::sweep::Sweeper;

/// The sweepers, in the order of the configuration.
pub(super) struct Sweepers {
    sweepers: Vec<Sweeping>,
    call_timeout_ms: u32,
}

struct Sweeping {
    sweeper: Sweeper,
    call: Option<CallId>,
}

impl Sweepers {
    pub(super) fn new(config: &Config) -> Self {
        let sweeping = |cluster: &String| Sweeping {
            sweeper: Sweeper::new(cluster, config.sweep.interval_ms),
            call: None,
        };
        Self {
            sweepers: config.engine.clusters.iter().map(sweeping).collect(),
            call_timeout_ms: config.engine.call_timeout_ms,
        }
    }
}

impl Worker {
    pub(super) fn tick_sweepers(&mut self, now: Moment) {
        let timeout_ms = self.sweepers.call_timeout_ms;
        for (place, sweeping) in self.sweepers.sweepers.iter_mut().enumerate() {
            let may_sweep = self.feeds.holds(place);
            if let Some((method, message)) = sweeping.sweeper.tick(now, may_sweep) {
                let id = self.numbers.call();
                sweeping.call = Some(id);
                self.calls.push(Call {
                    id,
                    cluster: sweeping.sweeper.cluster().to_owned(),
                    method,
                    message,
                    timeout_ms,
                });
            }
        }
    }

    /// Hands the answer to the sweeper whose call it is; it comes back when it is no sweeper's.
    pub(super) fn sweeper_answered(
        &mut self,
        call: CallId,
        answer: Answer,
        host: &impl Host,
    ) -> Option<Answer> {
        let mut all = self.sweepers.sweepers.iter_mut();
        let Some(sweeping) = all.find(|it| it.call == Some(call)) else {
            return Some(answer);
        };
        let now = self.clock.moment(host);
        sweeping.call = None;
        sweeping.sweeper.answered(answer, now, host);
        None
    }
}
