//! Introductions, channels and symptom groups.

use semblance_core::channel::{SealedTopic, read_topics, write_topics};
use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::id::{ChannelId, IntroductionId, OrganisationId, RequestId};
use semblance_core::record::Record;
use semblance_core::signature::SignedBytes;

use super::PageRequest;

/// The argument of `open_group`: the hub's signed [`GroupOpening`](semblance_core::channel::GroupOpening), then a count
/// and the topic sealed to each hospital, in order of name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenGroup {
    /// The signed statement.
    pub opening: SignedBytes,
    /// One for each hospital of the network.
    pub topics: Vec<SealedTopic>,
}

impl Record for OpenGroup {
    const NAME: &'static str = "open_group";

    fn write(&self, writer: &mut Writer) {
        self.opening.write(writer);
        write_topics(writer, &self.topics);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { opening: SignedBytes::read(reader)?, topics: read_topics(reader)? })
    }
}

/// The argument of the query `introduction`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntroductionArgument(pub IntroductionId);

impl Record for IntroductionArgument {
    const NAME: &'static str = "introduction id";

    fn write(&self, writer: &mut Writer) {
        self.0.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        IntroductionId::read(reader).map(Self)
    }
}

/// A page of what was proposed on one look-up: request, page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfLookup {
    /// The look-up.
    pub request: RequestId,
    /// Which page.
    pub page: PageRequest,
}

impl Record for OfLookup {
    const NAME: &'static str = "page of a look-up";

    fn write(&self, writer: &mut Writer) {
        self.request.write(writer);
        self.page.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { request: RequestId::read(reader)?, page: PageRequest::read(reader)? })
    }
}

/// The argument of the query `channel`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelArgument(pub ChannelId);

impl Record for ChannelArgument {
    const NAME: &'static str = "channel id";

    fn write(&self, writer: &mut Writer) {
        self.0.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        ChannelId::read(reader).map(Self)
    }
}

/// The argument of the query `group_topic`: group (16), hospital.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupTopicArgument {
    /// The symptom group.
    pub group: ChannelId,
    /// The hospital to which its topic was sealed.
    pub hospital: OrganisationId,
}

impl Record for GroupTopicArgument {
    const NAME: &'static str = "group topic";

    fn write(&self, writer: &mut Writer) {
        self.group.write(writer);
        self.hospital.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { group: ChannelId::read(reader)?, hospital: OrganisationId::read(reader)? })
    }
}
