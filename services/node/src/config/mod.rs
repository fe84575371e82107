//! A node's configuration: one TOML file, one file here for each of its sections.
//!
//! Unknown keys are refused, so that a misspelt one never passes for a default. Secrets stand inline or in a file,
//! never both. Paths are taken from the folder of the configuration file.
//!
//! To add a key: a field in its section with a doc comment, a value in `deploy/examples`, a row in
//! `docs/src/configuration.md`; tests fail until all three agree.

mod channels;
mod keys;
mod ledger;
mod listen;
mod matcher;
mod node;
mod roles;
mod secret;
mod tls;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use semblance_core::id::OrganisationId;
use serde::Deserialize;

pub use channels::{ChannelsSection, HospitalAddress};
pub use keys::{KeysSection, OrganisationKeys};
pub(crate) use ledger::check_address;
pub use ledger::{LedgerKind, LedgerSection};
pub use listen::ListenSection;
pub use matcher::MatcherAddress;
pub use node::NodeSection;
pub use roles::RolesSection;
pub use secret::{Secret, SecretText};
pub use tls::{TlsFiles, TlsSection};

use crate::failure::Failure;

/// The file as it stands.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// Who this is and where it keeps its files.
    pub node: NodeSection,
    /// What it does.
    pub roles: RolesSection,
    /// Where it listens.
    pub listen: ListenSection,
    /// Its certificate, shown to every other party.
    pub tls: TlsSection,
    /// The certificate with which commands on this machine speak to the node.
    pub admin: Option<TlsSection>,
    /// The organisation's signing and sealing keys.
    pub keys: KeysSection,
    /// Which ledger it uses.
    pub ledger: LedgerSection,
    /// The matchers a hospital asks, in order of preference.
    #[serde(default)]
    pub matchers: Vec<MatcherAddress>,
    /// Where people's devices reach a hospital's node, for channels.
    pub channels: Option<ChannelsSection>,
    /// Where the other hospitals' nodes are, for channels with them.
    #[serde(default)]
    pub hospitals: Vec<HospitalAddress>,
}

/// A configuration that was read and checked.
#[derive(Debug)]
pub struct Config {
    file: PathBuf,
    folder: PathBuf,
    content: ConfigFile,
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// The file cannot be read, or a key is wrong: the text names file, line and key.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            Failure::usage(format!("the configuration {} cannot be read: {error}", file.display()))
                .hint("make one with `semblance init`, or copy one from deploy/examples")
        })?;
        Self::parse(file, &text)
    }

    /// Checks the text of a file.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(file: &Path, text: &str) -> anyhow::Result<Self> {
        let content: ConfigFile = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            Failure::usage(format!("{}:{line}: {}", file.display(), error.message().replace('\n', "; ")))
                .hint("docs/src/configuration.md lists every key")
        })?;
        content.check().map_err(|(key, why)| {
            let line = line_of_key(text, key);
            Failure::usage(format!("{}:{line}: {key}: {why}", file.display()))
                .hint("docs/src/configuration.md lists every key")
        })?;
        let folder = file.parent().map(Path::to_path_buf).unwrap_or_default();
        let config = Self { file: file.to_path_buf(), folder, content };
        config.check_founder(text)?;
        Ok(config)
    }

    /// The first transaction of a new ledger is an administrator's.
    fn check_founder(&self, text: &str) -> Result<(), Failure> {
        let founds = self.content.ledger.is_embedded() && !self.ledger_file().exists();
        if !founds || self.content.admin.is_some() {
            return Ok(());
        }
        let (file, line) = (self.file.display(), line_of_key(text, "ledger"));
        let what = format!("{file}:{line}: ledger: the embedded ledger is not founded yet, and [admin] is missing");
        Err(Failure::usage(what)
            .hint("add [admin] with the administrator's certificate: its first start writes the genesis with it"))
    }

    /// The file it came from.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Its sections.
    #[must_use]
    pub fn content(&self) -> &ConfigFile {
        &self.content
    }

    /// The file's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where commands on this machine reach the node.
    #[must_use]
    pub fn own_address(&self) -> String {
        let listen = &self.content.listen;
        listen.admin_address.clone().unwrap_or_else(|| format!("https://{}", reachable(listen.address)))
    }

    /// Takes addresses that came about otherwise: this node listens at `own`, for devices at a free port beside it, and
    /// the others at theirs.
    pub(crate) fn place(&mut self, own: SocketAddr, others: &BTreeMap<OrganisationId, SocketAddr>) {
        let content = &mut self.content;
        let address_of = |organisation: &str, address: &mut String| {
            let found = others.iter().find(|(id, _)| id.as_str() == organisation);
            if let Some((_, found)) = found {
                *address = format!("https://{found}");
            }
        };
        content.listen.address = own;
        content.listen.admin_address = None;
        if let Some(channels) = &mut content.channels {
            channels.address = SocketAddr::new(own.ip(), 0);
        }
        if let (Some(organisation), Some(address)) = (&content.ledger.organisation, &mut content.ledger.address) {
            address_of(organisation, address);
        }
        for matcher in &mut content.matchers {
            address_of(&matcher.organisation, &mut matcher.address);
        }
        for hospital in &mut content.hospitals {
            address_of(&hospital.organisation, &mut hospital.address);
        }
    }

    /// A path of the file, taken from the file's folder.
    #[must_use]
    pub fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// The folder of the node's own data.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.path(&self.content.node.data)
    }

    /// Where the node's embedded ledger lies, if it holds one.
    #[must_use]
    pub fn ledger_file(&self) -> PathBuf {
        self.data().join("ledger").join("ledger.sqlite")
    }
}

impl ConfigFile {
    /// What one section cannot see by itself.
    fn check(&self) -> Result<(), (&'static str, String)> {
        self.tls.check().map_err(|why| ("tls", why))?;
        if let Some(admin) = &self.admin {
            admin.check().map_err(|why| ("admin", why))?;
        }
        self.keys.check().map_err(|why| ("keys", why))?;
        self.ledger.check().map_err(|why| ("ledger", why))?;
        let roles = &self.roles;
        if !roles.hospital && !roles.matcher && !self.ledger.is_embedded() {
            return Err((
                "roles",
                "the node has nothing to do: set hospital or matcher, or ledger.kind to embedded".to_owned(),
            ));
        }
        if roles.hospital && roles.matcher {
            let why =
                "an organisation is a hospital or a matcher: run the matcher's node under an organisation of its own";
            return Err(("roles", why.to_owned()));
        }
        if roles.hospital && self.matchers.is_empty() {
            return Err(("roles", "a hospital needs a matcher to ask: add a [[matchers]] section".to_owned()));
        }
        for matcher in &self.matchers {
            ledger::check_address(&matcher.address).map_err(|why| ("matchers", why))?;
        }
        for hospital in &self.hospitals {
            ledger::check_address(&hospital.address).map_err(|why| ("hospitals", why))?;
        }
        if let Some(channels) = &self.channels {
            if !roles.hospital {
                return Err(("channels", "only a hospital's node serves its people's devices".to_owned()));
            }
            channels.check().map_err(|why| ("channels", why))?;
        }
        Ok(())
    }
}

/// Where this machine reaches an address that may mean all of its interfaces.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
    }
    address
}

/// The line, from 1, of a byte offset.
fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// The line, from 1, of a section's header; 1 when it has none.
fn line_of_key(text: &str, section: &str) -> usize {
    let headers = [format!("[{section}]"), format!("[[{section}]]")];
    text.lines()
        .position(|line| headers.iter().any(|header| line.trim_start().starts_with(header)))
        .map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests;
