//! One organisation as its configuration describes it: who it is, what it holds, whom it trusts.

mod ledger;

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
use semblance_ledger::client::LedgerClient;
use semblance_ledger::identity::Identity;
use semblance_ledger::tls::ClaimedPeer;

use crate::administer::failure;
use crate::config::{Config, TlsFiles, TlsSection};
use crate::failure::Failure;
use crate::members::KnownMembers;
use crate::network::read_genesis;
use crate::system::System;
use crate::tls::Trust;

/// A configuration with its files read and checked against each other.
pub(crate) struct Party {
    pub(crate) config: Config,
    pub(crate) genesis: Genesis,
    pub(crate) organisation: OrganisationId,
    pub(crate) members: Arc<KnownMembers>,
    pub(crate) trust: Trust,
    pub(crate) signing: SigningKey,
    /// The present sealing key, then earlier ones.
    pub(crate) sealing: Vec<SealingSecret>,
    pub(crate) system: System,
}

impl Party {
    /// Reads the files that a configuration names, asks the ledger where the members known here do not fit to them,
    /// and checks that this organisation may act in this role.
    ///
    /// # Errors
    /// A file is missing or wrong, the organisation is no member, or it may not do what is configured.
    pub(crate) async fn open(config: Config, system: System, role: Role) -> anyhow::Result<Self> {
        let party = Self::read(config, system)?;
        if (party.member().is_err() || party.credentials(role).is_err())
            && let Err(error) = party.ask_for_members(role).await
        {
            tracing::warn!(error = format!("{error:#}"), "the ledger could not be asked who is a member");
        }
        party.check(role)?;
        Ok(party)
    }

    /// Reads the files that a configuration names.
    ///
    /// # Errors
    /// A file is missing or wrong.
    pub(crate) fn read(config: Config, system: System) -> anyhow::Result<Self> {
        let node = &config.content().node;
        let genesis = read_genesis(&config.path(&node.genesis))?;
        let organisation = OrganisationId::new(&node.organisation)
            .map_err(|error| Failure::usage(format!("{}: node.organisation: {error}", config.file().display())))?;
        let keys = config.content().keys.read(config.folder())?;
        let members = Arc::new(KnownMembers::kept(&genesis, &config.data())?);
        let trust = Trust::in_members(Arc::clone(&members));
        let sealing = keys.sealing.iter().map(|key| SealingSecret::from_bytes(**key)).collect::<Result<_, _>>()?;
        let signing = SigningKey::from_seed(&keys.signing);
        Ok(Self { genesis, organisation, members, trust, signing, sealing, system, config })
    }

    /// Checks that this organisation is a member that may do what is configured, with certificates that others take.
    ///
    /// # Errors
    /// It is none, or may not.
    pub(crate) fn check(&self, role: Role) -> anyhow::Result<()> {
        self.check_roles()?;
        self.credentials(role).map(|_| ())
    }

    /// Asks a ledger that this node holds itself.
    ///
    /// # Errors
    /// The ledger does not take this organisation's signing key.
    pub(crate) async fn take_members(&self, ledger: Arc<dyn Ledger>) -> anyhow::Result<()> {
        let learnt = self.members.learn(&LedgerClient::new(ledger)).await;
        learnt.map_err(failure).context("the ledger does not answer this node: is keys.signing_file the present key?")
    }

    /// This node as it reads its own ledger: no connection, so no certificate.
    pub(crate) fn reader(&self) -> Identity {
        self.identity(Role::Node, [0; 32])
    }

    /// Asks with certificates that nothing known here vouches for: the ledger knows better.
    async fn ask_for_members(&self, role: Role) -> anyhow::Result<()> {
        let (name, section) = self.section(role)?;
        let (files, chain) = self.files(name, section)?;
        let claimed = ClaimedPeer::read(&chain)?;
        let ledger = self.reach(role, &files, self.identity(role, claimed.certificate()))?;
        Ok(self.members.learn(&LedgerClient::new(ledger)).await?)
    }

    /// The network.
    pub(crate) fn network(&self) -> NetworkId {
        self.genesis.network().id()
    }

    /// This organisation as it is known to be a member.
    pub(crate) fn member(&self) -> anyhow::Result<Organisation> {
        self.members.get(&self.organisation).ok_or_else(|| {
            let file = self.config.file().display();
            Failure::usage(format!("{file}: node.organisation: `{}` is no member of this network", self.organisation))
                .hint(
                    "check the name and that the genesis file is this network's; a newcomer becomes a member by \
                     `semblance member approve` and `member join`",
                )
                .into()
        })
    }

