//! Introductions that somebody made up: believed by nobody, and in the audit where they opened.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use semblance_contract::state::{ChannelRecord, IntroductionAnswerRecord, IntroductionRow, Opening};
use semblance_contract::wire::{IntroductionArgument, Maybe, SignedStatement};
use semblance_core::channel::ChannelOpening;
use semblance_core::id::{CaseHandle, ConsentId, IntroductionId, OrganisationId, RequestId};
use semblance_core::introduction::{
    ConsentOpening, Evidence, IntroductionAnswer, IntroductionProposal, Outcome, ProposalNote, Reason, SealedNote,
    Side, recipient_commitment,
};
use semblance_core::organisation::Role;
use semblance_core::receipt::{SlotIndex, SlotKey, SlotSeed};
use semblance_core::record::Record;
use semblance_core::signature::{SignedBytes, SigningKey, Statement};
use semblance_core::time::Timestamp;
use semblance_hospital::{HospitalService, Reply};
use semblance_ledger::{Call, Committed, EventStream, Ledger, LedgerError};

use crate::introductions::{BOTH, CLINICIANS, met, name, only, proposed, wish};
use crate::world::{DAY, IDLE, NETWORK, World, id};

/// What a ledger shows instead of what it holds.
type Lie = Arc<dyn Fn(&str, Vec<u8>) -> Vec<u8> + Send + Sync>;

/// A ledger that lies when it is asked.
struct Liar {
    ledger: Arc<dyn Ledger>,
    lie: Lie,
}

#[async_trait]
impl Ledger for Liar {
    fn organisation(&self) -> &OrganisationId {
        self.ledger.organisation()
    }

    async fn submit(&self, call: Call) -> Result<Committed, LedgerError> {
        self.ledger.submit(call).await
    }

    async fn evaluate(&self, call: Call) -> Result<Vec<u8>, LedgerError> {
        let function = call.function.clone();
        let bytes = self.ledger.evaluate(call).await?;
        Ok((self.lie)(&function, bytes))
    }

    async fn height(&self) -> Result<u64, LedgerError> {
        self.ledger.height().await
    }

    async fn blocks(&self, from: u64) -> Result<EventStream, LedgerError> {
        self.ledger.blocks(from).await
    }
}

fn forger() -> SigningKey {
    SigningKey::from_seed(&[9; 32])
}

/// Opens a hospital whose ledger shows another row of every introduction.
fn lied_to(
    world: &World,
    name: &str,
    alter: impl Fn(IntroductionRow) -> IntroductionRow + Send + Sync + 'static,
) -> HospitalService {
    let lie = move |function: &str, bytes: Vec<u8>| match function {
        "introduction" => Maybe(Maybe::<IntroductionRow>::decode(&bytes).unwrap().0.map(&alter)).encode(),
        _ => bytes,
    };
    world.hospital_with(name, Arc::new(Liar { ledger: world.handle(name, Role::Node), lie: Arc::new(lie) }))
}

/// The codes of the audit's lines about what came in.
async fn doubts(hospital: &HospitalService, action: &str) -> Vec<String> {
    let lines = hospital.audit(0, 500).await.unwrap();
    let found = lines.into_iter().filter(|line| line.action == action && line.actor == "ledger");
    found.map(|line| line.code).filter(|code| code != "ok").collect()
}

