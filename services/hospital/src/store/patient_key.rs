//! Patients' signing keys, one a case, made at the hospital for now: "hospital-attested", nothing more.

use rusqlite::{OptionalExtension, Transaction, params};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::case::LocalCaseId;
use super::{StoreError, blob, parsed, words};

words! {
    /// How far a key's registration got.
    KeyState {
        /// The ledger has not acknowledged it yet.
        Queued = "queued",
        /// It stands on the ledger.
        Live = "live",
        /// The ledger refused it.
        Refused = "refused",
    }
}

/// A patient's key with its secret.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PatientKey {
    /// The Ed25519 secret seed.
    pub seed: [u8; 32],
    /// The Ed25519 public key.
    pub public: [u8; 32],
    /// The salt of the commitment to the case.
    pub salt: [u8; 32],
    /// How far its registration got.
    #[zeroize(skip)]
    pub state: KeyState,
}

/// Stores a fresh key of a case.
///
/// # Errors
/// Failing storage, or the case has one.
pub fn insert(tx: &Transaction<'_>, id: &LocalCaseId, key: &PatientKey) -> Result<(), StoreError> {
    tx.prepare_cached("INSERT INTO patient_keys (local_id, seed, public, salt, state) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![id.as_str(), key.seed, key.public, key.salt, key.state.as_str()])?;
    Ok(())
}

/// Reads the key of a case.
///
/// # Errors
/// Failing storage.
pub fn get(tx: &Transaction<'_>, id: &LocalCaseId) -> Result<Option<PatientKey>, StoreError> {
    Ok(tx
        .prepare_cached("SELECT seed, public, salt, state FROM patient_keys WHERE local_id = ?1")?
        .query_row([id.as_str()], |row| {
            Ok(PatientKey { seed: blob(row, 0)?, public: blob(row, 1)?, salt: blob(row, 2)?, state: parsed(row, 3)? })
        })
        .optional()?)
}

/// Records how the registration of a key ended.
///
/// # Errors
/// Failing storage.
pub fn set_state(
    tx: &Transaction<'_>,
    public: &[u8; 32],
    state: KeyState,
    code: Option<&str>,
) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE patient_keys SET state = ?2, code = ?3 WHERE public = ?1")?.execute(params![
        public,
        state.as_str(),
        code
    ])?;
    Ok(())
}
