//! Hostile clients: while each of these attacks runs, other clients are served, correctly and all along, and afterwards the
//! gateway is what it was: no worker's VM was lost, nothing is pending, and the attack has left no memory behind.
//!
//! What a single odd request is answered is for `bad_input`; here it is about many, and about what they do to others. The
//! gateways run as they are deployed: Envoy with the settings of `envoy/envoy.yaml`, `host-sim` with its own bounds. They are
//! only more patient with the engine, and where an attack is about time, the limits of time are such that it is no race.

mod hostile {
    pub mod bystander;
    pub mod crowd;
    pub mod downgrade;
    pub mod floods;
    pub mod giants;
    pub mod history;
    pub mod leaving;
    pub mod pipelining;
    pub mod scene;
    pub mod slow;
    pub mod smuggling;
    pub mod strangers;
    pub mod windows;
}

use std::time::Duration;

use e2e::{Combination, run};
use hostile::scene::{Bounds, Scene, stage, withstand, withstand_on};

/// How long requests that never end may last: less than committed, for each of them is waited for.
const SHORT: Duration = Duration::from_secs(3);
/// How long requests may take that are slow and end: on no machine does it come to that.
const LONG: Duration = Duration::from_secs(120);

#[test]
fn bodies_and_heads_byte_by_byte_in_envoy() {
    in_patient_envoy(Bounds::SMALL, hostile::slow::dribble);
}

#[test]
fn bodies_and_heads_byte_by_byte_in_host_sim() {
    let on = Combination::HOST_SIM_EMBEDDED;
    run(withstand(on, Bounds::SMALL, hostile::slow::dribble));
}

#[test]
fn bodies_and_heads_that_never_end() {
    run(async {
        let on = Combination::ENVOY_EMBEDDED;
        let stack = stage(on, |gateway| gateway.patience(SHORT));
        withstand_on(stack, Bounds::SMALL.rounds(1), hostile::slow::hang).await;
    });
}

#[test]
fn clients_that_reset_their_requests() {
    in_envoy(Bounds::SMALL, hostile::leaving::requests);
}

#[test]
fn clients_that_leave_in_the_middle_of_an_answer() {
    in_envoy(Bounds::SMALL, hostile::leaving::answers);
}

#[test]
fn floods_over_http2() {
    in_envoy(Bounds::LARGE, hostile::floods::all);
}

#[test]
fn windows_that_stay_shut() {
    in_patient_envoy(Bounds::LARGE, hostile::windows::shut);
}

#[test]
fn pipelined_requests() {
    in_envoy(Bounds::SMALL.rounds(1), hostile::pipelining::pipeline);
}

#[test]
fn smuggled_requests() {
    in_envoy(Bounds::SMALL.rounds(1), hostile::smuggling::shapes);
}

#[test]
fn smuggled_requests_over_http2() {
    in_envoy(Bounds::SMALL.rounds(1), hostile::downgrade::shapes);
}

#[test]
fn giant_heads_and_paths() {
    in_envoy(Bounds::SMALL, hostile::giants::all);
}

#[test]
fn thousands_of_strangers() {
    in_envoy(Bounds::SMALL.rounds(1), hostile::strangers::all);
}

#[test]
fn ten_thousand_idle_connections() {
    in_envoy(Bounds::CROWD, hostile::crowd::idle);
}

fn in_envoy(bounds: Bounds, attack: impl AsyncFn(&mut Scene<'_>)) {
    run(withstand(Combination::ENVOY_EMBEDDED, bounds, attack));
}

fn in_patient_envoy(bounds: Bounds, attack: impl AsyncFn(&mut Scene<'_>)) {
    run(async {
        let stack = stage(Combination::ENVOY_EMBEDDED, |gateway| {
            gateway.patience(LONG)
        });
        withstand_on(stack, bounds, attack).await;
    });
}
