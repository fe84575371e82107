//! What the writer does with transactions that come together.

use semblance_core::time::Timestamp;

use super::*;
use crate::embedded::simulate::Endorsed;
use crate::suite::scratch::call;
use crate::{LedgerError, Validation};

fn endorse(fixture: &Fixture, calls: &[Call]) -> Vec<Endorsed> {
    endorsed_on(&fixture.path(), Arc::new(ScratchContract), &fixture.parties[0].identity(Role::Node), calls)
}

async fn order(fixture: &Fixture, endorsed: Vec<Endorsed>) -> Vec<Result<u64, Validation>> {
    let answers: Vec<_> = endorsed.into_iter().map(|one| fixture.ledger().engine.writer.order(one)).collect();
    let mut outcomes = Vec::new();
    for answer in answers {
        outcomes.push(match answer.await.unwrap() {
            Ok(committed) => Ok(committed.block),
            Err(LedgerError::Invalid { validation, .. }) => Err(validation),
            Err(error) => panic!("{error}"),
        });
    }
    outcomes
}

#[tokio::test]
async fn of_two_that_read_the_same_the_first_wins() {
    let fixture = Fixture::new(1, 0).await;
    let calls = [call("append", &["key", "1"]), call("append", &["key", "2"]), call("put", &["other", "x"])];
    let outcomes = order(&fixture, endorse(&fixture, &calls)).await;
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok());
    assert_eq!(outcomes[1], Err(Validation::MvccConflict));
    // A blind write conflicts with nothing, and what is deleted and made again has another version.
    let stale = endorse(&fixture, &[call("append", &["key", "3"])]);
    fixture.node(0).submit(call("delete", &["key"])).await.unwrap();
    fixture.node(0).submit(call("put", &["key", "1"])).await.unwrap();
    assert_eq!(order(&fixture, stale).await, [Err(Validation::MvccConflict)]);
    assert!(fixture.ledger().verify().await.unwrap().is_sound());
}

#[tokio::test]
async fn a_phantom_row_invalidates() {
    let fixture = Fixture::new(1, 0).await;
    let calls = [call("count_and_add", &["row", "a"]), call("count_and_add", &["row", "b"])];
    let outcomes = order(&fixture, endorse(&fixture, &calls)).await;
    assert!(outcomes[0].is_ok());
    assert_eq!(outcomes[1], Err(Validation::PhantomConflict));
    assert!(fixture.ledger().verify().await.unwrap().is_sound());
}

#[tokio::test]
async fn the_same_transaction_twice_in_the_queue_is_one() {
    let fixture = Fixture::new(1, 0).await;
    let put = call("put", &["key", "x"]);
    let mut twice = endorse(&fixture, std::slice::from_ref(&put));
    twice.extend(endorse(&fixture, &[put]));
    let outcomes = order(&fixture, twice).await;
    assert!(outcomes[0].is_ok());
    assert_eq!(outcomes[1], Err(Validation::DuplicateTransaction));
    assert!(fixture.ledger().verify().await.unwrap().is_sound());
}

#[tokio::test]
async fn a_key_rotated_in_between_invalidates() {
    let fixture = Fixture::new(1, 0).await;
    let stale = endorse(&fixture, &[call("put", &["key", "x"])]);
    let record = semblance_core::record::Record::encode(&fixture.parties[0].record());
    let again = Call { function: "register".into(), arguments: vec![record], ..Call::default() };
    fixture.node(0).submit(again).await.unwrap();
    assert_eq!(order(&fixture, stale).await, [Err(Validation::MvccConflict)]);
    assert!(fixture.ledger().verify().await.unwrap().is_sound());
}

#[tokio::test]
async fn those_who_wait_share_a_block() {
    let fixture = Fixture::new(1, 0).await;
    let calls: Vec<Call> = (0..300).map(|number| call("put", &[&format!("key-{number}"), "x"])).collect();
    let outcomes = order(&fixture, endorse(&fixture, &calls)).await;
    assert!(outcomes.iter().all(Result::is_ok));
    let head = fixture.ledger().head().unwrap();
    assert!(head.height < 100, "{} blocks for 300 transactions", head.height);
    assert!(head.timestamp >= Timestamp::from_millis(START.millis()));
}
