//! A matcher without an index: it reads the ledger at every search. It can be told to be down, to refuse and to lie.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use semblance_contract::wire::{
    FingerprintsFound, FingerprintsOf, Handle, List, Maybe, OfEpoch, OrganisationArgument, Outcomes, Page, PageRequest,
    RecordLookups,
};
use semblance_core::answer::{Answer, AnswerParts, Coverage, GroupValue, Match};
use semblance_core::case::PublishedCase;
use semblance_core::fingerprint::PrivateValue;
use semblance_core::id::{Digest, OrganisationId, RequestId};
use semblance_core::lookup::{LookupEntry, LookupRequest};
use semblance_core::organisation::Organisation;
use semblance_core::query::Query;
use semblance_core::random::RandomSource;
use semblance_core::receipt::{Receipt, SlotSeed, seal_receipts};
use semblance_core::record::Record;
use semblance_core::signature::Statement;
use semblance_core::time::{Clock, ManualClock};
use semblance_hospital::matcher::{Found, MatcherError, MatcherPort, Search};
use semblance_ledger::{Call, Ledger};

use crate::world::{NETWORK, id};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Honest,
    /// Cannot be reached.
    Down,
    /// Records the entry, then its answer is lost.
    LosesAnswer,
    /// Answers without an entry.
    NoEntry,
    /// Answers something else than it committed to.
    OtherAnswer,
    /// Commits to an answer whose first match has no receipt.
    NoReceipt,
    /// Names a hospital that does not own the first match.
    OtherOwner,
    /// Answers as if its index were older than asked for.
    OtherHeight,
    /// Names a block that does not hold the entry.
    OtherBlock,
    /// The answer is no answer.
    Garbage,
    /// Answers as if its index held a block that is not there yet.
    FutureHeight,
    /// Answers with every case it finds, however few were asked for.
    TooMany,
    /// Records the entry, then says that the slot was taken.
    RecordsAndRefuses,
    /// Says that the slot was taken, and records nothing.
    Refuses,
}

pub(crate) struct TestMatcher {
    organisation: OrganisationId,
    ledger: Arc<dyn Ledger>,
    clock: Arc<ManualClock>,
    random: Arc<dyn RandomSource>,
    pub(crate) mood: Mutex<Mood>,
    answers: Mutex<BTreeMap<RequestId, Found>>,
    pub(crate) searches: Mutex<u32>,
    pub(crate) calls: Mutex<u32>,
}

impl TestMatcher {
    pub(crate) fn new(ledger: Arc<dyn Ledger>, clock: Arc<ManualClock>, random: Arc<dyn RandomSource>) -> Self {
        Self {
            organisation: id("matcher"),
            ledger,
            clock,
            random,
            mood: Mutex::new(Mood::Honest),
            answers: Mutex::default(),
            searches: Mutex::default(),
            calls: Mutex::default(),
        }
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    async fn evaluate<R: Record>(&self, function: &str, argument: &impl Record) -> R {
        let call = Call {
            function: function.into(),
            arguments: vec![argument.encode()],
            endorsers: vec![self.organisation.clone()],
            ..Call::default()
        };
        R::decode(&self.ledger.evaluate(call).await.unwrap()).unwrap()
    }

    /// The live cases of other hospitals that share at least three own tokens, most first.
    async fn find(&self, request: &LookupRequest, query: &Query, most: usize) -> Vec<(PublishedCase, Vec<u8>)> {
        let argument = OfEpoch { epoch: request.epoch, page: PageRequest::first(500) };
        let cases: Page<PublishedCase> = self.evaluate("live_cases", &argument).await;
        let cases: Vec<_> = cases.rows.into_iter().filter(|case| case.owner != request.hospital).collect();
        if cases.is_empty() {
            return Vec::new();
        }
        let handles: FingerprintsOf = List::new(cases.iter().map(|case| Handle(case.handle)).collect()).unwrap();
        let values: FingerprintsFound = self.evaluate("fingerprints", &handles).await;
        let mut found = Vec::new();
        for (case, Maybe(value)) in cases.into_iter().zip(values.into_items()) {
            let fingerprint = PrivateValue::decode(&value.unwrap().0).unwrap();
            let tokens = fingerprint.fingerprint().tokens();
            let groups = query.groups().iter().zip(0_u8..);
            let shared: Vec<u8> =
                groups.filter(|(group, _)| tokens.contains(&group.own)).map(|(_, index)| index).collect();
            if shared.len() >= 3 {
                found.push((case, shared));
            }
        }
        found.sort_by_key(|(case, shared)| (std::cmp::Reverse(shared.len()), case.handle));
        found.truncate(most);
        found
    }

    async fn answer(
        &self,
        request: &LookupRequest,
        digest: Digest,
        query: &Query,
        height: u64,
        mood: Mood,
    ) -> (Answer, LookupEntry, Search) {
        let most = if mood == Mood::TooMany { 10 } else { usize::from(query.k()) };
        let found = self.find(request, query, most).await;
        let mut receipts = Vec::new();
        for ((case, _), rank) in found.iter().zip(1..) {
            let owner = OrganisationArgument(case.owner.clone());
            let member: Maybe<Organisation> = self.evaluate("organisation", &owner).await;
            let receipt = Receipt { handle: case.handle, rank, index_height: height };
            receipts.push((receipt, member.0.unwrap().sealing_key.public));
        }
        let sealed = seal_receipts(NETWORK, &digest, &receipts, self.random.as_ref()).unwrap();
        let one = |group| GroupValue { group, value: 1 << 16 };
        let mut matches: Vec<Match> = found
            .into_iter()
            .zip(sealed.keys)
            .map(|((case, shared), receipt)| Match {
                handle: case.handle,
                hospital: case.owner,
                shared: shared.into_iter().map(one).collect(),
                rarer: false,
                receipt,
            })
            .collect();
        if mood == Mood::NoReceipt {
            matches[0].receipt.seed = SlotSeed::from_bytes([1; 32]);
        }
        if mood == Mood::OtherOwner {
            let other = if matches[0].hospital == id("south") { "west" } else { "south" };
            matches[0].hospital = id(other);
        }
        let parts = AnswerParts {
            network: NETWORK,
            salt: self.random.array(),
            request: digest,
            coverage: Coverage { cases: 1, hospitals: 1, height },
            explainable: (0..u8::try_from(query.groups().len()).unwrap()).map(one).collect(),
            matches,
        };
        let answer = Answer::new(parts).unwrap();
        let signed = semblance_core::signature::SignedBytes::new(
            vec![],
            semblance_core::signature::Signature::from_bytes([0; 64]),
        );
        let entry = LookupEntry {
            request: signed.clone(),
            index_height: height,
            answer: answer.commitment(),
            slots: sealed.slots,
        };
        (answer, entry, Search { request: signed, query: vec![], salt: [0; 32] })
    }
}

#[async_trait]
impl MatcherPort for TestMatcher {
    fn organisation(&self) -> &OrganisationId {
        &self.organisation
    }

