//! A hospital's own cases, in plaintext.

use std::fmt;

use rusqlite::{OptionalExtension, Transaction, params};
use semblance_core::dummies::CaseSecret;
use semblance_core::id::Digest;
use semblance_core::limits::LOCAL_CASE_ID_MAX;
use semblance_core::random::RandomSource;
use semblance_core::term::TermId;
use semblance_core::time::Timestamp;

use super::{StoreError, blob, millis, moment, parsed, unsigned};

/// The hospital's own name of a case: 1 to 200 characters, none of them a control character, no blanks at the ends.
/// It never leaves the hospital.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct LocalCaseId(String);

/// The text is no name of a case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a case's id has 1 to {LOCAL_CASE_ID_MAX} characters, no control characters and no blanks at its ends")]
pub struct LocalCaseIdError;

impl LocalCaseId {
    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for LocalCaseId {
    type Err = LocalCaseIdError;

    fn from_str(text: &str) -> Result<Self, LocalCaseIdError> {
        let length = text.chars().count();
        if length == 0 || length > LOCAL_CASE_ID_MAX || text.trim() != text || text.chars().any(char::is_control) {
            return Err(LocalCaseIdError);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for LocalCaseId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Ids are often made from names: debug output, which ends up in logs, does not show them.
impl fmt::Debug for LocalCaseId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LocalCaseId(..)")
    }
}

/// One symptom of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseTerm {
    /// The symptom.
    pub term: TermId,
    /// It was looked for and not found.
    pub excluded: bool,
    /// When it began: an HPO onset term or an ISO 8601 duration or moment, as the source had it.
    pub onset: Option<String>,
}

/// What a source says of one patient, checked and normalised.
#[derive(Clone, PartialEq, Eq)]
pub struct CaseContent {
    /// The case's id at this hospital.
    pub local_id: LocalCaseId,
    /// The patient's pseudonym in the source.
    pub subject: Option<String>,
    /// A diagnosis or another short text, for the hospital's own people.
    pub label: Option<String>,
    /// The symptoms, ascending by term, none twice.
    pub terms: Vec<CaseTerm>,
}

impl CaseContent {
    /// A digest of everything that is kept, by which the same content is recognised again.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut writer = semblance_core::encode::Writer::record(1);
        for text in [Some(self.local_id.as_str()), self.subject.as_deref(), self.label.as_deref()] {
            writer.bool(text.is_some()).text(text.unwrap_or_default());
        }
        writer.count(self.terms.len());
        for term in &self.terms {
            writer.u32(term.term.number()).bool(term.excluded);
            writer.bool(term.onset.is_some()).text(term.onset.as_deref().unwrap_or_default());
        }
        Digest::of(&writer.finish())
    }

    /// The observed symptoms.
    #[must_use]
    pub fn observed(&self) -> Vec<TermId> {
        self.terms.iter().filter(|term| !term.excluded).map(|term| term.term).collect()
    }
}

/// A stored case.
#[derive(Clone)]
pub struct StoredCase {
    /// What is known of the patient.
    pub content: CaseContent,
    /// How often it was changed, from 1.
    pub revision: u32,
    /// When it was last changed.
    pub changed_at: Timestamp,
    /// Its secret.
    pub secret: CaseSecret,
}

/// What storing a case came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is new.
    New,
    /// The same content was there already.
    Unchanged,
    /// Other content was there: this is its new revision.
    Corrected {
        /// The new revision.
        revision: u32,
    },
}

/// Stores a case, as new, as a correction, or not at all when nothing changed.
///
/// # Errors
/// Failing storage.
pub fn put(
    tx: &Transaction<'_>,
    case: &CaseContent,
    source: Digest,
    now: Timestamp,
    random: &dyn RandomSource,
) -> Result<Stored, StoreError> {
    let id = case.local_id.as_str();
    let content = case.digest();
    let before = tx
        .query_row("SELECT content, revision, source, changed_at FROM cases WHERE local_id = ?1", [id], |row| {
            Ok((blob::<32>(row, 0)?, row.get::<_, u32>(1)?, blob::<32>(row, 2)?, row.get::<_, i64>(3)?))
        })
        .optional()?;
    let stored = match before {
        Some((known, ..)) if known == *content.as_bytes() => return Ok(Stored::Unchanged),
        Some((known, revision, old_source, changed_at)) => {
            tx.execute(
                "INSERT INTO case_revisions (local_id, revision, source, content, changed_at) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![id, revision, old_source, known, changed_at],
            )?;
            tx.execute(
                "UPDATE cases SET subject = ?2, label = ?3, source = ?4, content = ?5, revision = ?6, changed_at = ?7
                 WHERE local_id = ?1",
                params![id, case.subject, case.label, source.as_bytes(), content.as_bytes(), revision + 1, millis(now)],
            )?;
            tx.execute("DELETE FROM case_terms WHERE local_id = ?1", [id])?;
            Stored::Corrected { revision: revision + 1 }
        }
        None => {
            let secret: [u8; 32] = random.array();
            tx.execute(
                "INSERT INTO cases (local_id, subject, label, source, content, revision, changed_at, secret)
                 VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7)",
                params![id, case.subject, case.label, source.as_bytes(), content.as_bytes(), millis(now), secret],
            )?;
            Stored::New
        }
    };
    let mut insert =
        tx.prepare_cached("INSERT INTO case_terms (local_id, term, excluded, onset) VALUES (?1, ?2, ?3, ?4)")?;
    for term in &case.terms {
        insert.execute(params![id, term.term.number(), term.excluded, term.onset])?;
    }
    Ok(stored)
}

