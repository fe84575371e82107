//! One writer takes what devices submit: as many at a time as came while the disk was busy.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use semblance_core::id::ChannelId;
use semblance_core::time::Clock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::told;
use crate::office::{Office, Speaker};
use crate::wire::{Commit, Creation, Facts, Refusal, Submission};

/// Submissions that one write to the disk serves at most.
const BATCH: usize = 64;
/// Submissions that may wait; more are refused, to be sent again.
const WAITING: usize = 1024;
/// Bytes of submissions that may wait.
const WAITING_BYTES: usize = 64 << 20;

/// One submission and who waits for its place.
struct Waiting {
    channel: ChannelId,
    from: Speaker,
    submission: Submission,
    facts: Facts,
    answer: oneshot::Sender<Result<u64, Refusal>>,
    /// Its share of the bytes that may wait.
    share: OwnedSemaphorePermit,
}

/// The way to the writer.
pub(super) struct Submissions {
    sender: mpsc::Sender<Waiting>,
    bytes: Arc<Semaphore>,
}

fn size(submission: &Submission) -> usize {
    match submission {
        Submission::Create(Creation { group_info, tree, .. }) => group_info.len() + tree.len(),
        Submission::Commit(Commit { commit, welcome, group_info }) => {
            commit.len() + welcome.as_ref().map_or(0, Vec::len) + group_info.len()
        }
        Submission::Message(message) => message.len(),
    }
}

impl Submissions {
    pub(super) fn start(office: Arc<Mutex<Office>>, clock: Arc<dyn Clock>) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        // A thread of its own: it waits for the disk most of the time. It ends when the service is dropped.
        std::thread::spawn(move || write(receiver, &office, clock.as_ref()));
        Self { sender, bytes: Arc::new(Semaphore::new(WAITING_BYTES)) }
    }

    pub(super) async fn submit(
        &self,
        channel: ChannelId,
        from: Speaker,
        submission: Submission,
        facts: Facts,
    ) -> Result<u64, Refusal> {
        let (answer, answered) = oneshot::channel();
        let share = u32::try_from(size(&submission)).map_err(|_| Refusal::TooLarge)?;
        let share = Arc::clone(&self.bytes).try_acquire_many_owned(share).map_err(|_| Refusal::Failed)?;
        let waiting = Waiting { channel, from, submission, facts, answer, share };
        self.sender.try_send(waiting).map_err(|_| Refusal::Failed)?;
        answered.await.unwrap_or(Err(Refusal::Failed))
    }
}

fn write(mut receiver: mpsc::Receiver<Waiting>, office: &Mutex<Office>, clock: &dyn Clock) {
    while let Some(first) = receiver.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH {
            let Ok(next) = receiver.try_recv() else { break };
            batch.push(next);
        }
        let (mut facts, mut submissions, mut answers) = (Facts::default(), Vec::new(), Vec::new());
        for waiting in batch {
            facts.hospitals.extend(waiting.facts.hospitals);
            facts.consents.extend(waiting.facts.consents);
            submissions.push((waiting.channel, waiting.from, waiting.submission));
            answers.push((waiting.answer, waiting.share));
        }
        // A submission that makes the office panic must not end the thread, or no device could submit any more. The
        // transaction is undone as it unwinds, and the office reads its groups again from the database.
        let taken = catch_unwind(AssertUnwindSafe(|| {
            office.lock().unwrap_or_else(PoisonError::into_inner).submit(submissions, &facts, clock.now())
        }));
        let results = match taken {
            Ok(Ok(taken)) => taken,
            Ok(Err(error)) => {
                tracing::error!(%error, "the office failed");
                Vec::new()
            }
            Err(_) => {
                tracing::error!(submissions = answers.len(), "the office panicked over submissions; they are refused");
                Vec::new()
            }
        };
        let mut results = results.into_iter().map(told);
        for (answer, share) in answers {
            drop(share);
            // Whoever asked may have gone; it will ask again, and get the same place.
            let _ = answer.send(results.next().unwrap_or(Err(Refusal::Failed)));
        }
    }
}

#[cfg(test)]
mod tests;
