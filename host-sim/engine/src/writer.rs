//! The one thread that writes: it takes every transaction that waits and commits them as a group.
//!
//! The queue is bounded in number and in bytes. While one group is being synced to disk the next one gathers, so the
//! cost of a sync is shared exactly when there is load, and an idle engine adds no delay. A refused transaction
//! is answered and leaves nothing; a disk failure is answered to all and ends writing for good, because what is on
//! disk is then not known. Whoever serves hears of that end, so that no engine lives on without its writer.

use std::sync::Arc;

use etcd_wire::{TxnRequest, TxnResponse};
use prost::Message;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use crate::ending::{self, Ending, Report};
use crate::limits::{MAX_GROUP_BYTES, MAX_GROUP_TXNS, MAX_QUEUED_BYTES, MAX_QUEUED_TXNS};
use crate::refusal::{Fault, Refusal};
use crate::store::{Group, Progress, Retention, Store};
use crate::txn::{Path, apply};

/// Where a job's answer goes.
type Answer<T> = oneshot::Sender<Result<T, Fault>>;

enum Job {
    Txn {
        request: TxnRequest,
        bytes: usize,
        answer: Answer<TxnResponse>,
        _room: OwnedSemaphorePermit,
    },
    Compact {
        revision: i64,
        answer: Answer<()>,
    },
}

/// The queue's entrance. The thread ends when the last entrance is dropped.
#[derive(Debug, Clone)]
pub struct Writer {
    queue: mpsc::Sender<Job>,
    room: Arc<Semaphore>,
}

impl Writer {
    /// Starts the thread. `newest` is told each revision once it is on disk, before anyone is answered; the ending hears
    /// why nothing is written any more.
    pub fn start(
        store: Arc<Store>,
        newest: watch::Sender<i64>,
        retention: Retention,
    ) -> std::io::Result<(Writer, Ending)> {
        let (queue, jobs) = mpsc::channel(MAX_QUEUED_TXNS);
        let thread = Thread {
            store,
            newest,
            retention,
        };
        let ending = ending::spawn("engine-writer", move |report| thread.run(jobs, report))?;
        let writer = Writer {
            queue,
            room: Arc::new(Semaphore::new(MAX_QUEUED_BYTES)),
        };
        Ok((writer, ending))
    }

    /// Carries out a checked transaction; returns once it is on disk. Refused at once when the queue is full.
    pub async fn txn(&self, request: TxnRequest) -> Result<TxnResponse, Fault> {
        let bytes = request.encoded_len();
        let permits = u32::try_from(bytes).map_err(|_| Refusal::RequestTooLarge)?;
        let room = Arc::clone(&self.room)
            .try_acquire_many_owned(permits)
            .map_err(|_| Refusal::TooManyRequests)?;
        let (answer, answered) = oneshot::channel();
        self.queue
            .try_send(Job::Txn {
                request,
                bytes,
                answer,
                _room: room,
            })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => Refusal::TooManyRequests,
                mpsc::error::TrySendError::Closed(_) => Refusal::Stopped,
            })?;
        answered.await.map_err(|_| Refusal::Stopped)?
    }

    /// Forgets what only revisions before `revision` need; returns once that is on disk.
    pub async fn compact(&self, revision: i64) -> Result<(), Fault> {
        let (answer, answered) = oneshot::channel();
        self.queue
            .send(Job::Compact { revision, answer })
            .await
            .map_err(|_| Refusal::Stopped)?;
        answered.await.map_err(|_| Refusal::Stopped)?
    }
}

/// What the thread owns.
struct Thread {
    store: Arc<Store>,
    newest: watch::Sender<i64>,
    retention: Retention,
}

/// What one job came to, not yet told to anyone.
enum Outcome {
    Txn(Result<TxnResponse, Refusal>),
    Compact(Result<(), Refusal>),
}

/// Why a group was not committed.
enum Setback {
    /// This job was refused after it had written: the group is done again without it.
    Job(usize, Refusal),
    /// The disk.
    Storage(Fault),
}

impl Thread {
    fn run(self, mut jobs: mpsc::Receiver<Job>, report: &Report) {
        while let Some(first) = jobs.blocking_recv() {
            let mut group = gather(first, &mut jobs);
            while !group.is_empty() {
                match self.commit(&group) {
                    Ok(outcomes) => {
                        for (job, outcome) in group.drain(..).zip(outcomes) {
                            job.tell(outcome);
                        }
                    }
                    Err(Setback::Job(at, refusal)) => group.remove(at).fail(refusal.into()),
                    Err(Setback::Storage(fault)) => return fail(fault, group, jobs, report),
                }
            }
        }
    }

