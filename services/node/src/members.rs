//! The network's members as this node knows them: from its genesis file, then from the ledger, asked again and again
//! and kept in a file, so that a member that joined or rotated its keys is known also when the ledger is down.
//!
//! A known member's new keys count only where a chain of rotations, each signed by the key before it, leads to them:
//! whoever holds the ledger cannot put other keys in their place. A newcomer is taken from the ledger as it stands.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context;
use semblance_contract::state::RotationRecord;
use semblance_core::id::OrganisationId;
use semblance_core::organisation::{Genesis, KeyRotation, Network, Organisation};
use semblance_core::record::Record;
use semblance_ledger::LedgerError;
use semblance_ledger::client::LedgerClient;
use semblance_ledger::listen::MemberRoots;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// How often the ledger is asked who is a member.
const REFRESH: Duration = Duration::from_secs(10);
/// The file's name in the node's data folder; its layout is that of a genesis with the present members.
const FILE: &str = "members.genesis";

/// The members with their keys and roots.
pub(crate) struct KnownMembers {
    network: Network,
    by_name: RwLock<BTreeMap<OrganisationId, Organisation>>,
    file: Option<PathBuf>,
}

impl KnownMembers {
    /// Those of the genesis; nothing is kept.
    pub(crate) fn of(genesis: &Genesis) -> Self {
        let members = genesis.organisations().iter().map(|member| (member.id.clone(), member.clone()));
        Self { network: genesis.network().clone(), by_name: RwLock::new(members.collect()), file: None }
    }

    /// Those of the genesis, and what is kept in the node's data folder.
    ///
    /// # Errors
    /// The file is something else, or of another network.
    pub(crate) fn kept(genesis: &Genesis, data: &Path) -> anyhow::Result<Self> {
        let file = data.join(FILE);
        let mut known = Self::of(genesis);
        if let Some(kept) = read(&file)? {
            if kept.network().id() != known.network.id() {
                let what = format!("{} is of another network than the genesis file", file.display());
                return Err(Failure::usage(what).hint("set node.genesis or node.data to this network's").into());
            }
            // Both were believed once; the one with more rotations is the later one.
            let members = known.by_name.get_mut().unwrap_or_else(PoisonError::into_inner);
            for member in kept.organisations() {
                let newer = members.get(&member.id).is_none_or(|known| known.rotations < member.rotations);
                if newer {
                    members.insert(member.id.clone(), member.clone());
                }
            }
        }
        known.file = Some(file);
        Ok(known)
    }

    /// One member.
    pub(crate) fn get(&self, id: &OrganisationId) -> Option<Organisation> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// All of them, as a file that another node can begin with.
    ///
    /// # Errors
    /// They do not make a network.
    pub(crate) fn snapshot(&self) -> anyhow::Result<Genesis> {
        let members = self.by_name.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        Ok(Genesis::new(self.network.clone(), members)?)
    }

    /// Asks the ledger.
    ///
    /// # Errors
    /// It cannot be reached or refuses; what was known stands.
    pub(crate) async fn learn(&self, ledger: &LedgerClient) -> Result<(), LedgerError> {
        let mut changed = false;
        for present in ledger.members().await? {
            let known = self.get(&present.id);
            let believed = match &known {
                None => true,
                Some(known) if *known == present => continue,
                Some(known) => {
                    let rotations = ledger.rotations(&present.id).await?;
                    followed(known, &rotations, &self.network).as_ref() == Some(&present)
                }
            };
            if believed {
                tracing::info!(member = %present.id, rotations = present.rotations, "learnt of a member's keys");
                self.put(present);
                changed = true;
            } else {
                tracing::error!(member = %present.id, "the ledger names keys that the member's own keys did not sign");
            }
        }
        if changed {
            self.keep();
        }
        Ok(())
    }

    /// Takes a member's new record, whose rotation the ledger has taken.
    pub(crate) fn take(&self, member: Organisation) {
        self.put(member);
        self.keep();
    }

