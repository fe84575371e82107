//! What a device hands to a hub, by way of its own hospital's node.

use semblance_core::attestation::LeafProof;
use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::id::{ChannelId, Digest, NetworkId, ParticipantId};
use semblance_core::record::{Record, read_option, write_option};

use super::{read_proofs, write_proofs};
use crate::limits::{
    ADDS_MAX, COMMIT_BYTES_MAX, KEY_PACKAGE_BYTES_MAX, MEMBERS_MAX, MESSAGE_BYTES_MAX, TREE_BYTES_MAX,
};

/// What stands in the authenticated data of a commit: the proofs of the leaves it brings in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Note {
    /// One for each added leaf, or for the leaf that joins by itself.
    pub proofs: Vec<LeafProof>,
}

/// The first member's group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Creation {
    /// An MLS GroupInfo message of epoch 0.
    pub group_info: Vec<u8>,
    /// Its ratchet tree.
    pub tree: Vec<u8>,
    /// The proof of its only leaf.
    pub proof: LeafProof,
}

/// A commit and what goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The commit (PublicMessage).
    pub commit: Vec<u8>,
    /// The Welcome for those it adds.
    pub welcome: Option<Vec<u8>>,
    /// The GroupInfo of the epoch it leads to, for those who join by themselves.
    pub group_info: Vec<u8>,
}

/// What a device submits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submission {
    /// A new group.
    Create(Creation),
    /// A commit.
    Commit(Commit),
    /// An encrypted message (PrivateMessage).
    Message(Vec<u8>),
}

/// A hospital's device that shall be added: it agreed, and its hospital says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// The channel.
    pub channel: ChannelId,
    /// A key package of the device, handed out for this alone.
    pub key_package: Vec<u8>,
    /// The proof of its leaf.
    pub proof: LeafProof,
}

/// What a device needs that joins by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejoinInfo {
    /// The latest GroupInfo.
    pub group_info: Vec<u8>,
    /// Its ratchet tree.
    pub tree: Vec<u8>,
    /// The proof of every leaf in it, that of whoever asks first.
    pub roster: Vec<LeafProof>,
    /// The number of the last item that led to it.
    pub sequence: u64,
}

impl Submission {
    /// The key by which it is known when it comes again: the digest of the MLS bytes.
    #[must_use]
    pub fn key(&self) -> Digest {
        match self {
            Self::Create(creation) => Digest::of(&creation.group_info),
            Self::Commit(commit) => Digest::of(&commit.commit),
            Self::Message(message) => Digest::of(message),
        }
    }
}

impl Admission {
    /// The pseudonym that the proof claims.
    ///
    /// # Errors
    /// Not an attestation of this network.
    pub fn participant(&self, network: NetworkId) -> Result<ParticipantId, DecodeError> {
        self.proof.claims(network).map(|leaf| leaf.participant)
    }
}

impl Record for Note {
    const NAME: &'static str = "commit note";

    fn write(&self, writer: &mut Writer) {
        write_proofs(writer, &self.proofs);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { proofs: read_proofs(reader, ADDS_MAX)? })
    }
}

impl Record for Submission {
    const NAME: &'static str = "submission";

    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Create(creation) => {
                writer.u8(1).bytes(&creation.group_info).bytes(&creation.tree);
                Record::write(&creation.proof, writer);
            }
            Self::Commit(commit) => {
                writer.u8(2).bytes(&commit.commit).bytes(&commit.group_info);
                write_option(writer, commit.welcome.as_ref(), |welcome, writer| {
                    writer.bytes(welcome);
                });
            }
            Self::Message(message) => {
                writer.u8(3).bytes(message);
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match reader.u8("submission")? {
            1 => Self::Create(Creation {
                group_info: reader.bytes("group info", TREE_BYTES_MAX)?.to_vec(),
                tree: reader.bytes("ratchet tree", TREE_BYTES_MAX)?.to_vec(),
                proof: LeafProof::read(reader)?,
            }),
            2 => Self::Commit(Commit {
                commit: reader.bytes("commit", COMMIT_BYTES_MAX)?.to_vec(),
                group_info: reader.bytes("group info", TREE_BYTES_MAX)?.to_vec(),
                welcome: read_option(reader, "welcome", |reader| {
                    reader.bytes("welcome", TREE_BYTES_MAX).map(<[u8]>::to_vec)
                })?,
            }),
            3 => Self::Message(reader.bytes("message", MESSAGE_BYTES_MAX)?.to_vec()),
            _ => return Err(DecodeError::Invalid { what: "submission", why: "unknown code" }),
        })
    }
}

impl Record for Admission {
    const NAME: &'static str = "admission";

    fn write(&self, writer: &mut Writer) {
        self.channel.write(writer);
        writer.bytes(&self.key_package);
        Record::write(&self.proof, writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            channel: ChannelId::read(reader)?,
            key_package: reader.bytes("key package", KEY_PACKAGE_BYTES_MAX)?.to_vec(),
            proof: LeafProof::read(reader)?,
        })
    }
}

impl Record for RejoinInfo {
    const NAME: &'static str = "rejoin info";

    fn write(&self, writer: &mut Writer) {
        writer.bytes(&self.group_info).bytes(&self.tree).u64(self.sequence);
        write_proofs(writer, &self.roster);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            group_info: reader.bytes("group info", TREE_BYTES_MAX)?.to_vec(),
            tree: reader.bytes("ratchet tree", TREE_BYTES_MAX)?.to_vec(),
            sequence: reader.u64("sequence")?,
            roster: read_proofs(reader, MEMBERS_MAX)?,
        })
    }
}