const COLUMNS: &str = "local_id, subject, label, revision, changed_at, secret";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredCase> {
    Ok(StoredCase {
        content: CaseContent { local_id: parsed(row, 0)?, subject: row.get(1)?, label: row.get(2)?, terms: Vec::new() },
        revision: row.get(3)?,
        changed_at: moment(row, 4)?,
        secret: CaseSecret::from_bytes(blob(row, 5)?),
    })
}

fn terms(tx: &Transaction<'_>, id: &str) -> Result<Vec<CaseTerm>, StoreError> {
    let mut select =
        tx.prepare_cached("SELECT term, excluded, onset FROM case_terms WHERE local_id = ?1 ORDER BY term")?;
    let rows = select.query_map([id], |row| Ok((row.get::<_, u32>(0)?, row.get(1)?, row.get(2)?)))?;
    let mut terms = Vec::new();
    for row in rows {
        let (number, excluded, onset) = row?;
        let term = TermId::new(number).map_err(|_| StoreError::Damaged("a term's number".into()))?;
        terms.push(CaseTerm { term, excluded, onset });
    }
    Ok(terms)
}

/// Reads a case.
///
/// # Errors
/// Failing storage.
pub fn get(tx: &Transaction<'_>, id: &LocalCaseId) -> Result<Option<StoredCase>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM cases WHERE local_id = ?1");
    let Some(mut case) = tx.prepare_cached(&sql)?.query_row([id.as_str()], read).optional()? else {
        return Ok(None);
    };
    case.content.terms = terms(tx, id.as_str())?;
    Ok(Some(case))
}

/// Reads the cases that follow `after` in the order of their ids, at most `limit`.
///
/// # Errors
/// Failing storage.
pub fn page(tx: &Transaction<'_>, after: &str, limit: usize) -> Result<Vec<StoredCase>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM cases WHERE local_id > ?1 ORDER BY local_id LIMIT ?2");
    let mut cases = tx
        .prepare_cached(&sql)?
        .query_map(params![after, i64::try_from(limit).unwrap_or(i64::MAX)], read)?
        .collect::<Result<Vec<_>, _>>()?;
    for case in &mut cases {
        case.content.terms = terms(tx, case.content.local_id.as_str())?;
    }
    Ok(cases)
}

/// Counts the cases.
///
/// # Errors
/// Failing storage.
pub fn count(tx: &Transaction<'_>) -> Result<u64, StoreError> {
    Ok(tx.query_row("SELECT count(*) FROM cases", [], |row| unsigned(row, 0))?)
}

#[cfg(test)]
mod tests {
    use semblance_core::random::SeededSource;

    use super::*;
    use crate::store::Store;

    fn case(terms: &[u32]) -> CaseContent {
        let terms = terms
            .iter()
            .map(|&number| CaseTerm { term: TermId::new(number).unwrap(), excluded: false, onset: None })
            .collect();
        CaseContent { local_id: "p-1".parse().unwrap(), subject: None, label: None, terms }
    }

    #[test]
    fn the_same_content_is_stored_once_and_a_correction_keeps_its_secret() {
        let store = Store::in_memory().unwrap();
        let random = SeededSource::new([1; 32]);
        let put = |content: &CaseContent| {
            store.step(|tx| put(tx, content, Digest::of(b"file"), Timestamp::from_millis(5), &random)).unwrap()
        };
        assert_eq!(put(&case(&[1, 2, 3])), Stored::New);
        let secret = *store.step(|tx| get(tx, &"p-1".parse().unwrap())).unwrap().unwrap().secret.expose();
        assert_eq!(put(&case(&[1, 2, 3])), Stored::Unchanged);
        assert_eq!(put(&case(&[1, 2])), Stored::Corrected { revision: 2 });
        let after = store.step(|tx| get(tx, &"p-1".parse().unwrap())).unwrap().unwrap();
        assert_eq!((after.revision, after.content.terms.len()), (2, 2));
        assert_eq!(*after.secret.expose(), secret);
        assert_eq!(store.step(count).unwrap(), 1);
    }

    #[test]
    fn ids_are_plain_and_never_debugged() {
        for bad in ["", " a", "a\n", &"x".repeat(LOCAL_CASE_ID_MAX + 1)] {
            assert!(bad.parse::<LocalCaseId>().is_err());
        }
        let id: LocalCaseId = "Müller, P-7".parse().unwrap();
        assert!(!format!("{id:?}").contains("ller"));
    }
}
