//! A body that is too long and comes faster than the gateway looks.
//!
//! A server that was busy for a moment finds more in one read than it buffers for a request. The answer is the contract's
//! all the same: the filter has to see what came before the server refuses it in its own words.

use std::time::{Duration, Instant};

use e2e::{Connection, Stack, post_head};

use crate::{Body, judge};

/// What a client sends at once, over each of the server's buffers for one request.
const FLOOD_BYTES: usize = 8 * 1024 * 1024;
const CHUNK_BYTES: usize = 16 * 1024;
/// How often it is tried: what the server has read before it is busy is not in our hands.
const TRIES: usize = 4;
/// How long the server is kept busy at most, when its socket does not take everything.
const BUSY: Duration = Duration::from_secs(1);

pub fn check(stack: &mut Stack) {
    let on = stack.combination();
    let head = post_head(
        "/customer/flood/addPoints",
        &stack.token("acme"),
        "transfer-encoding: chunked\r\n",
    );
    for number in 1..=TRIES {
        let mut connection = Connection::open(stack.address()).expect("connect");
        connection.send(&head).expect("sent");
        // Some of it is taken and waits for the rest: then the filter is asked about what comes later.
        connection.send(chunks(CHUNK_BYTES)).expect("sent");
        wait_until_read(stack);
        stack.gateway.process().freeze();
        let flood = std::thread::spawn(move || {
            // Once it is answered the server may close before it has read everything.
            let _ = connection.send(chunks(FLOOD_BYTES));
            connection
        });
        let busy_until = Instant::now() + BUSY;
        while !flood.is_finished() && Instant::now() < busy_until {
            std::thread::yield_now();
        }
        stack.gateway.process().thaw();
        let mut connection = flood.join().expect("the client's thread");
        let answer = connection.read().expect("an answer").expect("an answer");
        judge(&format!("{on}: flood {number}"), &answer, 413, Body::Ours);
    }
}

fn chunks(bytes: usize) -> Vec<u8> {
    let mut chunk = format!("{CHUNK_BYTES:x}\r\n").into_bytes();
    chunk.resize(chunk.len() + CHUNK_BYTES, b' ');
    chunk.extend_from_slice(b"\r\n");
    chunk.repeat(bytes / CHUNK_BYTES)
}

/// Asking for anything else takes a turn of the server's loops: what was sent before has most likely been read then.
fn wait_until_read(stack: &Stack) {
    for _ in 0..4 {
        stack.gateway.stats().expect("the gateway's stats");
    }
}
