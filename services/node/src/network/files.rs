//! A network's files: one folder an organisation, the authorities' keys apart, the genesis for all.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use semblance_core::id::OrganisationId;
use semblance_core::organisation::{Genesis, OrganisationKind};
use semblance_core::record::Record;
use semblance_core::sealing::SealingSecret;
use semblance_core::signature::SigningKey;

use super::{NewNetwork, NewParty};
use crate::failure::Failure;
use crate::folder::{self, write_public, write_secret};

/// The genesis' name in a network's folder.
pub const GENESIS_FILE: &str = "network.genesis";
/// The configuration's name in an organisation's folder.
pub const NODE_FILE: &str = "node.toml";
/// The folder of the authorities' keys, which no node needs.
pub(super) const AUTHORITIES: &str = "authorities";
/// How far from a hospital's node it listens for devices: further than a network on one machine has nodes.
const DEVICES: u16 = 400;
/// The folder of an organisation's secrets.
pub(super) const SECRET: &str = "secret";

/// What was written where.
#[derive(Debug)]
pub struct Written {
    /// The genesis file.
    pub genesis: PathBuf,
    /// Each organisation's configuration, matchers first.
    pub configurations: Vec<PathBuf>,
    /// The folder of the authorities' keys.
    pub authorities: PathBuf,
}

impl NewNetwork {
    /// Writes everything below a folder that is empty or not there yet.
    ///
    /// # Errors
    /// The folder holds something, or cannot be written.
    pub fn write(&self, root: &Path) -> anyhow::Result<Written> {
        refuse_content(root)?;
        let authorities = root.join(AUTHORITIES);
        folder::make(&authorities)?;
        let mut configurations = Vec::new();
        for party in &self.parties {
            let configuration = party.write(root, &self.place(party))?;
            write_public(&root.join(party.id.as_str()).join(GENESIS_FILE), &self.genesis.encode())?;
            configurations.push(configuration);
        }
        let genesis = root.join(GENESIS_FILE);
        write_public(&genesis, &self.genesis.encode())?;
        Ok(Written { genesis, configurations, authorities })
    }

    fn place(&self, party: &NewParty) -> Place<'_> {
        let plan = &self.plan;
        let elsewhere = |id| (id, format!("https://localhost:{}", plan.port_of(id)));
        let ledger = match (plan.fabric(), plan.matchers().first()) {
            (Some(network), _) => LedgerPlace::Fabric(network.to_path_buf()),
            (None, Some(holder)) if *holder != party.id => LedgerPlace::remote(elsewhere(holder)),
            (None, _) => LedgerPlace::Embedded,
        };
        let others = plan.hospitals().iter().filter(|id| **id != party.id);
        Place {
            port: plan.port_of(&party.id),
            ledger,
            matchers: plan.matchers().iter().map(elsewhere).collect(),
            hospitals: others.map(elsewhere).collect(),
        }
    }
}

/// Where a party's ledger is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerPlace {
    /// Its own node holds it.
    Embedded,
    /// The node of another organisation holds it, at this address.
    Remote(OrganisationId, String),
    /// It is a channel of the Fabric network that this file, or this folder's, describes.
    Fabric(PathBuf),
}

impl LedgerPlace {
    fn remote((holder, address): (&OrganisationId, String)) -> Self {
        Self::Remote(holder.clone(), address)
    }

    /// The section of a configuration.
    fn section(&self) -> String {
        match self {
            Self::Embedded => "[ledger]\nkind = \"embedded\"\n".to_owned(),
            Self::Remote(holder, address) => {
                format!("[ledger]\nkind = \"remote\"\norganisation = \"{holder}\"\naddress = \"{address}\"\n")
            }
            // Quoted as TOML has it, whatever the path's letters.
            Self::Fabric(network) => {
                let network = toml::Value::String(network.display().to_string());
                format!("[ledger]\nkind = \"fabric\"\nnetwork = {network}\n")
            }
        }
    }
}

/// Where a party's node is, and where those are that it calls.
pub(super) struct Place<'a> {
    /// Where it listens.
    pub(super) port: u16,
    /// Where the ledger is.
    pub(super) ledger: LedgerPlace,
    /// Whom a hospital asks.
    pub(super) matchers: Vec<(&'a OrganisationId, String)>,
    /// With whom a hospital has channels.
    pub(super) hospitals: Vec<(&'a OrganisationId, String)>,
}

impl Place<'_> {
    /// Where it listens for devices.
    fn devices(&self) -> u16 {
        self.port.checked_add(DEVICES).unwrap_or_else(|| self.port.saturating_sub(DEVICES))
    }
}

impl NewParty {
    /// Writes the party's folder below `root`, and the authority's key apart; returns the configuration's path.
    pub(super) fn write(&self, root: &Path, place: &Place<'_>) -> anyhow::Result<PathBuf> {
        let own = root.join(self.id.as_str());
        folder::make(&own.join(SECRET))?;
        self.tls.write(&own, &root.join(AUTHORITIES).join(format!("{}.key", self.id)))?;
        write_signing(&own, &self.signing)?;
        write_sealing(&own, &self.sealing)?;
        let configuration = own.join(NODE_FILE);
        write_public(&configuration, self.configuration(place).as_bytes())?;
        Ok(configuration)
    }

