//! Registers a case's patient: draws the key that will speak for the case and has the hospital vouch for it.
//!
//! The key is made on the hospital's side for now: what it signs is hospital-attested, nothing more.

use semblance_core::case::case_commitment;
use semblance_core::patient_key::{KeyOrigin, PatientKeyEntry, PatientKeyRegistration};
use semblance_core::record::Record;
use semblance_core::signature::SigningKey;

use crate::error::HospitalError;
use crate::service::HospitalService;
use crate::step::{Cursor, Local, Remote, Selection, Step, StepReport};
use crate::store::StoreError;
use crate::store::case::{LocalCaseId, StoredCase};
use crate::store::outbox::{self, Kind};
use crate::store::patient_key::{self, KeyState, PatientKey};

impl HospitalService {
    /// Gives each selected case without one a patient key and registers it on the ledger.
    ///
    /// # Errors
    /// The store failed. A ledger that cannot be reached is no error: the report says what waits.
    pub async fn register(&self, actor: &str, selection: Selection) -> Result<StepReport, HospitalError> {
        let mut step = Step::new(actor, "register", &selection);
        let mut cursor = Cursor::default();
        while !cursor.ended {
            let cases = self.next_cases(&selection, &mut cursor, &mut step).await?;
            let service = self.clone();
            step = self
                .store()
                .run(move |tx| -> Result<Step, StoreError> {
                    for case in &cases {
                        let local = service.register_case(tx, case)?;
                        step.count(tx, &service, &case.content.local_id, local)?;
                    }
                    Ok(step)
                })
                .await?;
        }
        self.finish(step, state).await
    }

    fn register_case(&self, tx: &rusqlite::Transaction<'_>, case: &StoredCase) -> Result<Local, StoreError> {
        let id = &case.content.local_id;
        if patient_key::get(tx, id)?.is_some() {
            return Ok(Local::Nothing);
        }
        let key = SigningKey::random(self.inner.random.as_ref());
        let salt: [u8; 32] = self.inner.random.array();
        let registration = PatientKeyRegistration {
            network: self.inner.network,
            hospital: self.inner.organisation.clone(),
            key: key.verifying_key(),
            case: case_commitment(&salt, self.inner.network, &self.inner.organisation, id.as_str()),
            origin: KeyOrigin::Hospital,
            previous: None,
        };
        let public = *key.verifying_key().as_bytes();
        let stored = PatientKey { seed: *key.expose_seed(), public, salt, state: KeyState::Queued };
        patient_key::insert(tx, id, &stored)?;
        let entry = PatientKeyEntry::sign(registration, &self.inner.signing, None);
        let subject = semblance_core::id::Digest::from_bytes(public).to_string();
        outbox::add(tx, Kind::RegisterKey, &subject, &entry.encode(), self.now())?;
        Ok(Local::Queued)
    }
}

fn state(tx: &rusqlite::Transaction<'_>, id: &LocalCaseId) -> Result<Remote, StoreError> {
    Ok(match patient_key::get(tx, id)?.map(|key| key.state) {
        Some(KeyState::Live) => Remote::Done,
        Some(KeyState::Queued) => Remote::Waiting,
        Some(KeyState::Refused) | None => Remote::Refused("refused".to_owned()),
    })
}
