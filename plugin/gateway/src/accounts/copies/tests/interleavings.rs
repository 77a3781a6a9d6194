//! Three workers that write the same copies, their calls of the host in every kind of order.
//!
//! Each worker is a thread that waits for its turn before each call, and the turns come from the test's script: what happens
//! depends on the script alone.

use std::cell::Cell;
use std::sync::{Condvar, LazyLock, Mutex};

use proptest::prelude::*;

use super::*;
use crate::accounts::copies::{MAX_ATTEMPTS, MAX_HELD_BYTES, Near, fronts};
use crate::host::{
    Counter, Gauge, Host, Mismatch, NativeVerdict, NoRandomness, Severity, Shared, SignatureCheck,
    When,
};
use crate::test_support::host::SharedData;

const WORKERS: usize = 3;

/// Actions of one worker.
const MAX_ACTIONS: usize = 7;

/// All others together write an entry less often than an action tries, so that none is ever given up.
const _: () = assert!((WORKERS - 1) * MAX_ACTIONS < MAX_ATTEMPTS);

static COPIES: LazyLock<Copies> = LazyLock::new(|| Copies::new(LEAST));

/// Two that share an entry of fronts, and one that shares a document's with the first of them.
static ACCOUNTS: LazyLock<Vec<AccountDigest>> = LazyLock::new(|| {
    let mut accounts = neighbours(&COPIES, 2);
    accounts.push(rival(&COPIES, &accounts[0]));
    accounts
});

struct Stage {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    shared: SharedData,
    /// Who comes next, each number of workers still there taken in turn.
    script: Vec<usize>,
    next: usize,
    turn: Option<usize>,
    working: Vec<usize>,
    /// The fronts of all accounts after each write.
    history: Vec<Vec<Option<Front>>>,
    /// Of how many of those writes every reader is to know: whoever did them has gone on.
    announced: usize,
}

impl State {
    fn fronts(&self) -> Vec<Option<Front>> {
        let front = |account| match self.shared.get(&COPIES.layout.front_name(account)) {
            Shared::Held(set, _) => fronts::find(&set, account),
            Shared::Absent | Shared::Erased(_) => None,
        };
        ACCOUNTS.iter().map(front).collect()
    }

    fn next_turn(&mut self) {
        let choice = self.script.get(self.next).copied().unwrap_or(self.next);
        self.next += 1;
        let workers = self.working.len();
        self.turn = (workers > 0).then(|| self.working[choice % workers]);
    }
}

struct Worker<'a> {
    number: usize,
    stage: &'a Stage,
    /// How many writes there were with this worker's last one.
    written: Cell<usize>,
}

impl Worker<'_> {
    /// Does one thing when it is this worker's turn, and passes the turn on.
    fn take_turn<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let state = self.stage.state.lock().expect("the stage");
        let waiting = |state: &mut State| state.turn != Some(self.number);
        let mut state = self
            .stage
            .changed
            .wait_while(state, waiting)
            .expect("a turn");
        let result = act(&mut state);
        state.next_turn();
        self.stage.changed.notify_all();
        result
    }
}

impl Host for Worker<'_> {
    fn shared_get(&self, key: &str) -> Shared {
        self.take_turn(|state| state.shared.get(key))
    }

    fn shared_set(&self, key: &str, value: &[u8], when: When) -> Result<(), Mismatch> {
        self.take_turn(|state| {
            let written = state.shared.write(key, value, when);
            let fronts = state.fronts();
            state.history.push(fronts);
            self.written.set(state.history.len());
            written
        })
    }

    fn shared_touch(&self, key: &str) {
        self.take_turn(|state| state.shared.put(key, &[]));
    }

    fn now(&self) -> Timestamp {
        panic!("copies know no clock")
    }

    fn random(&self, _: &mut [u8]) -> Result<(), NoRandomness> {
        Err(NoRandomness)
    }

    fn check_signature(&self, _: &SignatureCheck<'_>) -> NativeVerdict {
        NativeVerdict::Unavailable
    }

    fn count(&self, _: Counter) {}

    fn gauge(&self, _: Gauge, _: u64) {}

    fn writes(&self, _: Severity) -> bool {
        false
    }

    fn log(&self, _: Severity, _: &str) {}
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Install,
    Refresh,
    Confirm,
    Look,
    Glance,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    action: Action,
    account: usize,
    revision: i64,
    epoch: u32,
}

/// The same for everybody who sees this revision of this account; most of one class, so that revisions meet in one entry.
fn document_of(account: usize, revision: i64) -> Vec<u8> {
    let sizes = [10, 1025, 11, MAX_HELD_BYTES + 1, 12];
    let size = sizes[revision.unsigned_abs() as usize % sizes.len()];
    let tag = format!("{account} {revision} ");
    tag.into_bytes().into_iter().cycle().take(size).collect()
}

fn step() -> impl Strategy<Value = Step> {
    let action = prop_oneof![
        Just(Action::Install),
        Just(Action::Refresh),
        Just(Action::Confirm),
        Just(Action::Look),
        Just(Action::Glance),
        Just(Action::Glance),
    ];
    (action, 0..3_usize, 1..8_i64, 0..4_u32).prop_map(|(action, account, revision, epoch)| Step {
        action,
        account,
        revision,
        epoch,
    })
}

/// What came of a step; none: nothing was copied.
type Done = (Step, Option<Kept>);

