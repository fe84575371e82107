//! Whoever runs the ledger commits, under a sound proposal of its own, what the contract would not have done.

use semblance_contract::wire::{
    Fingerprints, List, Outcomes, RecordLookups, Refusal, SignedStatement, TRANSIENT_FINGERPRINTS,
};
use semblance_contract::{Code, SemblanceContract, key};
use semblance_core::case::PublishedCase;
use semblance_core::id::{NetworkId, OrganisationId};
use semblance_core::limits::PROPOSAL_SKEW_MILLIS;
use semblance_core::proposal::SignedProposal;
use semblance_core::record::Record;
use semblance_core::signature::{Signature, SignedBytes};
use semblance_core::time::Timestamp;

use super::operated::{Operated, Operator};
use super::*;
use crate::LedgerError;
use crate::client::submit::publication;
use crate::embedded::private::{hashed, sha256};
use crate::embedded::reexecute;
use crate::embedded::simulate::Endorsed;
use crate::embedded::verify::verify_file;
use crate::identity::Identity;
use crate::suite::Network;
use crate::suite::clinic::{Patient, consent};

struct Forgery {
    network: Network,
    operated: Operated,
}

impl Forgery {
    async fn new() -> Self {
        let operator = Operator::default();
        let network = Network::semblance(&operator, 2, 1).await;
        let operated = operator.into_operated();
        Self { network, operated }
    }

    /// What an honest execution of this call would have ordered.
    fn endorse(&self, identity: &Identity, call: &Call) -> Endorsed {
        let contract = Arc::new(SemblanceContract);
        endorsed_on(&self.operated.path(), contract, identity, std::slice::from_ref(call)).remove(0)
    }

    /// Commits it, which must succeed, and says what a verification finds.
    async fn commit(&self, forged: Endorsed) -> String {
        self.operated.ledger.engine.writer.order(forged).await.unwrap().unwrap();
        let report = verify_file(&self.operated.path()).unwrap();
        let findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(report.findings[0].block, Some(report.blocks - 1), "the block of the forgery");
        findings.concat()
    }

    /// Commits an honest call with other bytes in the place of some of its argument, wherever the contract copies them.
    async fn commit_with(&self, by: &str, honest: Call, from: &[u8], to: &[u8]) -> String {
        let identity = self.network.party(by).identity(Role::Node);
        let mut forged = self.endorse(&identity, &honest);
        let arguments = honest.arguments.iter().map(|argument| replaced(argument, from, to)).collect();
        forged.proposal = signed(&identity, &Call { arguments, ..honest.clone() }, START);
        for value in forged.effects.writes.public.values_mut().flatten() {
            *value = replaced(value, from, to);
        }
        if let Some((_, payload)) = &mut forged.effects.event {
            *payload = replaced(payload, from, to);
        }
        self.commit(forged).await
    }
}

fn signed(identity: &Identity, call: &Call, at: Timestamp) -> SignedProposal {
    identity.propose(call, &ManualClock::at(at), &SeededSource::new([99; 32])).unwrap()
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> = (0..bytes.len()).filter(|place| bytes[*place..].starts_with(from)).collect();
    for place in places {
        bytes[place..place + to.len()].copy_from_slice(to);
    }
    bytes
}

/// The signature in a statement, and one that is none.
fn garbage(statement: &SignedBytes) -> ([u8; 64], [u8; 64]) {
    (*statement.signature().as_bytes(), *Signature::from_bytes([7; 64]).as_bytes())
}

fn call(function: &str, argument: &impl Record) -> Call {
    Call { function: function.into(), arguments: vec![argument.encode()], ..Call::default() }
}

async fn published(forgery: &Forgery) -> Patient {
    forgery.network.published("hospital-1", 0, 1).await.remove(0)
}

fn member(name: &str) -> OrganisationId {
    OrganisationId::new(name).unwrap()
}

fn withdrawal(patient: &Patient) -> Call {
    call("withdraw_consent", &SignedStatement(patient.withdrawal()))
}

#[tokio::test]
async fn a_look_up_that_its_hospital_never_signed_is_found() {
    let forgery = Forgery::new().await;
    let case = published(&forgery).await;
    let entry = forgery.network.entry(forgery.network.request("hospital-1", "matcher-1", &case, 1));
    let (from, to) = garbage(&entry.request);
    let record = call("record_lookups", &RecordLookups::new(vec![entry]).unwrap());
    let found = forgery.commit_with("matcher-1", record, &from, &to).await;
    assert!(found.contains("comes to another result"), "{found}");
}

