//! What can go wrong in a simulated fleet: the kinds by name, and each single fault as a plan holds it.

use serde::{Deserialize, Serialize};

use crate::named::named;

named! {
    /// A kind of fault, as `--faults` names it.
    FaultKind, "fault", not_in_all(StaleRead) {
        /// The engine never sees a call; its caller hears nothing until it gives up.
        CallLost = "call-lost",
        /// The engine carries a call out; its answer never comes.
        AnswerLost = "answer-lost",
        /// The engine carries a call out only after its caller has given it up.
        CallLate = "call-late",
        /// The engine carries a call out twice, the second time later.
        CallTwice = "call-twice",
        /// The answer to a call takes long, and is overtaken by others.
        AnswerSlow = "answer-slow",
        /// The answer to a call that was carried out is no message, or another one.
        AnswerGarbled = "answer-garbled",
        /// The engine refuses a call and does nothing.
        CallRefused = "call-refused",
        /// A client leaves in the middle of its request, for good or to send it again.
        ClientLeaves = "client-leaves",
        /// The engine stops and starts again: what is under way fails, watches break, nothing acknowledged is lost.
        EngineRestart = "engine-restart",
        /// For a while there is no leader: calls are carried out without an answer, later, or not at all.
        LeaderLoss = "leader-loss",
        /// For a while every write takes long.
        SlowDisk = "slow-disk",
        /// The engine forgets what was superseded.
        Compaction = "compaction",
        /// The watch of one gateway breaks.
        WatchBreak = "watch-break",
        /// The watch of one gateway is told nothing for a while.
        WatchStall = "watch-stall",
        /// For a while all that the watch of one gateway is told is long on its way.
        WatchLag = "watch-lag",
        /// One gateway does not reach the engine for a while.
        Partition = "partition",
        /// A VM is gone between two callbacks, with all that it had under way.
        VmLost = "vm-lost",
        /// A VM traps in the middle of a callback, at one of its host calls.
        VmTrap = "vm-trap",
        /// A worker gets a new configuration: its VM finishes what it has, beside the new one.
        Drain = "drain",
        /// A gateway's process ends and starts again: shared data is gone.
        GatewayRestart = "gateway-restart",
        /// The gateways' clocks differ from the beginning, by up to half a minute.
        ClockSkew = "clock-skew",
        /// A gateway's clock is set, forward or back.
        ClockStep = "clock-step",
        /// There are many more accounts than a gateway may hold copies of (the least `cache_bytes`).
        Eviction = "eviction",
        /// Not in `all`: the engine breaks its promise and reads from the past for a while. The checks must find it.
        StaleRead = "stale-read",
    }
}

/// What becomes of one call to the engine. Times are in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// See [`FaultKind::CallLost`].
    Lost,
    /// See [`FaultKind::AnswerLost`].
    AnswerLost,
    /// See [`FaultKind::CallLate`]: that long after it was given up.
    Late(u32),
    /// See [`FaultKind::CallTwice`]: the second time that long after the first.
    Twice(u32),
    /// See [`FaultKind::AnswerSlow`]: that much longer.
    Slow(u32),
    /// See [`FaultKind::AnswerGarbled`].
    Garbled,
    /// See [`FaultKind::CallRefused`]: with this gRPC status.
    Refused(u32),
}

