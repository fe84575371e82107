//! The ledger of several hospitals: Hyperledger Fabric, through the gateways of the own organisation's peers.
//!
//! An organisation's name is its MSP's id. Who submits is the certificate that the MSP issued; the keys in the contract's
//! records sign statements, not transactions.

pub mod definition;
mod failure;
mod follow;
pub mod network_file;
mod peers;
pub mod settings;
mod verify;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use semblance_contract::stub::QUERY;
use semblance_core::id::{Digest, OrganisationId, TransactionId};
use semblance_core::limits::PROPOSAL_BYTES_MAX;
use semblance_fabric::proto::common::BlockchainInfo;
use semblance_fabric::{CallError, Commit, Contract, Network, Proposal, Stage, Status};

use crate::follow::reopened;
use crate::{Call, Committed, EventStream, Ledger, LedgerError};
use failure::{call_failed, invalid, transaction_of};
use follow::Follower;
use peers::{Peers, chain_at, height_at};
pub use settings::{FabricIdentity, FabricSettings, SettingsError};
pub use verify::verify_blocks;

/// The first wait for an endorser that lags behind; it doubles up to the longest, about two seconds in all.
const LAG_FIRST: Duration = Duration::from_millis(30);
/// How long a transaction that the orderers confirmed may take into a block before it is handed in again. On a network
/// that is merely busy blocks come late, and handing in everything twice would make it busier.
const ORDERED: Duration = Duration::from_secs(30);
/// How long to wait where they did not confirm it: it may have got through all the same.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// How long it is tried; a SmartBFT network takes up to twenty seconds to agree on another leader.
const GIVE_UP: Duration = Duration::from_secs(90);
/// The longest wait.
const LAG_LONGEST: Duration = Duration::from_millis(960);

/// The ledger as one identity of an organisation sees it.
#[derive(Clone)]
pub struct FabricLedger {
    organisation: OrganisationId,
    peers: Arc<Peers>,
    chaincode: Arc<str>,
    ordered: Duration,
}

impl FabricLedger {
    /// Prepares the way to the organisation's peers; connections are made when they are needed.
    ///
    /// # Errors
    /// A certificate, a key or an address cannot be used.
    pub fn open(settings: FabricSettings) -> Result<Self, SettingsError> {
        let organisation = settings.organisation.clone();
        let chaincode = Arc::from(settings.chaincode.as_str());
        Ok(Self { organisation, chaincode, peers: Arc::new(settings.connect()?), ordered: ORDERED })
    }

    /// The same that waits so long for a transaction that the orderers confirmed, before it is handed in again.
    #[must_use]
    pub fn with_patience(self, ordered: Duration) -> Self {
        Self { ordered, ..self }
    }

    /// The channel through each of the organisation's peers, the preferred one first.
    #[must_use]
    pub fn networks(&self) -> Vec<Network> {
        self.peers.networks()
    }

    /// The channel's name.
    #[must_use]
    pub fn channel(&self) -> String {
        self.peers.networks().first().map(|network| network.channel().to_owned()).unwrap_or_default()
    }

    /// The name of the contract's chaincode.
    #[must_use]
    pub fn chaincode(&self) -> &str {
        &self.chaincode
    }

    /// The newest block of the first peer that answers: how many there are, and the hash of the last one.
    ///
    /// # Errors
    /// No peer answers, or one answers nonsense.
    pub async fn head(&self) -> Result<(u64, Option<Digest>), LedgerError> {
        let chain = self.chain().await?;
        let hash = <[u8; 32]>::try_from(chain.current_block_hash)
            .map_err(|_| LedgerError::Malformed("a hash has 32 bytes".to_owned()))?;
        Ok((chain.height, Some(Digest::from_bytes(hash))))
    }

    /// How many blocks each of the organisation's peers has, by its address.
    pub async fn heights(&self) -> Vec<(String, Result<u64, LedgerError>)> {
        let mut heights = Vec::new();
        for network in self.networks() {
            let height = height_at(&network).await.map_err(|error| call_failed(&error));
            heights.push((network.address().to_owned(), height));
        }
        heights
    }

    async fn chain(&self) -> Result<BlockchainInfo, LedgerError> {
        let mut last = LedgerError::Unavailable("no peer is configured".to_owned());
        for network in self.peers.in_order() {
            match chain_at(&network).await {
                Ok(chain) => return Ok(chain),
                Err(error) => last = self.peers.passed_over(&network, &error)?,
            }
        }
        Err(last)
    }

    /// Makes the proposal of a call for one peer.
    fn propose(&self, contract: &Contract, call: &Call, query: bool) -> Result<Proposal, LedgerError> {
        let mut transient = call.transient.clone();
        let mut organisations: Vec<String> = call.endorsers.iter().map(ToString::to_string).collect();
        if query {
            transient.insert(QUERY.to_owned(), vec![1]);
            if organisations.is_empty() {
                organisations.push(self.organisation.to_string());
            }
        }
        let unnamed = !query && !transient.is_empty() && organisations.is_empty();
        let builder = contract.proposal(&call.function).arguments(call.arguments.iter().cloned());
        let proposal = builder.transient(transient).organisations(organisations).build();
        let proposal = proposal.map_err(|error| LedgerError::Identity(error.to_string()))?;
        let bytes = proposal.bytes().len();
        if bytes > PROPOSAL_BYTES_MAX {
            return Err(LedgerError::TooLarge { bytes, limit: PROPOSAL_BYTES_MAX });
        }
        if unnamed {
            let message = "a call with private input must name its endorsers, so that no others see it";
            return Err(LedgerError::Refused { code: "invalid-proposal".into(), message: message.into() });
        }
        Ok(proposal)
    }

