//! A Fabric network as the suite knows ledgers, with the chaincode that `deploy/fabric` started.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use futures::future::try_join_all;
use semblance_chaincode::system::SystemClock;
use semblance_contract::Contract;
use semblance_core::id::OrganisationId;
use semblance_core::organisation::{OrganisationKind, Role};
use semblance_core::random::{RandomSource, SeededSource};
use semblance_core::time::{Clock, Timestamp};
use semblance_ledger::client::LedgerClient;
use semblance_ledger::fabric::FabricLedger;
use semblance_ledger::fabric::network_file::NetworkFile;
use semblance_ledger::identity::Identity;
use semblance_ledger::suite::{Factory, LedgerUnderTest, Network, Party};
use semblance_ledger::{Call, Committed, Ledger, LedgerError};

/// The network and who speaks to it.
#[derive(Clone)]
pub(super) struct Fabric {
    file: Arc<NetworkFile>,
    path: PathBuf,
    random: Arc<dyn RandomSource>,
}

impl Fabric {
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let path = if path.is_dir() { path.join(NetworkFile::NAME) } else { path.to_path_buf() };
        let file = Arc::new(NetworkFile::read(&path)?);
        // Nonces must differ from those of every earlier run.
        let seed = blake3::hash(format!("{} {}", SystemClock.now().millis(), std::process::id()).as_bytes());
        Ok(Self { file, path, random: Arc::new(SeededSource::new(*seed.as_bytes())) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn ledger(&self, organisation: &OrganisationId, role: Role) -> anyhow::Result<FabricLedger> {
        let settings = self.file.settings(organisation, role, Arc::new(SystemClock), self.random.clone())?;
        Ok(FabricLedger::open(settings)?)
    }

    /// Waits until all members' peers have the same blocks: the official client does not try again where one lags behind.
    pub(super) async fn settle(&self) -> anyhow::Result<()> {
        let mut ledgers = Vec::new();
        for kind in [OrganisationKind::Hospital, OrganisationKind::Matcher] {
            for member in self.file.members(kind)? {
                ledgers.push(self.ledger(&member, Role::Node)?);
            }
        }
        loop {
            let heights = try_join_all(ledgers.iter().map(|ledger| ledger.height())).await?;
            if heights.windows(2).all(|pair| pair.first() == pair.last()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn count(&self, kind: OrganisationKind) -> anyhow::Result<u8> {
        Ok(u8::try_from(self.file.members(kind)?.len())?)
    }

    /// Founds the network, which must be fresh: the bench has the keys of its members.
    pub(super) async fn found(&self) -> anyhow::Result<Network> {
        let (hospitals, matchers) = (self.count(OrganisationKind::Hospital)?, self.count(OrganisationKind::Matcher)?);
        for party in Party::all(hospitals, matchers) {
            let known =
                self.ledger(&party.id, Role::Node).context("the network has other members than the scripts'")?;
            let founded = LedgerClient::new(Arc::new(known)).network().await;
            anyhow::ensure!(founded.is_err(), "this channel was founded already: bring up a fresh network");
        }
        Ok(Network::semblance(self, hospitals, matchers).await)
    }
}

#[async_trait]
impl Factory for Fabric {
    async fn start(&self, _: Arc<dyn Contract>, _: &mut [Party]) -> Box<dyn LedgerUnderTest> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl LedgerUnderTest for Fabric {
    #[expect(clippy::expect_used, reason = "founding has opened each of them already")]
    fn handle(&self, identity: Identity) -> Arc<dyn Ledger> {
        Arc::new(self.ledger(&identity.organisation, identity.role).expect("its files were read before"))
    }

    async fn genesis(&self, identity: Identity, call: Call) -> Result<Committed, LedgerError> {
        self.administrator(identity).submit(call).await
    }

    fn administrator(&self, identity: Identity) -> Arc<dyn Ledger> {
        self.handle(identity)
    }

    fn now(&self) -> Timestamp {
        SystemClock.now()
    }
}
