//! Queries about cases and their private values.

use semblance_core::case::PublishedCase;
use semblance_core::id::CaseHandle;
use sha2::Digest as _;

use crate::call::Call;
use crate::state::{CaseTombstone, CaseView, Publication};
use crate::stub::fingerprint_collection;
use crate::wire::{
    ConsentInEpoch, FingerprintsFound, FingerprintsOf, Handle, List, Maybe, OfEpoch, OfOrganisation, Opaque, Page,
};
use crate::{Code, ContractError, key};

/// `case`: one case with its end.
pub(crate) fn case(call: &mut Call<'_>, Handle(handle): Handle) -> Result<Maybe<CaseView>, ContractError> {
    let record: Option<PublishedCase> = call.load(&key::case(handle))?;
    record.map(|record| view(call, record)).transpose().map(Maybe)
}

/// `cases_of_hospital`: the newest handle of each of a hospital's cases in each epoch, live or not.
pub(crate) fn of_hospital(call: &mut Call<'_>, argument: OfOrganisation) -> Result<Page<CaseView>, ContractError> {
    let prefix = key::published_by(&argument.organisation);
    let page = call.page(&prefix, &argument.page)?.records::<Publication>()?;
    let mut rows = Vec::new();
    for Publication { handle, .. } in page.rows {
        let record = crate::check::case(call, handle)?;
        rows.push(view(call, record)?);
    }
    Ok(Page { rows, next: page.next })
}

/// `live_cases`: an epoch's cases that are live at the proposal's time, in the order of their handles.
pub(crate) fn live(call: &mut Call<'_>, argument: OfEpoch) -> Result<Page<PublishedCase>, ContractError> {
    let page = call.page(key::CASES, &argument.page)?.records::<PublishedCase>()?;
    let now = call.now();
    let mut rows = Vec::new();
    for case in page.rows {
        let current = case.epoch == argument.epoch && now < case.expires;
        if current && !call.exists(&key::case_tombstone(case.handle))? {
            rows.push(case);
        }
    }
    Ok(Page { rows, next: page.next })
}

/// `publication`: the newest handle of a consent in an epoch, and how often its case was published there.
pub(crate) fn publication(call: &mut Call<'_>, argument: ConsentInEpoch) -> Result<Maybe<Publication>, ContractError> {
    call.load(&key::live(argument.consent, argument.epoch)).map(Maybe)
}

/// `fingerprints`: private values for matchers; none where a case is unknown, ended or purged.
///
/// Each value is compared with the hash that the hospital published and with the ledger's own hash of the private
/// data, so that a peer which lost or changed one is noticed.
pub(crate) fn fingerprints(call: &mut Call<'_>, argument: FingerprintsOf) -> Result<FingerprintsFound, ContractError> {
    let found = argument.items().iter().map(|Handle(handle)| fingerprint(call, *handle).map(Maybe));
    Ok(List::new(found.collect::<Result<_, _>>()?)?)
}

fn fingerprint(call: &mut Call<'_>, handle: CaseHandle) -> Result<Option<Opaque>, ContractError> {
    let Some(case) = call.load::<PublishedCase>(&key::case(handle))? else { return Ok(None) };
    if call.exists(&key::case_tombstone(handle))? {
        return Ok(None);
    }
    let (collection, name) = (fingerprint_collection(&case.owner), handle.to_string());
    let Some(value) = call.stub().get_private(&collection, &name)? else { return Ok(None) };
    let on_chain = call.stub().private_hash(&collection, &name)?;
    let hash: [u8; 32] = sha2::Sha256::digest(&value).into();
    if on_chain != Some(hash) || case.private_hash != hash {
        let message = format!("the private data of case {handle} are not those that were published");
        return Err(ContractError::new(Code::CorruptState, message));
    }
    Ok(Some(Opaque(value)))
}

fn view(call: &mut Call<'_>, mut case: PublishedCase) -> Result<CaseView, ContractError> {
    if let Some(tombstone) = call.load::<CaseTombstone>(&key::case_tombstone(case.handle))? {
        case.status = tombstone.status;
    }
    let purge = call.load(&key::case_purge(case.handle))?;
    Ok(CaseView { case, purge })
}
