//! Introductions: what was proposed, what became of it, and the channel that was opened on it.

use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::id::{ChannelId, IntroductionId, NetworkId};
use semblance_core::introduction::{IntroductionAnswer, IntroductionProposal};
use semblance_core::record::{Record, read_option, write_option};
use semblance_core::signature::SignedBytes;
use semblance_core::time::Timestamp;

/// `introduction/<id>`: a proposed introduction. Never changes; its end is an answer or its expiry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntroductionRecord {
    /// The time of the ledger's proposal.
    pub recorded: Timestamp,
    /// The proposer's signed [`IntroductionProposal`].
    pub proposal: SignedBytes,
}

impl IntroductionRecord {
    /// What the proposer signed. The contract verified the signature before it stored it.
    ///
    /// # Errors
    /// Not a proposal of this network.
    pub fn statement(&self, network: NetworkId) -> Result<IntroductionProposal, DecodeError> {
        Ok(self.proposal.clone().claim::<IntroductionProposal>(network)?.claims().clone())
    }
}

impl Record for IntroductionRecord {
    const NAME: &'static str = "introduction";

    fn write(&self, writer: &mut Writer) {
        self.recorded.write(writer);
        self.proposal.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { recorded: Timestamp::read(reader, "recorded")?, proposal: SignedBytes::read(reader)? })
    }
}

/// `introduction-answer/<id>`: the one answer to an introduction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntroductionAnswerRecord {
    /// The time of the ledger's proposal.
    pub recorded: Timestamp,
    /// The other hospital's signed [`IntroductionAnswer`].
    pub answer: SignedBytes,
}

impl IntroductionAnswerRecord {
    /// What the other hospital signed. The contract verified the signature before it stored it.
    ///
    /// # Errors
    /// Not an answer of this network.
    pub fn statement(&self, network: NetworkId) -> Result<IntroductionAnswer, DecodeError> {
        Ok(self.answer.clone().claim::<IntroductionAnswer>(network)?.claims().clone())
    }
}

impl Record for IntroductionAnswerRecord {
    const NAME: &'static str = "introduction answer";

    fn write(&self, writer: &mut Writer) {
        self.recorded.write(writer);
        self.answer.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { recorded: Timestamp::read(reader, "recorded")?, answer: SignedBytes::read(reader)? })
    }
}

/// `introduction-of/<look-up>/<proposer>/<number>`: the introduction that took one of a hospital's numbers on a look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProposedIntroduction(pub IntroductionId);

impl Record for ProposedIntroduction {
    const NAME: &'static str = "introduction on a look-up";

    fn write(&self, writer: &mut Writer) {
        self.0.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        IntroductionId::read(reader).map(Self)
    }
}

/// `introduction-channel/<id>`: the only channel that was opened on an introduction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntroductionChannel(pub ChannelId);

impl Record for IntroductionChannel {
    const NAME: &'static str = "channel of an introduction";

    fn write(&self, writer: &mut Writer) {
        self.0.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        ChannelId::read(reader).map(Self)
    }
}

/// An introduction with its answer and its channel: what queries answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntroductionRow {
    /// What was proposed.
    pub record: IntroductionRecord,
    /// What the other hospital said.
    pub answer: Option<IntroductionAnswerRecord>,
    /// The channel that was opened on it.
    pub channel: Option<IntroductionChannel>,
}

impl Record for IntroductionRow {
    const NAME: &'static str = "introduction";

    fn write(&self, writer: &mut Writer) {
        self.record.write(writer);
        write_option(writer, self.answer.as_ref(), IntroductionAnswerRecord::write);
        write_option(writer, self.channel.as_ref(), IntroductionChannel::write);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            record: IntroductionRecord::read(reader)?,
            answer: read_option(reader, "introduction answer", IntroductionAnswerRecord::read)?,
            channel: read_option(reader, "channel of an introduction", IntroductionChannel::read)?,
        })
    }
}
