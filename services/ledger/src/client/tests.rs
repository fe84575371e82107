use std::sync::Mutex;

use async_trait::async_trait;
use futures::stream;
use semblance_contract::wire::{Empty, Maybe};
use semblance_core::id::NetworkId;
use semblance_core::organisation::{Network, Separation};
use semblance_core::signature::{Signature, SignedBytes};
use semblance_core::token::EpochNumber;

use super::*;
use crate::ledger::{EventStream, TransactionOutcome};

/// A ledger that gives prepared answers and remembers what it was asked.
pub(crate) struct Script {
    organisation: OrganisationId,
    answers: Mutex<Vec<Result<Vec<u8>, LedgerError>>>,
    calls: Mutex<Vec<Call>>,
    blocks: Vec<BlockEvents>,
}

impl Script {
    pub(crate) fn client(
        answers: Vec<Result<Vec<u8>, LedgerError>>,
        blocks: Vec<BlockEvents>,
    ) -> (Arc<Self>, LedgerClient) {
        let organisation = OrganisationId::new("north").unwrap();
        let script = Arc::new(Self { organisation, answers: Mutex::new(answers), calls: Mutex::default(), blocks });
        (Arc::clone(&script), LedgerClient::new(script))
    }

    fn next(&self, call: Call) -> Result<Vec<u8>, LedgerError> {
        self.calls.lock().unwrap().push(call);
        self.answers.lock().unwrap().remove(0)
    }

    fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

#[async_trait]
impl Ledger for Script {
    fn organisation(&self) -> &OrganisationId {
        &self.organisation
    }

    async fn submit(&self, call: Call) -> Result<Committed, LedgerError> {
        let response = self.next(call)?;
        Ok(Committed { transaction: TransactionId::from_bytes([1; 32]), block: 7, response })
    }

    async fn evaluate(&self, call: Call) -> Result<Vec<u8>, LedgerError> {
        self.next(call)
    }

    async fn height(&self) -> Result<u64, LedgerError> {
        Ok(self.blocks.last().map_or(0, |block| block.number + 1))
    }

