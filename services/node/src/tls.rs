//! Connections to other parties: mutual TLS with this organisation's certificate. The other side must show a
//! certificate of exactly the organisation that is called, whatever other members there are.

use std::collections::BTreeMap;
use std::time::Duration;

use semblance_core::id::OrganisationId;
use semblance_core::organisation::Genesis;
use semblance_ledger::tls::pem;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::config::TlsFiles;
use crate::failure::Failure;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often an idle connection is probed.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// The roots of a network's founding members.
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
