//! Questions that several transactions ask of the state; a "no" is a refusal with its code.

use std::collections::BTreeMap;

use semblance_core::case::PublishedCase;
use semblance_core::consent::Consent;
use semblance_core::epoch::Epoch;
use semblance_core::id::{CaseHandle, ChannelId, ConsentId, IntroductionId, OrganisationId, RequestId};
use semblance_core::introduction::IntroductionProposal;
use semblance_core::limits::ORGANISATIONS_MAX;
use semblance_core::organisation::{Organisation, OrganisationKind};
use semblance_core::sealing::SealingKeyId;
use semblance_core::signature::{SignedBytes, Statement};
use semblance_core::token::EpochNumber;

use crate::call::{Call, decode};
use crate::state::{ChannelRecord, ConsentRecord, IntroductionRecord, LookupRecord, Opening};
use crate::{Code, ContractError, key};

/// A member by name.
pub(crate) fn organisation(call: &mut Call<'_>, id: &OrganisationId) -> Result<Organisation, ContractError> {
    call.load(&key::organisation(id))?
        .ok_or_else(|| ContractError::new(Code::UnknownMember, format!("{id} is no member of this network")))
}

/// All members.
pub(crate) fn organisations(call: &mut Call<'_>) -> Result<Vec<Organisation>, ContractError> {
    let rows = call.stub().range(key::ORGANISATIONS, &key::end(key::ORGANISATIONS), ORGANISATIONS_MAX)?;
    rows.iter().map(|(key, value)| decode(key, value)).collect()
}

/// No other member has one of these keys.
pub(crate) fn fresh_keys(members: &[Organisation], newcomer: &Organisation) -> Result<(), ContractError> {
    let shares = |member: &&Organisation| {
        member.id != newcomer.id
            && (member.verifying_key == newcomer.verifying_key
                || member.sealing_key.public == newcomer.sealing_key.public)
    };
    match members.iter().find(shares) {
        Some(member) => {
            let message = format!("a key belongs to {} already: make a fresh one", member.id);
            Err(ContractError::new(Code::KeyReused, message))
        }
        None => Ok(()),
    }
}

/// Something is sealed to exactly the hospitals that are members now, to each once and under its present sealing key.
pub(crate) fn sealed_to_hospitals<'a>(
    call: &mut Call<'_>,
    sealed: impl Iterator<Item = (&'a OrganisationId, SealingKeyId)>,
    incomplete: Code,
) -> Result<(), ContractError> {
    let refuse = |message: String| Err(ContractError::new(incomplete, message));
    let mut expected: BTreeMap<_, _> = organisations(call)?
        .into_iter()
        .filter(|member| member.kind == OrganisationKind::Hospital)
        .map(|member| (member.id, member.sealing_key.id))
        .collect();
    for (hospital, key) in sealed {
        match expected.remove(hospital) {
            Some(present) if present == key => {}
            Some(present) => return refuse(format!("{hospital} has sealing key {present} now: seal to it")),
            None => return refuse(format!("{hospital} is no hospital, or stands twice")),
        }
    }
    match expected.keys().next() {
        Some(missing) => refuse(format!("nothing is sealed to {missing}")),
        None => Ok(()),
    }
}

/// A statement that the caller made for itself, signed with its present key.
pub(crate) fn own_statement<T: Statement>(
    call: &Call<'_>,
    source: SignedBytes,
    signer: fn(&T) -> &OrganisationId,
) -> Result<(T, SignedBytes), ContractError> {
    let claim = source.claim::<T>(call.network_id())?;
    let (named, own) = (signer(claim.claims()), call.member());
    if *named != own.id {
        return Err(ContractError::new(Code::NotOwner, format!("{} may not speak for {named}", own.id)));
    }
    let signed = claim.verify(&own.verifying_key).map_err(|_| {
        let message = format!("the statement is not signed by the present key of {}", own.id);
        ContractError::new(Code::BadSignature, message)
    })?;
    Ok(signed.into_parts())
}

