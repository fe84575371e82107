//! What a hub delivers to a device.

use semblance_core::attestation::LeafProof;
use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::id::{ChannelId, ConsentId, Digest, TransactionId};
use semblance_core::record::{Record, read_option, write_option};
use semblance_core::signature::SignedBytes;
use semblance_core::time::Timestamp;

use super::{read_proofs, write_proofs};
use crate::limits::{COMMIT_BYTES_MAX, MEMBERS_MAX, MESSAGE_BYTES_MAX, TREE_BYTES_MAX};

/// Why a leaf is removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ground {
    /// Its consent ended: by this transaction on the ledger, or by time.
    ConsentEnded {
        /// The consent.
        consent: ConsentId,
        /// The withdrawal; none where the consent expired.
        transaction: Option<TransactionId>,
    },
    /// Its hospital revoked the device, as when it leaves or is lost: a signed
    /// [`semblance_core::attestation::LeafRevocation`].
    Revoked(SignedBytes),
}

/// What a joiner needs: the Welcome, the ratchet tree, and who stands behind each leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WelcomePackage {
    /// An MLS Welcome message.
    pub welcome: Vec<u8>,
    /// The ratchet tree of the epoch that is joined.
    pub tree: Vec<u8>,
    /// The proof of every leaf in it.
    pub roster: Vec<LeafProof>,
    /// The GroupInfo of that epoch, as the hub checked it; empty from a hub of before. The one inside the Welcome is
    /// whatever the adder made it.
    pub group_info: Vec<u8>,
}

/// What an item holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// An MLS commit (PublicMessage).
    Commit(Vec<u8>),
    /// The hub's external Remove proposal (PublicMessage) and why.
    Removal {
        /// The proposal.
        proposal: Vec<u8>,
        /// Why.
        ground: Ground,
    },
    /// An encrypted message (PrivateMessage).
    Message(Vec<u8>),
    /// The way in, for one device.
    Welcome(WelcomePackage),
    /// Somebody waits to be added or removed: commit, if nobody else has. For one device, outside the order.
    Work,
    /// This device takes no further part. For one device, outside the order.
    Ended(Ground),
}

/// One thing that a hub delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The channel.
    pub channel: ChannelId,
    /// Its place in the channel's order, from 1; what is outside the order has that of the last item in it.
    pub sequence: u64,
    /// When the hub took it, by the hub's clock.
    pub at: Timestamp,
    /// The digest of the MLS bytes, by which a sender knows its own.
    pub key: Digest,
    /// What it is.
    pub body: Body,
}

impl Ground {
    /// Reads it from a layout.
    ///
    /// # Errors
    /// Not a ground.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8("ground")? {
            1 => {
                let consent = ConsentId::read(reader)?;
                let transaction = read_option(reader, "transaction", TransactionId::read)?;
                Ok(Self::ConsentEnded { consent, transaction })
            }
            2 => Ok(Self::Revoked(SignedBytes::read(reader)?)),
            _ => Err(DecodeError::Invalid { what: "ground", why: "unknown code" }),
        }
    }

    /// Writes it to a layout.
    pub fn write(&self, writer: &mut Writer) {
        match self {
            Self::ConsentEnded { consent, transaction } => {
                consent.write(writer.u8(1));
                write_option(writer, transaction.as_ref(), TransactionId::write);
            }
            Self::Revoked(signed) => signed.write(writer.u8(2)),
        }
    }
}

impl Body {
    /// Whether it has a place of its own in the channel's order.
    #[must_use]
    pub const fn is_ordered(&self) -> bool {
        matches!(self, Self::Commit(_) | Self::Removal { .. } | Self::Message(_))
    }
}

impl Record for Body {
    const NAME: &'static str = "item body";

    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Commit(bytes) => {
                writer.u8(1).bytes(bytes);
            }
            Self::Removal { proposal, ground } => {
                writer.u8(2).bytes(proposal);
                ground.write(writer);
            }
            Self::Message(bytes) => {
                writer.u8(3).bytes(bytes);
            }
            Self::Welcome(package) => {
                let checked = !package.group_info.is_empty();
                writer.u8(if checked { 7 } else { 4 }).bytes(&package.welcome).bytes(&package.tree);
                write_proofs(writer, &package.roster);
                if checked {
                    writer.bytes(&package.group_info);
                }
            }
            Self::Work => {
                writer.u8(5);
            }
            Self::Ended(ground) => ground.write(writer.u8(6)),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match reader.u8("item body")? {
            1 => Self::Commit(reader.bytes("commit", COMMIT_BYTES_MAX)?.to_vec()),
            2 => {
                let proposal = reader.bytes("proposal", COMMIT_BYTES_MAX)?.to_vec();
                Self::Removal { proposal, ground: Ground::read(reader)? }
            }
            3 => Self::Message(reader.bytes("message", MESSAGE_BYTES_MAX)?.to_vec()),
            code @ (4 | 7) => {
                let mut package = WelcomePackage {
                    welcome: reader.bytes("welcome", TREE_BYTES_MAX)?.to_vec(),
                    tree: reader.bytes("ratchet tree", TREE_BYTES_MAX)?.to_vec(),
                    roster: read_proofs(reader, MEMBERS_MAX)?,
                    group_info: Vec::new(),
                };
                if code == 7 {
                    package.group_info = reader.bytes("group info", TREE_BYTES_MAX)?.to_vec();
                    if package.group_info.is_empty() {
                        return Err(DecodeError::Invalid { what: "group info", why: "empty" });
                    }
                }
                Self::Welcome(package)
            }
            5 => Self::Work,
            6 => Self::Ended(Ground::read(reader)?),
            _ => return Err(DecodeError::Invalid { what: "item body", why: "unknown code" }),
        })
    }
}

impl Record for Item {
    const NAME: &'static str = "item";

    fn write(&self, writer: &mut Writer) {
        self.channel.write(writer);
        writer.u64(self.sequence);
        self.at.write(writer);
        self.key.write(writer);
        self.body.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            channel: ChannelId::read(reader)?,
            sequence: reader.u64("sequence")?,
            at: Timestamp::read(reader, "at")?,
            key: Digest::read(reader)?,
            body: Body::read(reader)?,
        })
    }
}
