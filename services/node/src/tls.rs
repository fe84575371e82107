//! Mutual TLS between parties: this node's certificate, and the roots of the others.
//!
//! A server takes clients of every member's root; which member a client is, the services decide by checking its
//! certificate against that organisation's root alone. A client takes exactly the root of the organisation it calls.

use std::collections::BTreeMap;
use std::time::Duration;

use semblance_core::id::OrganisationId;
use semblance_core::organisation::Genesis;
use semblance_ledger::tls::pem;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, ServerTlsConfig};

use crate::config::TlsFiles;
use crate::failure::Failure;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a handshake may take before the server gives it up.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often an idle connection is probed.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// The roots of a network's members.
#[derive(Debug, Clone)]
pub struct Trust {
    roots: BTreeMap<OrganisationId, String>,
}

impl Trust {
    /// The roots in a genesis.
    #[must_use]
    pub fn of(genesis: &Genesis) -> Self {
        let members = genesis.organisations().iter();
        Self { roots: members.map(|member| (member.id.clone(), pem(member.tls_root.der()))).collect() }
    }

    /// What a server shows and whom it lets in.
    #[must_use]
    pub fn server(&self, own: &TlsFiles) -> ServerTlsConfig {
        let roots: String = self.roots.values().map(String::as_str).collect();
        ServerTlsConfig::new()
            .identity(identity(own))
            .client_ca_root(Certificate::from_pem(roots))
            .timeout(HANDSHAKE_TIMEOUT)
    }

    /// A connection to an organisation's node, made when it is first used and again whenever it breaks.
    ///
    /// # Errors
    /// The organisation is no member, or the address or a certificate is none.
    pub fn channel(&self, own: &TlsFiles, organisation: &OrganisationId, address: &str) -> anyhow::Result<Channel> {
        let root = self.roots.get(organisation).ok_or_else(|| {
            Failure::usage(format!("organisation `{organisation}` is no member in the network's genesis"))
                .hint("check the organisation's name under [ledger] and [[matchers]]")
        })?;
        let tls = ClientTlsConfig::new().identity(identity(own)).ca_certificate(Certificate::from_pem(root));
        let endpoint = Endpoint::from_shared(address.to_owned())?
            .tls_config(tls)?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_while_idle(true);
        Ok(endpoint.connect_lazy())
    }
}

fn identity(own: &TlsFiles) -> Identity {
    Identity::from_pem(&own.certificate, own.key.as_bytes())
}
