//! What a client keeps of each channel, as values: how far it is, its own leaf, what is on its way, what was said.

use openmls::prelude::GroupEpoch;
use semblance_core::attestation::{LeafProof, LeafRevocation};
use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::id::{ChannelId, NetworkId, ParticipantId};
use semblance_core::random::RandomSource;
use semblance_core::record::{Record, read_option, write_option};
use semblance_core::signature::{SigningKey, Statement};
use semblance_core::time::Timestamp;
use zeroize::Zeroizing;

use super::content::Content;
use super::mark::Marks;
use crate::wire::{Charter, Ground, Submission};

/// How far a device is in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Its person agreed; it is not in the group yet.
    Agreed,
    /// It made the group, and the hub has not taken it yet.
    Creating,
    /// It is in the group.
    Member,
    /// It joins by itself again; the hub has not taken it yet.
    Rejoining,
    /// It was removed, or left.
    Removed,
    /// It cannot follow any more and has to join again.
    Broken,
}

impl Phase {
    const fn code(self) -> u8 {
        match self {
            Self::Agreed => 1,
            Self::Creating => 2,
            Self::Member => 3,
            Self::Rejoining => 4,
            Self::Removed => 5,
            Self::Broken => 6,
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let all = [Self::Agreed, Self::Creating, Self::Member, Self::Rejoining, Self::Removed, Self::Broken];
        let code = reader.u8("phase")?;
        all.into_iter().find(|phase| phase.code() == code).ok_or(DecodeError::Invalid { what: "phase", why: "unknown" })
    }
}

/// One channel as its device knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChannelRow {
    pub(super) charter: Charter,
    pub(super) phase: Phase,
    /// The next place in the channel's order.
    pub(super) next: u64,
    /// The number of the next thing to say.
    pub(super) said: u64,
    /// A member's consent ended and the hub let it pass: nothing is said any more.
    pub(super) unsafe_since: Option<Timestamp>,
    /// The latest MLS epoch that this device was in: it goes back to none before it, whoever offers one.
    pub(super) epoch: u64,
    /// When the hub took the last item, by its clock, which never goes back.
    pub(super) at: Timestamp,
    /// Something is missing that did not come by the queue and has to be fetched from the hub: the last place in the
    /// channel's order that is known to be taken.
    pub(super) missing: Option<u64>,
    /// Somebody came in since this device last said its person's name, and cannot have read it.
    pub(super) unnamed: bool,
}

impl ChannelRow {
    /// A channel that was just agreed to.
    pub(super) const fn agreed(charter: Charter) -> Self {
        Self {
            charter,
            phase: Phase::Agreed,
            next: 1,
            said: 0,
            unsafe_since: None,
            epoch: 0,
            at: Timestamp::from_millis(0),
            missing: None,
            unnamed: false,
        }
    }
}

impl Record for ChannelRow {
    const NAME: &'static str = "channel row";

    fn write(&self, writer: &mut Writer) {
        Record::write(&self.charter, writer);
        writer.u8(self.phase.code()).u64(self.next).u64(self.said);
        write_option(writer, self.unsafe_since.as_ref(), |since, writer| since.write(writer));
        writer.u64(self.epoch);
        self.at.write(writer);
        writer.bool(self.missing.is_some()).bool(self.unnamed);
        if let Some(place) = self.missing {
            writer.u64(place);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut row = Self {
            charter: Charter::read(reader)?,
            phase: Phase::read(reader)?,
            next: reader.u64("next")?,
            said: reader.u64("said")?,
            unsafe_since: read_option(reader, "unsafe since", |reader| Timestamp::read(reader, "unsafe since"))?,
            epoch: reader.u64("epoch")?,
            at: Timestamp::read(reader, "at")?,
            missing: None,
            unnamed: false,
        };
        let missing = reader.bool("missing")?;
        row.unnamed = reader.bool("unnamed")?;
        if missing {
            // Rows of before do not say which place: it is the next at least.
            row.missing = Some(if reader.remaining() == 0 { row.next } else { reader.u64("missing")? });
        }
        Ok(row)
    }
}

/// The device's own leaf in a channel, or of a key package.
pub(super) struct OwnLeaf {
    pub(super) participant: ParticipantId,
    seed: Zeroizing<[u8; 32]>,
    pub(super) proof: Option<LeafProof>,
    /// Whether its key package may be taken up more than once.
    pub(super) last_resort: bool,
}

impl OwnLeaf {
    pub(super) fn draw(random: &dyn RandomSource, last_resort: bool) -> Self {
        let participant = ParticipantId::random(random);
        Self { participant, seed: Zeroizing::new(random.array()), proof: None, last_resort }
    }

