//! `network.json`: where everything of a network on this machine is, as `deploy/fabric` describes it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use semblance_core::id::OrganisationId;
use semblance_core::organisation::{OrganisationKind, Role};
use semblance_core::random::RandomSource;
use semblance_core::time::Clock;
use semblance_fabric::{ClientTls, PeerEndpoint};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::settings::{FabricIdentity, FabricSettings};

/// The version that is read.
const VERSION: u32 = 1;

/// Why the description cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NetworkFileError {
    /// A file cannot be read.
    #[error("{path} cannot be read: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is no description.
    #[error("{path} describes no network: {source}")]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// It is of another version.
    #[error(
        "{path} is of version {found}, this program reads version {VERSION}: make it with the scripts of this release"
    )]
    Version {
        /// Which.
        path: PathBuf,
        /// What it is.
        found: u32,
    },
    /// It does not name this organisation.
    #[error("{0} is not in this network")]
    Stranger(OrganisationId),
    /// An organisation has a name that is none to us.
    #[error("the network's organisation {0:?} cannot be a member: its name must have letters a-z, digits and '-'")]
    Name(String),
}

/// A network on this machine.
#[derive(Debug, Clone, Deserialize)]
pub struct NetworkFile {
    version: u32,
    /// The channel.
    pub channel: String,
    /// The contract's chaincode.
    pub chaincode: String,
    /// The id of the package that the peers installed; empty before.
    pub package_id: String,
    /// How often the chaincode was defined.
    pub sequence: u64,
    /// `raft` or `bft`.
    pub consensus: String,
    /// Its members, hospitals first.
    pub organisations: Vec<NetworkOrganisation>,
    /// Its orderers.
    pub orderers: Vec<NetworkOrderer>,
}

/// A member.
#[derive(Debug, Clone, Deserialize)]
pub struct NetworkOrganisation {
    /// Its name, which is its MSP's id.
    pub id: String,
    /// `hospital` or `matcher`.
    pub kind: String,
    /// The root of its members' certificates.
    pub root: PathBuf,
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
    pub operations: String,
    /// Its files.
    pub data: PathBuf,
    /// The chaincode server that it dials.
    pub chaincode: NetworkChaincode,
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

    /// Reads the description in a network's directory.
    ///
    /// # Errors
    /// It cannot be read, or is of another version.
    pub fn read(directory: &Path) -> Result<Self, NetworkFileError> {
        let path = directory.join(Self::NAME);
        let file: Self = serde_json::from_str(&text(&path)?)
            .map_err(|source| NetworkFileError::Malformed { path: path.clone(), source })?;
        if file.version != VERSION {
            return Err(NetworkFileError::Version { path, found: file.version });
        }
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

impl IdentityFiles {
    /// Reads them.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn read(&self) -> Result<FabricIdentity, NetworkFileError> {
        Ok(FabricIdentity {
            certificate: text(&self.certificate)?,
            key: Zeroizing::new(text(&self.key)?),
            tls: ClientTls { certificate: text(&self.tls_certificate)?, key: Zeroizing::new(text(&self.tls_key)?) },
        })
    }
}

fn text(path: &Path) -> Result<String, NetworkFileError> {
    std::fs::read_to_string(path).map_err(|source| NetworkFileError::Read { path: path.to_path_buf(), source })
}
