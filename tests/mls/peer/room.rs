//! A channel's devices and what a hub would do for them, without its checks: one order, the newest tree, removals.

use std::collections::BTreeSet;

use openmls::prelude::{ExternalProposal, LeafNodeIndex, SenderExtensionIndex};
use semblance_channels::mls;
use semblance_channels::provider::{LeafSigner, Provider};
use semblance_channels::store::SqliteRows;
use semblance_core::id::ChannelId;
use semblance_core::signature::SigningKey;

use crate::device::{Change, Device, Heard, Made};
use crate::{ours::Ours, theirs::Theirs};

const CHANNEL: ChannelId = ChannelId::from_bytes([9; 16]);

/// Whose implementation a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Make {
    /// openmls over our store.
    Ours,
    /// mls-rs.
    Theirs,
}

/// The devices, and the hub.
pub(crate) struct Room {
    pub(crate) devices: Vec<Box<dyn Device>>,
    inside: BTreeSet<usize>,
    pub(crate) hub: SigningKey,
    /// The newest GroupInfo and tree.
    pub(crate) newest: (Vec<u8>, Vec<u8>),
}

impl Room {
    /// The first device makes the group and adds all others in one commit.
    pub(crate) fn of(makes: &[Make]) -> Self {
        let mut room = Self::alone(makes);
        let others: Vec<_> = (1..makes.len()).collect();
        room.commit(0, &others, &[]);
        room
    }

    /// The first device makes the group; the others are outside.
    pub(crate) fn alone(makes: &[Make]) -> Self {
        let device = |(number, make): (u8, &Make)| -> Box<dyn Device> {
            match make {
                Make::Ours => Box::new(Ours::new(number)),
                Make::Theirs => Box::new(Theirs::new(number)),
            }
        };
        let mut devices: Vec<_> = (1..).zip(makes).map(device).collect();
        let hub = SigningKey::from_seed(&[200; 32]);
        devices[0].create(CHANNEL, &hub.verifying_key());
        Self { devices, inside: BTreeSet::from([0]), hub, newest: (Vec::new(), Vec::new()) }
    }

    /// A device's leaf.
    pub(crate) fn leaf(&mut self, device: usize) -> u32 {
        let participant = self.devices[device].participant();
        let member = *self.inside.iter().find(|member| **member != device).unwrap_or(&device);
        let members = self.devices[member].state().members;
        *members.iter().find(|(_, id)| **id == participant).unwrap().0
    }

    /// Whether a device is in the group.
    pub(crate) fn has(&self, device: usize) -> bool {
        self.inside.contains(&device)
    }

    /// One device commits everything pending, adds some and removes some; everybody follows and agrees.
    pub(crate) fn commit(&mut self, by: usize, adds: &[usize], removes: &[usize]) {
        let packages = adds.iter().map(|device| self.devices[*device].key_package(false)).collect();
        let leaves: Vec<_> = removes.iter().map(|device| self.leaf(*device)).collect();
        let note = format!("a note by {by}").into_bytes();
        let change = Change { adds: packages, removes: leaves, note: note.clone() };
        let made = self.devices[by].commit(&change).unwrap();
        self.order(by, &made, &note);
        for device in adds {
            let tree = self.newest.1.clone();
            self.devices[*device].join(made.welcome.as_ref().unwrap(), &tree).unwrap();
            self.inside.insert(*device);
        }
        self.agree();
    }

    /// A device that lost its group joins again by itself.
    pub(crate) fn rejoin(&mut self, device: usize) {
        self.inside.remove(&device);
        let (info, tree) = self.newest.clone();
        let made = self.devices[device].rejoin(&info, &tree, b"again").unwrap();
        self.order(device, &made, b"again");
        self.inside.insert(device);
        self.agree();
    }

    /// Hands a commit to all members, the committer too.
    pub(crate) fn order(&mut self, by: usize, made: &Made, note: &[u8]) {
        for device in self.inside.clone() {
            match self.devices[device].hear(&made.commit) {
                Ok(Heard::Removed) => assert!(self.inside.remove(&device)),
                Ok(Heard::Committed(heard)) => assert_eq!(heard, note, "device {device} reads the note"),
                other => panic!("device {device} follows the commit of {by}: {other:?}"),
            }
        }
        self.newest = (made.group_info.clone(), self.devices[by].tree());
    }

    /// The hub's proposal to remove a device, signed with this key.
    pub(crate) fn removal(&mut self, device: usize, signing: &SigningKey) -> Vec<u8> {
        let index = LeafNodeIndex::new(self.leaf(device));
        let member = *self.inside.first().unwrap();
        let epoch = self.devices[member].state().epoch.into();
        let proposal = ExternalProposal::new_remove::<Provider<'_, SqliteRows<'_>>>(
            index,
            mls::group_id(CHANNEL),
            epoch,
            &LeafSigner(signing),
            SenderExtensionIndex::new(0),
        );
        mls::write(&proposal.unwrap()).unwrap()
    }

    /// The hub proposes to remove a device, which it tells nothing more from then on, or does.
    pub(crate) fn propose_removal(&mut self, device: usize, told: bool) {
        let hub = self.hub.clone();
        let proposal = self.removal(device, &hub);
        if !told {
            self.inside.remove(&device);
        }
        for member in self.inside.clone() {
            assert_eq!(self.devices[member].hear(&proposal), Ok(Heard::Proposed), "device {member}");
        }
    }

    /// Every member says something that every other reads.
    pub(crate) fn talk(&mut self) {
        for speaker in self.inside.clone() {
            let words = format!("said by {speaker}").into_bytes();
            let message = self.devices[speaker].say(&words).unwrap();
            self.heard(speaker, &message, &words);
        }
    }

    /// Every member but the speaker reads a message.
    pub(crate) fn heard(&mut self, speaker: usize, message: &[u8], words: &[u8]) {
        let from = self.devices[speaker].participant();
        for listener in self.inside.clone().into_iter().filter(|listener| *listener != speaker) {
            let heard = self.devices[listener].hear(message);
            assert_eq!(heard, Ok(Heard::Said(from, words.to_vec())), "{listener} reads {speaker}");
        }
    }

    /// All members see the same group, in which they are.
    pub(crate) fn agree(&mut self) {
        let hub = self.hub.verifying_key().as_bytes().to_vec();
        let states: Vec<_> = self.inside.iter().map(|device| self.devices[*device].state()).collect();
        let members: BTreeSet<_> = states[0].members.values().copied().collect();
        assert_eq!(members, self.inside.iter().map(|device| self.devices[*device].participant()).collect());
        for state in &states {
            assert_eq!(state, &states[0]);
            assert!(state.context.windows(32).any(|part| part == hub), "the hub is an external sender");
        }
    }
}
