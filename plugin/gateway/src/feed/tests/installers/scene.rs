//! The slot, the actors, and one run of their steps in a chosen order.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::access::test_support::NOW_MS;
use crate::engine::{Change, Method, StoreId};
use crate::feed::record::{self, LEASE_MS, Record};
use crate::feed::tests::bench::{ACCOUNT, CALL_TIMEOUT_MS, CLUSTER, MAX_STALENESS_MS};
use crate::feed::{Effect, Feed, HeldCopies, NotRefreshed, may_confirm};
use crate::gate::Moment;
use crate::host::{Host, Shared, SharedVersion, When};
use crate::test_support::engine::Engine;
use crate::test_support::engine::watch::Watch;
use crate::test_support::explore::Choices;
use crate::test_support::host::TestHost;

const STORE: StoreId = StoreId(1);
const SLOT: &str = "slot";

/// What the slot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Copy {
    account: bool,
    epoch: u32,
    revision: i64,
}

/// Who does what, a step at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Actor {
    /// Changes the account past the gateway, so often.
    Stranger(u8),
    /// Reads the account, puts in a copy, confirms it.
    Reader { reads_back: bool, asks_record: bool },
    /// Reads the account, puts in a copy, and goes no further.
    Late,
    /// Changes the account and puts its document in place of an older one, with that one's epoch.
    Writer,
    /// Puts another account's copy into the slot.
    Intruder,
    /// Takes the lease over when it has lapsed.
    Successor,
}

/// How far an actor has come.
#[derive(Debug, Clone, Copy)]
struct Progress {
    actor: Actor,
    step: usize,
    revision: i64,
    header: i64,
    version: Option<SharedVersion>,
    epoch: Option<u32>,
}

struct Vm {
    feed: Feed,
    stream: Option<Watch>,
}

pub(super) struct Scene {
    pub(super) actors: Vec<Actor>,
    /// Whether a refresh also confirms what was not: against the rule.
    pub(super) refresh_confirms: bool,
}

struct Run<'a> {
    scene: &'a Scene,
    choices: RefCell<Choices>,
    clock: Rc<Cell<i64>>,
    host: TestHost,
    engine: RefCell<Engine>,
    actors: RefCell<Vec<Progress>>,
    /// Borrowed while it works on a message.
    vms: [RefCell<Vm>; 2],
    violated: Cell<bool>,
}

/// What a search came to.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) runs: usize,
    pub(super) violations: usize,
    /// Runs at whose end the account's copy is confirmed.
    pub(super) confirmed: usize,
}

impl Scene {
    pub(super) fn explore(&self) -> Found {
        let (mut found, mut choices) = (Found::default(), Choices::default());
        loop {
            let run = Run::new(self, choices);
            run.begin();
            while run.step(false) {}
            run.check();
            found.runs += 1;
            found.violations += usize::from(run.violated.get());
            let copy = run.copy().map(|(copy, _)| copy);
            let confirmed = copy.is_some_and(|it| it.account && it.epoch == run.record().epoch);
            found.confirmed += usize::from(confirmed);
            choices = run.choices.into_inner();
            // One is enough to know.
            if found.violations > 0 || !choices.next() {
                return found;
            }
        }
    }
}

/// The copies as a VM's feed meets them: whatever others do before and after may come in between.
struct Copies<'a>(&'a Run<'a>);

impl HeldCopies for Copies<'_> {
    fn refresh(
        &self,
        _: &impl Host,
        key: &[u8],
        store: StoreId,
        change: &Change,
    ) -> Result<(), NotRefreshed> {
        let Self(run) = self;
        assert_eq!((key, store), (ACCOUNT, STORE));
        while run.step(true) {}
        if let Some((copy, version)) = run.copy()
            && copy.account
            && copy.revision < change.revision
        {
            let epoch = match run.scene.refresh_confirms {
                true => run.record().epoch,
                false => copy.epoch,
            };
            let revision = change.revision;
            run.set(
                Copy {
                    account: true,
                    epoch,
                    revision,
                },
                When::Version(version),
            );
        }
        run.check();
        while run.step(true) {}
        Ok(())
    }
}

