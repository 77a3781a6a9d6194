//! Hostile clients: while each of these attacks runs, other clients are served, correctly and all along, and afterwards the
//! gateway is what it was: no worker's VM was lost, nothing is pending, and the attack has left no memory behind.
//!
//! What a single odd request is answered is for `bad_input`; here it is about many, and about what they do to others. The
//! gateways run as they are deployed: Envoy with the settings of `envoy/envoy.yaml`, `host-sim` with its own bounds.

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

use e2e::{Combination, on_every_gateway, run};
use hostile::scene::{Bounds, withstand};

on_every_gateway!(
    bodies_and_heads_that_come_byte_by_byte,
    bodies_and_heads_that_never_end,
    clients_that_reset_their_requests,
    clients_that_leave_in_the_middle_of_an_answer,
    floods_over_http2,
    windows_that_stay_shut,
    pipelined_requests,
    smuggled_requests,
    smuggled_requests_over_http2,
    giant_heads_and_paths,
    thousands_of_strangers,
    ten_thousand_idle_connections,
);

fn bodies_and_heads_that_come_byte_by_byte(on: Combination) {
    run(withstand(on, Bounds::USUAL, hostile::slow::dribble));
}

fn bodies_and_heads_that_never_end(on: Combination) {
    run(withstand(on, Bounds::USUAL.rounds(1), hostile::slow::hang));
}

fn clients_that_reset_their_requests(on: Combination) {
    run(withstand(on, Bounds::USUAL, hostile::leaving::requests));
}

fn clients_that_leave_in_the_middle_of_an_answer(on: Combination) {
    run(withstand(on, Bounds::USUAL, hostile::leaving::answers));
}

fn floods_over_http2(on: Combination) {
    run(withstand(on, Bounds::USUAL.rounds(1), hostile::floods::all));
}

fn windows_that_stay_shut(on: Combination) {
    run(withstand(on, Bounds::USUAL, hostile::windows::shut));
}

fn pipelined_requests(on: Combination) {
    run(withstand(on, Bounds::USUAL, hostile::pipelining::pipeline));
}

fn smuggled_requests(on: Combination) {
    run(withstand(on, Bounds::USUAL, hostile::smuggling::shapes));
}

fn smuggled_requests_over_http2(on: Combination) {
    run(withstand(on, Bounds::USUAL, hostile::downgrade::shapes));
}

fn giant_heads_and_paths(on: Combination) {
    run(withstand(on, Bounds::USUAL, hostile::giants::all));
}

fn thousands_of_strangers(on: Combination) {
    run(withstand(on, Bounds::USUAL, hostile::strangers::all));
}

fn ten_thousand_idle_connections(on: Combination) {
    run(withstand(on, Bounds::CROWD, hostile::crowd::idle));
}
