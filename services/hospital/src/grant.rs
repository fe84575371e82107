//! Takes a patient's consent: signs it with the case's key and brings it to the ledger.

use semblance_core::case::case_commitment;
use semblance_core::consent::{Consent, ConsentParts, Scope, Scopes};
use semblance_core::encode::Writer;
use semblance_core::id::{ConsentId, Digest, NetworkId};
use semblance_core::signature::{SignedBytes, SigningKey, Statement};
use semblance_core::time::{Day, Timestamp};

use crate::consent_text::DEFAULT_TEXT;
use crate::error::{Denied, HospitalError};
use crate::service::HospitalService;
use crate::step::{Cursor, Local, Remote, Selection, Step, StepReport};
use crate::store::StoreError;
use crate::store::case::{LocalCaseId, StoredCase};
use crate::store::consent::{self, ConsentState, StoredConsent};
use crate::store::outbox::{self, Kind};
use crate::store::patient_key::{self, KeyState};

/// What a patient agrees to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentTerms {
    scopes: Scopes,
    lifetime: u64,
    text: String,
}

impl ConsentTerms {
    /// Longest text, in bytes.
    pub const TEXT_MAX: usize = 64 << 10;

    /// Checks what a patient agrees to: what for, for how many days (1 to 1,827), and the text that was shown.
    ///
    /// # Errors
    /// No scope, no time or more than five years, no text or a very long one.
    pub fn new(scopes: &[Scope], days: u32, text: &str) -> Result<Self, HospitalError> {
        let refuse = |message: &str| HospitalError::denied(Denied::InvalidConsent, message);
        let scopes = Scopes::new(scopes).map_err(|error| refuse(&error.to_string()))?;
        let lifetime = u64::from(days) * Day::MILLIS;
        if lifetime == 0 || lifetime > semblance_core::limits::CONSENT_MILLIS_MAX {
            return Err(refuse("a consent holds for one day to five years"));
        }
        if text.is_empty() || text.len() > Self::TEXT_MAX {
            return Err(refuse("the text shown to the patient has 1 to 65,536 bytes"));
        }
        Ok(Self { scopes, lifetime, text: text.to_owned() })
    }

    /// To be found and to be contacted, for a year, with the default text.
    ///
    /// # Errors
    /// None in practice.
    pub fn usual() -> Result<Self, HospitalError> {
        Self::new(&[Scope::BeFound, Scope::BeContacted], 365, DEFAULT_TEXT)
    }
}

impl HospitalService {
    /// Signs a consent for each selected case that has a key and no live consent.
    ///
    /// # Errors
    /// The store failed. A ledger that cannot be reached is no error: the report says what waits.
    pub async fn consent(
        &self,
        actor: &str,
        selection: Selection,
        terms: ConsentTerms,
    ) -> Result<StepReport, HospitalError> {
        let mut step = Step::new(actor, "consent", &selection);
        let mut cursor = Cursor::default();
        while !cursor.ended {
            let cases = self.next_cases(&selection, &mut cursor, &mut step).await?;
            let (service, terms) = (self.clone(), terms.clone());
            step = self
                .store()
                .run(move |tx| -> Result<Step, StoreError> {
                    for case in &cases {
                        let local = service.grant_case(tx, case, &terms, step.explicit)?;
                        step.count(tx, &service, &case.content.local_id, local)?;
                    }
                    Ok(step)
                })
                .await?;
        }
        self.finish(step, state).await
    }