    /// Writes the group and has it on disk when this returns.
    fn commit(&self, jobs: &[Job]) -> Result<Vec<Outcome>, Setback> {
        let mut refused = None;
        let committed = self.store.commit(|group| {
            let mut outcomes = Vec::with_capacity(jobs.len());
            for (at, job) in jobs.iter().enumerate() {
                let outcome = job.carry_out(group);
                if let Err(Fault::Refused(refusal)) = &outcome {
                    refused = Some((at, refusal.clone()));
                }
                outcomes.push(outcome?);
            }
            group.trim(self.retention)?;
            Ok(outcomes)
        });
        match (committed, refused) {
            (Ok((outcomes, progress)), _) => {
                self.publish(progress);
                Ok(outcomes)
            }
            (Err(Fault::Refused(_)), Some((at, refusal))) => Err(Setback::Job(at, refusal)),
            (Err(fault), _) => Err(Setback::Storage(fault)),
        }
    }

    fn publish(&self, progress: Progress) {
        self.newest.send_if_modified(|newest| {
            let moved = *newest != progress.revision;
            *newest = progress.revision;
            moved
        });
    }
}

impl Job {
    /// An error means that the job has written something and the group must be dropped.
    fn carry_out(&self, group: &mut Group<'_>) -> Result<Outcome, Fault> {
        match self {
            Job::Txn { request, .. } => {
                let mut writing = group.begin();
                let path = match Path::decide(request, &writing.view(), writing.before()) {
                    Ok(path) => path,
                    Err(Fault::Refused(refusal)) => return Ok(Outcome::Txn(Err(refusal))),
                    Err(storage) => return Err(storage),
                };
                let mut response = apply(request, &path, &mut writing)?;
                let revision = writing.end();
                if let Some(header) = &mut response.header {
                    header.revision = revision;
                }
                Ok(Outcome::Txn(Ok(response)))
            }
            Job::Compact { revision, .. } => match group.compact(*revision) {
                Ok(()) => Ok(Outcome::Compact(Ok(()))),
                Err(Fault::Refused(refusal)) => Ok(Outcome::Compact(Err(refusal))),
                Err(storage) => Err(storage),
            },
        }
    }

    /// Whoever asked may be gone; then nobody is told.
    fn tell(self, outcome: Outcome) {
        match (self, outcome) {
            (Job::Txn { answer, .. }, Outcome::Txn(result)) => {
                let _ = answer.send(result.map_err(Fault::from));
            }
            (Job::Compact { answer, .. }, Outcome::Compact(result)) => {
                let _ = answer.send(result.map_err(Fault::from));
            }
            (job, _) => job.fail(Refusal::Stopped.into()),
        }
    }

    fn fail(self, fault: Fault) {
        match self {
            Job::Txn { answer, .. } => drop(answer.send(Err(fault))),
            Job::Compact { answer, .. } => drop(answer.send(Err(fault))),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Job::Txn { bytes, .. } => *bytes,
            Job::Compact { .. } => 0,
        }
    }
}

/// Everything that waits already, up to the bounds of a group.
fn gather(first: Job, jobs: &mut mpsc::Receiver<Job>) -> Vec<Job> {
    let mut bytes = first.bytes();
    let mut group = vec![first];
    while group.len() < MAX_GROUP_TXNS && bytes < MAX_GROUP_BYTES {
        let Ok(job) = jobs.try_recv() else { break };
        bytes += job.bytes();
        group.push(job);
    }
    group
}

/// After a disk failure nothing more is written: everyone who waits, and everyone who comes, hears why.
fn fail(fault: Fault, group: Vec<Job>, mut jobs: mpsc::Receiver<Job>, report: &Report) {
    let reason = match fault {
        Fault::Storage(reason) => reason,
        Fault::Refused(refusal) => refusal.to_string(),
    };
    report.fault(&reason);
    for job in group {
        job.fail(Fault::Storage(reason.clone()));
    }
    while let Some(job) = jobs.blocking_recv() {
        job.fail(Fault::Storage(reason.clone()));
    }
}
