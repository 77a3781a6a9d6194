//! Hostile clients: while each of these attacks runs, other clients are served, correctly and all along, and afterwards the
//! gateway is what it was: no worker's VM was lost, nothing is pending, and the attack has left no memory behind.
//!
//! What a single odd request is answered is for `bad_input`; here it is about many, and about what they do to others. The
//! gateways run as they are deployed: Envoy with the settings of `envoy/envoy.yaml`, `host-sim` with its own bounds.

mod hostile {
    pub mod bystander;
    pub mod crowd;
    pub mod history;
    pub mod leaving;
    pub mod scene;
    pub mod slow;
}

use e2e::{Combination, run};
use hostile::scene::{Bounds, withstand};

#[test]
fn bodies_and_heads_byte_by_byte_in_envoy() {
    bodies_and_heads_that_come_byte_by_byte(Combination::ENVOY_EMBEDDED);
}

#[test]
fn bodies_and_heads_byte_by_byte_in_host_sim() {
    bodies_and_heads_that_come_byte_by_byte(Combination::HOST_SIM_EMBEDDED);
}

#[test]
fn clients_that_reset_their_requests() {
    let attack = hostile::leaving::requests;
    run(withstand(
        Combination::ENVOY_EMBEDDED,
        Bounds::USUAL,
        attack,
    ));
}

#[test]
fn clients_that_leave_in_the_middle_of_an_answer() {
    let attack = hostile::leaving::answers;
    run(withstand(
        Combination::ENVOY_EMBEDDED,
        Bounds::USUAL,
        attack,
    ));
}

#[test]
fn ten_thousand_idle_connections() {
    let attack = hostile::crowd::idle;
    run(withstand(
        Combination::ENVOY_EMBEDDED,
        Bounds::CROWD,
        attack,
    ));
}

fn bodies_and_heads_that_come_byte_by_byte(on: Combination) {
    run(withstand(on, Bounds::USUAL, hostile::slow::dribble));
}
