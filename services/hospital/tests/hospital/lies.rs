//! What a dishonest matcher answers is not shown.

use semblance_core::query::Breadth;

use crate::life_of_a_lookup::three_hospitals;
use crate::matcher::Mood;
use crate::world::ask;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_the_own_ledger_does_not_confirm_is_not_shown() {
    let (world, north, _south) = three_hospitals().await;
    for (mood, code) in [
        (Mood::NoEntry, "no-entry"),
        (Mood::OtherBlock, "no-entry"),
        (Mood::OtherAnswer, "entry-mismatch"),
        (Mood::OtherHeight, "entry-mismatch"),
        (Mood::Garbage, "entry-mismatch"),
    ] {
        world.matcher.set(mood);
        let error = north.look_up(ask("n-1", Breadth::Close)).await.unwrap_err();
        assert_eq!(error.code(), code, "{mood:?}: {error}");
        world.clock.advance(1_000);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_match_without_its_receipt_is_left_out_and_named() {
    let (world, north, south) = three_hospitals().await;
    for mood in [Mood::NoReceipt, Mood::OtherOwner] {
        world.matcher.set(mood);
        let report = north.look_up(ask("n-1", Breadth::Close)).await.unwrap();
        assert_eq!((report.matches.len(), report.failed.len()), (1, 1), "{mood:?}");
        assert_eq!((report.failed[0].rank, report.failed[0].code.as_str()), (1, "receipt-mismatch"));
        world.clock.advance(1_000);
    }
    drop(south);
}
