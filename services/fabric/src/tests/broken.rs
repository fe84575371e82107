//! Connections that break under a submission: what was never sent, what may have been taken, and what became of it.

use super::{PATIENCE, World};
use crate::testing::Fault;
use crate::{Commit, Stage, Status};

/// Asks until the peer answers: it needs a moment to be found again.
async fn settled(commit: &Commit) -> Status {
    let answered = async {
        loop {
            match commit.status().await {
                Ok(status) => return status,
                Err(error) => assert!(error.is_unavailable(), "{error:?}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, answered).await.expect("no answer came")
}

#[tokio::test]
async fn a_submission_that_breaks_off_may_have_been_taken_or_not() {
    let mut world = World::start();
    for (fault, taken) in [(Fault::Unanswered, true), (Fault::Slow(PATIENCE), false)] {
        let (transaction, height) = (world.endorsed().await, world.peer.height());
        world.peer.fault(fault);
        let submission = transaction.clone();
        let submission = tokio::spawn(async move { submission.submit().await.err().unwrap() });
        world.all_faults_taken().await;
        world.peer.stop();
        let error = submission.await.unwrap();
        assert_eq!((error.stage, error.is_unavailable()), (Stage::Submit, true), "{error:?}");
        assert!(error.outcome_unknown() && !error.never_sent, "{error:?}");
        assert_eq!(world.peer.height() - height, u64::from(taken));
        world.peer.start_again().await.unwrap();
        if !taken {
            drop(transaction.submit().await.unwrap());
        }
        let status = settled(&transaction.commit()).await;
        assert_eq!((status.code, status.block), (0, height), "once, and under its own id");
    }
}

#[tokio::test]
async fn a_submission_without_a_connection_was_never_sent() {
    let mut world = World::start();
    let transaction = world.endorsed().await;
    world.peer.stop();
    // The first one may still notice that the connection broke; from then on there is none.
    let first = transaction.submit().await.err().unwrap();
    assert!(first.is_unavailable(), "{first:?}");
    let error = transaction.submit().await.err().unwrap();
    assert!(error.stage == Stage::Submit && error.is_unavailable(), "{error:?}");
    assert!(error.never_sent && !error.outcome_unknown(), "{error:?}");
    world.peer.start_again().await.unwrap();
    assert_eq!(world.peer.height(), 1, "nothing was taken");
}

#[tokio::test]
async fn a_question_for_the_status_that_breaks_off_is_asked_again() {
    let mut world = World::start();
    let transaction = world.endorsed().await;
    let commit = transaction.submit().await.unwrap();
    world.peer.fault(Fault::Slow(PATIENCE));
    let question = commit.clone();
    let question = tokio::spawn(async move { question.status().await.unwrap_err() });
    world.all_faults_taken().await;
    world.peer.stop();
    let error = question.await.unwrap();
    assert_eq!((error.stage, error.is_unavailable()), (Stage::CommitStatus, true), "{error:?}");
    assert!(error.outcome_unknown() && !error.never_sent, "{error:?}");
    let error = commit.status().await.unwrap_err();
    assert!(error.never_sent && error.outcome_unknown(), "the transaction was sent before: {error:?}");
    world.peer.start_again().await.unwrap();
    assert_eq!(settled(&commit).await.block, 1);
}
