//! What an organisation's administrator does on the ledger: found the network, open and close epochs.

use std::sync::Arc;

use anyhow::Context;
use semblance_contract::Code;
use semblance_contract::wire::{List, OpenEpoch};
use semblance_core::epoch::{Epoch, Profile, SealedEpochKey, VocabularyRelease};
use semblance_core::id::NetworkId;
use semblance_core::organisation::{Genesis, OrganisationKind};
use semblance_core::random::RandomSource;
use semblance_core::token::EpochNumber;
use semblance_core::vocabulary::Vocabulary;
use semblance_keys::EpochKey;
use semblance_ledger::client::LedgerClient;
use semblance_ledger::{Ledger, LedgerError};
use zeroize::Zeroizing;

use crate::failure::{Failure, Kind};

/// The ledger as an administrator sees it.
pub(crate) struct Administrator {
    ledger: LedgerClient,
    network: NetworkId,
}

impl Administrator {
    /// Acts through a handle that was made for an administrator.
    pub(crate) fn new(ledger: Arc<dyn Ledger>, network: NetworkId) -> Self {
        Self { ledger: LedgerClient::new(ledger), network }
    }

    /// Writes the network's first transaction, endorsed by every member it makes.
    ///
    /// # Errors
    /// The ledger refuses, or has its genesis already.
    pub(crate) async fn found(&self, genesis: &Genesis) -> anyhow::Result<()> {
        let members = genesis.organisations().iter().map(|member| member.id.clone());
        let founded = self.ledger.clone().endorsed_also_by(members).genesis(genesis).await;
        founded.map(|_| ()).map_err(failure).context("the network cannot be founded")
    }

    /// All epochs, oldest first.
    ///
    /// # Errors
    /// The ledger cannot be reached.
    pub(crate) async fn epochs(&self) -> anyhow::Result<Vec<Epoch>> {
        Ok(self.ledger.epochs().await.map_err(failure)?)
    }

    /// Opens the epoch after the newest one with a fresh key, sealed to every hospital.
    ///
    /// # Errors
    /// Two epochs are open, or the ledger refuses.
    pub(crate) async fn open_epoch(
        &self,
        vocabulary: &Vocabulary,
        random: &dyn RandomSource,
    ) -> anyhow::Result<EpochNumber> {
        let newest = self.epochs().await?.last().map_or(0, |epoch| epoch.number.0);
        let number = EpochNumber(newest.saturating_add(1));
        let key = EpochKey::random(random);
        let mut keys = Vec::new();
        for member in self.ledger.members().await.map_err(failure)? {
            if member.kind == OrganisationKind::Hospital {
                let randomness = Zeroizing::new(random.array());
                let (to, key) = (&member.sealing_key, key.expose());
                keys.push(SealedEpochKey::seal(self.network, number, &member.id, to, key, &randomness)?);
            }
        }
        let epoch = OpenEpoch {
            number,
            vocabulary: VocabularyRelease::new(vocabulary.release(), vocabulary.digest())?,
            profile: Profile::Terms8,
            key_check: key.check_value(number),
            keys: List::new(keys).context("the network has no hospital")?,
        };
        let opened = self.ledger.open_epoch(&epoch).await;
        opened.map_err(failure).with_context(|| format!("epoch {number} cannot be opened"))?;
        Ok(number)
    }

    /// Closes an epoch: nothing is published into it or searched in it any more.
    ///
    /// # Errors
    /// The ledger refuses.
    pub(crate) async fn close_epoch(&self, number: EpochNumber) -> anyhow::Result<()> {
        let closed = self.ledger.close_epoch(number).await;
        closed.map(|_| ()).map_err(failure).with_context(|| format!("epoch {number} cannot be closed"))
    }
}

/// Whether a ledger holds this network; it may not be founded yet.
///
/// # Errors
/// It cannot be reached, or holds another network.
pub(crate) async fn holds(ledger: &LedgerClient, network: NetworkId) -> anyhow::Result<bool> {
    match ledger.network().await {
        Ok(found) if found.id() == network => Ok(true),
        Ok(found) => {
            let what = format!("the ledger holds network {}, the genesis file is of network {network}", found.id());
            Err(Failure::usage(what).hint("set node.genesis or the section [ledger] to this network's").into())
        }
        Err(LedgerError::Refused { code, .. }) if code == Code::NoNetwork.as_str() => Ok(false),
        Err(error) => Err(failure(error).into()),
    }
}

/// Says what sort of failure a ledger's error is.
pub(crate) fn failure(error: LedgerError) -> Failure {
    let kind = match &error {
        LedgerError::Unavailable(_) | LedgerError::OutcomeUnknown { .. } => Kind::Unreachable,
        LedgerError::Refused { .. } | LedgerError::Identity(_) | LedgerError::TooLarge { .. } => Kind::Refused,
        _ => Kind::Failed,
    };
    let failure = Failure::new(kind, error.to_string());
    match kind {
        Kind::Unreachable => {
            failure.hint("see whether the ledger runs and can be reached: the node that holds it, or the own peers")
        }
        _ => failure,
    }
}