    /// Whoever holds both the fingerprints and cases of its own can read others' fingerprints.
    fn check_roles(&self) -> anyhow::Result<()> {
        let kind = self.member()?.kind;
        let content = self.config.content();
        let file = self.config.file().display();
        let is = |key: &str, what: &str| Failure::usage(format!("{file}: {key}: `{}` is {what}", self.organisation));
        match kind {
            OrganisationKind::Matcher if content.roles.hospital => {
                Err(is("roles.hospital", "a matcher in this network")
                    .hint("a hospital's node runs under the hospital's own organisation")
                    .into())
            }
            // The ledger takes look-ups' entries from matchers' organisations alone, in a pilot too.
            OrganisationKind::Hospital if content.roles.matcher => {
                let hint =
                    "run a matcher's node under a matcher's organisation; in a pilot it may stand beside this one";
                let apart = "a hospital, and this network keeps fingerprints apart from hospitals";
                let what = if self.is_pilot() { "a hospital, and a matcher is a member of its own" } else { apart };
                Err(is("roles.matcher", what).hint(hint).into())
            }
            OrganisationKind::Hospital if content.ledger.is_embedded() && !self.is_pilot() => {
                let what = "a hospital, and this network keeps fingerprints apart from hospitals";
                let hint = "let a matcher's node hold the ledger; only a pilot network allows it otherwise";
                Err(is("ledger.kind", what).hint(hint).into())
            }
            OrganisationKind::Hospital | OrganisationKind::Matcher => Ok(()),
        }
    }

    /// Whether the network is a pilot, where a hospital may hold others' fingerprints.
    pub(crate) fn is_pilot(&self) -> bool {
        self.genesis.network().separation() == Separation::Pilot
    }

    /// Certificate and ledger identity of this organisation in a role, checked as the other parties will.
    pub(crate) fn credentials(&self, role: Role) -> anyhow::Result<(TlsFiles, Identity)> {
        let (name, section) = self.section(role)?;
        let (files, chain) = self.files(name, section)?;
        let wrong = |why: String| self.wrong(name, section, &why, role);
        let claimed = ClaimedPeer::read(&chain).map_err(|error| wrong(error.to_string()))?;
        if *claimed.organisation() != self.organisation {
            return Err(wrong(format!("it is of {}", claimed.organisation())).into());
        }
        let (root, now) = (self.member()?.tls_root, self.system.clock().now());
        let peer = claimed.verify(root.der(), now).map_err(|error| wrong(error.to_string()))?;
        if peer.role != role {
            return Err(wrong(format!("it is for OU = {}", peer.role)).into());
        }
        let identity = self.identity(role, peer.certificate);
        Ok((files, identity))
    }

    fn identity(&self, role: Role, certificate: [u8; 32]) -> Identity {
        let (network, organisation) = (self.network(), self.organisation.clone());
        Identity { network, organisation, role, certificate, key: self.signing.clone() }
    }

    /// The section that names a role's certificate.
    fn section(&self, role: Role) -> anyhow::Result<(&'static str, &TlsSection)> {
        let content = self.config.content();
        let admin = || {
            Failure::usage(format!("{}: the section [admin] is missing", self.config.file().display()))
                .hint("name the administrator's certificate_file and key_file there")
        };
        match role {
            Role::Node => Ok(("tls", &content.tls)),
            Role::Admin => Ok(("admin", content.admin.as_ref().ok_or_else(admin)?)),
        }
    }

    /// Reads a certificate with its key.
    fn files(
        &self,
        name: &'static str,
        section: &TlsSection,
    ) -> anyhow::Result<(TlsFiles, Vec<CertificateDer<'static>>)> {
        let files = section.read(self.config.folder())?;
        let chain = CertificateDer::pem_slice_iter(files.certificate.as_bytes()).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| {
            let (file, path) = (self.config.file().display(), section.certificate_file.display());
            Failure::usage(format!("{file}: {name}.certificate_file: {path}: no certificate in PEM: {error}"))
        })?;
        Ok((files, chain))
    }

    fn wrong(&self, name: &str, section: &TlsSection, why: &str, role: Role) -> Failure {
        let (file, path) = (self.config.file().display(), section.certificate_file.display());
        Failure::usage(format!("{file}: {name}.certificate_file: {path}: {why}")).hint(format!(
            "name a certificate with O = {} and OU = {role} that this organisation's present root has issued",
            self.organisation
        ))
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