    pub(super) fn signing(&self) -> SigningKey {
        SigningKey::from_seed(&self.seed)
    }

    /// What marks this device's messages in an epoch.
    pub(super) fn marks(&self, channel: ChannelId, epoch: GroupEpoch) -> Marks {
        Marks::new(&self.seed, channel, epoch)
    }

    pub(super) fn proven(self, proof: &LeafProof) -> Self {
        Self { proof: Some(proof.clone()), ..self }
    }

    /// Whether a ground for an end is one for the end of this leaf, as far as can be told.
    pub(super) fn is_meant(&self, network: NetworkId, ground: &Ground) -> bool {
        match ground {
            Ground::ConsentEnded { consent, .. } => {
                let claim = self.proof.as_ref().and_then(|proof| proof.claims(network).ok());
                claim.is_none_or(|claim| claim.consent == *consent)
            }
            Ground::Revoked(signed) => {
                let claim = LeafRevocation::decode(signed.bytes(), network);
                claim.is_ok_and(|claim| claim.participant == self.participant)
            }
        }
    }
}

impl Record for OwnLeaf {
    const NAME: &'static str = "own leaf";

    fn write(&self, writer: &mut Writer) {
        self.participant.write(writer);
        writer.raw(self.seed.as_slice());
        write_option(writer, self.proof.as_ref(), <LeafProof as Record>::write);
        writer.bool(self.last_resort);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            participant: ParticipantId::read(reader)?,
            seed: Zeroizing::new(reader.array("leaf seed")?),
            proof: read_option(reader, "proof", LeafProof::read)?,
            last_resort: reader.bool("last resort")?,
        })
    }
}

/// What is on its way to the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) submission: Submission,
    /// The number of what it says, where it is a message.
    pub(super) said: Option<u64>,
    /// The hub took it; it is done when it comes back in the channel's order.
    pub(super) taken: bool,
}

impl Record for Outgoing {
    const NAME: &'static str = "outgoing";

    fn write(&self, writer: &mut Writer) {
        self.submission.write(writer);
        write_option(writer, self.said.as_ref(), |said, writer| {
            writer.u64(*said);
        });
        writer.bool(self.taken);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            submission: Submission::read(reader)?,
            said: read_option(reader, "said", |reader| reader.u64("said"))?,
            taken: reader.bool("taken")?,
        })
    }
}

/// One thing that was said, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its place in the channel's order.
    pub sequence: u64,
    /// When the hub took it.
    pub at: Timestamp,
    /// Who said it.
    pub from: ParticipantId,
    /// What; none if it could not be read.
    pub content: Option<Content>,
}

impl Record for Message {
    const NAME: &'static str = "message";

    fn write(&self, writer: &mut Writer) {
        writer.u64(self.sequence);
        self.at.write(writer);
        self.from.write(writer);
        write_option(writer, self.content.as_ref(), <Content as Record>::write);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            sequence: reader.u64("sequence")?,
            at: Timestamp::read(reader, "at")?,
            from: ParticipantId::read(reader)?,
            content: read_option(reader, "content", Content::read)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_that_do_not_say_which_place_is_missing() {
        let (_, _, _, charter) = crate::tests::three_and_charter(88);
        let row = ChannelRow { next: 5, missing: Some(9), unnamed: true, ..ChannelRow::agreed(charter) };
        let bytes = row.encode();
        assert_eq!(ChannelRow::decode(&bytes).unwrap(), row);
        let before = &bytes[..bytes.len() - 8];
        assert_eq!(ChannelRow::decode(before).unwrap(), ChannelRow { missing: Some(5), ..row.clone() });
        let complete = ChannelRow { missing: None, ..row };
        assert_eq!(ChannelRow::decode(&complete.encode()).unwrap(), complete);
        assert!(ChannelRow::decode(&bytes[..bytes.len() - 1]).is_err());
    }
}
