//! Every denial has a code, a line in the local audit and, where it concerns the network, one on the ledger.

use semblance_contract::wire::{OfOrganisationOnDay, PageRequest};
use semblance_core::denial::Denial;
use semblance_core::organisation::Role;
use semblance_core::query::Breadth;
use semblance_hospital::lookup::Question;
use semblance_hospital::{ConsentTerms, Selection};

use crate::world::{DAY, HEART, SEIZURES, World, ask, id};

pub(crate) async fn on_ledger(world: &World) -> Vec<String> {
    let argument =
        OfOrganisationOnDay { organisation: id("north"), day: world.now().day(), page: PageRequest::first(500) };
    let denials = world.page::<Denial>("denials", &argument).await;
    let mut codes: Vec<_> = denials.iter().map(|denial| denial.code.to_string()).collect();
    codes.sort();
    codes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_denial_is_coded_and_recorded() {
    let world = World::new().await;
    let north = world.hospital("north");
    let early = north.publish("operator", Selection::All).await.unwrap_err();
    assert_eq!(early.code(), "wrong-epoch");
    world.open_epoch(1).await;
    let few: &[&str] = &SEIZURES[..2];
    let short: &[&str] = &SEIZURES[..4];
    world.import(&north, &[("two", few), ("four", short), ("six", &SEIZURES), ("no", &HEART)]).await;
    let only = |case: &str| Selection::Cases(vec![case.parse().unwrap()]);
    let unregistered = north.consent("operator", only("six"), ConsentTerms::usual().unwrap()).await.unwrap();
    assert_eq!(unregistered.refused[0].code, "not-registered");
    north.register("operator", Selection::All).await.unwrap();
    let unconsented = north.publish("operator", only("six")).await.unwrap();
    assert_eq!(unconsented.refused[0].code, "no-consent");
    let three = Selection::Cases(["two", "four", "six"].map(|case| case.parse().unwrap()).to_vec());
    assert_eq!(north.consent("operator", three, ConsentTerms::usual().unwrap()).await.unwrap().done, 3);
    let few = north.publish("operator", only("two")).await.unwrap();
    assert_eq!(few.refused[0].code, "too-few-terms");
    // Of all, those that a rule keeps out are named; one that has no consent yet is no news.
    let all = north.publish("operator", Selection::All).await.unwrap();
    assert_eq!((all.done, all.unchanged, all.refused_left_out), (2, 1, 0));
    let named: Vec<_> = all.refused.iter().map(|one| (one.case.as_str(), one.code.as_str())).collect();
    assert_eq!(named, [("two", "too-few-terms")]);
    assert_eq!(north.publish("operator", only("nobody")).await.unwrap().refused[0].code, "unknown-case");

    let close = |case: &str| ask(case, Breadth::Close);
    let elsewhere = Question { matcher: Some(id("elsewhere")), ..close("six") };
    let nameless = Question { clinician: " ".into(), ..close("six") };
    for (question, code) in [
        (close("nobody"), "unknown-case"),
        (close("two"), "too-few-terms"),
        (ask("four", Breadth::Wide), "too-few-terms"),
        (close("no"), "no-consent"),
        (elsewhere, "unknown-matcher"),
        (nameless, "malformed"),
        (Question { count: 11, ..close("six") }, "malformed"),
    ] {
        assert_eq!(north.look_up(question).await.unwrap_err().code(), code);
    }
    assert!(north.look_up(close("four")).await.unwrap().short);
    world.import(&north, &[("four", &SEIZURES[..5])]).await;
    assert_eq!(north.look_up(close("four")).await.unwrap_err().code(), "not-current");
    north.withdraw("operator", &"four".parse().unwrap()).await.unwrap();
    assert_eq!(north.look_up(close("four")).await.unwrap_err().code(), "withdrawn-consent");
    north.send().await.unwrap();
    let codes = on_ledger(&world).await;
    for (code, count) in [
        ("not-published", 4),
        ("too-few-terms", 4),
        ("not-own-case", 2),
        ("wrong-recipient", 1),
        ("malformed", 2),
        ("withdrawn-consent", 1),
    ] {
        assert_eq!(codes.iter().filter(|found| *found == code).count(), count, "{code} in {codes:?}");
    }
    world.clock.advance(366 * DAY);
    assert_eq!(north.look_up(close("six")).await.unwrap_err().code(), "expired-consent");
    north.send().await.unwrap();
    assert_eq!(on_ledger(&world).await, ["expired-consent"]);
    let audit = north.audit(0, 500).await.unwrap();
    assert_eq!(audit.iter().filter(|line| line.action == "look-up" && line.code != "ok").count(), 10);
    assert!(ConsentTerms::new(&[], 1, "x").is_err());
    let all = semblance_core::consent::Scope::ALL;
    assert!(ConsentTerms::new(&all, 0, "x").is_err() && ConsentTerms::new(&all, 9_999, "x").is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denial_stamped_by_a_clock_that_ran_ahead_is_recorded_all_the_same() {
    let world = World::new().await;
    world.open_epoch(1).await;
    let ahead = world.now().plus(DAY);
    let north = world.hospital_at("north", ahead);
    assert_eq!(north.look_up(ask("nobody", Breadth::Close)).await.unwrap_err().code(), "unknown-case");
    drop(north);
    let north = world.hospital_with("north", world.handle("north", Role::Node));
    let sent = north.send().await.unwrap();
    assert_eq!((sent.settled, sent.waiting, sent.waits_for.as_deref()), (0, 1, Some("denial-time")));
    world.clock.advance(2_000);
    assert_eq!(north.send().await.unwrap().settled, 1);
    assert_eq!(on_ledger(&world).await, ["not-own-case"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_that_begins_in_a_moment_does_not_end_its_publication() {
    let world = World::new().await;
    world.open_epoch(1).await;
    let ahead = world.hospital_at("north", world.now().plus(4 * 60_000));
    world.import(&ahead, &[("n-1", &SEIZURES)]).await;
    assert_eq!(ahead.register("operator", Selection::All).await.unwrap().done, 1);
    assert_eq!(ahead.consent("operator", Selection::All, ConsentTerms::usual().unwrap()).await.unwrap().done, 1);
    let report = ahead.publish("operator", Selection::All).await.unwrap();
    assert_eq!((report.waiting, report.waits_for.as_deref()), (1, Some("consent-not-yet-valid")));
    drop(ahead);
    world.clock.advance(5 * 60_000);
    let north = world.hospital("north");
    assert_eq!(north.send().await.unwrap().settled, 1);
    assert_eq!(north.cases("", 1).await.unwrap()[0].publication, Some("live"));
}
