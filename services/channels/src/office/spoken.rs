//! How often the devices of this hospital speak and commit, over all their channels.

use std::collections::BTreeMap;

use semblance_core::time::Timestamp;

use super::device::DeviceId;
use super::{Office, OfficeError};
use crate::limits::MESSAGES_A_MINUTE;
use crate::wire::Refusal;

/// Counts of the last two minutes. They stand in memory: a program that starts again counts anew, while the hub counts
/// each leaf by what stands in the channel's order.
#[derive(Default)]
pub(super) struct Spoken(BTreeMap<(u64, DeviceId, What), u32>);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Message,
    Commit,
}

impl Spoken {
    fn count(&mut self, device: DeviceId, what: What, now: Timestamp) -> Result<(), OfficeError> {
        let minute = now.millis() / 60_000;
        // Calls of one minute may come after the first of the next.
        if self.0.last_key_value().is_some_and(|((newest, ..), _)| *newest != minute) {
            self.0.retain(|(known, ..), _| known.abs_diff(minute) <= 1);
        }
        let count = self.0.entry((minute, device, what)).or_default();
        if *count >= MESSAGES_A_MINUTE {
            return Err(Refusal::TooMany.into());
        }
        *count += 1;
        Ok(())
    }
}

impl Office {
    /// Counts that a device speaks, over all its channels.
    ///
    /// # Errors
    /// It spoke too often in this minute.
    pub fn count_spoken(&mut self, device: DeviceId, now: Timestamp) -> Result<(), OfficeError> {
        self.spoken.count(device, What::Message, now)
    }

    /// Counts that a device commits, over all its channels: as often as it may speak.
    ///
    /// # Errors
    /// It committed too often in this minute.
    pub fn count_commits(&mut self, device: DeviceId, now: Timestamp) -> Result<(), OfficeError> {
        self.spoken.count(device, What::Commit, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_its_own_count_and_is_forgotten_after_the_next() {
        let (mut spoken, device) = (Spoken::default(), DeviceId::from_bytes([1; 16]));
        let mut say = |minute: u64, what| spoken.count(device, what, Timestamp::from_millis(minute * 60_000)).is_ok();
        let often = |say: &mut dyn FnMut(u64, What) -> bool, minute| {
            (0..2 * MESSAGES_A_MINUTE).filter(|_| say(minute, What::Message)).count() as u32
        };
        assert_eq!(often(&mut say, 5), MESSAGES_A_MINUTE);
        assert!(say(5, What::Commit), "what is committed is counted by itself");
        assert_eq!(often(&mut say, 6), MESSAGES_A_MINUTE);
        assert!(!say(5, What::Message), "a call that comes late is of its own minute");
        assert_eq!(often(&mut say, 7), MESSAGES_A_MINUTE);
        assert!(spoken.0.keys().all(|(minute, ..)| *minute >= 6), "the table does not grow");
    }
}
