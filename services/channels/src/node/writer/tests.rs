use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use semblance_core::id::{ChannelId, ParticipantId};
use semblance_core::random::SeededSource;
use semblance_core::time::{Clock, Timestamp};

use super::{Submissions, WAITING_BYTES};
use crate::office::{Office, Speaker};
use crate::testing::{NETWORK, organisation};
use crate::wire::{Facts, Refusal, Submission};

const CHANNEL: ChannelId = ChannelId::from_bytes([1; 16]);

/// A clock that breaks the first time it is looked at.
struct Broken(AtomicBool);

impl Clock for Broken {
    fn now(&self) -> Timestamp {
        assert!(self.0.swap(true, Ordering::SeqCst), "on purpose");
        Timestamp::from_millis(1_700_000_000_000)
    }
}

fn submissions(whole: bool) -> (Submissions, Arc<Mutex<Office>>) {
    let random = Arc::new(SeededSource::new([1; 32]));
    let office = Arc::new(Mutex::new(Office::in_memory(NETWORK, organisation("north"), random).unwrap()));
    (Submissions::start(Arc::clone(&office), Arc::new(Broken(AtomicBool::new(whole)))), office)
}

async fn submit(submissions: &Submissions, bytes: usize) -> Result<u64, Refusal> {
    let from = Speaker { hospital: organisation("north"), participant: ParticipantId::from_bytes([2; 16]) };
    submissions.submit(CHANNEL, from, Submission::Message(vec![0; bytes]), Facts::default()).await
}

#[tokio::test]
async fn a_panic_over_one_submission_does_not_end_the_writer() {
    let (submissions, _office) = submissions(false);
    assert_eq!(submit(&submissions, 1).await, Err(Refusal::Failed));
    assert_eq!(submit(&submissions, 1).await, Err(Refusal::UnknownChannel), "it goes on");
}

#[tokio::test]
async fn so_many_bytes_may_wait() {
    let (submissions, office) = submissions(true);
    let mut waiting = Box::pin(submit(&submissions, WAITING_BYTES - 10));
    {
        let _busy = office.lock().unwrap();
        assert_eq!(waiting.as_mut().now_or_never(), None);
        assert_eq!(submit(&submissions, 11).now_or_never(), Some(Err(Refusal::Failed)), "no more than that");
    }
    assert_eq!(waiting.await, Err(Refusal::UnknownChannel));
    // What was answered makes room.
    let answered = tokio::time::timeout(Duration::from_secs(10), submit(&submissions, WAITING_BYTES)).await;
    assert_eq!(answered.unwrap(), Err(Refusal::UnknownChannel));
}
