//! What it takes to speak to Fabric.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use semblance_core::id::OrganisationId;
use semblance_core::random::RandomSource;
use semblance_core::time::Clock;
use semblance_fabric::{
    ClientTls, Connection, ConnectionError, Gateway, Identity, PeerEndpoint, SignError, Sources, signer_from_pem,
};

use super::peers::Peers;

/// A certificate of the organisation's MSP with its key, and the certificate that connections show, all in PEM.
#[derive(Clone)]
pub struct FabricIdentity {
    /// The certificate that the MSP issued; its role (NodeOU) is `client` or `admin`.
    pub certificate: String,
    /// Its key (P-256, PKCS #8).
    pub key: zeroize::Zeroizing<String>,
    /// What connections show.
    pub tls: ClientTls,
}

impl fmt::Debug for FabricIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FabricIdentity").finish_non_exhaustive()
    }
}

/// Where the ledger is and who speaks to it.
#[derive(Clone)]
pub struct FabricSettings {
    /// The organisation; its name is its MSP's id.
    pub organisation: OrganisationId,
    /// The channel.
    pub channel: String,
    /// The contract's chaincode.
    pub chaincode: String,
    /// The organisation's peers, in order of preference.
    pub peers: Vec<PeerEndpoint>,
    /// Who speaks.
    pub identity: FabricIdentity,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where nonces come from.
    pub random: Arc<dyn RandomSource>,
}

impl fmt::Debug for FabricSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FabricSettings")
            .field("organisation", &self.organisation)
            .field("channel", &self.channel)
            .field("chaincode", &self.chaincode)
            .field("peers", &self.peers)
            .finish_non_exhaustive()
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// There is no peer to speak to.
    #[error("no peer is named: the ledger is reached through the organisation's own peers")]
    NoPeer,
    /// A peer's address or a certificate is wrong.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The key cannot sign.
    #[error(transparent)]
    Key(#[from] SignError),
}

impl FabricSettings {
    pub(super) fn connect(self) -> Result<Peers, SettingsError> {
        if self.peers.is_empty() {
            return Err(SettingsError::NoPeer);
        }
        let sign = signer_from_pem(&self.identity.key)?;
        let identity = Identity::new(self.organisation.as_str(), &self.identity.certificate);
        let (clock, random) = (self.clock, self.random);
        let sources =
            Sources { now: Arc::new(move || moment(clock.as_ref())), nonce: Arc::new(move || random.array()) };
        let mut networks = Vec::new();
        for peer in &self.peers {
            let connection = Connection::open(peer, &self.identity.tls)?;
            let gateway = Gateway::new(connection, identity.clone(), sign.clone(), sources.clone());
            networks.push(gateway.network(&self.channel));
        }
        Ok(Peers::new(networks))
    }
}

fn moment(clock: &dyn Clock) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(clock.now().millis())).unwrap_or(UNIX_EPOCH)
}