impl<'a> Run<'a> {
    fn new(scene: &'a Scene, choices: Choices) -> Self {
        let clock = Rc::new(Cell::new(NOW_MS));
        let vm = || {
            RefCell::new(Vm {
                feed: Feed::new(CLUSTER, MAX_STALENESS_MS, CALL_TIMEOUT_MS),
                stream: None,
            })
        };
        let progress = |&actor| Progress {
            actor,
            step: 0,
            revision: 0,
            header: 0,
            version: None,
            epoch: None,
        };
        let actors = scene.actors.iter().map(progress).collect();
        Self {
            scene,
            choices: RefCell::new(choices),
            host: TestHost::new(Rc::clone(&clock), Rc::default(), 1),
            clock,
            engine: RefCell::default(),
            actors: RefCell::new(actors),
            vms: [vm(), vm()],
            violated: Cell::new(false),
        }
    }

    /// An account, and a feed that stands and has proved itself once.
    fn begin(&self) {
        self.engine.borrow_mut().put(ACCOUNT, b"document");
        self.tick(0);
        while self.has_news(0) {
            self.tell(0);
        }
        assert_ne!(self.record().confirmed_ms, 0);
    }

    fn now(&self) -> Moment {
        Moment {
            wall_ms: self.clock.get(),
            steady_ms: self.clock.get(),
        }
    }

    fn record(&self) -> Record {
        record::read(&self.host, &record::name(CLUSTER))
            .0
            .expect("a record")
    }

    fn copy(&self) -> Option<(Copy, SharedVersion)> {
        match self.host.shared_get(SLOT) {
            Shared::Held(bytes, version) => {
                let (account, rest) = bytes.split_first().expect("a copy");
                let (epoch, revision) = rest.split_first_chunk().expect("a copy");
                let copy = Copy {
                    account: *account == 1,
                    epoch: u32::from_be_bytes(*epoch),
                    revision: i64::from_be_bytes(revision.try_into().expect("a copy")),
                };
                Some((copy, version))
            }
            Shared::Absent | Shared::Erased(_) => None,
        }
    }

    fn set(&self, copy: Copy, when: When) {
        let mut bytes = vec![u8::from(copy.account)];
        bytes.extend_from_slice(&copy.epoch.to_be_bytes());
        bytes.extend_from_slice(&copy.revision.to_be_bytes());
        // Lost to another: whoever depends on it looks again.
        let _ = self.host.shared_set(SLOT, &bytes, when);
    }

    /// A confirmed copy holds every change that was seen.
    fn check(&self) {
        let record = self.record();
        if let Some((copy, _)) = self.copy()
            && copy.account
            && copy.epoch == record.epoch
        {
            let engine = self.engine.borrow();
            let seen = |revision: i64| revision <= record.seen;
            let mut changes = engine.puts.iter().filter(|put| put.key == ACCOUNT);
            let newest = changes.rfind(|put| seen(put.revision));
            let holds = newest.is_none_or(|put| copy.revision >= put.revision);
            self.violated.set(self.violated.get() || !holds);
        }
    }

    /// Lets somebody take a step; false: nobody can, or, in the middle of a message, the feed goes on.
    fn step(&self, amid: bool) -> bool {
        let waiting: Vec<usize> = (0..self.actors.borrow().len())
            .filter(|&actor| self.has_work(actor))
            .collect();
        let news: Vec<usize> = (0..self.vms.len())
            .filter(|&vm| self.has_news(vm))
            .collect();
        let options = waiting.len() + news.len() + usize::from(amid);
        if options == 0 {
            return false;
        }
        let chosen = self.choices.borrow_mut().of(options);
        if let Some(&actor) = waiting.get(chosen) {
            self.act(actor);
        } else if let Some(&vm) = news.get(chosen - waiting.len()) {
            self.tell(vm);
        } else {
            return false;
        }
        self.check();
        true
    }

    fn has_work(&self, actor: usize) -> bool {
        let Progress { actor, step, .. } = self.actors.borrow()[actor];
        step < match actor {
            Actor::Stranger(times) => times.into(),
            Actor::Reader { .. } => 5,
            Actor::Late | Actor::Writer => 2,
            Actor::Intruder | Actor::Successor => 1,
        }
    }

