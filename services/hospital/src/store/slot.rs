//! This hospital's look-up slots of a day: which are taken, and which of those taken for nothing are free again.

use rusqlite::{Transaction, params};
use semblance_core::id::RequestId;
use semblance_core::limits::LOOKUP_SLOTS_A_DAY;
use semblance_core::time::{Day, Timestamp};

use super::lookup::{COLUMNS, StoredLookup, read};
use super::{StoreError, millis};

/// The first slot of a day that is not known to be taken and that is not below `from`.
///
/// # Errors
/// Failing storage.
pub fn first_free(tx: &Transaction<'_>, day: Day, from: u16) -> Result<Option<u16>, StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT slot FROM lookups WHERE day = ?1 AND hold <> 'free'
         UNION SELECT slot FROM foreign_slots WHERE day = ?1 ORDER BY slot",
    )?;
    let mut free = from;
    for slot in select.query_map([day.number()], |row| row.get::<_, u16>(0))? {
        let slot = slot?;
        if slot > free {
            break;
        }
        if slot == free {
            free = free.saturating_add(1);
        }
    }
    Ok((free < LOOKUP_SLOTS_A_DAY).then_some(free))
}

/// Notes a slot that the ledger knows to be taken.
///
/// # Errors
/// Failing storage.
pub fn note(tx: &Transaction<'_>, day: Day, slot: u16) -> Result<(), StoreError> {
    tx.prepare_cached("INSERT INTO foreign_slots (day, slot) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(params![day.number(), slot])?;
    Ok(())
}

/// Reads the look-ups that got no answer, that expired before `moment` and of which it is not known yet whether they
/// left an entry; oldest first, at most `limit`.
///
/// # Errors
/// Failing storage.
pub fn unsettled(tx: &Transaction<'_>, moment: Timestamp, limit: usize) -> Result<Vec<StoredLookup>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM lookups WHERE hold = 'open' AND state IN ('asked', 'refused') AND expires < ?1
         ORDER BY expires LIMIT ?2"
    );
    let mut select = tx.prepare_cached(&sql)?;
    let rows = select.query_map(params![millis(moment), i64::try_from(limit).unwrap_or(i64::MAX)], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Gives the slot of an expired request without an entry to the next one; the look-up ended as refused.
///
/// # Errors
/// Failing storage.
pub fn release(tx: &Transaction<'_>, request: RequestId, code: &str) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE lookups SET hold = 'free', code = coalesce(code, ?2), state = 'refused', opening = NULL
         WHERE request = ?1 AND hold = 'open' AND state IN ('asked', 'refused')",
    )?
    .execute(params![request.as_bytes(), code])?;
    Ok(())
}

/// Notes that a request left an entry: its slot is used for good.
///
/// # Errors
/// Failing storage.
pub fn hold(tx: &Transaction<'_>, request: RequestId) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE lookups SET hold = 'used' WHERE request = ?1")?.execute([request.as_bytes()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use semblance_core::id::OrganisationId;
    use semblance_core::token::EpochNumber;

    use super::*;
    use crate::store::lookup::{LookupState, finish, get, insert};
    use crate::store::{Store, case};

    #[test]
    fn slots_are_taken_once_a_day_and_run_out() {
        let store = Store::in_memory().unwrap();
        let day = Day::from_number(20_000);
        let random = semblance_core::random::SeededSource::new([3; 32]);
        let lookup = |slot: u16| StoredLookup {
            request: RequestId::random(&random),
            local_id: "a".parse().unwrap(),
            clinician: String::new(),
            purpose: "diagnosis".to_owned(),
            breadth: "close".to_owned(),
            epoch: EpochNumber(1),
            matcher: OrganisationId::new("m").unwrap(),
            count: 10,
            expires: Timestamp::default(),
            day,
            slot,
            signed: vec![],
            opening: None,
            groups: vec![],
            answer: None,
            placed: None,
            state: LookupState::Asked,
            code: None,
            report: None,
            at: Timestamp::default(),
        };
        store
            .step(|tx| -> Result<(), StoreError> {
                let content =
                    case::CaseContent { local_id: "a".parse().unwrap(), subject: None, label: None, terms: vec![] };
                case::put(tx, &content, semblance_core::id::Digest::of(b""), Timestamp::default(), &random)?;
                for slot in [0, 1, 3] {
                    insert(tx, &lookup(slot))?;
                }
                assert_eq!(first_free(tx, day, 0)?, Some(2));
                assert_eq!(first_free(tx, day, 3)?, Some(4));
                note(tx, day, 4)?;
                assert_eq!(first_free(tx, day, 3)?, Some(5));
                assert!(insert(tx, &lookup(3)).is_err());
                insert(tx, &lookup(2))?;
                for slot in 5..LOOKUP_SLOTS_A_DAY {
                    insert(tx, &lookup(slot))?;
                }
                assert_eq!(first_free(tx, day, 0)?, None);
                assert_eq!(first_free(tx, Day::from_number(20_001), 0)?, Some(0));
                let open = unsettled(tx, Timestamp::from_millis(1), 500)?;
                assert_eq!(open.len(), usize::from(LOOKUP_SLOTS_A_DAY) - 1);
                let (given, used) = (&open[0], &open[1]);
                hold(tx, used.request)?;
                release(tx, used.request, "expired-request")?;
                release(tx, given.request, "expired-request")?;
                assert_eq!(first_free(tx, day, 0)?, Some(given.slot));
                assert_eq!(get(tx, used.request)?.unwrap().state, LookupState::Asked);
                insert(tx, &lookup(given.slot))?;
                assert_eq!(first_free(tx, day, 0)?, None);
                finish(tx, used.request, LookupState::Shown, None, Some("report"))?;
                finish(tx, used.request, LookupState::Failed, Some("no-entry"), None)?;
                assert_eq!(get(tx, used.request)?.unwrap().report.as_deref(), Some("report"));
                Ok(())
            })
            .unwrap();
    }
}
