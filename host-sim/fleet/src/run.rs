//! One plan, run once.

use host::Program;

use crate::checks::Check;
use crate::named::Set;
use crate::plan::Plan;
use crate::trace::Trace;
use crate::world::{Run, World};

/// Runs a plan, looking for these violations. `progress` hears of each request that ended.
pub fn run(
    plan: &Plan,
    program: &Program,
    checks: &Set<Check>,
    trace: Trace,
    progress: &mut dyn FnMut(),
) -> Run {
    let last = plan.last_reads();
    World::new(plan, &last, program, checks, trace).run(progress)
}
