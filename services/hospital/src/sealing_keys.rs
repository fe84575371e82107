//! Which of this hospital's sealing keys are still needed.

use std::sync::atomic::Ordering;

use semblance_core::limits::{LOOKUP_VALIDITY_MILLIS, PROPOSAL_SKEW_MILLIS};
use semblance_core::sealing::SealingKeyId;
use serde::Serialize;

use crate::error::HospitalError;
use crate::service::HospitalService;

/// A matcher that had not read the rotation yet may have sealed to the replaced key, in answer to another hospital's
/// request: signed before the rotation, valid for so long, by three clocks that differ.
const AFTERWARDS_MILLIS: u64 = LOOKUP_VALIDITY_MILLIS + 3 * PROPOSAL_SKEW_MILLIS;

/// One configured sealing key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SealingKeyStatus {
    /// Its number on the ledger.
    pub key: u32,
    /// Its public half, in hexadecimal.
    pub public: String,
    /// Why it must be kept, as a stable word: `not-announced`, `present`, `blocks-to-read`, `open-epoch`. None: it may
    /// be destroyed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needed: Option<&'static str>,
}

impl HospitalService {
    /// The configured sealing keys, the newest first. An earlier one may be destroyed when every block up to its
    /// rotation, and until requests of that time have ended, is read, and no open epoch's key is sealed to it.
    ///
    /// # Errors
    /// The ledger cannot be asked, or its record of this hospital is not to be believed.
    pub async fn sealing_keys(&self) -> Result<Vec<SealingKeyStatus>, HospitalError> {
        let own = self.member(self.organisation()).await?;
        let own = own.map_err(|doubt| {
            let message = format!("the own record on the ledger cannot be used: {}", doubt.as_str());
            semblance_ledger::LedgerError::Malformed(message)
        })?;
        let mut sealed_to = Vec::new();
        for epoch in self.inner.chain.epochs().await?.iter().filter(|epoch| epoch.is_open()) {
            sealed_to.extend(self.inner.chain.sealed_epoch_key(epoch.number).await?.map(|sealed| sealed.key));
        }
        let followed = self.inner.followed_until.load(Ordering::SeqCst);
        let present = own.record().sealing_key;
        let needed = |id: SealingKeyId| match own.sealing_key_ended(id) {
            _ if id == present.id => Some("present"),
            None => Some("not-announced"),
            Some(ended) if followed <= ended.plus(AFTERWARDS_MILLIS).millis() => Some("blocks-to-read"),
            Some(_) => sealed_to.contains(&id).then_some("open-epoch"),
        };
        let numbered = self.inner.sealing.numbered(&present);
        let status = |(id, secret): (SealingKeyId, &semblance_core::sealing::SealingSecret)| SealingKeyStatus {
            key: id.0,
            public: semblance_core::id::Digest::from_bytes(*secret.public().as_bytes()).to_string(),
            needed: needed(id),
        };
        Ok(numbered.into_iter().map(status).collect())
    }
}
