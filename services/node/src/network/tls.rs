//! An organisation's certificates: of its own authority, its node and its administrator.

use std::path::Path;

use semblance_core::id::OrganisationId;
use semblance_core::organisation::TlsRoot;
use semblance_core::time::Clock;
use zeroize::Zeroizing;

use super::authority::{Authority, Holder};
use super::files::SECRET;
use crate::config::TlsFiles;
use crate::folder::{write_public, write_secret};

/// Certificates and their keys, just issued.
pub(super) struct PartyTls {
    /// What the others check these certificates against.
    pub(super) root: TlsRoot,
    authority_pem: String,
    authority_key: Zeroizing<String>,
    pub(super) node: TlsFiles,
    pub(super) admin: TlsFiles,
}

impl PartyTls {
    /// Makes an authority and lets it issue both certificates; the node's for these hosts.
    ///
    /// # Errors
    /// A host name is none, or a key cannot be drawn.
    pub(super) fn issue(id: &OrganisationId, hosts: &[String], clock: &dyn Clock) -> anyhow::Result<Self> {
        let authority = Authority::new(id, clock.now())?;
        Ok(Self {
            root: TlsRoot::new(authority.der().to_vec())?,
            authority_pem: authority.pem(),
            authority_key: authority.key_pem(),
            node: authority.issue(Holder::Node, hosts)?,
            admin: authority.issue(Holder::Admin, &[])?,
        })
    }

    /// Writes them into the organisation's folder, and apart from it the authority's key.
    ///
    /// # Errors
    /// A file is there already, or cannot be written.
    pub(super) fn write(&self, own: &Path, authority_key: &Path) -> anyhow::Result<()> {
        write_public(&own.join("authority.pem"), self.authority_pem.as_bytes())?;
        write_public(&own.join("node.pem"), self.node.certificate.as_bytes())?;
        write_public(&own.join("admin.pem"), self.admin.certificate.as_bytes())?;
        write_secret(&own.join(SECRET).join("node.key"), &self.node.key)?;
        write_secret(&own.join(SECRET).join("admin.key"), &self.admin.key)?;
        write_secret(authority_key, &self.authority_key)
    }
}
