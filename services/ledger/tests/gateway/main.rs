//! The ledger on Fabric against peers in this process, which fail on demand.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use semblance_core::random::SeededSource;
use semblance_core::time::{ManualClock, Timestamp};
use semblance_fabric::testing::{Fault, Invocation, Outcome, TestChaincode, TestOrganisation, TestPeer};
use semblance_fabric::{ChaincodeRefusal, PeerDetail};
use semblance_ledger::fabric::{FabricIdentity, FabricLedger, FabricSettings};
use semblance_ledger::suite::organisation;
use semblance_ledger::{BlockEvents, Call, Ledger, LedgerError, Validation};

const CHANNEL: &str = "channel";
const CHAINCODE: &str = "chaincode";
/// How long a test waits for a transaction that was confirmed.
const ORDERED: Duration = Duration::from_millis(300);

/// A hospital with peers. Each has a chain of its own: what they share is the chaincode.
struct World {
    organisation: TestOrganisation,
    peers: Vec<TestPeer>,
    ledger: FabricLedger,
}

impl World {
    fn start(peers: usize) -> Self {
        let organisation = TestOrganisation::new("north");
        let peers: Vec<TestPeer> = (0..peers).map(|_| TestPeer::start(&organisation, CHANNEL, chaincode())).collect();
        let ledger = open(&organisation, &peers);
        Self { organisation, peers, ledger }
    }

    async fn put(&self, value: &str) -> Result<u64, LedgerError> {
        Ok(self.ledger.submit(call("put", &["key", value])).await?.block)
    }
}

fn open(organisation: &TestOrganisation, peers: &[TestPeer]) -> FabricLedger {
    let tls = organisation.identity("client").tls();
    let settings = FabricSettings {
        organisation: self::organisation("north"),
        channel: CHANNEL.into(),
        chaincode: CHAINCODE.into(),
        peers: peers.iter().map(TestPeer::endpoint).collect(),
        identity: FabricIdentity { certificate: tls.certificate.clone(), key: tls.key.clone(), tls },
        clock: Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000))),
        random: Arc::new(SeededSource::new([1; 32])),
    };
    FabricLedger::open(settings).unwrap().with_patience(ORDERED)
}

fn call(function: &str, arguments: &[&str]) -> Call {
    let arguments = arguments.iter().map(|argument| argument.as_bytes().to_vec()).collect();
    Call { function: function.into(), arguments, ..Call::default() }
}

/// `put key value` writes and makes an event; `get` answers; anything else is refused in the contract's words.
fn chaincode() -> TestChaincode {
    Arc::new(|invocation: &Invocation| match invocation.arguments.as_slice() {
        [function, key, value] if function == b"put" => Ok(Outcome {
            response: value.clone(),
            event: Some(("written".to_owned(), value.clone())),
            writes: [(String::from_utf8(key.clone()).unwrap(), value.clone())].into(),
        }),
        [function] if function == b"get" => Ok(Outcome { response: b"there".to_vec(), ..Outcome::default() }),
        _ => Err(ChaincodeRefusal { status: 409, message: "slot-used: take another: now".to_owned() }),
    })
}

fn mismatch() -> Fault {
    let message = "ProposalResponsePayloads do not match (base64): 'AA' vs 'AB'".to_owned();
    Fault::Endorsers(vec![PeerDetail { address: "peer1:7051".into(), msp_id: "south".into(), message }])
}

#[tokio::test]
async fn a_submission_is_acknowledged_with_its_block() {
    let world = World::start(1);
    assert_eq!((world.put("a").await, world.put("b").await), (Ok(1), Ok(2)));
    assert_eq!(world.ledger.evaluate(call("get", &[])).await.unwrap(), b"there");
}

#[tokio::test]
async fn a_contracts_refusal_keeps_its_code() {
    let world = World::start(1);
    for refused in [
        world.ledger.submit(call("take", &[])).await.unwrap_err(),
        world.ledger.evaluate(call("take", &[])).await.unwrap_err(),
    ] {
        assert_eq!(refused, LedgerError::Refused { code: "slot-used".into(), message: "take another: now".into() });
    }
    assert_eq!(world.peers[0].height(), 1, "nothing was written");
}

#[tokio::test]
async fn a_conflict_is_told_and_not_hidden() {
    let world = World::start(1);
    for (code, expected) in [(11, Validation::MvccConflict), (12, Validation::PhantomConflict)] {
        world.peers[0].fault(Fault::Code(code));
        let refused = world.put("a").await.unwrap_err();
        assert!(matches!(refused, LedgerError::Invalid { validation, .. } if validation == expected), "{refused}");
        assert!(expected.lost_race());
    }
    world.peers[0].fault(Fault::Code(77));
    assert!(matches!(world.put("a").await, Err(LedgerError::Malformed(_))), "a code that nobody knows is no success");
}

