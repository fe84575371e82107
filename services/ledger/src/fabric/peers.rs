//! The own organisation's peers: one is preferred as long as it answers, then the next one is.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use prost::Message;
use semblance_fabric::proto::common::BlockchainInfo;
use semblance_fabric::{CallError, Network};

use super::failure;
use crate::LedgerError;

/// The chaincode that tells of the chain itself.
const CHAIN: &str = "qscc";

/// How often a peer that lags behind is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// How often in all.
const ASKED: u32 = 100;

/// The channel by way of each peer.
pub(super) struct Peers {
    networks: Vec<Network>,
    preferred: AtomicUsize,
    /// How many blocks there are at least: what was acknowledged lies in them.
    acknowledged: AtomicU64,
    /// The peer that is known to have them all; another one is asked first.
    current: AtomicUsize,
}

impl Peers {
    pub(super) fn new(networks: Vec<Network>) -> Self {
        Self { networks, preferred: AtomicUsize::new(0), acknowledged: AtomicU64::new(0), current: AtomicUsize::new(0) }
    }

    pub(super) fn networks(&self) -> Vec<Network> {
        self.in_order().collect()
    }

    /// All peers, the preferred one first.
    pub(super) fn in_order(&self) -> impl Iterator<Item = Network> + use<> {
        let first = self.preferred.load(Ordering::Relaxed);
        let mut networks = self.networks.clone();
        let count = networks.len().max(1);
        networks.rotate_left(first % count);
        networks.into_iter()
    }

    /// Says whether the failure is the peer's, so that another one may be asked; then the next one is preferred.
    pub(super) fn lost(&self, network: &Network, error: &CallError) -> bool {
        // What a peer passes on of others (an organisation without a peer, no orderer) the next one will say as well.
        let gone = error.never_sent || (error.is_unavailable() && error.details.is_empty() && broken(&error.message));
        if gone && let Some(place) = self.place(network) {
            let next = (place + 1) % self.networks.len().max(1);
            let _ = self.preferred.compare_exchange(place, next, Ordering::Relaxed, Ordering::Relaxed);
        }
        gone
    }

    /// What a failure means, where another peer may be asked instead.
    ///
    /// # Errors
    /// The same, where the next one would say it as well.
    pub(super) fn passed_over(&self, network: &Network, error: &CallError) -> Result<LedgerError, LedgerError> {
        let meant = failure::call_failed(error);
        if self.lost(network, error) { Ok(meant) } else { Err(meant) }
    }

    fn place(&self, network: &Network) -> Option<usize> {
        self.networks.iter().position(|other| other.address() == network.address())
    }

    /// Remembers a block that was acknowledged by the preferred peer.
    pub(super) fn saw(&self, block: u64) {
        self.acknowledged.fetch_max(block.saturating_add(1), Ordering::Relaxed);
        self.current.store(self.preferred.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// How many blocks there are at least.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until a peer has every block that was acknowledged by way of another one.
    pub(super) async fn catch_up(&self, network: &Network) -> Result<(), CallError> {
        let (wanted, place) = (self.acknowledged(), self.place(network));
        if wanted == 0 || place == Some(self.current.load(Ordering::Relaxed)) {
            return Ok(());
        }
        for _ in 0..ASKED {
            if height_at(network).await? >= wanted {
                self.current.store(place.unwrap_or_default(), Ordering::Relaxed);
                return Ok(());
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
        Err(failure::lagging(network.address(), wanted))
    }
}

/// How many blocks a peer has.
pub(super) async fn height_at(network: &Network) -> Result<u64, CallError> {
    Ok(chain_at(network).await?.height)
}

/// What a peer says of its chain.
pub(super) async fn chain_at(network: &Network) -> Result<BlockchainInfo, CallError> {
    let channel = network.channel().as_bytes().to_vec();
    let proposal = network.contract(CHAIN).proposal("GetChainInfo").arguments([channel]);
    let proposal = proposal.build().map_err(|error| failure::unsigned(&error))?;
    let answer = proposal.evaluate().await?;
    BlockchainInfo::decode(answer.as_slice()).map_err(|_| failure::nonsense())
}

/// Whether a text tells of this very connection, as tonic words it, and not of what a gateway found elsewhere.
fn broken(message: &str) -> bool {
    [
        "transport error",
        "tcp connect error",
        "connection",
        "Timeout expired",
        "h2 protocol error",
        "error reading a body",
        "operation was canceled",
    ]
    .iter()
    .any(|word| message.contains(word))
}
