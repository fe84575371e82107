//! `network.json`: what an organisation's programs must know of a Fabric network. `deploy/fabric` writes one that
//! describes a whole network on one machine; an operator's names the own organisation alone.

mod read;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use semblance_core::id::OrganisationId;
use semblance_core::organisation::{OrganisationKind, Role};
use semblance_core::random::RandomSource;
use semblance_core::time::Clock;
use semblance_fabric::{ClientTls, PeerEndpoint};
use serde::Deserialize;

pub use read::NetworkFileError;
use read::{VERSION, secret, text};

use super::settings::{FabricIdentity, FabricSettings};

/// A network on this machine.
#[derive(Debug, Clone, Deserialize)]
pub struct NetworkFile {
    version: u32,
    /// The channel.
    pub channel: String,
    /// The contract's chaincode.
    pub chaincode: String,
    /// The id of the package that the peers installed; empty before, and where it is not said.
    #[serde(default)]
    pub package_id: String,
    /// Its members, hospitals first; or the own organisation alone.
    pub organisations: Vec<NetworkOrganisation>,
    /// Its orderers, where they are on this machine.
    #[serde(default)]
    pub orderers: Vec<NetworkOrderer>,
}

/// A member.
#[derive(Debug, Clone, Deserialize)]
pub struct NetworkOrganisation {
    /// Its name, which is its MSP's id.
    pub id: String,
    /// `hospital` or `matcher`.
    pub kind: String,
    /// The root of its TLS certificates.
    pub tls_root: PathBuf,
    /// Its peers.
    pub peers: Vec<NetworkPeer>,
    /// Its node's certificates.
    pub node: IdentityFiles,
    /// Its administrator's.
    pub admin: IdentityFiles,
}

/// A peer.
#[derive(Debug, Clone, Deserialize)]
pub struct NetworkPeer {
    /// The name of its process.
    pub name: String,
    /// Where it listens.
    pub address: String,
    /// The name its certificate holds for.
    pub server_name: String,
    /// Where it tells of itself.
    pub operations: Option<String>,
    /// Its files, where they are on this machine.
    pub data: Option<PathBuf>,
    /// The chaincode server that it dials, where it is on this machine.
    pub chaincode: Option<NetworkChaincode>,
}

/// A chaincode server.
#[derive(Debug, Clone, Deserialize)]
pub struct NetworkChaincode {
    /// The name of its process.
    pub name: String,
    /// Where its peer dials.
    pub address: String,
    /// Where it tells of itself.
    pub health: String,
    /// Its certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The root of the peer's certificate.
    pub client_root: PathBuf,
}

/// The files of an identity.
#[derive(Debug, Clone, Deserialize)]
pub struct IdentityFiles {
    /// The MSP's certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// What connections show.
    pub tls_certificate: PathBuf,
    /// Its key.
    pub tls_key: PathBuf,
}

/// An orderer.
#[derive(Debug, Clone, Deserialize)]
pub struct NetworkOrderer {
    /// The name of its process.
    pub name: String,
    /// Whose it is.
    pub organisation: String,
    /// Where it listens.
    pub address: String,
    /// Where it tells of itself.
    pub operations: String,
}

impl NetworkFile {
    /// The file's name in the network's directory.
    pub const NAME: &'static str = "network.json";

    /// Reads a description, or the one in a network's directory. Paths in it are taken from its own folder.
    ///
    /// # Errors
    /// It cannot be read, or is of another version.
    pub fn read(path: &Path) -> Result<Self, NetworkFileError> {
        let path = if path.is_dir() { path.join(Self::NAME) } else { path.to_path_buf() };
        let mut file: Self = serde_json::from_str(&text(&path)?)
            .map_err(|source| NetworkFileError::Malformed { path: path.clone(), source })?;
        if file.version != VERSION {
            return Err(NetworkFileError::Version { path, found: file.version });
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        file.organisations.iter_mut().for_each(|organisation| organisation.place(folder));
        Ok(file)
    }

    /// A member.
    ///
    /// # Errors
    /// It is none.
    pub fn organisation(&self, id: &OrganisationId) -> Result<&NetworkOrganisation, NetworkFileError> {
        let found = self.organisations.iter().find(|organisation| organisation.id == id.as_str());
        found.ok_or_else(|| NetworkFileError::Stranger(id.clone()))
    }

    /// All members of a kind.
    ///
    /// # Errors
    /// A name is none to us.
    pub fn members(&self, kind: OrganisationKind) -> Result<Vec<OrganisationId>, NetworkFileError> {
        let word = kind.to_string();
        let members = self.organisations.iter().filter(|organisation| organisation.kind == word);
        members
            .map(|member| OrganisationId::new(&member.id).map_err(|_| NetworkFileError::Name(member.id.clone())))
            .collect()
    }

    /// What it takes to speak for a member.
    ///
    /// # Errors
    /// It is none, or a file cannot be read.
    pub fn settings(
        &self,
        id: &OrganisationId,
        role: Role,
        clock: Arc<dyn Clock>,
        random: Arc<dyn RandomSource>,
    ) -> Result<FabricSettings, NetworkFileError> {
        let organisation = self.organisation(id)?;
        let tls_root = text(&organisation.tls_root)?;
        let peers = organisation.peers.iter().map(|peer| PeerEndpoint {
            address: peer.address.clone(),
            server_name: peer.server_name.clone(),
            tls_root: tls_root.clone(),
        });
        Ok(FabricSettings {
            organisation: id.clone(),
            channel: self.channel.clone(),
            chaincode: self.chaincode.clone(),
            peers: peers.collect(),
            identity: match role {
                Role::Node => organisation.node.read()?,
                Role::Admin => organisation.admin.read()?,
            },
            clock,
            random,
        })
    }
}

impl NetworkOrganisation {
    fn place(&mut self, folder: &Path) {
        let identities = [&mut self.node, &mut self.admin].into_iter().flat_map(IdentityFiles::paths);
        let peers = self.peers.iter_mut().flat_map(|peer| {
            let chaincode = peer
                .chaincode
                .as_mut()
                .map(|chaincode| [&mut chaincode.certificate, &mut chaincode.key, &mut chaincode.client_root]);
            peer.data.iter_mut().chain(chaincode.into_iter().flatten())
        });
        for path in identities.chain(peers).chain([&mut self.tls_root]) {
            *path = folder.join(&*path);
        }
    }
}

impl IdentityFiles {
    fn paths(&mut self) -> [&mut PathBuf; 4] {
        [&mut self.certificate, &mut self.key, &mut self.tls_certificate, &mut self.tls_key]
    }

    /// Reads them.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn read(&self) -> Result<FabricIdentity, NetworkFileError> {
        Ok(FabricIdentity {
            certificate: text(&self.certificate)?,
            key: secret(&self.key)?,
            tls: ClientTls { certificate: text(&self.tls_certificate)?, key: secret(&self.tls_key)? },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::read::FILE_MAX;
    use super::*;

    #[test]
    fn a_description_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NetworkFile::NAME);
        assert!(matches!(NetworkFile::read(folder.path()), Err(NetworkFileError::Read { .. })));
        let large = " ".repeat(FILE_MAX as usize + 1);
        let whole = r#"{"version": 2, "channel": "c", "chaincode": "s", "organisations": []}"#;
        for (text, expected) in [("{", "describes no network"), (large.as_str(), "more than"), (whole, "version 2")] {
            std::fs::write(&path, text).unwrap();
            let error = NetworkFile::read(folder.path()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
