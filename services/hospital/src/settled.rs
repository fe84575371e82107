//! Writes down how an operation on the ledger ended, and what follows from it.

use semblance_contract::Code;
use semblance_core::id::{CaseHandle, ConsentId, Digest, IntroductionId};
use semblance_core::time::Timestamp;

use crate::store::consent::{self, ConsentState};
use crate::store::introduction::{self, IntroductionState};
use crate::store::outbox::{self, Kind, Waiting};
use crate::store::patient_key::{self, KeyState};
use crate::store::publication::{self, PublicationState};
use crate::store::{StoreError, audit, channel, closed_epoch};

/// Writes down how an operation ended; `code` is absent when it stands on the ledger, `ended` are the cases that it
/// took out there.
pub(crate) fn record(
    tx: &rusqlite::Transaction<'_>,
    waiting: &Waiting,
    code: Option<&str>,
    ended: &[CaseHandle],
    now: Timestamp,
) -> Result<(), StoreError> {
    if let Some(code) = code {
        audit::add(tx, now, "ledger", waiting.kind.as_str(), &waiting.subject, code)?;
    }
    let subject = &waiting.subject;
    match waiting.kind {
        Kind::RegisterKey => {
            let state = if code.is_none() { KeyState::Live } else { KeyState::Refused };
            patient_key::set_state(tx, parse::<Digest>(subject)?.as_bytes(), state, code)
        }
        Kind::Grant => {
            let consent = parse(subject)?;
            let Some(found) = consent::get(tx, consent)? else { return Ok(()) };
            // A withdrawal may have been signed in the meantime.
            if found.state != ConsentState::Queued {
                return Ok(());
            }
            let state = if code.is_none() { ConsentState::Live } else { ConsentState::Refused };
            consent::set_state(tx, consent, state, code)
        }
        Kind::Publish => record_publication(tx, parse(subject)?, code, now),
        Kind::Withdraw => {
            let consent = parse(subject)?;
            consent::set_state(tx, consent, ConsentState::Withdrawn, code)?;
            end_publications(tx, consent, ended, now)
        }
        Kind::Purge if code.is_none() => publication::set_state(tx, parse(subject)?, PublicationState::Purged, None),
        // The ledger never took the case: there is nothing to purge.
        Kind::Purge if code == Some(Code::UnknownCase.as_str()) => {
            publication::set_state(tx, parse(subject)?, PublicationState::Refused, code)
        }
        Kind::Propose => settle_introduction(tx, parse(subject)?, IntroductionState::Queued, code),
        Kind::Answer => settle_introduction(tx, parse(subject)?, IntroductionState::Answering, code),
        Kind::OpenChannel | Kind::OpenGroup => channel::settle(tx, parse(subject)?, code),
        Kind::Purge | Kind::Deny => Ok(()),
    }
}

/// Writes down how a proposal or an answer ended, unless the introduction has ended or was answered meanwhile.
fn settle_introduction(
    tx: &rusqlite::Transaction<'_>,
    id: IntroductionId,
    waiting: IntroductionState,
    code: Option<&str>,
) -> Result<(), StoreError> {
    let Some(found) = introduction::get(tx, id)?.filter(|found| found.state == waiting) else { return Ok(()) };
    let (state, code) = match (code, waiting) {
        (Some(code), _) if code == Code::IntroductionExpired.as_str() => (IntroductionState::Expired, Some(code)),
        (Some(code), _) => (IntroductionState::Refused, Some(code)),
        (None, IntroductionState::Queued) => (IntroductionState::Proposed, None),
        (None, _) if found.own.is_some() => (IntroductionState::Accepted, None),
        // With the reason that was given.
        (None, _) => (IntroductionState::Declined, found.code.as_deref()),
    };
    introduction::set_state(tx, id, state, code)
}

fn record_publication(
    tx: &rusqlite::Transaction<'_>,
    handle: CaseHandle,
    code: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(found) = publication::get(tx, handle)?.filter(|found| found.state == PublicationState::Queued) else {
        return Ok(());
    };
    if code.is_some() {
        return publication::set_state(tx, handle, PublicationState::Refused, code);
    }
    publication::set_state(tx, handle, PublicationState::Live, None)?;
    if let Some(replaced) = found.replaces {
        publication::set_state(tx, replaced, PublicationState::Replaced, None)?;
        outbox::add(tx, Kind::Purge, &replaced.to_string(), &[], now)?;
    }
    // The acknowledgement may have been lost, and what the case stands on ended before this try learned of it.
    if closed_epoch::contains(tx, found.epoch)? {
        return end_publication(tx, handle, PublicationState::Closed, now);
    }
    match consent::get(tx, found.consent)?.map(|consent| consent.state) {
        Some(ConsentState::Withdrawn) => end_publication(tx, handle, PublicationState::Withdrawn, now),
        // So that the ledger is told of this case as well.
        Some(ConsentState::Expired) => consent::set_state(tx, found.consent, ConsentState::Live, None),
        _ => Ok(()),
    }
}

/// Ends what stood on a withdrawn consent, as far as this store or the ledger knows of it, and queues the purges.
pub(crate) fn end_publications(
    tx: &rusqlite::Transaction<'_>,
    consent: ConsentId,
    ended: &[CaseHandle],
    now: Timestamp,
) -> Result<(), StoreError> {
    for found in publication::of_consent(tx, consent)? {
        if matches!(found.state, PublicationState::Live | PublicationState::Queued) {
            end_publication(tx, found.handle, PublicationState::Withdrawn, now)?;
        }
    }
    for handle in ended {
        end_publication(tx, *handle, PublicationState::Withdrawn, now)?;
    }
    Ok(())
}

/// Ends one publication, whatever was thought of it here, and queues the purge of its private data; that of a handle
/// which this store does not know, too, as after a restored backup.
pub(crate) fn end_publication(
    tx: &rusqlite::Transaction<'_>,
    handle: CaseHandle,
    state: PublicationState,
    now: Timestamp,
) -> Result<(), StoreError> {
    if publication::get(tx, handle)?.is_some_and(|found| found.state == PublicationState::Purged) {
        return Ok(());
    }
    publication::set_state(tx, handle, state, None)?;
    outbox::add(tx, Kind::Purge, &handle.to_string(), &[], now)
}

fn parse<T: std::str::FromStr>(subject: &str) -> Result<T, StoreError> {
    subject.parse().map_err(|_| StoreError::Damaged("an operation's subject".to_owned()))
}
