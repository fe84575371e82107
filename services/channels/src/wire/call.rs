//! What a device asks of its own hospital's node, and one hospital's node of another's.

use semblance_core::attestation::LeafProof;
use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::id::{ChannelId, ConsentId, Digest, ParticipantId};
use semblance_core::record::Record;
use semblance_core::signature::{SignedBytes, VerifyingKey};

use super::{Admission, Charter, Facts, Item, RejoinInfo, Submission};
use crate::limits::{ADDS_MAX, ITEMS_MAX, KEY_PACKAGE_BYTES_MAX, KEY_PACKAGES_MAX, MEMBERS_MAX, PIECE_BYTES};

/// Channels that one person takes part in.
const OFFERS_MAX: usize = 1000;

/// A piece of an encrypted attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The digest of the whole, encrypted.
    pub digest: Digest,
    /// The size of the whole.
    pub size: u64,
    /// Which piece, from 0.
    pub number: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A channel that the hospital offers to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What it is.
    pub charter: Charter,
    /// The consent that the person's part rests on.
    pub consent: ConsentId,
    /// What the hospital says about it in its own words, for this person alone: whom a match is with, what a group is
    /// about, how large it is about.
    pub about: String,
    /// Whether a device of this person has a leaf in it.
    pub joined: bool,
}

/// A key package on its way to the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPackageUpload {
    /// The MLS KeyPackage.
    pub bytes: Vec<u8>,
    /// Whether it may be handed out again when no other is left.
    pub last_resort: bool,
}

/// What a device asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceCall {
    /// Which channels it may take part in.
    Offers,
    /// To keep key packages.
    Upload(Vec<KeyPackageUpload>),
    /// How many one-time key packages are left.
    PackagesLeft,
    /// To let it in; the leaf is that of a group it would make itself.
    Join {
        /// The channel.
        channel: ChannelId,
        /// The leaf's pseudonym.
        participant: ParticipantId,
        /// The leaf's key.
        leaf_key: VerifyingKey,
    },
    /// To hand something to the hub.
    Submit(ChannelId, Submission),
    /// Items that it missed, from a number on.
    Items(ChannelId, u64),
    /// Those who wait to be added.
    Admissions(ChannelId),
    /// What it needs to join by itself.
    Rejoin(ChannelId),
    /// To leave.
    Leave(ChannelId),
    /// What the ledger says about these consents.
    Facts(Vec<ConsentId>),
    /// It has kept everything up to this place in its queue.
    Kept(u64),
    /// To keep a piece of an attachment.
    PutPiece(ChannelId, Piece),
    /// A piece of an attachment.
    Piece(ChannelId, Digest, u64),
}

/// What a node asks of a channel's hub, or a hub tells a home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HubCall {
    /// Whether the channel has its group.
    HasGroup(ChannelId),
    /// To take something from a device.
    Submit(ChannelId, ParticipantId, Submission),
    /// To let a device in.
    Admit(Admission),
    /// A device takes no further part: a signed [`semblance_core::attestation::LeafRevocation`].
    Revoke(SignedBytes),
    /// Items that a device missed.
    Items(ChannelId, ParticipantId, u64),
    /// Those who wait to be added.
    Admissions(ChannelId, ParticipantId),
    /// What a device needs to join by itself.
    Rejoin(ChannelId, ParticipantId),
    /// To keep a piece of an attachment.
    PutPiece(ChannelId, ParticipantId, Piece),
    /// A piece of an attachment.
    Piece(ChannelId, ParticipantId, Digest, u64),
    /// From a hub: deliveries, numbered; the bytes of [`crate::office::Delivery`].
    Deliver(Vec<(u64, Vec<u8>)>),
}

/// What is answered to either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is done.
    Done,
    /// A number: a place in an order, a count, the number up to which deliveries are taken.
    Number(u64),
    /// Yes or no.
    Flag(bool),
    /// Channels.
    Offers(Vec<Offer>),
    /// The device is to make the group, with this proof of its leaf.
    Create(LeafProof),
    /// Items.
    Items(Vec<Item>),
    /// Those who wait.
    Admissions(Vec<Admission>),
    /// What is needed to join by oneself.
    Rejoin(RejoinInfo),
    /// What the ledger says.
    Facts(Facts),
    /// A piece of an attachment.
    Piece(Piece),
}

