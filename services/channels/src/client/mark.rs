//! The mark on a device's messages, by which it knows its own where it has forgotten that it said them.
//!
//! openmls tells by the sender's number alone that a message is a device's own, and that number every member can write.

use openmls::prelude::GroupEpoch;
use semblance_core::encode::Writer;
use semblance_core::id::ChannelId;
use zeroize::Zeroizing;

/// What BLAKE3 derives the key from, beside the leaf's seed.
const CONTEXT: &str = "semblance 2026-11-28 channels own message mark";

/// The mark of one message, in its authenticated data: whoever does not know the leaf's seed cannot make one, and learns
/// nothing from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark(blake3::Hash);

impl Mark {
    /// The mark in authenticated data, if it is one.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(blake3::Hash::from_bytes(bytes)))
    }

    pub(super) const fn bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

/// Marks the messages of one leaf in one epoch of a channel.
pub(super) struct Marks {
    key: Zeroizing<[u8; 32]>,
    channel: ChannelId,
    epoch: GroupEpoch,
}

impl Marks {
    pub(super) fn new(seed: &[u8; 32], channel: ChannelId, epoch: GroupEpoch) -> Self {
        Self { key: Zeroizing::new(blake3::derive_key(CONTEXT, seed)), channel, epoch }
    }

    /// The mark of what was said under a number.
    pub(super) fn of(&self, said: u64) -> Mark {
        let mut writer = Writer::default();
        self.channel.write(&mut writer);
        writer.u64(self.epoch.as_u64()).u64(said);
        Mark(blake3::keyed_hash(&self.key, &writer.finish()))
    }
}