#[tokio::test]
async fn a_consent_that_its_patient_never_signed_is_found() {
    let forgery = Forgery::new().await;
    let patient = forgery.network.registered("hospital-1", 0, 1).await.remove(0);
    let consent = consent(forgery.network.party("hospital-1"), &patient);
    let (from, to) = garbage(&consent);
    let consents = vec![SignedStatement(consent)];
    let grant = call("grant_consent", &List::<_, 100>::new(consents).unwrap());
    let found = forgery.commit_with("hospital-1", grant, &from, &to).await;
    assert!(found.contains("comes to another result"), "{found}");
}

#[tokio::test]
async fn a_withdrawal_that_its_patient_never_signed_is_found() {
    let forgery = Forgery::new().await;
    let case = published(&forgery).await;
    let (from, to) = garbage(&case.withdrawal());
    let found = forgery.commit_with("hospital-2", withdrawal(&case), &from, &to).await;
    assert!(found.contains("the contract refuses it: bad-signature"), "{found}");
}

#[tokio::test]
async fn a_withdrawal_that_writes_nothing_is_found() {
    let forgery = Forgery::new().await;
    let case = published(&forgery).await;
    let identity = forgery.network.party("hospital-2").identity(Role::Node);
    let mut forged = forgery.endorse(&identity, &withdrawal(&case));
    forged.effects.writes = Default::default();
    let found = forgery.commit(forged).await;
    assert!(found.ends_with("another result: writes"), "{found}");
}

#[tokio::test]
async fn whatever_else_a_transaction_is_said_to_have_done_is_found() {
    type Change = fn(&mut Endorsed);
    let changes: [(&str, Change); 5] = [
        ("reads", |forged| assert!(forged.effects.reads.public.remove(key::NETWORK).is_some())),
        ("writes", |forged| assert!(forged.effects.writes.policies.pop_first().is_some())),
        ("private writes", |forged| {
            let purge = (hashed(&collection("hospital-1"), "another case"), None);
            forged.effects.writes.private.extend([purge]);
            forged.endorsers = ["hospital-1", "matcher-1"].map(member).into();
        }),
        ("event", |forged| forged.effects.event = None),
        ("response", |forged| forged.response = vec![1]),
    ];
    for (part, change) in changes {
        let forgery = Forgery::new().await;
        let case = published(&forgery).await;
        let identity = forgery.network.party("hospital-1").identity(Role::Node);
        let mut forged = forgery.endorse(&identity, &withdrawal(&case));
        change(&mut forged);
        if part == "private writes" {
            let named = Call { endorsers: forged.endorsers.clone(), ..withdrawal(&case) };
            forged.proposal = signed(&identity, &named, START);
        }
        let found = forgery.commit(forged).await;
        assert!(found.ends_with(&format!("another result: {part}")), "{part}: {found}");
    }
}

/// An honest publication of a new case, and what it would have ordered.
async fn endorsed_publication(forgery: &Forgery) -> (Patient, Call, Endorsed) {
    let patient = forgery.network.patients("hospital-1", 0, 1).await.remove(0);
    let identity = forgery.network.party("hospital-1").identity(Role::Node);
    let publish = publication(&identity.organisation, &member("matcher-1"), vec![patient.publication()]).unwrap();
    let endorsed = forgery.endorse(&identity, &publish);
    (patient, publish, endorsed)
}

#[tokio::test]
async fn a_publication_is_checked_with_its_value_and_without() {
    let forgery = Forgery::new().await;
    let (patient, _, mut forged) = endorsed_publication(&forgery).await;
    // A case that never expires.
    let record = forged.effects.writes.public.get_mut(&key::case(patient.handle)).unwrap().as_mut().unwrap();
    let mut case = PublishedCase::decode(record).unwrap();
    case.expires = Timestamp::from_millis(u64::MAX);
    *record = case.encode();
    let found = forgery.commit(forged).await;
    assert!(found.ends_with("another result: writes"), "{found}");

    let other = forgery.network.client("hospital-2");
    other.withdraw_consent(patient.withdrawal()).await.unwrap();
    other.purge_cases(&member("hospital-1"), &member("matcher-1"), vec![patient.handle]).await.unwrap();
    let purged = forgery.operated.ledger.verify().await.unwrap();
    assert_eq!(purged.findings.iter().map(ToString::to_string).collect::<Vec<_>>(), [found]);
}