/// Reads a front by the worker's own memory, and looks whether it is one that was there since the last write of which the
/// reader could have heard.
fn glance(worker: &Worker<'_>, near: &Near, account: usize) {
    let state = || worker.stage.state.lock().expect("the stage");
    let announced = state().announced;
    let now = Timestamp::from_millis(0).expect("a time");
    let front = near.front(&COPIES, worker, &ACCOUNTS[account], now);
    let state = state();
    let since = state.history.iter().skip(announced.saturating_sub(1));
    let at_first = (announced == 0).then_some(None);
    let possible = at_first
        .into_iter()
        .chain(since.map(|fronts| fronts[account]));
    assert!(
        possible.into_iter().any(|it| it == front),
        "{front:?} was gone before write {announced}"
    );
}

fn act(worker: &Worker<'_>, near: &Near, step: Step) -> Done {
    let done = carry_out(worker, near, step);
    let mut state = worker.stage.state.lock().expect("the stage");
    state.announced = state.announced.max(worker.written.get());
    done
}

fn carry_out(worker: &Worker<'_>, near: &Near, step: Step) -> Done {
    let account = &ACCOUNTS[step.account];
    let document = document_of(step.account, step.revision);
    let copy = AccountCopy {
        epoch: step.epoch,
        ..at(step.revision, &document)
    };
    let kept = match step.action {
        Action::Install => Some(COPIES.install(worker, account, &copy)),
        Action::Refresh => Some(COPIES.refresh(worker, account, &copy)),
        Action::Confirm => {
            let confirmed =
                COPIES.confirm(worker, account, STORE, step.revision, || Some(step.epoch));
            confirmed.then_some(Kept::Held)
        }
        Action::Look => {
            if let Some(known) = COPIES.look_up(worker, account, STORE) {
                let expected = document_of(step.account, known.revision);
                assert_eq!(known.document, expected, "of another revision or account");
            }
            None
        }
        Action::Glance => {
            glance(worker, near, step.account);
            None
        }
    };
    (step, kept)
}

/// Carries all steps out, and gives what came of them, the fronts after each write, and the shared data.
fn play(steps: &[Vec<Step>; WORKERS], script: Vec<usize>) -> (Vec<Done>, State) {
    let mut state = State {
        shared: SharedData::default(),
        script,
        next: 0,
        turn: None,
        working: (0..WORKERS).collect(),
        history: Vec::new(),
        announced: 0,
    };
    state.next_turn();
    let stage = Stage {
        state: Mutex::new(state),
        changed: Condvar::new(),
    };
    let stage_of_all = &stage;
    let done = std::thread::scope(|scope| {
        let threads = steps.iter().enumerate().map(|(number, steps)| {
            scope.spawn(move || {
                let worker = Worker {
                    number,
                    stage: stage_of_all,
                    written: Cell::new(0),
                };
                let near = Near::default();
                // Leaves the stage also when an assertion fails, so that the others are not left waiting.
                let leaving = Leaving(&worker);
                let done: Vec<Done> = steps
                    .iter()
                    .map(|step| act(&worker, &near, *step))
                    .collect();
                drop(leaving);
                done
            })
        });
        let threads: Vec<_> = threads.collect();
        let done = threads.into_iter().map(|it| it.join().expect("a worker"));
        done.collect::<Vec<_>>().concat()
    });
    (done, stage.state.into_inner().expect("the stage"))
}

struct Leaving<'a>(&'a Worker<'a>);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let number = self.0.number;
        self.0
            .take_turn(|state| state.working.retain(|&it| it != number));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_the_order_the_newest_stays_and_nothing_goes_back(
        steps in proptest::array::uniform3(proptest::collection::vec(step(), 1..=MAX_ACTIONS)),
        script in proptest::collection::vec(0..WORKERS, 0..120),
    ) {
        let (done, state) = play(&steps, script);
        let last = state.fronts();
        for (account, front) in last.iter().enumerate() {
            let of_account = done.iter().filter(|(step, _)| step.account == account);
            let kept = |it: &Option<Kept>| matches!(it, Some(Kept::Held | Kept::Newer));
            let copied: Vec<&Done> = of_account.filter(|(_, it)| kept(it)).collect();
            let newest = copied.iter().map(|(step, _)| step.revision).max();
            prop_assert_eq!(front.map(|it| it.revision), newest, "account {}", account);
            let of_newest = copied.iter().filter(|(step, _)| Some(step.revision) == newest);
            let least = of_newest.map(|(step, _)| step.epoch).max();
            let most = copied.iter().map(|(step, _)| step.epoch).max();
            let epoch = front.map(|it| it.epoch);
            prop_assert!(least <= epoch && epoch <= most, "account {}: {:?}", account, epoch);
            let standing = newest.map(|it| live(it.unsigned_abs()));
            prop_assert_eq!(front.map(|it| it.standing), standing);
        }
        for pair in state.history.windows(2) {
            for (before, after) in pair[0].iter().zip(&pair[1]) {
                let revision = |it: &Option<Front>| it.map(|it| it.revision);
                let epoch = |it: &Option<Front>| it.map(|it| it.epoch);
                let forward = revision(before) <= revision(after) && epoch(before) <= epoch(after);
                prop_assert!(forward, "{:?} then {:?}", before, after);
            }
        }
        let given_up = done.iter().any(|(_, it)| *it == Some(Kept::GivenUp));
        prop_assert!(!given_up);
    }
}
