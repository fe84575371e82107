//! The ledger as a party reaches it: another organisation's node, or its own peers of Fabric.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use semblance_core::id::{Digest, OrganisationId};
use semblance_core::organisation::Role;
use semblance_core::time::Clock;
use semblance_ledger::embedded::RemoteLedger;
use semblance_ledger::fabric::FabricLedger;
use semblance_ledger::fabric::network_file::NetworkFile;
use semblance_ledger::identity::Identity;
use semblance_ledger::{Ledger, LedgerError};

use super::Party;
use crate::config::{LedgerKind, TlsFiles};
use crate::failure::Failure;

impl Party {
    /// The ledger's handle for this organisation in a role, over the network.
    ///
    /// # Errors
    /// Certificates or the description of the network cannot be used.
    pub(crate) fn ledger(&self, role: Role) -> anyhow::Result<Arc<dyn Ledger>> {
        let (files, identity) = self.credentials(role)?;
        self.reach(role, &files, identity)
    }

    /// The same by another clock.
    ///
    /// # Errors
    /// As [`Party::ledger`].
    pub(crate) fn ledger_by(&self, role: Role, clock: Arc<dyn Clock>) -> anyhow::Result<Arc<dyn Ledger>> {
        Ok(match self.kind() {
            LedgerKind::Fabric => Arc::new(self.fabric_by(role, clock)?),
            LedgerKind::Embedded | LedgerKind::Remote => {
                let (files, identity) = self.credentials(role)?;
                Arc::new(self.remote(&files, identity, clock)?)
            }
        })
    }

    /// The newest block: how many there are, and the hash of the last one.
    ///
    /// # Errors
    /// The ledger cannot be reached.
    pub(crate) async fn head(&self, role: Role) -> anyhow::Result<Result<(u64, Option<Digest>), LedgerError>> {
        let (files, identity) = self.credentials(role)?;
        Ok(match self.kind() {
            LedgerKind::Fabric => self.fabric(role)?.head().await,
            LedgerKind::Embedded | LedgerKind::Remote => {
                self.remote(&files, identity, self.system.clock())?.head().await
            }
        })
    }

    /// The same by way of credentials that are not checked yet.
    pub(super) fn reach(&self, role: Role, files: &TlsFiles, identity: Identity) -> anyhow::Result<Arc<dyn Ledger>> {
        Ok(match self.kind() {
            LedgerKind::Fabric => Arc::new(self.fabric(role)?),
            LedgerKind::Embedded | LedgerKind::Remote => Arc::new(self.remote(files, identity, self.system.clock())?),
        })
    }

    pub(crate) fn kind(&self) -> LedgerKind {
        self.config.content().ledger.kind
    }

    /// The description of the Fabric network that is configured.
    ///
    /// # Errors
    /// None is, or it cannot be used.
    pub(crate) fn fabric_network(&self) -> anyhow::Result<NetworkFile> {
        let path = self.fabric_file()?;
        NetworkFile::read(&path).map_err(|error| self.unusable(&error).into())
    }

    /// The channel as this organisation's node or administrator sees it.
    ///
    /// # Errors
    /// The description or a certificate cannot be used.
    pub(crate) fn fabric(&self, role: Role) -> anyhow::Result<FabricLedger> {
        self.fabric_by(role, self.system.clock())
    }

    fn fabric_by(&self, role: Role, clock: Arc<dyn Clock>) -> anyhow::Result<FabricLedger> {
        let network = self.fabric_network()?;
        let settings = network.settings(&self.organisation, role, clock, self.system.random());
        let settings = settings.map_err(|error| self.unusable(&error))?;
        Ok(FabricLedger::open(settings).map_err(|error| self.unusable(&error))?)
    }

    fn fabric_file(&self) -> anyhow::Result<PathBuf> {
        let network = self.config.content().ledger.network.as_ref();
        Ok(self.config.path(network.context("ledger.network is not set")?))
    }

    fn unusable(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::usage(format!("{}: ledger.network: {error}", self.config.file().display()))
            .hint("docs/src/fabric/network.md says what the description of a Fabric network holds")
    }

    fn remote(&self, files: &TlsFiles, identity: Identity, clock: Arc<dyn Clock>) -> anyhow::Result<RemoteLedger> {
        let ledger = &self.config.content().ledger;
        let (organisation, address) = match (&ledger.organisation, &ledger.address) {
            (Some(organisation), Some(address)) => (OrganisationId::new(organisation)?, address.clone()),
            // Commands of the organisation that holds the ledger reach it like everyone else.
            _ => (self.organisation.clone(), self.config.own_address()),
        };
        let channel = self.trust.channel(files, &organisation, &address)?;
        Ok(RemoteLedger::new(channel, identity, clock, self.system.random()))
    }
}
