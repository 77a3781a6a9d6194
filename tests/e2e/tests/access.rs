//! Access control at the gateway's edge: who gets in, what the services behind it learn, and what everybody else is told.

mod access {
    pub mod answers;
    pub mod browsers;
    pub mod fetching;
    pub mod issuer;
    pub mod log;
    pub mod paths;
    pub mod revocation;
    pub mod rotation;
    pub mod routes;
    pub mod rules;
    pub mod tenants;
    pub mod waiting;
}

use e2e::{Combination, on_every_gateway, run};
use testbed::GatewayKind;

on_every_gateway!(
    rules_decide_who_reaches_a_route,
    nobody_but_the_gateway_says_who_is_calling,
    ambiguous_paths_reach_nobody,
    a_key_is_good_as_soon_as_it_is_published,
    an_issuer_that_fails_takes_no_known_key_away,
    an_issuer_that_comes_late_is_found,
    one_worker_fetches_for_all,
    made_up_key_ids_do_not_reach_the_issuer,
    what_waits_for_a_key_passes_on_whole,
    refusals_are_the_documented_ones,
    bad_tokens_are_told_apart_by_nobody,
    browsers_of_known_pages_may_ask,
    revoked_tokens_are_refused_until_they_are_not,
    each_decision_is_logged_once_and_no_secret_ever,
    no_request_of_one_tenant_reaches_the_other,
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

fn a_key_is_good_as_soon_as_it_is_published(on: Combination) {
    run(access::rotation::check_rotation(on));
}

fn an_issuer_that_fails_takes_no_known_key_away(on: Combination) {
    run(access::fetching::check_failures(on));
}

fn an_issuer_that_comes_late_is_found(on: Combination) {
    run(access::fetching::check_late_start(on));
}

fn one_worker_fetches_for_all(on: Combination) {
    run(access::fetching::check_one_fetches(on));
}

fn made_up_key_ids_do_not_reach_the_issuer(on: Combination) {
    run(access::rotation::check_flood(on));
}

fn what_waits_for_a_key_passes_on_whole(on: Combination) {
    run(access::waiting::check(on));
}

fn refusals_are_the_documented_ones(on: Combination) {
    run(access::answers::check_refusals(on));
}

fn bad_tokens_are_told_apart_by_nobody(on: Combination) {
    run(access::answers::check_bad_tokens(on));
}

fn browsers_of_known_pages_may_ask(on: Combination) {
    run(access::browsers::check(on));
}

fn revoked_tokens_are_refused_until_they_are_not(on: Combination) {
    run(access::revocation::check(on));
}

fn each_decision_is_logged_once_and_no_secret_ever(on: Combination) {
    run(access::log::check(on));
}

fn no_request_of_one_tenant_reaches_the_other(on: Combination) {
    // The emulation is slower, and what it shows of the filter was shown on the real thing.
    let requests = match on.gateway {
        GatewayKind::Envoy => 10_000,
        GatewayKind::HostSim => 2_000,
    };
    run(access::tenants::check(on, requests));
}