    async fn blocks(&self, from: u64) -> Result<EventStream, LedgerError> {
        let blocks: Vec<_> = self.blocks.iter().filter(|block| block.number >= from).cloned().map(Ok).collect();
        Ok(stream::iter(blocks).boxed())
    }
}

fn invalid(validation: Validation) -> Result<Vec<u8>, LedgerError> {
    Err(LedgerError::Invalid { transaction: TransactionId::from_bytes([1; 32]), validation })
}

fn organisation(name: &str) -> OrganisationId {
    OrganisationId::new(name).unwrap()
}

#[tokio::test]
async fn a_lost_race_is_run_again() {
    let lost = [Validation::MvccConflict, Validation::PhantomConflict, Validation::EndorsementPolicyFailure];
    let answers = lost.map(invalid).into_iter().chain([Ok(Empty.encode())]).collect();
    let (script, client) = Script::client(answers, vec![]);
    let recorded = client.close_epoch(EpochNumber(1)).await.unwrap();
    assert_eq!((recorded.block, script.calls().len()), (7, 4));
}

#[tokio::test]
async fn five_lost_races_are_enough() {
    let (script, client) = Script::client((0..9).map(|_| invalid(Validation::MvccConflict)).collect(), vec![]);
    let error = client.close_epoch(EpochNumber(1)).await.unwrap_err();
    assert!(matches!(error, LedgerError::Invalid { validation: Validation::MvccConflict, .. }));
    assert_eq!(script.calls().len(), 5);
}

#[tokio::test]
async fn other_failures_are_not_tried_again() {
    let failures = [
        invalid(Validation::DuplicateTransaction),
        Err(LedgerError::Unavailable("stopping".into())),
        Err(LedgerError::Refused { code: "epoch-closed".into(), message: "closed".into() }),
    ];
    for failure in failures {
        let (script, client) = Script::client(vec![failure.clone()], vec![]);
        let error = client.close_epoch(EpochNumber(1)).await.unwrap_err();
        assert_eq!((Err(error), script.calls().len()), (failure, 1));
    }
}

#[test]
fn a_refusal_has_the_contracts_code() {
    let refused = |code: &str| LedgerError::Refused { code: code.into(), message: String::new() };
    assert_eq!(refusal(&refused("slot-used")), Some(Code::SlotUsed));
    assert_eq!(refusal(&refused("made-up-later")), None);
    assert_eq!(refusal(&LedgerError::Storage("full".into())), None);
}

#[tokio::test]
async fn fingerprints_go_to_the_own_peer_and_the_matchers_alone() {
    let values = semblance_core::random::SeededSource::new([1; 32]);
    let tokens = (0..8).map(semblance_core::token::Token).collect();
    let fingerprint = semblance_core::fingerprint::Fingerprint::new(tokens).unwrap();
    let value = semblance_core::fingerprint::PrivateValue::new(fingerprint, &values);
    let item = semblance_contract::wire::PublishItem {
        handle: semblance_core::id::CaseHandle::from_bytes([1; 16]),
        consent: semblance_core::id::ConsentId::from_bytes([2; 16]),
        epoch: EpochNumber(1),
        private_hash: *value.sha256().as_bytes(),
        replaces: None,
    };
    let (script, client) = Script::client(vec![Ok(semblance_contract::wire::Outcomes::default().encode())], vec![]);
    let client = client.endorsed_also_by([organisation("south")]);
    let error = client.publish_cases(&organisation("matcher"), vec![(item, value.clone())]).await.unwrap_err();
    assert!(matches!(error, LedgerError::OutcomeUnknown { .. }), "an outcome for each item, or none is believed");
    let call = script.calls().remove(0);
    assert_eq!(call.endorsers, [organisation("north"), organisation("matcher")]);
    let hidden = value.encode();
    assert!(call.arguments.iter().all(|argument| !argument.windows(hidden.len()).any(|window| window == hidden)));
    assert!(call.transient.values().any(|transient| transient.windows(hidden.len()).any(|window| window == hidden)));
}

#[tokio::test]
async fn further_endorsers_are_named_once() {
    let answers = vec![Ok(Empty.encode()), Err(LedgerError::Storage("full".into())), Ok(Empty.encode())];
    let (script, client) = Script::client(answers, vec![]);
    let client = client.endorsed_also_by([organisation("south"), organisation("north"), organisation("south")]);
    client.close_epoch(EpochNumber(1)).await.unwrap();
    let handles = vec![semblance_core::id::CaseHandle::from_bytes([1; 16])];
    client.purge_cases(&organisation("south"), &organisation("matcher"), handles).await.unwrap_err();
    let opening = SignedBytes::new(vec![1], Signature::from_bytes([2; 64]));
    client.take_over_channel(opening, &organisation("east")).await.unwrap();
    let calls = script.calls();
    assert_eq!(calls[0].endorsers, [organisation("north"), organisation("south")]);
    assert_eq!(calls[2].endorsers, [organisation("north"), organisation("east"), organisation("south")]);
    assert_eq!(calls[1].endorsers, [organisation("south"), organisation("matcher"), organisation("north")]);
}

#[tokio::test]
async fn too_many_items_are_refused_before_they_travel() {
    let (script, client) = Script::client(vec![], vec![]);
    for count in [0, 101] {
        let handles = vec![semblance_core::id::CaseHandle::from_bytes([1; 16]); count];
        let error = client.expire(handles).await.unwrap_err();
        assert!(matches!(refusal(&error), Some(Code::TooLarge | Code::InvalidArgument)), "{error}");
    }
    assert!(script.calls().is_empty());
}

#[tokio::test]
async fn queries_decode_what_they_get() {
    let network = Network::new(NetworkId::from_bytes([3; 16]), "trial", Separation::Separated).unwrap();
    let answers = vec![Ok(network.encode()), Ok(Maybe::<Network>(None).encode()), Ok(b"?".to_vec())];
    let (_, client) = Script::client(answers, vec![]);
    assert_eq!(client.network().await.unwrap(), network);
    assert_eq!(client.member(&organisation("south")).await.unwrap(), None);
    assert!(matches!(client.network().await, Err(LedgerError::Malformed(_))));
}

#[tokio::test]
async fn only_events_of_valid_transactions_are_told() {
    let event = |name: &str, payload: Vec<u8>| Some((name.to_owned(), payload));
    let opened = Event::EpochOpened(EpochNumber(1));
    let outcome =
        |validation, event| TransactionOutcome { transaction: TransactionId::from_bytes([2; 32]), validation, event };
    let transactions = vec![
        outcome(Validation::Valid, event(opened.name(), opened.payload())),
        outcome(Validation::MvccConflict, event(opened.name(), opened.payload())),
        outcome(Validation::Valid, event("made-up-later", vec![1])),
        outcome(Validation::Valid, None),
    ];
    let block = BlockEvents { number: 4, timestamp: Timestamp::from_millis(9), transactions };
    let (_, client) = Script::client(vec![], vec![block]);
    let blocks: Vec<_> = client.events(4).await.unwrap().collect().await;
    assert_eq!(blocks.len(), 1);
    let block = blocks[0].as_ref().unwrap();
    assert_eq!(block.events, [(TransactionId::from_bytes([2; 32]), opened)]);
}
