//! A new small network: its genesis, and each organisation's keys, certificates and configuration. Also those of an
//! organisation that joins later, and what a member's rotation brings.
//!
//! `init` writes it into a folder for people to carry to their machines; `demo` runs it where it lies.

mod authority;
mod files;
mod newcomer;
mod plan;
mod renewed;
mod tls;

pub use files::{GENESIS_FILE, LedgerPlace, NODE_FILE, Written, read_genesis};
pub use newcomer::{Newcomer, NewcomerPlan, WrittenNewcomer};
pub use plan::NetworkPlan;
pub(crate) use renewed::{Renewal, Renewed};

use semblance_core::id::{NetworkId, OrganisationId};
use semblance_core::organisation::{Genesis, Network, Organisation, OrganisationKind, SealingKey, Separation};
use semblance_core::random::RandomSource;
use semblance_core::sealing::{SealingKeyId, SealingSecret};
use semblance_core::signature::SigningKey;
use semblance_core::time::Clock;

use tls::PartyTls;

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
    tls: PartyTls,
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
    let tls = PartyTls::issue(id, hosts, clock)?;
    let signing = SigningKey::random(random);
    let sealing = SealingSecret::random(random)?;
    let member = Organisation {
        id: id.clone(),
        kind,
        verifying_key: signing.verifying_key(),
        sealing_key: SealingKey { id: SealingKeyId(1), public: *sealing.public() },
        tls_root: tls.root.clone(),
        rotations: 0,
    };
    let party = NewParty { id: id.clone(), kind, tls, signing, sealing };
    Ok((party, member))
}
