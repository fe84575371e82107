//! Counters for Prometheus: no key, no value, no caller.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use semblance_contract::FUNCTIONS;

/// How a transaction ended here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Outcome {
    /// The contract agreed.
    Succeeded,
    /// The contract, or a check before it, refused.
    Refused,
    /// The state could not be read or written.
    Broken,
    /// The contract panicked.
    Panicked,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    function: String,
    outcome: Outcome,
}

/// All of them.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    transactions: Family<Labels, Counter>,
    seconds: Histogram,
    in_flight: Gauge,
    peers: Gauge<i64, std::sync::atomic::AtomicI64>,
    started: AtomicU64,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("semblance_chaincode");
        let transactions = Family::<Labels, Counter>::default();
        let seconds = Histogram::new(exponential_buckets(0.000_5, 2.0, 16));
        let (in_flight, peers) = (Gauge::default(), Gauge::default());
        registry.register("transactions", "Transactions executed, by function and outcome", transactions.clone());
        registry.register("transaction_seconds", "Time from a transaction's arrival to its reply", seconds.clone());
        registry.register("transactions_in_flight", "Transactions under way", in_flight.clone());
        registry.register("peers_ready", "Peers that are connected and ready", peers.clone());
        Self { registry, transactions, seconds, in_flight, peers, started: AtomicU64::new(0) }
    }
}

impl Metrics {
    pub(crate) fn begun(&self) {
        self.started.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.in_flight.inc();
    }

    pub(crate) fn ended(&self, function: &str, outcome: Outcome, took: Duration) {
        self.in_flight.dec();
        self.seconds.observe(took.as_secs_f64());
        // A caller may make up any name: what the contract does not know counts as one.
        let known = FUNCTIONS.iter().find(|(name, _)| *name == function);
        let function = known.map_or("other", |(name, _)| *name).to_owned();
        self.transactions.get_or_create(&Labels { function, outcome }).inc();
    }

    pub(crate) fn peer_is_ready(&self, ready: bool) {
        self.peers.inc_by(if ready { 1 } else { -1 });
    }

    /// Whether a peer is connected and ready.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.peers.get() > 0
    }

    /// Transactions that arrived so far.
    #[must_use]
    pub fn arrived(&self) -> u64 {
        self.started.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// The text that Prometheus reads.
    ///
    /// # Errors
    /// It cannot be formatted.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
