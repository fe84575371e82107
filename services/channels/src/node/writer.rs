//! One writer takes what devices submit: as many at a time as came while the disk was busy.

use std::sync::{Arc, Mutex, PoisonError};

use semblance_core::id::ChannelId;
use semblance_core::time::Clock;
use tokio::sync::{mpsc, oneshot};

use crate::office::{Office, OfficeError, Speaker};
use crate::wire::{Facts, Refusal, Submission};

/// Submissions that one write to the disk serves at most.
const BATCH: usize = 64;
/// Submissions that may wait; more are refused, to be sent again.
const WAITING: usize = 1024;

/// One submission and who waits for its place.
struct Waiting {
    channel: ChannelId,
    from: Speaker,
    submission: Submission,
    facts: Facts,
    answer: oneshot::Sender<Result<u64, Refusal>>,
}

/// The way to the writer.
pub(super) struct Submissions(mpsc::Sender<Waiting>);

impl Submissions {
    pub(super) fn start(office: Arc<Mutex<Office>>, clock: Arc<dyn Clock>) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        // A thread of its own: it waits for the disk most of the time. It ends when the service is dropped.
        std::thread::spawn(move || write(receiver, &office, clock.as_ref()));
        Self(sender)
    }

    pub(super) async fn submit(
        &self,
        channel: ChannelId,
        from: Speaker,
        submission: Submission,
        facts: Facts,
    ) -> Result<u64, Refusal> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { channel, from, submission, facts, answer };
        self.0.try_send(waiting).map_err(|_| Refusal::Failed)?;
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
            answers.push(waiting.answer);
        }
        let taken = office.lock().unwrap_or_else(PoisonError::into_inner).submit(submissions, &facts, clock.now());
        match taken {
            Ok(taken) => {
                for (answer, result) in answers.into_iter().zip(taken) {
                    // Whoever asked may have gone; it will ask again, and get the same place.
                    let _ = answer.send(result.map_err(|error: OfficeError| error.refusal()));
                }
            }
            Err(error) => {
                tracing::error!(%error, "the office failed");
                for answer in answers {
                    let _ = answer.send(Err(Refusal::Failed));
                }
            }
        }
    }
}