fn write_list<T>(writer: &mut Writer, items: &[T], write: impl Fn(&T, &mut Writer)) {
    writer.count(items.len());
    for item in items {
        write(item, writer);
    }
}

fn read_list<T>(
    reader: &mut Reader<'_>,
    (what, limit): (&'static str, usize),
    read: impl Fn(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let count = reader.count(what, limit)?;
    (0..count).map(|_| read(reader)).collect()
}

impl Piece {
    fn write(&self, writer: &mut Writer) {
        self.digest.write(writer);
        writer.u64(self.size).u64(self.number).bytes(&self.bytes);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            digest: Digest::read(reader)?,
            size: reader.u64("size")?,
            number: reader.u64("number")?,
            bytes: reader.bytes("piece", PIECE_BYTES)?.to_vec(),
        })
    }
}

impl Offer {
    fn write(&self, writer: &mut Writer) {
        Record::write(&self.charter, writer);
        self.consent.write(writer);
        writer.text(&self.about).bool(self.joined);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            charter: Charter::read(reader)?,
            consent: ConsentId::read(reader)?,
            about: reader.text("about", 4096)?.to_owned(),
            joined: reader.bool("joined")?,
        })
    }
}

impl Record for DeviceCall {
    const NAME: &'static str = "device call";

    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Offers => {
                writer.u8(1);
            }
            Self::Upload(packages) => write_list(writer.u8(2), packages, |package, writer| {
                writer.bytes(&package.bytes).bool(package.last_resort);
            }),
            Self::PackagesLeft => {
                writer.u8(3);
            }
            Self::Join { channel, participant, leaf_key } => {
                channel.write(writer.u8(4));
                participant.write(writer);
                leaf_key.write(writer);
            }
            Self::Submit(channel, submission) => {
                channel.write(writer.u8(5));
                submission.write(writer);
            }
            Self::Items(channel, first) => {
                channel.write(writer.u8(6));
                writer.u64(*first);
            }
            Self::Admissions(channel) => channel.write(writer.u8(7)),
            Self::Rejoin(channel) => channel.write(writer.u8(8)),
            Self::Leave(channel) => channel.write(writer.u8(9)),
            Self::Facts(consents) => write_list(writer.u8(10), consents, ConsentId::write),
            Self::Kept(position) => {
                writer.u8(11).u64(*position);
            }
            Self::PutPiece(channel, piece) => {
                channel.write(writer.u8(12));
                piece.write(writer);
            }
            Self::Piece(channel, digest, number) => {
                channel.write(writer.u8(13));
                digest.write(writer);
                writer.u64(*number);
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match reader.u8("device call")? {
            1 => Self::Offers,
            2 => Self::Upload(read_list(reader, ("key packages", KEY_PACKAGES_MAX + 1), |reader| {
                let bytes = reader.bytes("key package", KEY_PACKAGE_BYTES_MAX)?.to_vec();
                Ok(KeyPackageUpload { bytes, last_resort: reader.bool("last resort")? })
            })?),
            3 => Self::PackagesLeft,
            4 => Self::Join {
                channel: ChannelId::read(reader)?,
                participant: ParticipantId::read(reader)?,
                leaf_key: VerifyingKey::read(reader, "leaf key")?,
            },
            5 => Self::Submit(ChannelId::read(reader)?, Submission::read(reader)?),
            6 => Self::Items(ChannelId::read(reader)?, reader.u64("first")?),
            7 => Self::Admissions(ChannelId::read(reader)?),
            8 => Self::Rejoin(ChannelId::read(reader)?),
            9 => Self::Leave(ChannelId::read(reader)?),
            10 => Self::Facts(read_list(reader, ("consents", MEMBERS_MAX), ConsentId::read)?),
            11 => Self::Kept(reader.u64("position")?),
            12 => Self::PutPiece(ChannelId::read(reader)?, Piece::read(reader)?),
            13 => Self::Piece(ChannelId::read(reader)?, Digest::read(reader)?, reader.u64("number")?),
            _ => return Err(DecodeError::Invalid { what: "device call", why: "unknown code" }),
        })
    }
}

impl Record for HubCall {
    const NAME: &'static str = "hub call";