    fn grant_case(
        &self,
        tx: &rusqlite::Transaction<'_>,
        case: &StoredCase,
        terms: &ConsentTerms,
        explicit: bool,
    ) -> Result<Local, StoreError> {
        let (id, now) = (&case.content.local_id, self.now());
        let Some(key) = patient_key::get(tx, id)?.filter(|key| key.state != KeyState::Refused) else {
            return Ok(Local::Refused(Denied::NotRegistered));
        };
        let earlier = consent::newest(tx, id)?;
        if let Some(earlier) = &earlier {
            match earlier.state {
                ConsentState::Queued => return Ok(Local::Nothing),
                ConsentState::Live if now < earlier.expires => return Ok(Local::Nothing),
                ConsentState::Withdrawing => return Ok(Local::Refused(Denied::WithdrawnConsent)),
                // Who withdrew is asked again by name, never along with all others.
                ConsentState::Withdrawn if !explicit => return Ok(Local::Refused(Denied::WithdrawnConsent)),
                _ => {}
            }
        }
        let signer = SigningKey::from_seed(&key.seed);
        let parts = ConsentParts {
            network: self.inner.network,
            hospital: self.inner.organisation.clone(),
            patient_key: signer.verifying_key(),
            consent: ConsentId::random(self.inner.random.as_ref()),
            // A withdrawal takes the number in between.
            sequence: earlier.map_or(1, |earlier| earlier.sequence.saturating_add(2)),
            case: case_commitment(&key.salt, self.inner.network, &self.inner.organisation, id.as_str()),
            scopes: terms.scopes,
            not_before: now,
            expires: now.plus(terms.lifetime),
            text: Digest::of(terms.text.as_bytes()),
        };
        let Ok(consent) = Consent::new(parts) else { return Ok(Local::Refused(Denied::InvalidConsent)) };
        let (consent, source) = consent.sign(&signer).into_parts();
        let stored = StoredConsent {
            consent: consent.consent,
            local_id: id.clone(),
            sequence: consent.sequence,
            not_before: consent.not_before,
            expires: consent.expires,
            statement: source.bytes().to_vec(),
            signature: *source.signature().as_bytes(),
            state: ConsentState::Queued,
            code: None,
        };
        consent::insert(tx, &stored)?;
        outbox::add(tx, Kind::Grant, &stored.consent.to_string(), &signed_payload(&source), now)?;
        Ok(Local::Queued)
    }
}

/// A signed statement as the outbox keeps it.
pub(crate) fn signed_payload(source: &SignedBytes) -> Vec<u8> {
    let mut writer = Writer::default();
    source.write(&mut writer);
    writer.finish()
}

fn state(tx: &rusqlite::Transaction<'_>, id: &LocalCaseId) -> Result<Remote, StoreError> {
    Ok(match consent::newest(tx, id)? {
        Some(StoredConsent { state: ConsentState::Queued, .. }) => Remote::Waiting,
        Some(StoredConsent { state: ConsentState::Live, .. }) => Remote::Done,
        found => Remote::Refused(found.and_then(|consent| consent.code).unwrap_or_else(|| "refused".to_owned())),
    })
}

/// The newest consent of a case, if the ledger acknowledged it and it holds now.
pub(crate) fn live_consent(
    tx: &rusqlite::Transaction<'_>,
    id: &LocalCaseId,
    now: Timestamp,
) -> Result<Result<StoredConsent, Denied>, StoreError> {
    let Some(consent) = consent::newest(tx, id)? else { return Ok(Err(Denied::NoConsent)) };
    Ok(match consent.state {
        ConsentState::Live if now < consent.expires => Ok(consent),
        ConsentState::Live | ConsentState::Expired => Err(Denied::ExpiredConsent),
        ConsentState::Withdrawing | ConsentState::Withdrawn => Err(Denied::WithdrawnConsent),
        ConsentState::Queued | ConsentState::Refused => Err(Denied::NoConsent),
    })
}

/// The newest consent of a case, if it holds now and allows this.
pub(crate) fn live_consent_for(
    tx: &rusqlite::Transaction<'_>,
    id: &LocalCaseId,
    scope: Scope,
    network: NetworkId,
    now: Timestamp,
) -> Result<Result<StoredConsent, Denied>, StoreError> {
    let found = match live_consent(tx, id, now)? {
        Ok(found) => found,
        Err(code) => return Ok(Err(code)),
    };
    let signed = Consent::decode(&found.statement, network);
    let signed = signed.map_err(|_| StoreError::Damaged("a stored consent".to_owned()))?;
    Ok(if signed.scopes.allow(scope) { Ok(found) } else { Err(Denied::ConsentScope) })
}