#[tokio::test]
async fn what_was_refused_for_its_value_verifies_when_the_value_is_gone() {
    let forgery = Forgery::new().await;
    let network = &forgery.network;
    let patients = network.patients("hospital-1", 0, 4).await;
    let [good, none, other, gone] = [0, 1, 2, 3].map(|place| patients[place].publication());
    let client = network.client("hospital-1");
    network.client("hospital-2").withdraw_consent(patients[3].withdrawal()).await.unwrap();
    // One is published, one is no fingerprint, one has another hash, one has no consent any more.
    let mut call = publication(client.organisation(), &member("matcher-1"), vec![good, none, other, gone]).unwrap();
    let values = call.transient.get_mut(TRANSIENT_FINGERPRINTS).unwrap();
    let mut items = Fingerprints::decode(values).unwrap().into_items();
    items[1].0.truncate(40);
    *items[2].0.last_mut().unwrap() ^= 1;
    *values = Fingerprints::new(items).unwrap().encode();
    let committed = client.ledger().submit(call).await.unwrap();
    let outcomes = Outcomes::decode(&committed.response).unwrap();
    let codes: Vec<_> = outcomes.items().iter().map(|item| item.as_ref().err().and_then(Refusal::code)).collect();
    let refused = [Code::FingerprintInvalid, Code::FingerprintHash, Code::ConsentWithdrawn].map(Some);
    assert_eq!((codes[0], &codes[1..]), (None, &refused[..]));
    network.assert_sound().await;
    client.withdraw_consent(patients[0].withdrawal()).await.unwrap();
    client.purge_cases(client.organisation(), &member("matcher-1"), vec![patients[0].handle]).await.unwrap();
    network.assert_sound().await;
}

#[tokio::test]
async fn a_value_that_is_no_fingerprint_is_found_while_it_is_there() {
    let forgery = Forgery::new().await;
    let (patient, publish, mut forged) = endorsed_publication(&forgery).await;
    let identity = forgery.network.party("hospital-1").identity(Role::Node);
    let (_, value) = patient.publication();
    let junk = b"no fingerprint at all".to_vec();
    let (from, to) = (*value.sha256().as_bytes(), sha256(&junk));
    let arguments = publish.arguments.iter().map(|argument| replaced(argument, &from, &to)).collect();
    forged.proposal = signed(&identity, &Call { arguments, ..publish.clone() }, START);
    forged.effects.private.values_mut().for_each(|value| value.clone_from(&junk));
    forged.effects.writes.private.values_mut().for_each(|hash| *hash = Some(to));
    for value in forged.effects.writes.public.values_mut().flatten() {
        *value = replaced(value, &from, &to);
    }
    let (name, payload) = forged.effects.event.take().unwrap();
    forged.effects.event = Some((name, replaced(&payload, &from, &to)));
    let found = forgery.commit(forged).await;
    assert!(found.contains("comes to another result"), "{found}");
}

#[tokio::test]
async fn endorsers_that_nobody_named_are_found() {
    let forgery = Forgery::new().await;
    let case = published(&forgery).await;
    let identity = forgery.network.party("hospital-2").identity(Role::Node);
    for wrong in [
        vec!["hospital-1", "matcher-1"],
        vec!["hospital-1", "hospital-2", "matcher-1"],
        vec!["matcher-1", "hospital-2"],
    ] {
        let forgery = Forgery::new().await;
        published(&forgery).await;
        let mut forged = forgery.endorse(&identity, &withdrawal(&case));
        forged.endorsers = wrong.iter().copied().map(member).collect();
        let found = forgery.commit(forged).await;
        assert!(found.contains("endorse"), "{wrong:?}: {found}");
    }
    // Strangers do not count as endorsers, neither when the ledger commits nor afterwards.
    let mut forged = forgery.endorse(&identity, &withdrawal(&case));
    forged.endorsers = ["hospital-2", "nobody"].map(member).into();
    let outcome = forgery.operated.ledger.engine.writer.order(forged).await.unwrap();
    assert!(matches!(outcome, Err(LedgerError::Invalid { .. })), "{outcome:?}");
    forgery.network.assert_sound().await;
}

#[tokio::test]
async fn a_proposal_from_the_future_is_found() {
    let forgery = Forgery::new().await;
    let case = published(&forgery).await;
    let identity = forgery.network.party("hospital-2").identity(Role::Node);
    let at = START.plus(PROPOSAL_SKEW_MILLIS + 1);
    // An honest writer stamps no such block, so that only another program could have made one.
    let proposal = signed(&identity, &withdrawal(&case), at);
    let endorsers = [member("hospital-2"), member("matcher-1")];
    let found = reexecute::envelope(proposal.proposal(), &endorsers, START).unwrap_err();
    assert!(found.contains("after its block's"), "{found}");
    reexecute::envelope(proposal.proposal(), &endorsers, START.plus(1)).unwrap();
}

#[tokio::test]
async fn another_networks_proposal_is_found() {
    let forgery = Forgery::new().await;
    let case = published(&forgery).await;
    let identity = forgery.network.party("hospital-2").identity(Role::Node);
    let mut forged = forgery.endorse(&identity, &withdrawal(&case));
    let elsewhere = Identity { network: NetworkId::from_bytes([8; 16]), ..identity };
    forged.proposal = signed(&elsewhere, &withdrawal(&case), START);
    let found = forgery.commit(forged).await;
    assert!(found.contains("proposal:"), "{found}");
}
