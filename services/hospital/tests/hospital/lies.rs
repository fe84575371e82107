//! What a dishonest matcher answers is not shown.

use semblance_contract::state::LookupRow;
use semblance_contract::wire::{OfOrganisationOnDay, PageRequest};
use semblance_core::query::Breadth;
use semblance_hospital::lookup::Question;

use crate::denials::on_ledger;
use crate::life_of_a_lookup::three_hospitals;
use crate::matcher::Mood;
use crate::world::{World, ask, id};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_the_own_ledger_does_not_confirm_is_not_shown() {
    let (world, north, _south) = three_hospitals().await;
    for (mood, code) in [
        (Mood::NoEntry, "no-entry"),
        (Mood::OtherBlock, "no-entry"),
        (Mood::OtherAnswer, "entry-mismatch"),
        (Mood::OtherHeight, "entry-mismatch"),
        (Mood::Garbage, "entry-mismatch"),
        (Mood::FutureHeight, "entry-mismatch"),
        (Mood::TooMany, "entry-mismatch"),
    ] {
        world.matcher.set(mood);
        let error = north.look_up(one_by(&format!("{mood:?}"))).await.unwrap_err();
        assert_eq!(error.code(), code, "{mood:?}: {error}");
        world.clock.advance(1_000);
    }
    // The members learn of it: whoever likes can hold the request's digest against the ledger.
    north.send().await.unwrap();
    let codes = on_ledger(&world).await;
    let count = |code: &str| codes.iter().filter(|found| *found == code).count();
    assert_eq!((count("no-entry"), count("entry-mismatch")), (2, 5), "{codes:?}");
}

/// A question for one case, by a clinician of that name.
fn one_by(clinician: &str) -> Question {
    Question { clinician: clinician.to_owned(), count: 1, ..ask("n-1", Breadth::Close) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_an_entry_is_asked_for_again_and_discloses_once() {
    let (world, north, _south) = three_hospitals().await;
    for (mood, searches) in [(Mood::OtherBlock, 1), (Mood::NoEntry, 2)] {
        let before = *world.matcher.searches.lock().unwrap();
        world.matcher.set(mood);
        let question = one_by(&format!("{mood:?}"));
        assert_eq!(north.look_up(question.clone()).await.unwrap_err().code(), "no-entry");
        let asked = north.lookups(0, 1).await.unwrap().remove(0);
        assert_eq!(asked.state, "asked");
        world.matcher.set(Mood::Honest);
        // The same question is the same request, whichever way it is put.
        let report = north.look_up(question).await.unwrap();
        assert_eq!((report.request, report.matches.len()), (asked.request, 1));
        assert_eq!(*world.matcher.searches.lock().unwrap(), before + searches);
        world.clock.advance(1_000);
    }
    assert_eq!(entries(&world).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_ends_a_request_only_where_the_ledger_holds_no_entry() {
    let (world, north, _south) = three_hospitals().await;
    world.matcher.set(Mood::RecordsAndRefuses);
    let question = one_by("dr-kim");
    assert_eq!(north.look_up(question.clone()).await.unwrap_err().code(), "entry-mismatch");
    assert_eq!((north.lookups(0, 9).await.unwrap().len(), entries(&world).await), (1, 1));
    world.matcher.set(Mood::Honest);
    assert_eq!(north.look_up(question).await.unwrap().matches.len(), 1);
    assert_eq!(entries(&world).await, 1);

    // A slot that the ledger shows as free is no reason to sign another request.
    world.matcher.set(Mood::Refuses);
    let calls = *world.matcher.calls.lock().unwrap();
    assert_eq!(north.look_up(one_by("dr-lee")).await.unwrap_err().code(), "slot-used");
    assert_eq!(*world.matcher.calls.lock().unwrap(), calls + 1);
    assert_eq!(entries(&world).await, 1);
}

/// How many look-ups of north the ledger holds today.
async fn entries(world: &World) -> usize {
    let argument =
        OfOrganisationOnDay { organisation: id("north"), day: world.now().day(), page: PageRequest::first(500) };
    world.page::<LookupRow>("lookups_of_hospital", &argument).await.len()
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