    /// Has a call endorsed, by way of the first peer that answers.
    async fn endorse(&self, call: &Call) -> Result<(Network, semblance_fabric::Transaction), LedgerError> {
        let mut last = LedgerError::Unavailable("no peer is configured".to_owned());
        for network in self.peers.in_order() {
            match self.endorse_at(&network, call).await? {
                Ok(transaction) => return Ok((network, transaction)),
                Err(error) => last = self.peers.passed_over(&network, &error)?,
            }
        }
        Err(last)
    }

    /// Has it endorsed at one peer. Where the endorsers disagree one of them may lag behind by a block, so that another
    /// proposal is made a moment later: nothing was written.
    async fn endorse_at(
        &self,
        network: &Network,
        call: &Call,
    ) -> Result<Result<semblance_fabric::Transaction, CallError>, LedgerError> {
        let mut wait = LAG_FIRST;
        loop {
            let proposal = self.propose(&network.contract(&self.chaincode), call, false)?;
            match proposal.endorse().await {
                Err(error) if error.is_mismatch() && wait <= LAG_LONGEST => tokio::time::sleep(wait).await,
                outcome => return Ok(outcome),
            }
            wait = wait.saturating_mul(2);
        }
    }

    /// Hands a transaction to the orderers until it stands in a block. An orderer that is killed may take transactions
    /// with it that it has confirmed: they are handed in again, which is harmless, because one id takes effect once.
    async fn order(
        &self,
        network: &Network,
        id: TransactionId,
        transaction: &semblance_fabric::Transaction,
    ) -> Result<Status, LedgerError> {
        let (begun, mut handed_in) = (Instant::now(), false);
        loop {
            let submitted = transaction.submit().await;
            if let Err(error) = &submitted
                && error.never_sent
                && !handed_in
            {
                self.peers.lost(network, error);
                return Err(LedgerError::Unavailable(error.text()));
            }
            handed_in = true;
            let patience = if submitted.is_ok() { self.ordered } else { TRY_AGAIN };
            let outcome = tokio::time::timeout(patience, self.outcome(network, transaction.transaction_id())).await;
            let failed = match outcome {
                Ok(Ok(status)) => return Ok(status),
                Ok(Err(error)) if error.code != tonic::Code::DeadlineExceeded => return Err(unknown(id, error)),
                Ok(Err(error)) => error,
                Err(_) => failure::not_ordered(transaction.transaction_id()),
            };
            if begun.elapsed() >= GIVE_UP {
                return Err(unknown(id, submitted.err().unwrap_or(failed)));
            }
        }
    }

    /// Learns what became of a transaction that may have been submitted, from whichever peer knows.
    async fn outcome(&self, network: &Network, id: &str) -> Result<Status, CallError> {
        match Commit::new(network, id).status().await {
            Err(error) if self.peers.lost(network, &error) => {
                let mut last = error;
                for other in self.peers.in_order() {
                    match Commit::new(&other, id).status().await {
                        Ok(status) => return Ok(status),
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
            status => status,
        }
    }

    async fn evaluate_at(&self, network: &Network, call: &Call) -> Result<Result<Vec<u8>, CallError>, LedgerError> {
        let proposal = self.propose(&network.contract(&self.chaincode), call, true)?;
        Ok(proposal.evaluate().await)
    }
}

#[async_trait]
impl Ledger for FabricLedger {
    fn organisation(&self) -> &OrganisationId {
        &self.organisation
    }

    async fn submit(&self, call: Call) -> Result<Committed, LedgerError> {
        let (network, mut transaction) = self.endorse(&call).await?;
        let id = transaction_of(transaction.transaction_id())?;
        transaction.sign().map_err(|error| LedgerError::Identity(error.to_string()))?;
        let status = self.order(&network, id, &transaction).await?;
        if status.code != 0 {
            return Err(invalid(id, status.code));
        }
        self.peers.saw(status.block);
        Ok(Committed { transaction: id, block: status.block, response: transaction.result().to_vec() })
    }

    async fn evaluate(&self, call: Call) -> Result<Vec<u8>, LedgerError> {
        let mut last = LedgerError::Unavailable("no peer is configured".to_owned());
        for network in self.peers.in_order() {
            // What was acknowledged before must be seen, also by way of a peer that lags behind.
            if let Err(error) = self.peers.catch_up(&network).await {
                last = call_failed(&error);
                continue;
            }
            match self.evaluate_at(&network, &call).await? {
                Ok(response) => return Ok(response),
                Err(error) => last = self.peers.passed_over(&network, &error)?,
            }
        }
        Err(last)
    }

    async fn height(&self) -> Result<u64, LedgerError> {
        Ok(self.chain().await?.height.max(self.peers.acknowledged()))
    }

    async fn blocks(&self, from: u64) -> Result<EventStream, LedgerError> {
        let mut follower = Follower::new(self.peers.clone(), self.chaincode.clone(), from);
        follower.open().await?;
        Ok(reopened(follower))
    }
}

/// It may have been submitted, and nobody says what became of it.
fn unknown(transaction: TransactionId, error: CallError) -> LedgerError {
    debug_assert!(matches!(error.stage, Stage::Submit | Stage::CommitStatus));
    LedgerError::OutcomeUnknown { transaction, reason: error.text() }
}
