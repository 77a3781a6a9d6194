//! What will happen, by time; of one moment in the order in which it was begun.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::engine::{Call, Caller};

/// The number of something that is on its way: its place in the order of beginnings.
type Order = u64;

type Slot = usize;

/// See the module's text.
#[derive(Default)]
pub(super) struct Agenda {
    coming: BinaryHeap<Reverse<(u64, Order, Slot)>>,
    /// What is coming, by slot; freed slots are used again.
    things: Vec<Option<Coming>>,
    free: Vec<Slot>,
    last_order: Order,
}

impl Agenda {
    pub(super) fn add(&mut self, due_us: u64, thing: Coming) {
        self.last_order += 1;
        let slot = self.free.pop().unwrap_or(self.things.len());
        match self.things.get_mut(slot) {
            Some(place) => *place = Some(thing),
            None => self.things.push(Some(thing)),
        }
        self.coming.push(Reverse((due_us, self.last_order, slot)));
    }

    /// Takes what comes next, if it is due by then, with its time.
    pub(super) fn next_until(&mut self, until_us: u64) -> Option<(u64, Coming)> {
        let &Reverse((due_us, _, slot)) = self.coming.peek()?;
        if due_us > until_us {
            return None;
        }
        self.coming.pop();
        self.free.push(slot);
        let thing = self.things.get_mut(slot)?.take()?;
        Some((due_us, thing))
    }
}

/// Something that will happen.
pub(super) enum Coming {
    Tick(usize, u64),
    QueueReady {
        seat: usize,
        context: u32,
        queue: u32,
    },
    /// A call reaches the engine.
    Call(Call),
    /// An answer reaches a VM.
    Answer {
        caller: Caller,
        answer: Result<Vec<u8>, u32>,
    },
    /// An HTTP callout, of which there are none to answer.
    NoConnection {
        seat: usize,
        life: u64,
        token: u32,
    },
    /// The first message of a stream reaches the engine.
    Watch {
        seat: usize,
        life: u64,
        token: u32,
        message: Vec<u8>,
    },
    /// What the engine said first on a stream reaches the VM.
    StreamMessage {
        seat: usize,
        life: u64,
        token: u32,
        message: Vec<u8>,
    },
    /// A watch may be told what is new.
    Tell {
        seat: usize,
        life: u64,
        token: u32,
    },
    StreamClosed {
        seat: usize,
        life: u64,
        token: u32,
        status: u32,
    },
    /// The engine has started for the so-manieth time.
    EngineUp(u64),
    Body {
        seat: usize,
        life: u64,
        stream: u32,
        body: Vec<u8>,
    },
    Again {
        number: u32,
        attempt: u32,
    },
}
