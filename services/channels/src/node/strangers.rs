//! Tokens that nobody has: anybody can send them, as often as they like, and each row of the audit is a write to the
//! disk that stays. They are counted, and the count is recorded: at once after a quiet minute, then once a minute.

use std::sync::{Mutex, MutexGuard, PoisonError};

use semblance_core::time::Timestamp;

/// How long counts are gathered after one was recorded, in milliseconds.
const MINUTE: u64 = 60_000;

/// What strangers tried and is not recorded yet.
#[derive(Default)]
pub(super) struct Strangers(Mutex<Tried>);

#[derive(Default)]
struct Tried {
    count: u64,
    recorded: Option<Timestamp>,
}

impl Strangers {
    /// Counts one more.
    pub(super) fn add(&self) {
        self.lock().count += 1;
    }

    /// Who to record now, with the count: none while nobody tried or the minute lasts. Whoever is given this records it.
    pub(super) fn due(&self, now: Timestamp) -> Option<String> {
        let mut tried = self.lock();
        // The distance, because a clock that was put back must not keep the count for as long.
        if tried.count == 0 || tried.recorded.is_some_and(|recorded| recorded.distance(now) < MINUTE) {
            return None;
        }
        tried.recorded = Some(now);
        match std::mem::take(&mut tried.count) {
            1 => Some("stranger".to_owned()),
            count => Some(format!("strangers: {count}")),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tried> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use semblance_core::attestation::PersonRole;
    use semblance_core::time::ManualClock;

    use super::*;
    use crate::node::ChannelService;
    use crate::office::Token;
    use crate::testing::service;

    /// Who was recorded to have shown a wrong token, the newest first.
    async fn recorded(channels: &ChannelService) -> Vec<String> {
        let rows = channels.audit(1000).await.unwrap();
        rows.into_iter().filter(|(_, _, action, _)| action == "authenticate").map(|(_, actor, _, _)| actor).collect()
    }

    #[tokio::test]
    async fn a_flood_of_wrong_tokens_is_one_row_a_minute_and_every_one_is_counted() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
        let (channels, _) = service(clock.clone());
        for _ in 0..18 {
            assert!(channels.authenticate(Token([9; 32])).await.is_err());
        }
        assert_eq!(recorded(&channels).await, ["stranger"], "the first at once, the others wait");

        clock.advance(MINUTE);
        assert!(channels.authenticate(Token([9; 32])).await.is_err());
        assert_eq!(recorded(&channels).await, ["strangers: 18", "stranger"]);
    }

    #[tokio::test]
    async fn the_last_of_a_flood_are_recorded_when_anybody_comes_after_their_minute() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
        let (channels, _) = service(clock.clone());
        let token = channels.register("dr-lee".to_owned(), PersonRole::Clinician).await.unwrap();
        for _ in 0..4 {
            assert!(channels.authenticate(Token([9; 32])).await.is_err());
        }
        clock.advance(MINUTE);
        channels.authenticate(token.clone()).await.unwrap();
        channels.authenticate(token).await.unwrap();
        assert_eq!(recorded(&channels).await, ["strangers: 3", "stranger"]);
    }
}
