//! An organisation that wants to join a network: its folder, and the record that the members approve.

use std::path::{Path, PathBuf};

use semblance_contract::wire::{Membership, RegisterMember};
use semblance_core::id::{Digest, OrganisationId};
use semblance_core::organisation::{Genesis, OrganisationKind};
use semblance_core::random::RandomSource;
use semblance_core::record::Record;
use semblance_core::signature::{SignedBytes, Statement};
use semblance_core::time::Clock;

use super::files::{AUTHORITIES, GENESIS_FILE, LedgerPlace, Place, refuse_content};
use super::plan::with_this_machine;
use super::{NewParty, draw_party};
use crate::folder::{self, write_public};

/// Who joins, and where.
pub struct NewcomerPlan {
    /// Its name.
    pub id: OrganisationId,
    /// What it will do.
    pub kind: OrganisationKind,
    /// Further names of its machine.
    pub hosts: Vec<String>,
    /// Where its node will listen.
    pub port: u16,
    /// Where the ledger is.
    pub ledger: LedgerPlace,
    /// The matchers it asks and where their nodes are; none leaves the ledger's holder, if it is one.
    pub ask: Vec<(OrganisationId, String)>,
}

/// A newcomer that was just drawn; nothing of it is written yet.
pub struct Newcomer {
    plan: NewcomerPlan,
    genesis: Genesis,
    party: NewParty,
    membership: SignedBytes,
}

/// What was written where.
#[derive(Debug)]
pub struct WrittenNewcomer {
    /// The record for the members to approve.
    pub record: PathBuf,
    /// The configuration.
    pub configuration: PathBuf,
    /// The folder of the authority's key.
    pub authorities: PathBuf,
}

impl Newcomer {
    /// Draws keys, issues certificates and signs the record.
    ///
    /// # Errors
    /// A host name is none.
    pub fn draw(
        plan: NewcomerPlan,
        genesis: Genesis,
        clock: &dyn Clock,
        random: &dyn RandomSource,
    ) -> anyhow::Result<Self> {
        let (party, organisation) = draw_party(&plan.id, plan.kind, &with_this_machine(&plan.hosts), clock, random)?;
        let membership = Membership { network: genesis.network().id(), organisation };
        let membership = membership.sign(&party.signing).into_parts().1;
        Ok(Self { plan, genesis, party, membership })
    }

    /// What a member who approves compares.
    #[must_use]
    pub fn check(&self) -> Digest {
        self.membership.digest()
    }

    /// Writes everything below a folder that is empty or not there yet.
    ///
    /// # Errors
    /// The folder holds something, or cannot be written.
    pub fn write(&self, root: &Path) -> anyhow::Result<WrittenNewcomer> {
        refuse_content(root)?;
        let authorities = root.join(AUTHORITIES);
        folder::make(&authorities)?;
        let is_matcher = |member: &OrganisationId| {
            let found = self.genesis.organisations().iter().find(|one| one.id == *member);
            found.is_some_and(|one| one.kind == OrganisationKind::Matcher)
        };
        let matchers = match &self.plan.ledger {
            _ if !self.plan.ask.is_empty() => self.plan.ask.iter().map(|(id, address)| (id, address.clone())).collect(),
            LedgerPlace::Remote(holder, address) if is_matcher(holder) => vec![(holder, address.clone())],
            _ => Vec::new(),
        };
        // Where the other hospitals' nodes are, the record does not say.
        let (ledger, hospitals) = (self.plan.ledger.clone(), Vec::new());
        let place = Place { port: self.plan.port, ledger, matchers, hospitals };
        let configuration = self.party.write(root, &place)?;
        write_public(&root.join(self.plan.id.as_str()).join(GENESIS_FILE), &self.genesis.encode())?;
        let record = root.join(format!("{}.member", self.plan.id));
        write_public(&record, &RegisterMember::new(self.membership.clone(), Vec::new()).encode())?;
        Ok(WrittenNewcomer { record, configuration, authorities })
    }
}
