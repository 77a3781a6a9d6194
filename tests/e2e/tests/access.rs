//! Access control at the gateway's edge: who gets in, what the services behind it learn, and what everybody else is told.

mod access {
    pub mod paths;
    pub mod routes;
    pub mod rules;
}

use e2e::{Combination, on_every_gateway, run};

on_every_gateway!(
    rules_decide_who_reaches_a_route,
    nobody_but_the_gateway_says_who_is_calling,
    ambiguous_paths_reach_nobody,
);

fn rules_decide_who_reaches_a_route(on: Combination) {
    run(access::routes::check_table(on));
}

fn nobody_but_the_gateway_says_who_is_calling(on: Combination) {
    run(access::routes::check_forgeries(on));
}

fn ambiguous_paths_reach_nobody(on: Combination) {
    run(access::paths::check(on));
}