    /// Asks the ledger until it is told to stop; while it does not answer, what is known stands.
    pub(crate) async fn follow(self: Arc<Self>, ledger: LedgerClient, stop: CancellationToken) {
        loop {
            if let Err(error) = self.learn(&ledger).await {
                tracing::debug!(%error, "the members could not be read");
            }
            tokio::select! {
                () = tokio::time::sleep(REFRESH) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    fn put(&self, member: Organisation) {
        self.by_name.write().unwrap_or_else(PoisonError::into_inner).insert(member.id.clone(), member);
    }

    /// Writes the file, whole or not at all. Without it the ledger is asked again after the next start.
    fn keep(&self) {
        let Some(file) = &self.file else { return };
        let written = self.snapshot().and_then(|members| {
            let folder = file.parent().unwrap_or(Path::new("."));
            crate::folder::make(folder)?;
            // Under a name of its own: a command may write at the same time as the node.
            let mut new = tempfile::NamedTempFile::new_in(folder)?;
            new.write_all(&members.encode())?;
            new.persist(file)?;
            Ok(())
        });
        if let Err(error) = written {
            tracing::warn!(%error, file = %file.display(), "the members are not kept");
        }
    }
}

impl MemberRoots for KnownMembers {
    fn root(&self, organisation: &OrganisationId) -> Option<Vec<u8>> {
        self.get(organisation).map(|member| member.tls_root.der().to_vec())
    }
}

fn read(file: &Path) -> anyhow::Result<Option<Genesis>> {
    if !file.try_exists().with_context(|| format!("cannot look for {}", file.display()))? {
        return Ok(None);
    }
    let bytes = crate::folder::read(file, crate::folder::MEMBERS_MAX)?;
    let what = || format!("{} does not hold a network's members: remove it, it is made again", file.display());
    Genesis::decode(&bytes).with_context(what).map(Some)
}

/// Where a member's rotations lead from the keys that are known; none if one of them is not signed by the key before.
fn followed(known: &Organisation, rotations: &[RotationRecord], network: &Network) -> Option<Organisation> {
    let done = usize::try_from(known.rotations).ok()?;
    rotations.get(done..)?.iter().try_fold(known.clone(), |member, rotation| {
        let claim = rotation.source.clone().claim::<KeyRotation>(network.id()).ok()?;
        let signed = claim.verify(&member.verifying_key).ok()?;
        member.rotated(signed.statement()).ok()
    })
}

#[cfg(test)]
mod tests {
    use semblance_core::random::{RandomSource, SeededSource};
    use semblance_core::sealing::SealingSecret;
    use semblance_core::signature::{SigningKey, Statement};
    use semblance_core::time::{ManualClock, Timestamp};

    use super::*;
    use crate::network::{NetworkPlan, NewNetwork};

    const RANDOM: [u8; 32] = [1; 32];

    fn genesis() -> Genesis {
        let id = |name: &str| OrganisationId::new(name).unwrap();
        let plan = NetworkPlan::new("test", vec![id("north")], vec![id("matcher")], false, &[], 7000).unwrap();
        let clock = ManualClock::at(Timestamp::from_millis(1_790_000_000_000));
        NewNetwork::draw(plan, &clock, &SeededSource::new(RANDOM)).unwrap().genesis().clone()
    }

    /// A member whose signing key is known, and its rotation to another one, signed by `by`.
    fn rotated(by: &SigningKey) -> (Organisation, RotationRecord, Organisation) {
        let mut north = genesis().organisations()[1].clone();
        north.verifying_key = SigningKey::from_seed(&[1; 32]).verifying_key();
        let next = Organisation { verifying_key: SigningKey::from_seed(&[2; 32]).verifying_key(), ..north.clone() };
        let rotation = KeyRotation::between(genesis().network().id(), &north, &next).unwrap();
        let next = north.rotated(&rotation).unwrap();
        let source = rotation.sign(by).into_parts().1;
        let record = RotationRecord { at: Timestamp::from_millis(1), previous: north.verifying_key, source };
        (north, record, next)
    }

    #[test]
    fn new_keys_count_only_when_the_keys_before_signed_for_them() {
        let network = genesis().network().clone();
        let (north, record, next) = rotated(&SigningKey::from_seed(&[1; 32]));
        assert_eq!(followed(&north, std::slice::from_ref(&record), &network), Some(next.clone()));
        assert_eq!(followed(&next, std::slice::from_ref(&record), &network), Some(next), "nothing came since");
        let (_, forged, _) = rotated(&SigningKey::from_seed(&[2; 32]));
        assert_eq!(followed(&north, &[forged], &network), None);
        assert_eq!(followed(&Organisation { rotations: 2, ..north }, &[record], &network), None, "a shortened list");
    }

    #[test]
    fn what_was_learnt_is_kept_and_a_later_genesis_file_wins() {
        let folder = tempfile::tempdir().unwrap();
        let genesis = genesis();
        let known = KnownMembers::kept(&genesis, folder.path()).unwrap();
        let source = SeededSource::new([3; 32]);
        let random: &dyn RandomSource = &source;
        let mut west = genesis.organisations()[1].clone();
        west.id = OrganisationId::new("west").unwrap();
        west.verifying_key = SigningKey::random(random).verifying_key();
        west.sealing_key.public = *SealingSecret::random(random).unwrap().public();
        known.take(west.clone());

        let again = KnownMembers::kept(&genesis, folder.path()).unwrap();
        assert_eq!(again.get(&west.id), Some(west.clone()));
        let later = Organisation { rotations: 1, ..west.clone() };
        known.take(later.clone());
        let file = known.snapshot().unwrap();
        known.take(west);
        assert_eq!(KnownMembers::kept(&file, folder.path()).unwrap().get(&later.id), Some(later));

        std::fs::write(folder.path().join(FILE), b"something else").unwrap();
        assert!(KnownMembers::kept(&genesis, folder.path()).is_err());
    }
}
