//! What an organisation's administrator does on the ledger: found the network, open and close epochs.

use std::sync::Arc;

use anyhow::Context;
use semblance_contract::wire::{Empty, EpochArgument, List, OpenEpoch, Page, PageRequest};
use semblance_core::epoch::{Epoch, Profile, SealedEpochKey, VocabularyRelease};
use semblance_core::id::{NetworkId, OrganisationId};
use semblance_core::limits::PAGE_MAX;
use semblance_core::organisation::{Genesis, Organisation, OrganisationKind};
use semblance_core::random::RandomSource;
use semblance_core::record::Record;
use semblance_core::token::EpochNumber;
use semblance_core::vocabulary::Vocabulary;
use semblance_keys::EpochKey;
use semblance_ledger::{Call, Ledger, LedgerError};
use zeroize::Zeroizing;

use crate::failure::{Failure, Kind};

/// The ledger as an administrator sees it.
pub(crate) struct Administrator {
    ledger: Arc<dyn Ledger>,
    network: NetworkId,
}

impl Administrator {
    /// Acts through a handle that was made for an administrator.
    pub(crate) fn new(ledger: Arc<dyn Ledger>, network: NetworkId) -> Self {
        Self { ledger, network }
    }

    /// Writes the network's first transaction, endorsed by every member it makes.
    ///
    /// # Errors
    /// The ledger refuses, or has its genesis already.
    pub(crate) async fn found(&self, genesis: &Genesis) -> anyhow::Result<()> {
        let members = genesis.organisations().iter().map(|member| member.id.clone()).collect();
        self.submit("genesis", genesis, members).await.context("the network cannot be founded")
    }

    /// All epochs, oldest first.
    ///
    /// # Errors
    /// The ledger cannot be reached.
    pub(crate) async fn epochs(&self) -> anyhow::Result<Vec<Epoch>> {
        self.pages("epochs").await
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
        let number = EpochNumber(newest + 1);
        let key = EpochKey::random(random);
        let mut keys = Vec::new();
        for member in self.pages::<Organisation>("organisations").await? {
            if member.kind == OrganisationKind::Hospital {
                let randomness = Zeroizing::new(random.array());
                let (to, key) = (&member.sealing_key, key.expose());
                keys.push(SealedEpochKey::seal(self.network, number, &member.id, to, key, &randomness)?);
            }
        }
        let argument = OpenEpoch {
            number,
            vocabulary: VocabularyRelease::new(vocabulary.release(), vocabulary.digest())?,
            profile: Profile::Terms8,
            key_check: key.check_value(number),
            keys: List::new(keys).context("the network has no hospital")?,
        };
        self.submit("open_epoch", &argument, self.own())
            .await
            .with_context(|| format!("epoch {number} cannot be opened"))?;
        Ok(number)
    }

    /// Closes an epoch: nothing is published into it or searched in it any more.
    ///
    /// # Errors
    /// The ledger refuses.
    pub(crate) async fn close_epoch(&self, number: EpochNumber) -> anyhow::Result<()> {
        let argument = EpochArgument(number);
        self.submit("close_epoch", &argument, self.own())
            .await
            .with_context(|| format!("epoch {number} cannot be closed"))
    }

    fn own(&self) -> Vec<OrganisationId> {
        vec![self.ledger.organisation().clone()]
    }

    async fn submit(
        &self,
        function: &str,
        argument: &impl Record,
        endorsers: Vec<OrganisationId>,
    ) -> anyhow::Result<()> {
        let committed = self.ledger.submit(call(function, argument, endorsers)).await.map_err(failure)?;
        Empty::decode(&committed.response)?;
        Ok(())
    }

    async fn pages<T: Record>(&self, function: &str) -> anyhow::Result<Vec<T>>
    where
        Page<T>: Record,
    {
        let (mut rows, mut bookmark) = (Vec::new(), None);
        loop {
            let argument = PageRequest::at(bookmark, PAGE_MAX);
            let bytes = self.ledger.evaluate(call(function, &argument, self.own())).await.map_err(failure)?;
            let page = Page::<T>::decode(&bytes)?;
            rows.extend(page.rows);
            match page.next {
                Some(next) => bookmark = Some(next),
                None => return Ok(rows),
            }
        }
    }
}

fn call(function: &str, argument: &impl Record, endorsers: Vec<OrganisationId>) -> Call {
    Call { function: function.to_owned(), arguments: vec![argument.encode()], endorsers, ..Call::default() }
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
        Kind::Unreachable => failure.hint("see whether the node that holds the ledger runs and can be reached"),
        _ => failure,
    }
}
