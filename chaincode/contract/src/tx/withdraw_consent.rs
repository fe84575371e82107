//! `withdraw_consent`: a patient's signed withdrawal, submitted by any member.
//!
//! One public transaction ends the consent for ever and takes its cases of all epochs out. It needs neither the
//! hospital nor a matcher, because a tombstone's first write stands under the ordinary rule (a later one would need
//! the hospital, so that no two others take it away) and no private data are touched; their purge is `purge_case`. The key
//! in the consent may always withdraw it, also after another took its place, so that a recovery by the hospital cannot
//! take the patient's last word away. A second withdrawal changes nothing and succeeds. However often a key was replaced
//! and however many epochs the consent was published in, a withdrawal fits: registration and publication see to that.

use semblance_core::case::CaseStatus;
use semblance_core::consent::{Consent, ConsentError, Withdrawal};
use semblance_core::id::CaseHandle;
use semblance_core::limits::{CONSENT_EPOCHS_MAX, PATIENT_KEYS_MAX};
use semblance_core::signature::VerifyingKey;

use crate::call::{Call, decode};
use crate::check;
use crate::event::{Event, OwnedCase};
use crate::state::{CaseTombstone, ConsentTombstone, Publication, Successor};
use crate::wire::{SignedStatement, Withdrawn};
use crate::{Code, ContractError, key};

pub(crate) fn run(call: &mut Call<'_>, argument: SignedStatement) -> Result<Withdrawn, ContractError> {
    let claim = argument.0.claim::<Withdrawal>(call.network_id())?;
    let signer = claim.claims().patient_key;
    let (withdrawal, source) = claim
        .verify(&signer)
        .map_err(|_| ContractError::new(Code::BadSignature, "the withdrawal is not signed by the key it names"))?
        .into_parts();
    let consent = check::consent(call, withdrawal.consent)?;
    check_speaker(call, &consent, &signer)?;
    withdrawal.check(&consent, &signer).map_err(refusal)?;
    let handles = handles(call, &consent)?;
    let tombstone_key = key::consent_tombstone(withdrawal.consent);
    if !call.exists(&tombstone_key)? {
        let cases = end_cases(call, &consent, &handles)?;
        call.save_owned(&tombstone_key, &ConsentTombstone { at: call.now(), source }, &consent.hospital)?;
        call.emit(&Event::ConsentWithdrawn(withdrawal.consent, cases))?;
    }
    Ok(Withdrawn { hospital: consent.hospital.clone(), handles })
}

/// The signer is the consent's own key, or one that took its place.
fn check_speaker(call: &mut Call<'_>, consent: &Consent, signer: &VerifyingKey) -> Result<(), ContractError> {
    let mut speaker = consent.patient_key;
    for _ in 0..PATIENT_KEYS_MAX {
        if speaker == *signer {
            return Ok(());
        }
        match call.load(&key::patient_key_successor(&consent.hospital, &speaker))? {
            Some(Successor(next)) => speaker = next,
            None => break,
        }
    }
    Err(refusal(ConsentError::OtherKey))
}

/// The newest handle of the consent in each epoch; earlier ones have their tombstones since they were replaced.
fn handles(call: &mut Call<'_>, consent: &Consent) -> Result<Vec<CaseHandle>, ContractError> {
    let prefix = key::live_of_consent(consent.consent);
    let rows = call.stub().range(&prefix, &key::end(&prefix), CONSENT_EPOCHS_MAX as usize)?;
    rows.iter().map(|(key, value)| decode::<Publication>(key, value).map(|publication| publication.handle)).collect()
}

fn end_cases(call: &mut Call<'_>, consent: &Consent, handles: &[CaseHandle]) -> Result<Vec<OwnedCase>, ContractError> {
    let mut cases = Vec::new();
    for handle in handles {
        let tombstone_key = key::case_tombstone(*handle);
        if !call.exists(&tombstone_key)? {
            let tombstone = CaseTombstone { status: CaseStatus::Withdrawn, at: call.now() };
            call.save_owned(&tombstone_key, &tombstone, &consent.hospital)?;
            cases.push(OwnedCase { handle: *handle, hospital: consent.hospital.clone() });
        }
    }
    Ok(cases)
}

fn refusal(error: ConsentError) -> ContractError {
    let code = match error {
        ConsentError::OtherKey => Code::BadSignature,
        ConsentError::Sequence => Code::WrongSequence,
        ConsentError::OtherConsent | ConsentError::NoScope | ConsentError::NeverHolds | ConsentError::TooLong => {
            Code::InvalidArgument
        }
    };
    ContractError::new(code, error.to_string())
}

#[cfg(test)]
mod tests {
    use semblance_core::case::CaseStatus;
    use semblance_core::limits::{CONSENT_EPOCHS_MAX, PATIENT_KEYS_MAX};
    use semblance_core::signature::Statement;
    use semblance_core::token::EpochNumber;

    use crate::event::Event;
    use crate::state::{CaseView, ConsentView};
    use crate::stub::KeyPolicy;
    use crate::tests::world::*;
    use crate::wire::{ConsentArgument, Empty, Handle, Maybe, PublishItem, SignedStatement, Withdrawn};
    use crate::{Code, key};

