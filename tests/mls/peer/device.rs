//! What every implementation's device can do: bytes in, bytes out, as they travel in channels.

use std::collections::BTreeMap;

use semblance_core::id::{ChannelId, ParticipantId};
use semblance_core::signature::VerifyingKey;
use semblance_core::time::Timestamp;

/// A device of one implementation, with its own store and its own keys.
pub(crate) trait Device {
    /// Its pseudonym.
    fn participant(&self) -> ParticipantId;

    /// Makes the channel's group, with the hub as its only external sender.
    fn create(&mut self, channel: ChannelId, hub: &VerifyingKey);

    /// Makes a key package (RFC 9420 section 10), without the frame of an MLS message.
    fn key_package(&mut self, last_resort: bool) -> Vec<u8>;

    /// Joins by a Welcome, with the ratchet tree beside it.
    fn join(&mut self, welcome: &[u8], tree: &[u8]) -> Result<(), String>;

    /// Makes an external commit that puts the device in the place of the leaf it had; it is in the next epoch then.
    fn rejoin(&mut self, group_info: &[u8], tree: &[u8], note: &[u8]) -> Result<Made, String>;

    /// Makes a commit of everything pending and of this change; it is merged when it is heard.
    fn commit(&mut self, change: &Change) -> Result<Made, String>;

    /// Forgets the commit that was made and not heard.
    fn discard(&mut self);

    /// Encrypts a message.
    fn say(&mut self, text: &[u8]) -> Result<Vec<u8>, String>;

    /// Takes a commit, one's own too, a proposal, or somebody else's message.
    fn hear(&mut self, message: &[u8]) -> Result<Heard, String>;

    /// The ratchet tree.
    fn tree(&mut self) -> Vec<u8>;

    /// What the group looks like.
    fn state(&mut self) -> State;
}

/// What a commit shall do beside renewing the committer's keys.
#[derive(Default)]
pub(crate) struct Change {
    /// Key packages to add.
    pub(crate) adds: Vec<Vec<u8>>,
    /// Leaves to remove.
    pub(crate) removes: Vec<u32>,
    /// The commit's authenticated data.
    pub(crate) note: Vec<u8>,
}

/// A commit and what goes with it, each as an MLS message.
pub(crate) struct Made {
    pub(crate) commit: Vec<u8>,
    pub(crate) welcome: Option<Vec<u8>>,
    /// The next epoch's, with the external public key and without the tree.
    pub(crate) group_info: Vec<u8>,
}

/// What a message was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Encrypted: who said it, and what.
    Said(ParticipantId, Vec<u8>),
    /// A proposal, kept until the next commit.
    Proposed,
    /// A commit with this authenticated data, which is merged.
    Committed(Vec<u8>),
    /// A commit that removed this device.
    Removed,
}

/// What all members have to agree on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) epoch: u64,
    /// RFC 9420 section 8.7.
    pub(crate) authenticator: Vec<u8>,
    /// Every leaf's pseudonym.
    pub(crate) members: BTreeMap<u32, ParticipantId>,
    /// The group's context in the bytes that are hashed into every key (RFC 9420 section 8.1).
    pub(crate) context: Vec<u8>,
}

/// Lifetimes are checked by the libraries against this clock.
#[expect(clippy::disallowed_methods, reason = "openmls checks lifetimes against this clock")]
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap())
}
