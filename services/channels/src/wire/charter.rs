//! What a channel is: its opening on the ledger and, for the two sides of a match, which consents it rests on.

use semblance_core::channel::{ChannelKind, ChannelOpening, GroupOpening};
use semblance_core::consent::Scope;
use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::id::{ChannelId, ConsentId, NetworkId, OrganisationId};
use semblance_core::introduction::ConsentOpening;
use semblance_core::limits::CHANNEL_CONSENTS_MAX;
use semblance_core::record::Record;
use semblance_core::signature::{SignatureError, SignedBytes, Statement, VerifyingKey};

use super::facts::Facts;

/// The signed opening, as it stands on the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// A [`ChannelOpening`].
    Channel(SignedBytes),
    /// A [`GroupOpening`].
    Group(SignedBytes),
}

/// A channel's opening and the consents that its commitments stand for; nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charter {
    /// As on the ledger.
    pub opening: Opening,
    /// The consents of a match, in the order of the commitments; empty for a symptom group.
    pub consents: Vec<ConsentOpening>,
}

/// What a verified charter says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The channel.
    pub channel: ChannelId,
    /// Who talks.
    pub kind: ChannelKind,
    /// Who orders.
    pub hub: OrganisationId,
    /// With which key the hub proposes removals.
    pub hub_key: VerifyingKey,
    /// The hub's number.
    pub fence: u32,
    /// The consents of a match; none for a symptom group, where any consent to join groups will do.
    pub consents: Vec<ConsentId>,
}

/// Why a charter is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CharterError {
    /// Not the bytes of an opening of this network.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// Not signed by the hub it names.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The hub is not known.
    #[error("{0} is no hospital that is known here")]
    UnknownHub(OrganisationId),
    /// The consents are not those that the ledger commits to.
    #[error("the consents are not those that the channel was opened on")]
    Consents,
}

impl Charter {
    /// Verifies the hub's signature and opens the commitments.
    ///
    /// # Errors
    /// See [`CharterError`].
    pub fn verify(&self, network: NetworkId, facts: &Facts) -> Result<Terms, CharterError> {
        match &self.opening {
            Opening::Channel(signed) => verify::<ChannelOpening>(signed, network, facts, |one| &one.hub.hub)?,
            Opening::Group(signed) => verify::<GroupOpening>(signed, network, facts, |one| &one.hub.hub)?,
        }
        self.trusted(network)
    }

    /// What it says, where its signature was verified before.
    ///
    /// # Errors
    /// It is not in its form, or its consents are not those that were committed to.
    pub fn trusted(&self, network: NetworkId) -> Result<Terms, CharterError> {
        let (hub, kind) = match &self.opening {
            Opening::Channel(signed) => {
                let opening = ChannelOpening::decode(signed.bytes(), network)?;
                let kind = opening.kind();
                (opening.hub, kind)
            }
            Opening::Group(signed) => (GroupOpening::decode(signed.bytes(), network)?.hub, ChannelKind::Group),
        };
        let opened: Vec<_> = self.consents.iter().map(|consent| consent.commitment(network)).collect();
        let fits = if kind == ChannelKind::Group { opened.is_empty() } else { opened == hub.consents };
        if !fits {
            return Err(CharterError::Consents);
        }
        Ok(Terms {
            channel: hub.channel,
            kind,
            hub: hub.hub,
            hub_key: hub.hub_key,
            fence: hub.fence,
            consents: self.consents.iter().map(|opening| opening.consent).collect(),
        })
    }
}

fn verify<T: Statement + Clone>(
    signed: &SignedBytes,
    network: NetworkId,
    facts: &Facts,
    hub: impl Fn(&T) -> &OrganisationId,
) -> Result<(), CharterError> {
    let claim = signed.clone().claim::<T>(network)?;
    let hub = hub(claim.claims()).clone();
    let keys = facts.keys_of(&hub).ok_or(CharterError::UnknownHub(hub))?;
    if keys.iter().any(|key| claim.clone().verify(key).is_ok()) {
        Ok(())
    } else {
        Err(SignatureError::Signature.into())
    }
}

impl Terms {
    /// What a consent has to allow for a leaf to rest on it.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        match self.kind {
            ChannelKind::Match | ChannelKind::Patients => Scope::BeContacted,
            ChannelKind::Group => Scope::JoinGroups,
        }
    }

    /// Whether a leaf may rest on a consent, as far as the charter says.
    #[must_use]
    pub fn allows(&self, consent: ConsentId) -> bool {
        self.kind == ChannelKind::Group || self.consents.contains(&consent)
    }
}

impl Record for Charter {
    const NAME: &'static str = "charter";

    fn write(&self, writer: &mut Writer) {
        match &self.opening {
            Opening::Channel(signed) => signed.write(writer.u8(1)),
            Opening::Group(signed) => signed.write(writer.u8(2)),
        }
        writer.count(self.consents.len());
        for consent in &self.consents {
            consent.write(writer);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let opening = match reader.u8("opening")? {
            1 => Opening::Channel(SignedBytes::read(reader)?),
            2 => Opening::Group(SignedBytes::read(reader)?),
            _ => return Err(DecodeError::Invalid { what: "opening", why: "unknown code" }),
        };
        let count = reader.count("consents of a channel", CHANNEL_CONSENTS_MAX)?;
        let consents = (0..count).map(|_| ConsentOpening::read(reader)).collect::<Result<_, _>>()?;
        Ok(Self { opening, consents })
    }
}