fn resigned<T: Statement + Clone>(source: &SignedBytes, alter: impl Fn(&mut T)) -> SignedBytes {
    let mut statement = source.clone().claim::<T>(NETWORK).unwrap().claims().clone();
    alter(&mut statement);
    statement.sign(&forger()).into_parts().1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_proposer_did_not_sign_is_not_shown() {
    let (world, north, south, request) = met().await;
    drop(south);
    north.introduce_match("dr-kim", request, 1, wish(BOTH)).await.unwrap();
    let south = lied_to(&world, "south", |mut row| {
        let longer = |proposal: &mut IntroductionProposal| proposal.expires = proposal.expires.plus(DAY);
        row.record.proposal = resigned(&row.record.proposal, longer);
        row
    });
    south.catch_up(IDLE).await.unwrap();
    assert!(south.introductions(0, 9).await.unwrap().is_empty());
    assert_eq!(doubts(&south, "introduction").await, ["bad-signature"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_the_other_side_did_not_sign_opens_nothing() {
    let (world, north, south, request) = met().await;
    let id = proposed(&north, &south, request).await;
    drop(north);
    south.answer_introduction("dr-lee", id, Reply::Accept(BOTH)).await.unwrap();
    let north = lied_to(&world, "north", |mut row| {
        row.answer = row.answer.map(|record: IntroductionAnswerRecord| {
            let answer = resigned(&record.answer, |answer: &mut IntroductionAnswer| answer.time = answer.time.plus(1));
            IntroductionAnswerRecord { answer, ..record }
        });
        row
    });
    north.catch_up(IDLE).await.unwrap();
    let spoilt = only(&north).await;
    assert_eq!((spoilt.state, spoilt.code.as_deref()), ("refused", Some("bad-signature")));
    assert_eq!(north.open_channel("dr-kim", id).await.unwrap_err().code(), "not-accepted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_on_other_consents_than_were_agreed_is_not_joined() {
    let (world, north, south, request) = met().await;
    let id = proposed(&north, &south, request).await;
    south.answer_introduction("dr-lee", id, Reply::Accept(CLINICIANS)).await.unwrap();
    north.catch_up(IDLE).await.unwrap();
    drop(north);
    let hub = world.signing("south").clone();
    let lie = move |function: &str, bytes: Vec<u8>| {
        if function != "channel" {
            return bytes;
        }
        let record = Maybe::<ChannelRecord>::decode(&bytes).unwrap().0.unwrap();
        let Opening::Match(opening) = record.statement(NETWORK).unwrap() else { panic!("a group") };
        let hub_of = semblance_core::channel::Hub { consents: vec![opening.hub.consents[0]], ..opening.hub.clone() };
        let opening = ChannelOpening { hub: hub_of, ..opening }.sign(&hub).into_parts().1;
        Maybe(Some(ChannelRecord { opening, ..record })).encode()
    };
    let ledger = Liar { ledger: world.handle("north", Role::Node), lie: Arc::new(lie) };
    let north = world.hospital_with("north", Arc::new(ledger));
    south.open_channel("dr-lee", id).await.unwrap();
    north.catch_up(IDLE).await.unwrap();
    assert!(north.channels(0, 9).await.unwrap().is_empty());
    assert_eq!(doubts(&north, "channel").await, ["charter-mismatch"]);
}

/// What west, a member like any other, proposes to a hospital with whom none of its cases ever met.
struct Intruder<'a> {
    world: &'a World,
    request: RequestId,
    number: Mutex<u8>,
}

impl Intruder<'_> {
    async fn submit(&self, function: &str, source: SignedBytes) -> Result<Committed, LedgerError> {
        let arguments = vec![SignedStatement(source).encode()];
        let call = Call { function: function.into(), arguments, ..Call::default() };
        self.world.handle("west", Role::Node).submit(call).await
    }

    /// West is not whom the asker's look-up found, and says that it is.
    async fn propose(&self, to: &str, note: impl FnOnce(IntroductionId) -> (SealedNote, [u8; 32])) {
        let introduction = IntroductionId::random(self.world.random.as_ref());
        let (note, salt) = note(introduction);
        let number = {
            let mut number = self.number.lock().unwrap();
            *number += 1;
            *number
        };
        let proposal = IntroductionProposal {
            network: NETWORK,
            introduction,
            lookup: self.request,
            proposer: id("west"),
            side: Side::Found,
            number,
            recipient: recipient_commitment(&salt, NETWORK, introduction, &id(to)),
            expires: self.world.now().plus(DAY),
            note,
        };
        let source = proposal.sign(self.world.signing("west")).into_parts().1;
        self.submit("propose_introduction", source).await.unwrap();
    }

    fn note(&self, evidence: Evidence, handle: CaseHandle) -> impl FnOnce(IntroductionId) -> (SealedNote, [u8; 32]) {
        let (to, consent) = (*self.world.sealing("north")[0].public(), ConsentId::from_bytes([5; 16]));
        move |introduction| {
            let note = ProposalNote {
                salt: [3; 32],
                evidence,
                handle,
                consent: ConsentOpening { consent, salt: [4; 32] },
                parties: BOTH,
                reason: Reason::Families,
            };
            (note.seal(NETWORK, introduction, &to, &[6; 32]).unwrap(), [3; 32])
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_did_not_meet_is_not_introduced() {
    let (world, north, south, request) = met().await;
    let intruder = Intruder { world: &world, request, number: Mutex::default() };
    let proposed = north.introduce_match("dr-kim", request, 1, wish(BOTH)).await.unwrap();
    let handle: CaseHandle = proposed.handle.parse().unwrap();
    let copied: IntroductionRow = world.query("introduction", &IntroductionArgument(name(&proposed))).await.unwrap();
    let copied = copied.record.statement(NETWORK).unwrap().note;

    // North's own words to south, under another name: they open for nobody, and nobody hears of it.
    intruder.propose("south", |_| (copied, [3; 32])).await;
    south.catch_up(IDLE).await.unwrap();
    assert_eq!(only(&south).await.introduction, proposed.introduction);
    assert!(doubts(&south, "introduction").await.is_empty());

    // South's case, of which west somehow learned; every slot of the entry is tried.
    for slot in 0..3 {
        let slot = SlotIndex::new(slot).unwrap();
        intruder.propose("north", intruder.note(Evidence::Receipt(slot), handle)).await;
    }
    let key = SlotKey { slot: SlotIndex::new(0).unwrap(), seed: SlotSeed::from_bytes([1; 32]) };
    intruder.propose("north", intruder.note(Evidence::Match(key), handle)).await;
    // Sealed to north, and committed to somebody else.
    intruder.propose("south", intruder.note(Evidence::Receipt(SlotIndex::new(0).unwrap()), handle)).await;
    north.catch_up(IDLE).await.unwrap();
    assert_eq!(only(&north).await.introduction, proposed.introduction);
    assert_eq!(
        doubts(&north, "introduction").await,
        ["no-match", "no-match", "no-match", "wrong-side", "wrong-recipient"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_answers_in_nobodys_place() {
    let (world, north, south, request) = met().await;
    let introduction = proposed(&north, &south, request).await;
    let intruder = Intruder { world: &world, request, number: Mutex::default() };
    let answer = IntroductionAnswer {
        network: NETWORK,
        introduction,
        hospital: id("west"),
        salt: [1; 32],
        outcome: Outcome::Accepted,
        time: Timestamp::from_millis(world.now().millis()),
        note: SealedNote::from_bytes([0; semblance_core::introduction::SEALED_NOTE_BYTES]),
    };
    let source = answer.sign(world.signing("west")).into_parts().1;
    let refused = intruder.submit("answer_introduction", source).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Refused { code, .. } if code == "wrong-recipient"));
    north.catch_up(IDLE).await.unwrap();
    assert_eq!(only(&north).await.state, "proposed");
    // A hospital that was not asked has nothing to answer.
    let west = world.hospital("west");
    west.catch_up(IDLE).await.unwrap();
    assert!(west.introductions(0, 9).await.unwrap().is_empty());
    assert!(west.audit(0, 500).await.unwrap().is_empty());
}