    #[test]
    fn one_public_transaction_ends_consent_and_cases_of_all_epochs() {
        let mut world = World::new();
        let (patient, first) = world.published("north");
        world.admin::<Empty>("north", "open_epoch", &open_epoch(2)).unwrap();
        let second = world.handle();
        let item = PublishItem { epoch: EpochNumber(2), ..item(&patient, second, None) };
        world.publish("north", item).unwrap();

        let withdrawn = world.withdraw("beta", &patient).unwrap();
        assert_eq!(withdrawn, Withdrawn { hospital: id("north"), handles: vec![first, second] });
        let tombstones =
            [key::case_tombstone(first), key::case_tombstone(second), key::consent_tombstone(patient.consent)];
        let mut written: Vec<_> = world.writes.public.keys().cloned().collect();
        written.sort();
        assert_eq!(written, tombstones, "nothing that needs the owner's endorsement is written");
        assert!(world.writes.private.is_empty());
        // The first write stands under the ordinary rule; from then on no two others take a tombstone away.
        for key in tombstones {
            assert_eq!(world.stub.policy(&key), Some(&KeyPolicy::AllOf(vec![id("north")])));
        }

        let (name, payload) = world.writes.event.clone().unwrap();
        let Some(Event::ConsentWithdrawn(consent, cases)) = Event::decode(&name, &payload).unwrap() else {
            panic!("{name}")
        };
        assert_eq!((consent, cases.len()), (patient.consent, 2));
        let case: Maybe<CaseView> = world.node("south", "case", &Handle(first)).unwrap();
        assert_eq!(case.0.unwrap().case.status, CaseStatus::Withdrawn);
        let consent: Maybe<ConsentView> = world.node("south", "consent", &ConsentArgument(patient.consent)).unwrap();
        let tombstone = consent.0.unwrap().tombstone.unwrap();
        assert_eq!(tombstone.withdrawal(NETWORK).unwrap(), patient.withdrawal());
    }

    #[test]
    fn a_second_withdrawal_changes_nothing_and_succeeds() {
        let mut world = World::new();
        let (patient, _) = world.published("north");
        let first = world.withdraw("north", &patient).unwrap();
        assert_eq!(world.withdraw("south", &patient).unwrap(), first);
        assert!(world.writes.public.is_empty() && world.writes.event.is_none());
    }

    #[test]
    fn a_publication_at_the_same_moment_conflicts() {
        let mut world = World::new();
        let (patient, handle) = (world.patient("north"), world.handle());
        let argument = semblance_core::record::Record::encode(&publish_cases(vec![item(&patient, handle, None)]));
        let values = crate::wire::Fingerprints::new(vec![crate::wire::Opaque(private_value(1).encode())]).unwrap();
        world.stub.set_caller(&id("north"), crate::stub::Role::Node);
        let values = semblance_core::record::Record::encode(&values);
        world.stub.set_transient(crate::wire::TRANSIENT_FINGERPRINTS, values);
        crate::Contract::invoke(&crate::SemblanceContract, &mut world.stub, "publish_cases", &[argument]).unwrap();
        assert!(world.stub.reads().contains(&key::consent_tombstone(patient.consent)));
        assert!(world.stub.reads().contains(&key::consent(patient.consent)));
        assert!(world.stub.reads().contains(&key::epoch(EPOCH)));
    }

    #[test]
    fn a_recovery_does_not_take_the_patients_last_word_away() {
        let mut world = World::new();
        let (patient, _) = world.published("north");
        world.replace_key(&patient, false).unwrap();
        world.withdraw("south", &patient).unwrap();
    }

    #[test]
    fn the_last_of_the_most_keys_may_withdraw_what_the_first_consented_to() {
        let mut world = World::new();
        let (patient, handle) = world.published("north");
        let mut heir = patient.clone();
        for _ in 1..PATIENT_KEYS_MAX {
            heir.key = world.replace_key(&heir, false).unwrap();
        }
        assert_eq!(world.replace_key(&heir, true).map(|_| ()), Err(Code::PatientKeysExhausted));
        assert_eq!(world.withdraw("south", &heir).unwrap().handles, [handle]);
        // The hospital may still register a key that takes no other's place.
        let fresh = Patient { key: node("fresh"), ..patient };
        world.register("north", fresh.entry()).unwrap();
    }

    #[test]
    fn a_withdrawal_ends_the_most_epochs_at_once() {
        let mut world = World::new();
        let patient = world.patient("north");
        let mut handles = Vec::new();
        for number in 1..=CONSENT_EPOCHS_MAX {
            let item = in_epoch(&mut world, &patient, number);
            handles.push(item.handle);
            world.publish("north", item).unwrap();
            world.close("north", number).unwrap();
        }
        let one_more = in_epoch(&mut world, &patient, CONSENT_EPOCHS_MAX + 1);
        assert_eq!(world.publish("north", one_more), Err(Code::EpochsExhausted));

        assert_eq!(world.withdraw("beta", &patient).unwrap().handles, handles);
        for handle in handles {
            assert!(world.stub.state().contains_key(&key::case_tombstone(handle)), "{handle}");
        }
    }

    /// Opens an epoch, unless it is the first, and has the patient's case ready for it.
    fn in_epoch(world: &mut World, patient: &Patient, number: u32) -> PublishItem {
        if number > 1 {
            world.admin::<Empty>("north", "open_epoch", &open_epoch(number)).unwrap();
        }
        PublishItem { epoch: EpochNumber(number), ..item(patient, world.handle(), None) }
    }

    #[test]
    fn the_key_that_took_the_place_may_withdraw_and_a_strangers_may_not() {
        let mut world = World::new();
        let (patient, _) = world.published("north");
        let stranger = Patient { key: node("stranger"), ..patient.clone() };
        assert_eq!(world.withdraw("north", &stranger).unwrap_err().code(), Code::BadSignature);
        let next = world.replace_key(&patient, true).unwrap();
        let heir = Patient { key: next, ..patient };
        let SignedStatement(source) = heir.signed_withdrawal();
        assert_eq!(source.bytes(), heir.withdrawal().encode());
        world.withdraw("south", &heir).unwrap();
    }
}
