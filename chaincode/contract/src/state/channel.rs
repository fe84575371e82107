//! Channels: that one was opened, by which hub. Who is in it stands nowhere.

use semblance_core::channel::{ChannelKind, ChannelOpening, GroupOpening, Hub};
use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::id::NetworkId;
use semblance_core::record::Record;
use semblance_core::signature::SignedBytes;
use semblance_core::time::Timestamp;

/// `channel/<id>`: a channel as its hub opened it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRecord {
    /// The time of the ledger's proposal.
    pub recorded: Timestamp,
    /// Who talks in it.
    pub kind: ChannelKind,
    /// The hub's signed [`GroupOpening`] of a symptom group, [`ChannelOpening`] of any other channel.
    pub opening: SignedBytes,
}

/// What the hub signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// A channel between the two sides of a match.
    Match(ChannelOpening),
    /// A symptom group.
    Group(GroupOpening),
}

impl Opening {
    /// Channel, hub and consents.
    #[must_use]
    pub const fn hub(&self) -> &Hub {
        match self {
            Self::Match(opening) => &opening.hub,
            Self::Group(opening) => &opening.hub,
        }
    }

    /// Who talks in the channel.
    #[must_use]
    pub const fn kind(&self) -> ChannelKind {
        match self {
            Self::Match(opening) => opening.kind(),
            Self::Group(_) => ChannelKind::Group,
        }
    }
}

impl ChannelRecord {
    /// What the hub signed. The contract verified the signature before it stored it.
    ///
    /// # Errors
    /// Not an opening of this network and of the record's kind.
    pub fn statement(&self, network: NetworkId) -> Result<Opening, DecodeError> {
        let source = self.opening.clone();
        let opening = match self.kind {
            ChannelKind::Group => Opening::Group(source.claim::<GroupOpening>(network)?.claims().clone()),
            ChannelKind::Match | ChannelKind::Patients => {
                Opening::Match(source.claim::<ChannelOpening>(network)?.claims().clone())
            }
        };
        if opening.kind() == self.kind {
            Ok(opening)
        } else {
            Err(DecodeError::Invalid { what: "channel kind", why: "not what the hub signed" })
        }
    }
}

impl Record for ChannelRecord {
    const NAME: &'static str = "channel";

    fn write(&self, writer: &mut Writer) {
        self.recorded.write(writer);
        self.kind.write(writer);
        self.opening.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            recorded: Timestamp::read(reader, "recorded")?,
            kind: ChannelKind::read(reader)?,
            opening: SignedBytes::read(reader)?,
        })
    }
}
