//! The system's clock and random source: the only file that reads them. Everything else gets them as arguments.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use semblance_core::random::RandomSource;
use semblance_core::time::{Clock, Timestamp};

/// Clock and random source of a running program.
#[derive(Clone)]
pub struct System {
    clock: Arc<dyn Clock>,
    random: Arc<dyn RandomSource>,
}

impl Default for System {
    /// The system's own.
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) }
    }
}

impl System {
    /// The clock.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// The random source.
    #[must_use]
    pub fn random(&self) -> Arc<dyn RandomSource> {
        Arc::clone(&self.random)
    }
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the only system clock")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The system's random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl RandomSource for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        #[expect(clippy::disallowed_methods, reason = "the only system random source")]
        let filled = getrandom::fill(bytes);
        #[expect(clippy::expect_used, reason = "a machine without randomness must not make keys; there is no way on")]
        filled.expect("the system gives no random bytes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_past_2020_and_random_bytes_differ() {
        assert!(SystemClock.now() > Timestamp::from_millis(1_577_836_800_000));
        let source: &dyn RandomSource = &SystemRandom;
        assert_ne!(source.array::<32>(), source.array::<32>());
    }
}
