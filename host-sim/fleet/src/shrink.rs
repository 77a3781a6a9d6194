//! Making a failing plan small: delta debugging over its events.
//!
//! First what is cheap to try and usually right: nothing after the violation, no fault of this kind, no operation of
//! another account or tenant. Then ever smaller stretches of what is left, until none of them can go or the time is up. A
//! plan counts as failing only if the same check fails.

use std::time::{Duration, Instant};

use host::Program;

use crate::checks::{Check, Violation};
use crate::named::{Named as _, Set};
use crate::plan::{Plan, What};
use crate::run::run;
use crate::trace::Trace;

/// What shrinking came to.
#[derive(Debug)]
pub struct Shrunk {
    /// The smallest plan that was found to fail.
    pub plan: Plan,
    /// How it fails.
    pub violation: Violation,
    /// How many plans were tried.
    pub tries: usize,
}

/// Makes a plan that fails with `violation` smaller, for `time` at most. `told` hears of each plan that still fails.
pub fn shrink(
    plan: &Plan,
    violation: &Violation,
    program: &Program,
    time: Duration,
    told: &mut dyn FnMut(&Plan),
) -> Shrunk {
    let mut shrinking = Shrinking {
        best: plan.clone(),
        violation: violation.clone(),
        program,
        // Others might fail earlier in a smaller plan, and hide it.
        checks: Set::of(&[violation.check]),
        until: Instant::now() + time,
        tries: 0,
        told,
    };
    shrinking.coarse();
    shrinking.fine();
    Shrunk {
        plan: shrinking.best,
        violation: shrinking.violation,
        tries: shrinking.tries,
    }
}

struct Shrinking<'s> {
    best: Plan,
    violation: Violation,
    program: &'s Program,
    checks: Set<Check>,
    until: Instant,
    tries: usize,
    told: &'s mut dyn FnMut(&Plan),
}

impl Shrinking<'_> {
    fn is_late(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Takes a plan if it is smaller and fails in the same way.
    fn offer(&mut self, plan: Plan) -> bool {
        if plan.events.len() >= self.best.events.len() || self.is_late() {
            return false;
        }
        self.tries += 1;
        let ran = run(
            &plan,
            self.program,
            &self.checks,
            Trace::default(),
            &mut || (),
        );
        let Some(violation) = ran.violation else {
            return false;
        };
        self.best = plan;
        self.violation = violation;
        (self.told)(&self.best);
        true
    }

    fn coarse(&mut self) {
        let end_us = self.violation.at_us;
        let earlier = self.best.keeping(|_, it| it.at_us <= end_us);
        self.offer(earlier);
        let no_faults = self
            .best
            .keeping(|_, it| matches!(it.what, What::Operation(_)));
        if !self.offer(no_faults) {
            for kind in crate::faults::FaultKind::all() {
                let without = self.best.keeping(|_, it| match &it.what {
                    What::Fault(fault) => fault.kind() != *kind,
                    What::Operation(_) => true,
                });
                self.offer(without);
            }
        }
        let Some((tenant, customer)) = self.violation.account else {
            return;
        };
        let own_account = self.best.keeping(|_, it| match &it.what {
            What::Operation(it) => (it.account.tenant, it.account.customer) == (tenant, customer),
            What::Fault(_) => true,
        });
        if !self.offer(own_account) {
            let own_tenant = self.best.keeping(|_, it| match &it.what {
                What::Operation(it) => it.account.tenant == tenant,
                What::Fault(_) => true,
            });
            self.offer(own_tenant);
        }
    }

    fn fine(&mut self) {
        let mut stretch = self.best.events.len().div_ceil(2);
        while stretch > 0 && !self.is_late() {
            let mut from = 0;
            let mut any = false;
            while from < self.best.events.len() && !self.is_late() {
                let without = from..from + stretch;
                let smaller = self.best.keeping(|place, _| !without.contains(&place));
                match self.offer(smaller) {
                    true => any = true,
                    false => from += stretch,
                }
            }
            if !any || stretch > 1 {
                stretch /= 2;
            }
        }
    }
}
