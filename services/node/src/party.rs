//! One organisation as its configuration describes it: who it is, what it holds, whom it trusts.

use std::sync::Arc;

use anyhow::Context;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use semblance_core::id::{NetworkId, OrganisationId};
use semblance_core::organisation::{Genesis, Organisation, OrganisationKind, Role, Separation};
use semblance_core::sealing::SealingSecret;
use semblance_core::signature::SigningKey;
use semblance_core::vocabulary::Vocabulary;
use semblance_ledger::Ledger;
use semblance_ledger::embedded::RemoteLedger;
use semblance_ledger::identity::Identity;
use semblance_ledger::tls::ClaimedPeer;

use crate::config::{Config, TlsFiles, TlsSection};
use crate::failure::Failure;
use crate::network::read_genesis;
use crate::system::System;
use crate::tls::Trust;

/// A configuration with its files read and checked against each other.
pub(crate) struct Party {
    pub(crate) config: Config,
    pub(crate) genesis: Genesis,
    pub(crate) organisation: OrganisationId,
    pub(crate) trust: Trust,
    pub(crate) signing: SigningKey,
    pub(crate) sealing: SealingSecret,
    pub(crate) system: System,
}

impl Party {
    /// Reads the files that a configuration names.
    ///
    /// # Errors
    /// A file is missing or wrong, the organisation is no member, or it may not do what is configured.
    pub(crate) fn read(config: Config, system: System) -> anyhow::Result<Self> {
        let node = &config.content().node;
        let genesis = read_genesis(&config.path(&node.genesis))?;
        let organisation = OrganisationId::new(&node.organisation)
            .map_err(|error| Failure::usage(format!("{}: node.organisation: {error}", config.file().display())))?;
        let keys = config.content().keys.read(config.folder())?;
        let trust = Trust::of(&genesis);
        let sealing = SealingSecret::from_bytes(*keys.sealing)?;
        let signing = SigningKey::from_seed(&keys.signing);
        let party = Self { genesis, organisation, trust, signing, sealing, system, config };
        party.check_roles()?;
        Ok(party)
    }

    /// The network.
    pub(crate) fn network(&self) -> NetworkId {
        self.genesis.network().id()
    }

    /// This organisation as the genesis has it.
    pub(crate) fn member(&self) -> anyhow::Result<&Organisation> {
        let found = self.genesis.organisations().iter().find(|member| member.id == self.organisation);
        found.ok_or_else(|| {
            let file = self.config.file().display();
            Failure::usage(format!("{file}: node.organisation: `{}` is no member in the genesis", self.organisation))
                .hint("check the name and that the genesis file is this network's")
                .into()
        })
    }

    /// Whoever holds both the fingerprints and cases of its own can read others' fingerprints.
    fn check_roles(&self) -> anyhow::Result<()> {
        let kind = self.member()?.kind;
        let content = self.config.content();
        let file = self.config.file().display();
        if content.roles.hospital && kind != OrganisationKind::Hospital {
            let what = format!("{file}: roles.hospital: `{}` is a matcher in this network", self.organisation);
            return Err(Failure::usage(what)
                .hint("a hospital's node runs under the hospital's own organisation")
                .into());
        }
        let holds_fingerprints = content.roles.matcher || content.ledger.embedded;
        if kind == OrganisationKind::Hospital && holds_fingerprints && !self.is_pilot() {
            let key = if content.roles.matcher { "roles.matcher" } else { "ledger.embedded" };
            let what = format!(
                "{file}: {key}: `{}` is a hospital, and this network keeps fingerprints apart from hospitals",
                self.organisation
            );
            let hint =
                "run matcher and ledger under a matcher's organisation; only a pilot network allows it otherwise";
            return Err(Failure::usage(what).hint(hint).into());
        }
        Ok(())
    }

    /// Whether the network is a pilot, where a hospital may hold others' fingerprints.
    pub(crate) fn is_pilot(&self) -> bool {
        self.genesis.network().separation() == Separation::Pilot
    }

    /// The ledger's handle for this organisation in a role, over the network.
    pub(crate) fn remote_ledger(&self, role: Role) -> anyhow::Result<RemoteLedger> {
        let (files, identity) = self.credentials(role)?;
        let ledger = &self.config.content().ledger;
        let (organisation, address) = match (&ledger.organisation, &ledger.address) {
            (Some(organisation), Some(address)) => (OrganisationId::new(organisation)?, address.clone()),
            // Commands of the organisation that holds the ledger reach it like everyone else.
            _ => (self.organisation.clone(), self.config.own_address()),
        };
        let channel = self.trust.channel(&files, &organisation, &address)?;
        Ok(RemoteLedger::new(channel, identity, self.system.clock(), self.system.random()))
    }

    /// The same as a trait object.
    pub(crate) fn ledger(&self, role: Role) -> anyhow::Result<Arc<dyn Ledger>> {
        Ok(Arc::new(self.remote_ledger(role)?))
    }

    /// Certificate and ledger identity of this organisation in a role.
    pub(crate) fn credentials(&self, role: Role) -> anyhow::Result<(TlsFiles, Identity)> {
        let content = self.config.content();
        let (section, name) = match role {
            Role::Node => (Some(&content.tls), "tls"),
            Role::Admin => (content.admin.as_ref(), "admin"),
        };
        let section = section.ok_or_else(|| {
            Failure::usage(format!("{}: the section [admin] is missing", self.config.file().display()))
                .hint("name the administrator's certificate_file and key_file there")
        })?;
        let (files, certificate) = self.files(name, section, role)?;
        let identity = Identity {
            network: self.network(),
            organisation: self.organisation.clone(),
            role,
            certificate,
            key: self.signing.clone(),
        };
        Ok((files, identity))
    }

    /// Reads a certificate, and checks it as the other parties will.
    fn files(&self, name: &str, section: &TlsSection, role: Role) -> anyhow::Result<(TlsFiles, [u8; 32])> {
        let files = section.read(self.config.folder())?;
        let wrong = |why: String| {
            let (file, path) = (self.config.file().display(), section.certificate_file.display());
            Failure::usage(format!("{file}: {name}.certificate_file: {path}: {why}"))
                .hint(format!("name a certificate with O = {} and OU = {role}", self.organisation))
        };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(files.certificate.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|error| wrong(format!("no certificate in PEM: {error}")))?;
        let claimed = ClaimedPeer::read(&chain).map_err(|error| wrong(error.to_string()))?;
        if *claimed.organisation() != self.organisation {
            return Err(wrong(format!("it is of {}", claimed.organisation())).into());
        }
        let (root, now) = (self.member()?.tls_root.der(), self.system.clock().now());
        let peer = claimed.verify(root, now).map_err(|error| wrong(error.to_string()))?;
        if peer.role != role {
            return Err(wrong(format!("it is for OU = {}", peer.role)).into());
        }
        Ok((files, peer.certificate))
    }

    /// The vocabulary that is configured, or the one built into the program.
    pub(crate) fn vocabulary(&self) -> anyhow::Result<Arc<Vocabulary>> {
        let Some(path) = &self.config.content().node.vocabulary else { return Ok(Vocabulary::built_in()) };
        let path = self.config.path(path);
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read the vocabulary {}", path.display()))?;
        let vocabulary = Vocabulary::decode(&bytes).with_context(|| format!("{} is no vocabulary", path.display()))?;
        Ok(Arc::new(vocabulary))
    }
}
