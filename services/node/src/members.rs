//! The network's members as this node knows them: from its genesis file, then from the ledger, asked again and again
//! and kept in a file, so that a member that joined or rotated its keys is known also when the ledger is down.
//!
//! A known member's new keys count only where a chain of rotations, each signed by the key before it, leads to them:
//! whoever holds the ledger cannot put other keys in their place. A newcomer is taken from the ledger as it stands.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use semblance_core::id::OrganisationId;
use semblance_core::organisation::{Genesis, Network, Organisation};
use semblance_core::record::Record;
use semblance_ledger::LedgerError;
use semblance_ledger::client::LedgerClient;
use semblance_ledger::listen::MemberRoots;
use semblance_ledger::members::MemberBook;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// How often the ledger is asked who is a member.
const REFRESH: Duration = Duration::from_secs(10);
/// The file's name in the node's data folder; its layout is that of a genesis with the present members.
pub(crate) const FILE: &str = "members.genesis";

/// The members with their keys and roots.
pub(crate) struct KnownMembers {
    network: Network,
    book: MemberBook,
    file: Option<PathBuf>,
}

impl KnownMembers {
    /// Those of the genesis; nothing is kept.
    pub(crate) fn of(genesis: &Genesis) -> Self {
        let network = genesis.network().clone();
        let book = MemberBook::new(network.id(), genesis.organisations().iter().cloned());
        Self { network, book, file: None }
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
            for member in kept.organisations() {
                if known.get(&member.id).is_none_or(|known| known.rotations < member.rotations) {
                    known.book.put(member.clone());
                }
            }
        }
        known.file = Some(file);
        Ok(known)
    }

    /// One member.
    pub(crate) fn get(&self, id: &OrganisationId) -> Option<Organisation> {
        self.book.get(id)
    }

    /// All of them, as a file that another node can begin with.
    ///
    /// # Errors
    /// They do not make a network.
    pub(crate) fn snapshot(&self) -> anyhow::Result<Genesis> {
        Ok(Genesis::new(self.network.clone(), self.all())?)
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Organisation> {
        self.book.all()
    }

    /// Asks the ledger.
    ///
    /// # Errors
    /// It cannot be reached or refuses; what was known stands.
    pub(crate) async fn learn(&self, ledger: &LedgerClient) -> Result<(), LedgerError> {
        if self.book.learn(ledger).await? {
            self.keep();
        }
        Ok(())
    }

    /// Takes a member's new record, whose rotation the ledger has taken.
    pub(crate) fn take(&self, member: Organisation) {
        self.book.put(member);
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

    /// Writes the file, whole or not at all. Without it the ledger is asked again after the next start.
    fn keep(&self) {
        let Some(file) = &self.file else { return };
        let written = self.snapshot().and_then(|members| {
            let folder = file.parent().unwrap_or(Path::new("."));
            crate::folder::make(folder)?;
            // Under a name of its own: a command may write at the same time as the node.
            let mut new = tempfile::NamedTempFile::new_in(folder)?;
            new.write_all(&members.encode())?;
            new.as_file().sync_all()?;
            new.persist(file)?;
            // The name as well: an empty file after a power cut would keep the node from starting.
            std::fs::File::open(folder)?.sync_all()?;
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

#[cfg(test)]
mod tests {
    use semblance_core::random::{RandomSource, SeededSource};
    use semblance_core::sealing::SealingSecret;
    use semblance_core::signature::SigningKey;
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