    async fn search(&self, search: Search) -> Result<Found, MatcherError> {
        let mood = *self.mood.lock().unwrap();
        *self.calls.lock().unwrap() += 1;
        let taken = || MatcherError::Refused { code: "slot-used".into(), message: "take another".into() };
        if mood == Mood::Refuses {
            return Err(taken());
        }
        if mood == Mood::Down {
            return Err(MatcherError::Unavailable("down".into()));
        }
        let request = LookupRequest::decode(search.request.bytes(), NETWORK).unwrap();
        if let Some(found) = self.answers.lock().unwrap().get(&request.request) {
            return Ok(found.clone());
        }
        *self.searches.lock().unwrap() += 1;
        if self.clock.now() > request.expires {
            return Err(MatcherError::Refused { code: "request-expired".into(), message: "too late".into() });
        }
        let query = Query::decode(&search.query).unwrap();
        assert_eq!(query.commitment(NETWORK, &search.salt), request.query);
        let height = match mood {
            Mood::OtherHeight => request.minimum_height + 5,
            Mood::FutureHeight => request.minimum_height + 1_000,
            _ => request.minimum_height,
        };
        let digest = search.request.digest();
        let (answer, mut entry, _) = self.answer(&request, digest, &query, height, mood).await;
        entry.request = search.request.clone();
        if mood == Mood::OtherHeight {
            entry.index_height = request.minimum_height;
        }
        let mut bytes = answer.encode();
        match mood {
            Mood::OtherAnswer => {
                let changed = AnswerParts { matches: Vec::new(), ..AnswerParts::clone(&answer) };
                bytes = Answer::new(changed).unwrap().encode();
            }
            Mood::Garbage => bytes.truncate(40),
            _ => {}
        }
        if mood == Mood::NoEntry {
            return Ok(Found {
                answer: bytes,
                transaction: semblance_core::id::TransactionId::from_bytes([1; 32]),
                block: 1,
            });
        }
        let argument: RecordLookups = List::new(vec![entry]).unwrap();
        let call = Call { function: "record_lookups".into(), arguments: vec![argument.encode()], ..Call::default() };
        let committed = self.ledger.submit(call).await.map_err(|error| MatcherError::Unavailable(error.to_string()))?;
        if let Err(refusal) = &Outcomes::decode(&committed.response).unwrap().items()[0] {
            let (code, message) = (refusal.word().to_owned(), refusal.message().to_owned());
            return Err(MatcherError::Refused { code, message });
        }
        let found = Found { answer: bytes, transaction: committed.transaction, block: committed.block };
        self.answers.lock().unwrap().insert(request.request, found.clone());
        if mood == Mood::OtherBlock {
            return Ok(Found { block: 0, ..found });
        }
        if mood == Mood::RecordsAndRefuses {
            return Err(taken());
        }
        if mood == Mood::LosesAnswer {
            return Err(MatcherError::Unavailable("the answer was lost".into()));
        }
        Ok(found)
    }
}
