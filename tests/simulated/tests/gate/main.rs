//! What clients and operators of a gateway with several workers see when keys rotate, when the issuer fails, lies or
//! floods, when a worker is lost, when the clock jumps and when tokens are revoked. All in simulated time.

mod bad_answers;
mod clock;
mod cold_start;
mod common;
mod flood;
mod lost_worker;
mod native;
mod outage;
mod revocation;
mod rotation;