/// A consent, whatever became of it.
pub(crate) fn consent(call: &mut Call<'_>, id: ConsentId) -> Result<Consent, ContractError> {
    let key = key::consent(id);
    let record: ConsentRecord = call
        .load(&key)?
        .ok_or_else(|| ContractError::new(Code::UnknownConsent, format!("no consent {id} on this ledger")))?;
    record.consent(call.network_id()).map_err(|error| ContractError::corrupt(&key, &error))
}

/// A consent that is neither withdrawn nor expired at the proposal's time. Whether it has begun, the publication
/// judges: a case that stands on the ledger does not end because another clock is a little behind.
pub(crate) fn live_consent(call: &mut Call<'_>, id: ConsentId) -> Result<Consent, ContractError> {
    let consent = consent(call, id)?;
    if call.exists(&key::consent_tombstone(id))? {
        return Err(ContractError::new(Code::ConsentWithdrawn, format!("consent {id} was withdrawn")));
    }
    if call.now() >= consent.expires {
        return Err(ContractError::new(Code::ConsentExpired, format!("consent {id} has expired: ask for a new one")));
    }
    Ok(consent)
}

/// A published case, whatever became of it.
pub(crate) fn case(call: &mut Call<'_>, handle: CaseHandle) -> Result<PublishedCase, ContractError> {
    call.load(&key::case(handle))?
        .ok_or_else(|| ContractError::new(Code::UnknownCase, format!("no case {handle} on this ledger")))
}

/// An epoch, open or closed.
pub(crate) fn epoch(call: &mut Call<'_>, number: EpochNumber) -> Result<Epoch, ContractError> {
    call.load(&key::epoch(number))?
        .ok_or_else(|| ContractError::new(Code::UnknownEpoch, format!("no epoch {number} on this ledger")))
}

/// An epoch that is open.
pub(crate) fn open_epoch(call: &mut Call<'_>, number: EpochNumber) -> Result<Epoch, ContractError> {
    let epoch = epoch(call, number)?;
    if !epoch.is_open() {
        return Err(ContractError::new(Code::EpochClosed, format!("epoch {number} is closed: use the newest one")));
    }
    Ok(epoch)
}

/// A recorded look-up.
pub(crate) fn lookup(call: &mut Call<'_>, request: RequestId) -> Result<LookupRecord, ContractError> {
    call.load(&key::lookup(request))?
        .ok_or_else(|| ContractError::new(Code::UnknownLookup, format!("no look-up {request} on this ledger")))
}

/// The hospital that asked in a recorded look-up.
pub(crate) fn asker(
    call: &Call<'_>,
    lookup: &LookupRecord,
    request: RequestId,
) -> Result<OrganisationId, ContractError> {
    let claim = lookup.entry.claim(call.network_id());
    let claim = claim.map_err(|error| ContractError::corrupt(&key::lookup(request), &error))?;
    Ok(claim.claims().hospital.clone())
}

/// What was proposed in an introduction.
pub(crate) fn introduction(call: &mut Call<'_>, id: IntroductionId) -> Result<IntroductionProposal, ContractError> {
    let key = key::introduction(id);
    let record: IntroductionRecord = call
        .load(&key)?
        .ok_or_else(|| ContractError::new(Code::UnknownIntroduction, format!("no introduction {id} on this ledger")))?;
    record.statement(call.network_id()).map_err(|error| ContractError::corrupt(&key, &error))
}

/// A channel as its hub opened it last.
pub(crate) fn channel(call: &mut Call<'_>, id: ChannelId) -> Result<Option<Opening>, ContractError> {
    let key = key::channel(id);
    let Some(record) = call.load::<ChannelRecord>(&key)? else { return Ok(None) };
    let opening = record.statement(call.network_id()).map_err(|error| ContractError::corrupt(&key, &error))?;
    Ok(Some(opening))
}

/// A channel's id stands for something else already.
pub(crate) fn channel_used(id: ChannelId) -> ContractError {
    ContractError::new(Code::ChannelUsed, format!("channel {id} is another one: draw a new id"))
}

/// A channel's fence is one more than the last one's, which is 0 where there is none.
pub(crate) fn fence(fence: u32, last: u32) -> Result<(), ContractError> {
    match last.checked_add(1) {
        Some(next) if fence == next => Ok(()),
        _ => Err(ContractError::new(Code::WrongFence, format!("the fence is {fence}, the last one was {last}"))),
    }
}
