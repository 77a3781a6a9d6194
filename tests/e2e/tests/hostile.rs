//! Hostile clients: while each of these attacks runs, other clients are served, correctly and all along, and afterwards the
//! gateway is what it was: no worker's VM was lost, nothing is pending, and the attack has left no memory behind.
//!
//! What a single odd request is answered is for `bad_input`; here it is about many, and about what they do to others. The
//! gateways run as they are deployed: Envoy with the settings of `envoy/envoy.yaml`, `host-sim` with its own bounds.

mod hostile {
    pub mod bystander;
    pub mod crowd;
    pub mod leaving;
    pub mod scene;
    pub mod slow;
}

use e2e::{Combination, on_every_gateway, run};
use hostile::scene::{Bounds, withstand};

on_every_gateway!(
    bodies_and_heads_that_come_byte_by_byte,
    clients_that_reset_their_requests,
    ten_thousand_idle_connections,
);

fn bodies_and_heads_that_come_byte_by_byte(on: Combination) {
    run(withstand(on, Bounds::USUAL, hostile::slow::dribble));
}

fn clients_that_reset_their_requests(on: Combination) {
    run(withstand(on, Bounds::USUAL, hostile::leaving::requests));
}

fn ten_thousand_idle_connections(on: Combination) {
    run(withstand(on, Bounds::CROWD, hostile::crowd::idle));
}
