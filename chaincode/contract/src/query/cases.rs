//! Queries about cases and their private values.

use semblance_core::case::PublishedCase;
use semblance_core::id::CaseHandle;
use semblance_core::token::EpochNumber;
use sha2::Digest as _;

use crate::call::Call;
use crate::state::{CaseTombstone, CaseView, Publication};
use crate::stub::fingerprint_collection;
use crate::tx::record_lookups::check_own_case;
use crate::wire::{
    ConsentInEpoch, FingerprintsFound, FingerprintsOf, Handle, List, Maybe, OfEpoch, OfOrganisation, Opaque, Page,
    Standing, StandingOf,
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
    let mut rows = Vec::new();
    for case in page.rows {
        if is_live(call, &case, argument.epoch)? {
            rows.push(case);
        }
    }
    Ok(Page { rows, next: page.next })
}

fn is_live(call: &mut Call<'_>, case: &PublishedCase, epoch: EpochNumber) -> Result<bool, ContractError> {
    let current = case.epoch == epoch && call.now() < case.expires;
    Ok(current && !call.exists(&key::case_tombstone(case.handle))?)
}

/// `standing`: what a matcher must know before it searches and before it answers, of one state of the ledger. Refused
/// as `record_lookups` would be if the epoch is not open or the asker's own case is not live in it.
pub(crate) fn standing(call: &mut Call<'_>, argument: StandingOf) -> Result<Standing, ContractError> {
    crate::check::open_epoch(call, argument.epoch)?;
    let own = check_own_case(call, &argument.hospital, argument.case, argument.epoch)?;
    let mut live = Vec::new();
    for handle in argument.found {
        let case: Option<PublishedCase> = call.load(&key::case(handle))?;
        if case.map_or(Ok(false), |case| is_live(call, &case, argument.epoch))? {
            live.push(handle);
        }
    }
    Ok(Standing { own, live })
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

#[cfg(test)]
mod tests {
    use semblance_core::id::CaseHandle;

    use super::*;
    use crate::Code;
    use crate::tests::world::*;

    fn standing_of(world: &mut World, patient: &Patient, found: &[CaseHandle]) -> Result<Standing, Code> {
        let (hospital, found) = (patient.hospital.clone(), found.to_vec());
        let argument = StandingOf { hospital, case: patient.case, epoch: EPOCH, found };
        world.node("alpha", "standing", &argument).map_err(|error| error.code())
    }

    #[test]
    fn only_live_cases_stand() {
        let mut world = World::new();
        let (asker, own) = world.published("north");
        let (leaving, gone) = world.published("south");
        let (_, other) = world.published("south");
        let (corrected, before) = world.published("south");
        let after = world.handle();
        world.publish("south", item(&corrected, after, Some(before))).unwrap();
        world.withdraw("alpha", &leaving).unwrap();
        let found = [gone, other, before, after, CaseHandle::from_bytes([9; 16])];
        let standing = standing_of(&mut world, &asker, &found).unwrap();
        assert_eq!(standing, Standing { own, live: vec![other, after] });
        world.stub.set_timestamp(NOW.plus(30 * 86_400_000));
        assert_eq!(standing_of(&mut world, &asker, &[]), Err(Code::ConsentExpired));
    }

    #[test]
    fn an_asker_without_a_live_case_has_no_standing() {
        let mut world = World::new();
        let unpublished = world.patient("north");
        assert_eq!(standing_of(&mut world, &unpublished, &[]), Err(Code::CaseNotPublished));
        let (asker, _) = world.published("north");
        let others = Patient { hospital: id("south"), ..asker.clone() };
        assert_eq!(standing_of(&mut world, &others, &[]), Err(Code::CaseNotPublished));
        world.withdraw("beta", &asker).unwrap();
        assert_eq!(standing_of(&mut world, &asker, &[]), Err(Code::ConsentWithdrawn));
    }
}
