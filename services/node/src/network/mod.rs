//! A new small network: its genesis, and each organisation's keys, certificates and configuration.
//!
//! `init` writes it into a folder for people to carry to their machines; `demo` runs it where it lies.

mod authority;
mod files;
mod plan;

pub use files::{GENESIS_FILE, NODE_FILE, Written, read_genesis};
pub use plan::NetworkPlan;

use semblance_core::id::{NetworkId, OrganisationId};
use semblance_core::organisation::{Genesis, Network, Organisation, OrganisationKind, SealingKey, Separation, TlsRoot};
use semblance_core::random::RandomSource;
use semblance_core::sealing::{SealingKeyId, SealingSecret};
use semblance_core::signature::SigningKey;
use semblance_core::time::Clock;
use zeroize::Zeroizing;

use crate::config::TlsFiles;
use authority::{Authority, Holder};

/// A network that was just drawn; nothing of it is written yet.
pub struct NewNetwork {
    plan: NetworkPlan,
    genesis: Genesis,
    parties: Vec<NewParty>,
}

/// One organisation's secrets and certificates.
struct NewParty {
    id: OrganisationId,
    kind: OrganisationKind,
    authority_pem: String,
    authority_key: Zeroizing<String>,
    node: TlsFiles,
    admin: TlsFiles,
    signing: SigningKey,
    sealing: SealingSecret,
}

impl NewNetwork {
    /// Draws keys and issues certificates for everyone in the plan.
    ///
    /// # Errors
    /// A host name is none, or the members do not make a network.
    pub fn draw(plan: NetworkPlan, clock: &dyn Clock, random: &dyn RandomSource) -> anyhow::Result<Self> {
        let mut parties = Vec::new();
        let mut members = Vec::new();
        for (id, kind) in plan.organisations() {
            let (party, member) = draw_party(id, kind, plan.hosts(), clock, random)?;
            parties.push(party);
            members.push(member);
        }
        let separation = if plan.pilot() { Separation::Pilot } else { Separation::Separated };
        let network = Network::new(NetworkId::random(random), plan.name(), separation)?;
        Ok(Self { genesis: Genesis::new(network, members)?, plan, parties })
    }

    /// The network's genesis.
    #[must_use]
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }
}

fn draw_party(
    id: &OrganisationId,
    kind: OrganisationKind,
    hosts: &[String],
    clock: &dyn Clock,
    random: &dyn RandomSource,
) -> anyhow::Result<(NewParty, Organisation)> {
    let authority = Authority::new(id, clock.now())?;
    let signing = SigningKey::random(random);
    let sealing = SealingSecret::random(random)?;
    let member = Organisation {
        id: id.clone(),
        kind,
        verifying_key: signing.verifying_key(),
        sealing_key: SealingKey { id: SealingKeyId(1), public: *sealing.public() },
        tls_root: TlsRoot::new(authority.der().to_vec())?,
        rotations: 0,
    };
    let party = NewParty {
        id: id.clone(),
        kind,
        authority_pem: authority.pem(),
        authority_key: authority.key_pem(),
        node: authority.issue(Holder::Node, hosts)?,
        admin: authority.issue(Holder::Admin, &[])?,
        signing,
        sealing,
    };
    Ok((party, member))
}