/// One fault. A worker's number may be one more than there are workers: that is the main thread's VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// This becomes of the next call of that VM.
    Call {
        /// Of which gateway.
        gateway: usize,
        /// Which of its VMs.
        worker: usize,
        /// What.
        fate: Fate,
    },
    /// The client of this operation leaves, if it still waits.
    ClientLeaves {
        /// Which operation.
        number: u32,
        /// Whether it comes again.
        again: bool,
    },
    /// See [`FaultKind::EngineRestart`].
    EngineRestart {
        /// For how long there is none.
        down_ms: u32,
    },
    /// See [`FaultKind::LeaderLoss`].
    LeaderLoss {
        /// For how long.
        for_ms: u32,
    },
    /// See [`FaultKind::SlowDisk`].
    SlowDisk {
        /// For how long.
        for_ms: u32,
        /// How much longer a write takes.
        delay_ms: u32,
    },
    /// See [`FaultKind::StaleRead`].
    StaleRead {
        /// For how long.
        for_ms: u32,
        /// By how many revisions.
        behind: i64,
    },
    /// See [`FaultKind::Compaction`].
    Compaction {
        /// How many of the newest revisions stay.
        keep: i64,
    },
    /// See [`FaultKind::WatchBreak`].
    WatchBreak {
        /// Whose.
        gateway: usize,
        /// With which gRPC status.
        status: u32,
    },
    /// See [`FaultKind::WatchStall`].
    WatchStall {
        /// Whose.
        gateway: usize,
        /// For how long.
        for_ms: u32,
    },
    /// See [`FaultKind::WatchLag`].
    WatchLag {
        /// Whose.
        gateway: usize,
        /// For how long.
        for_ms: u32,
        /// How much longer a message is on its way.
        by_ms: u32,
    },
    /// See [`FaultKind::Partition`].
    Partition {
        /// Which.
        gateway: usize,
        /// For how long.
        for_ms: u32,
    },
    /// See [`FaultKind::VmLost`].
    VmLost {
        /// Of which gateway.
        gateway: usize,
        /// Which of its VMs.
        worker: usize,
    },
    /// See [`FaultKind::VmTrap`].
    VmTrap {
        /// Of which gateway.
        gateway: usize,
        /// Which of its VMs.
        worker: usize,
        /// After how many host calls.
        host_calls: u32,
    },
    /// See [`FaultKind::Drain`].
    Drain {
        /// Of which gateway.
        gateway: usize,
        /// Which of its VMs.
        worker: usize,
    },
    /// See [`FaultKind::GatewayRestart`].
    GatewayRestart {
        /// Which.
        gateway: usize,
    },
    /// See [`FaultKind::ClockStep`].
    ClockStep {
        /// Whose.
        gateway: usize,
        /// By how much.
        by_ms: i64,
    },
}

impl Fault {
    /// Of which kind it is.
    #[must_use]
    pub const fn kind(&self) -> FaultKind {
        match self {
            Self::Call { fate, .. } => match fate {
                Fate::Lost => FaultKind::CallLost,
                Fate::AnswerLost => FaultKind::AnswerLost,
                Fate::Late(_) => FaultKind::CallLate,
                Fate::Twice(_) => FaultKind::CallTwice,
                Fate::Slow(_) => FaultKind::AnswerSlow,
                Fate::Garbled => FaultKind::AnswerGarbled,
                Fate::Refused(_) => FaultKind::CallRefused,
            },
            Self::ClientLeaves { .. } => FaultKind::ClientLeaves,
            Self::EngineRestart { .. } => FaultKind::EngineRestart,
            Self::LeaderLoss { .. } => FaultKind::LeaderLoss,
            Self::SlowDisk { .. } => FaultKind::SlowDisk,
            Self::StaleRead { .. } => FaultKind::StaleRead,
            Self::Compaction { .. } => FaultKind::Compaction,
            Self::WatchBreak { .. } => FaultKind::WatchBreak,
            Self::WatchStall { .. } => FaultKind::WatchStall,
            Self::WatchLag { .. } => FaultKind::WatchLag,
            Self::Partition { .. } => FaultKind::Partition,
            Self::VmLost { .. } => FaultKind::VmLost,
            Self::VmTrap { .. } => FaultKind::VmTrap,
            Self::Drain { .. } => FaultKind::Drain,
            Self::GatewayRestart { .. } => FaultKind::GatewayRestart,
            Self::ClockStep { .. } => FaultKind::ClockStep,
        }
    }
}
