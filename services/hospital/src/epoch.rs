//! Which epoch is open, and this hospital's key of it.

use semblance_core::epoch::Epoch;
use semblance_core::token::EpochNumber;

use crate::error::{Denied, HospitalError};
use crate::service::HospitalService;

impl HospitalService {
    /// The newest open epoch whose key this node holds; takes the key from the ledger when it is new.
    pub(crate) async fn open_epoch_number(&self) -> Result<EpochNumber, HospitalError> {
        let epochs = self.inner.chain.epochs().await?;
        for closed in epochs.iter().filter(|epoch| !epoch.is_open()) {
            self.inner.seeds.forget(closed.number);
        }
        let mut problem = None;
        for epoch in epochs.iter().rev().filter(|epoch| epoch.is_open()) {
            match self.take_key(epoch).await {
                Ok(()) => return Ok(epoch.number),
                Err(error @ HospitalError::Denied { .. }) => problem = problem.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        Err(problem.unwrap_or_else(|| {
            HospitalError::denied(Denied::WrongEpoch, "no epoch is open: an administrator has to open one")
        }))
    }

    /// Makes sure that this node can compute the epoch's seeds, and with the epoch's vocabulary.
    async fn take_key(&self, epoch: &Epoch) -> Result<(), HospitalError> {
        let vocabulary = &self.inner.vocabulary;
        if epoch.vocabulary.digest() != vocabulary.digest() {
            let message = format!(
                "epoch {} uses vocabulary {}, this node has {}: configure the epoch's vocabulary file",
                epoch.number,
                epoch.vocabulary.name(),
                vocabulary.release()
            );
            return Err(HospitalError::denied(Denied::VocabularyMismatch, message));
        }
        if self.inner.seeds.holds(epoch.number) {
            return Ok(());
        }
        let unusable = |why: String| HospitalError::denied(Denied::WrongEpoch, why);
        let sealed = self.inner.chain.sealed_epoch_key(epoch.number).await?.ok_or_else(|| {
            unusable(format!(
                "the key of epoch {} was not sealed to this hospital: wait for the next epoch",
                epoch.number
            ))
        })?;
        let present = self.member(self.organisation()).await?.ok().map(|own| own.record().sealing_key);
        let opened = self.inner.sealing.open_epoch_key(&sealed, self.inner.network, epoch, present.as_ref());
        self.inner.seeds.hold(epoch.number, opened.map_err(|error| unusable(error.to_string()))?);
        Ok(())
    }
}