    fn write(&self, writer: &mut Writer) {
        match self {
            Self::HasGroup(channel) => channel.write(writer.u8(1)),
            Self::Submit(channel, participant, submission) => {
                channel.write(writer.u8(2));
                participant.write(writer);
                submission.write(writer);
            }
            Self::Admit(admission) => Record::write(admission, writer.u8(3)),
            Self::Revoke(revocation) => revocation.write(writer.u8(4)),
            Self::Items(channel, participant, first) => {
                channel.write(writer.u8(5));
                participant.write(writer);
                writer.u64(*first);
            }
            Self::Admissions(channel, participant) => {
                channel.write(writer.u8(6));
                participant.write(writer);
            }
            Self::Rejoin(channel, participant) => {
                channel.write(writer.u8(7));
                participant.write(writer);
            }
            Self::PutPiece(channel, participant, piece) => {
                channel.write(writer.u8(8));
                participant.write(writer);
                piece.write(writer);
            }
            Self::Piece(channel, participant, digest, number) => {
                channel.write(writer.u8(9));
                participant.write(writer);
                digest.write(writer);
                writer.u64(*number);
            }
            Self::Deliver(deliveries) => write_list(writer.u8(10), deliveries, |(number, bytes), writer| {
                writer.u64(*number).bytes(bytes);
            }),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let channel = |reader: &mut Reader<'_>| ChannelId::read(reader);
        Ok(match reader.u8("hub call")? {
            1 => Self::HasGroup(channel(reader)?),
            2 => Self::Submit(channel(reader)?, ParticipantId::read(reader)?, Submission::read(reader)?),
            3 => Self::Admit(Admission::read(reader)?),
            4 => Self::Revoke(SignedBytes::read(reader)?),
            5 => Self::Items(channel(reader)?, ParticipantId::read(reader)?, reader.u64("first")?),
            6 => Self::Admissions(channel(reader)?, ParticipantId::read(reader)?),
            7 => Self::Rejoin(channel(reader)?, ParticipantId::read(reader)?),
            8 => Self::PutPiece(channel(reader)?, ParticipantId::read(reader)?, Piece::read(reader)?),
            9 => Self::Piece(
                channel(reader)?,
                ParticipantId::read(reader)?,
                Digest::read(reader)?,
                reader.u64("number")?,
            ),
            10 => Self::Deliver(read_list(reader, ("deliveries", ITEMS_MAX), |reader| {
                Ok((reader.u64("number")?, reader.bytes("delivery", 4 << 20)?.to_vec()))
            })?),
            _ => return Err(DecodeError::Invalid { what: "hub call", why: "unknown code" }),
        })
    }
}

impl Record for Answer {
    const NAME: &'static str = "answer to a call";

    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Done => {
                writer.u8(1);
            }
            Self::Number(number) => {
                writer.u8(2).u64(*number);
            }
            Self::Flag(flag) => {
                writer.u8(3).bool(*flag);
            }
            Self::Offers(offers) => write_list(writer.u8(4), offers, Offer::write),
            Self::Create(proof) => Record::write(proof, writer.u8(5)),
            Self::Items(items) => write_list(writer.u8(6), items, <Item as Record>::write),
            Self::Admissions(waiting) => write_list(writer.u8(7), waiting, <Admission as Record>::write),
            Self::Rejoin(info) => Record::write(info, writer.u8(8)),
            Self::Facts(facts) => Record::write(facts, writer.u8(9)),
            Self::Piece(piece) => piece.write(writer.u8(10)),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match reader.u8("answer")? {
            1 => Self::Done,
            2 => Self::Number(reader.u64("number")?),
            3 => Self::Flag(reader.bool("flag")?),
            4 => Self::Offers(read_list(reader, ("offers", OFFERS_MAX), Offer::read)?),
            5 => Self::Create(LeafProof::read(reader)?),
            6 => Self::Items(read_list(reader, ("items", ITEMS_MAX), Item::read)?),
            7 => Self::Admissions(read_list(reader, ("admissions", ADDS_MAX), Admission::read)?),
            8 => Self::Rejoin(RejoinInfo::read(reader)?),
            9 => Self::Facts(Facts::read(reader)?),
            10 => Self::Piece(Piece::read(reader)?),
            _ => return Err(DecodeError::Invalid { what: "answer", why: "unknown code" }),
        })
    }
}