/// An endorser that lags behind by a block is asked again, a moment later, under another id.
#[tokio::test]
async fn endorsers_that_disagree_are_asked_again() {
    let world = World::start(1);
    world.peers[0].fault(mismatch());
    world.peers[0].fault(mismatch());
    assert_eq!(world.put("a").await, Ok(1));
    assert_eq!(world.peers[0].faults(), 0);
    for _ in 0..20 {
        world.peers[0].fault(mismatch());
    }
    let refused = world.put("b").await.unwrap_err();
    assert!(matches!(&refused, LedgerError::Refused { code, .. } if code == "endorsement-mismatch"), "{refused}");
    assert_eq!(world.peers[0].height(), 2);
}

#[tokio::test]
async fn one_endorser_that_is_away_is_told() {
    let world = World::start(1);
    let message = "failed to find any endorsing peers for org(s): south".to_owned();
    let detail = PeerDetail { address: "peer0:7051".into(), msp_id: "north".into(), message };
    world.peers[0].fault(Fault::Endorsers(vec![detail]));
    let refused = world.put("a").await.unwrap_err();
    assert!(matches!(&refused, LedgerError::Unavailable(why) if why.contains("nothing was written")), "{refused}");
}

/// The orderer that confirmed it died with it.
#[tokio::test]
async fn a_transaction_that_was_lost_is_handed_in_again() {
    let world = World::start(1);
    world.peers[0].fault(Fault::Lost);
    world.peers[0].fault(Fault::Lost);
    assert_eq!(world.put("a").await, Ok(1));
    assert_eq!((world.peers[0].height(), world.peers[0].faults()), (2, 0));
}

/// It was taken and the answer got lost: it is not written twice.
#[tokio::test]
async fn a_transaction_that_was_not_confirmed_is_looked_for() {
    let world = World::start(1);
    world.peers[0].fault(Fault::Unconfirmed);
    assert_eq!(world.put("a").await, Ok(1));
    assert_eq!(world.peers[0].height(), 2, "once");
}

#[tokio::test]
async fn a_slow_peer_is_waited_for() {
    let world = World::start(1);
    world.peers[0].fault(Fault::Slow(Duration::from_millis(200)));
    let begun = Instant::now();
    assert_eq!(world.put("a").await, Ok(1));
    assert!(begun.elapsed() >= Duration::from_millis(200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_peer_is_asked_when_one_is_gone() {
    let mut world = World::start(2);
    assert_eq!(world.ledger.evaluate(call("get", &[])).await.unwrap(), b"there");
    world.peers[0].stop();
    assert_eq!(world.ledger.evaluate(call("get", &[])).await.unwrap(), b"there");
    assert_eq!(world.put("a").await, Ok(1), "by way of the second");
    assert_eq!((world.peers[0].height(), world.peers[1].height()), (1, 2));
    world.peers[1].stop();
    let refused = world.put("b").await.unwrap_err();
    assert!(matches!(refused, LedgerError::Unavailable(_)), "nothing was written: {refused}");
    world.peers[1].start_again().await.unwrap();
    // A connection that is being made anew may tell of its last failure once more.
    let again = async {
        loop {
            match world.put("b").await {
                Err(LedgerError::Unavailable(_)) => tokio::task::yield_now().await,
                other => return other,
            }
        }
    };
    assert_eq!(tokio::time::timeout(Duration::from_secs(20), again).await, Ok(Ok(2)));
}

#[tokio::test]
async fn somebody_elses_certificate_is_refused() {
    let world = World::start(1);
    let stranger = open(&TestOrganisation::new("north"), &world.peers);
    let refused = stranger.evaluate(call("get", &[])).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Unavailable(_) | LedgerError::Identity(_)), "{refused}");
    drop(world.organisation);
}

/// Streams that break, end early, leave a block out or say everything twice: a follower sees each block once, in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_sees_each_block_once_whatever_happens_to_its_streams() {
    let mut world = World::start(1);
    for value in ["a", "b", "c", "d", "e", "f"] {
        world.put(value).await.unwrap();
    }
    for fault in [Fault::Break(2), Fault::HangUp(1), Fault::Break(0)] {
        world.peers[0].fault(fault);
    }
    let mut blocks = world.ledger.blocks(1).await.unwrap();
    let mut seen: Vec<BlockEvents> = Vec::new();
    for _ in 0..4 {
        seen.push(blocks.next().await.unwrap().unwrap());
    }
    world.peers[0].stop();
    world.peers[0].start_again().await.unwrap();
    for _ in 0..2 {
        seen.push(blocks.next().await.unwrap().unwrap());
    }
    let numbers: Vec<u64> = seen.iter().map(|block| block.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
    let values: Vec<&[u8]> =
        seen.iter().map(|block| block.transactions[0].event.as_ref().unwrap().1.as_slice()).collect();
    assert_eq!(values, [b"a", b"b", b"c", b"d", b"e", b"f"]);
}

#[tokio::test]
async fn a_follower_takes_no_stream_with_a_gap() {
    let world = World::start(1);
    for value in ["a", "b", "c"] {
        world.put(value).await.unwrap();
    }
    world.peers[0].fault(Fault::LeaveOut(2));
    let mut blocks = world.ledger.blocks(1).await.unwrap();
    assert_eq!(blocks.next().await.unwrap().unwrap().number, 1);
    assert!(matches!(blocks.next().await.unwrap(), Err(LedgerError::Malformed(_))));
}