    fn configuration(&self, place: &Place<'_>) -> String {
        let hospital = self.kind == OrganisationKind::Hospital;
        let mut text = String::new();
        let mut line = |content: &str| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{content}");
        };
        line("# Every key: docs/src/configuration.md. Paths are taken from this file's folder.");
        line(&format!("[node]\norganisation = \"{}\"\ndata = \"data\"\ngenesis = \"{GENESIS_FILE}\"\n", self.id));
        line(&format!("[roles]\nhospital = {hospital}\nmatcher = {}\n", !hospital));
        line(&format!("[listen]\naddress = \"127.0.0.1:{}\"\n", place.port));
        line(&format!("[tls]\ncertificate_file = \"node.pem\"\nkey_file = \"{SECRET}/node.key\"\n"));
        line(&format!("[admin]\ncertificate_file = \"admin.pem\"\nkey_file = \"{SECRET}/admin.key\"\n"));
        line(&format!("[keys]\nsigning_file = \"{SECRET}/signing.key\"\nsealing_file = \"{SECRET}/sealing.key\"\n"));
        let elsewhere =
            |(id, address): &(&OrganisationId, String)| format!("organisation = \"{id}\"\naddress = \"{address}\"\n");
        line(&place.ledger.section());
        if hospital {
            for matcher in &place.matchers {
                line(&format!("[[matchers]]\n{}", elsewhere(matcher)));
            }
            line("# Browsers believe only what their own authorities vouch for: name such a certificate here.");
            line(&format!("[channels]\naddress = \"127.0.0.1:{}\"", place.devices()));
            line(&format!("certificate_file = \"node.pem\"\nkey_file = \"{SECRET}/node.key\"\n"));
            for hospital in &place.hospitals {
                line(&format!("[[hospitals]]\n{}", elsewhere(hospital)));
            }
        }
        text
    }
}

/// Writes a signing key among the secrets of a folder.
pub(super) fn write_signing(own: &Path, key: &SigningKey) -> anyhow::Result<()> {
    write_secret(&own.join(SECRET).join("signing.key"), &hex_line(&key.expose_seed()))
}

/// Writes a sealing key among the secrets of a folder.
pub(super) fn write_sealing(own: &Path, key: &SealingSecret) -> anyhow::Result<()> {
    write_secret(&own.join(SECRET).join("sealing.key"), &hex_line(&key.expose()))
}

/// Reads a genesis file.
///
/// # Errors
/// It cannot be read or holds no genesis.
pub fn read_genesis(path: &Path) -> anyhow::Result<Genesis> {
    let bytes = folder::read(path, folder::MEMBERS_MAX).map_err(|error| {
        Failure::usage(format!("the genesis file {} cannot be read: {}", path.display(), error.root_cause()))
            .hint("copy network.genesis from whoever ran `semblance init`, and set node.genesis to it")
    })?;
    Genesis::decode(&bytes).with_context(|| format!("{} is no genesis of a network", path.display()))
}

fn hex_line(bytes: &[u8; 32]) -> zeroize::Zeroizing<String> {
    zeroize::Zeroizing::new(hex::encode(bytes) + "\n")
}

/// Refuses a folder that holds something.
pub(super) fn refuse_content(folder: &Path) -> anyhow::Result<()> {
    let mut entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("cannot look into {}", folder.display())),
    };
    if entries.next().is_some() {
        let failure = Failure::usage(format!("{} is not empty: keys are never overwritten", folder.display()));
        return Err(failure.hint("name a folder that is empty or not there yet").into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use semblance_core::id::OrganisationId;
    use semblance_core::random::SeededSource;
    use semblance_core::time::{ManualClock, Timestamp};

    use super::*;
    use crate::config::Config;
    use crate::network::NetworkPlan;

    fn network() -> NewNetwork {
        let id = |name: &str| OrganisationId::new(name).unwrap();
        let hospitals = vec![id("north"), id("south")];
        let plan = NetworkPlan::new("test", hospitals, vec![id("matcher")], false, &["example.org".into()], 7000);
        let clock = ManualClock::at(Timestamp::from_millis(1_790_000_000_000));
        NewNetwork::draw(plan.unwrap(), &clock, &SeededSource::new([1; 32])).unwrap()
    }

    #[test]
    fn what_is_written_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let network = network();
        let written = network.write(&folder.path().join("net")).unwrap();
        assert_eq!(read_genesis(&written.genesis).unwrap(), *network.genesis());
        assert_eq!(written.configurations.len(), 3);
        for (path, party) in written.configurations.iter().zip(&network.parties) {
            let config = Config::read(path).unwrap();
            let own = path.parent().unwrap();
            let keys = config.content().keys.read(own).unwrap();
            assert_eq!(*keys.signing, *party.signing.expose_seed());
            assert_eq!(keys.sealing, [party.sealing.expose()]);
            assert_eq!(config.content().tls.read(own).unwrap().certificate, party.tls.node.certificate);
            assert_eq!(config.content().ledger.is_embedded(), party.id.as_str() == "matcher");
            let others: Vec<_> = config.content().hospitals.iter().map(|one| one.organisation.as_str()).collect();
            let devices = config.content().channels.as_ref().map(|channels| channels.address.port());
            match party.id.as_str() {
                "north" => assert_eq!((devices, others), (Some(7401), vec!["south"])),
                "south" => assert_eq!((devices, others), (Some(7402), vec!["north"])),
                _ => assert_eq!((devices, others), (None, Vec::new())),
            }
            assert_eq!(read_genesis(&config.path(&config.content().node.genesis)).unwrap(), *network.genesis());
        }
    }

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("diary.txt"), "mine").unwrap();
        let error = network().write(folder.path()).unwrap_err();
        assert!(error.to_string().contains("is not empty"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn secrets_are_their_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        network().write(folder.path()).unwrap();
        let secrets = ["node.key", "admin.key", "signing.key", "sealing.key"];
        let paths = secrets.map(|name| folder.path().join("north/secret").join(name));
        for path in paths.iter().chain([&folder.path().join("authorities/north.key")]) {
            assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
        }
    }
}