    fn act(&self, actor: usize) {
        let mut progress = self.actors.borrow()[actor];
        let step = progress.step;
        progress.step += 1;
        let newest = || {
            let engine = self.engine.borrow();
            let revision = engine.get(ACCOUNT).expect("the account").revision;
            (revision, engine.revision())
        };
        match (progress.actor, step) {
            (Actor::Stranger(_), _) => self.engine.borrow_mut().put(ACCOUNT, b"changed"),
            (Actor::Writer, 0) => {
                self.engine.borrow_mut().put(ACCOUNT, b"written");
                (progress.revision, progress.header) = newest();
            }
            (Actor::Reader { .. } | Actor::Late, 0) => {
                (progress.revision, progress.header) = newest();
            }
            (Actor::Reader { .. } | Actor::Late | Actor::Writer, 1) => {
                self.put_in(progress.revision);
            }
            (Actor::Reader { .. }, 2) => {
                let copy = self.copy();
                progress.version = copy
                    .filter(|(copy, _)| copy.account && copy.revision == progress.revision)
                    .map(|(_, version)| version);
            }
            (Actor::Reader { asks_record, .. }, 3) => {
                let header = match asks_record {
                    true => progress.header,
                    false => i64::MAX,
                };
                progress.epoch = may_confirm(&self.host, CLUSTER, STORE, header);
            }
            (Actor::Reader { reads_back, .. }, 4) => {
                self.confirm(&progress, reads_back);
            }
            (Actor::Intruder, _) => {
                let when = match self.host.shared_get(SLOT) {
                    Shared::Absent => When::Absent,
                    Shared::Erased(version) | Shared::Held(_, version) => When::Version(version),
                };
                let copy = Copy {
                    account: false,
                    epoch: 0,
                    revision: 1,
                };
                self.set(copy, when);
            }
            (Actor::Successor, _) => {
                self.clock.set(self.clock.get() + LEASE_MS);
                self.tick(1);
            }
            (actor, step) => panic!("{actor:?} has no step {step}"),
        }
        self.actors.borrow_mut()[actor] = progress;
    }

    /// Puts in a copy as it was answered, not confirmed; over an older one of the same account it keeps that one's epoch.
    fn put_in(&self, revision: i64) {
        let (epoch, when) = match (self.copy(), self.host.shared_get(SLOT)) {
            (Some((held, _)), _) if held.account && held.revision >= revision => return,
            (Some((held, version)), _) if held.account => (held.epoch, When::Version(version)),
            (Some((_, version)), _)
            | (None, Shared::Erased(version) | Shared::Held(_, version)) => {
                (0, When::Version(version))
            }
            (None, Shared::Absent) => (0, When::Absent),
        };
        let copy = Copy {
            account: true,
            epoch,
            revision,
        };
        self.set(copy, when);
    }

    fn confirm(&self, progress: &Progress, reads_back: bool) {
        let version = match reads_back {
            true => progress.version,
            // Against what it finds now: the same copy, for all that it can tell.
            false => self
                .copy()
                .filter(|(copy, _)| copy.account && copy.revision == progress.revision)
                .map(|(_, version)| version),
        };
        if let (Some(epoch), Some(version)) = (progress.epoch, version) {
            let copy = Copy {
                account: true,
                epoch,
                revision: progress.revision,
            };
            self.set(copy, When::Version(version));
        }
    }

    fn has_news(&self, vm: usize) -> bool {
        let Ok(vm) = self.vms[vm].try_borrow_mut() else {
            return false;
        };
        let engine = self.engine.borrow();
        vm.stream
            .as_ref()
            .is_some_and(|watch| engine.next_news(watch).is_some())
    }

    /// The engine tells a VM's watch of one revision.
    fn tell(&self, vm: usize) {
        let mut it = self.vms[vm].borrow_mut();
        let message = {
            let (engine, watch) = (self.engine.borrow(), it.stream.as_mut().expect("a watch"));
            let revision = engine.next_news(watch).expect("news");
            engine.tell_up_to(watch, revision).expect("news")
        };
        it.feed
            .message(message, &Copies(self), self.now(), &self.host);
        self.carry_out(&mut it);
    }

    fn tick(&self, vm: usize) {
        let mut it = self.vms[vm].borrow_mut();
        it.feed.tick(self.now(), &self.host);
        self.carry_out(&mut it);
    }

    fn carry_out(&self, vm: &mut Vm) {
        loop {
            let effects = vm.feed.take_effects();
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                match effect {
                    Effect::Open(message) => {
                        let (watch, created) = self.engine.borrow().watch("", message);
                        vm.stream = Some(watch);
                        vm.feed
                            .message(created, &Copies(self), self.now(), &self.host);
                    }
                    Effect::Close => vm.stream = None,
                    Effect::Call(message) => {
                        // Only the first heartbeat is made: the others would only make more orders of the same.
                        if self.record().confirmed_ms == 0 {
                            let made = self.engine.borrow_mut().execute(Method::Txn, &message);
                            assert!(made.is_ok());
                        }
                    }
                }
            }
        }
    }
}
