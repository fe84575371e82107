use semblance_core::limits::LOOKUP_SLOTS_A_DAY;
use semblance_core::query::Breadth;
use semblance_hospital::lookup::Question;
use semblance_hospital::{HospitalError, HospitalService};

use crate::matcher::Mood;
use crate::world::{HEART, IDLE, SEIZURES, World, ask};

pub(crate) async fn three_hospitals() -> (World, HospitalService, HospitalService) {
    let world = World::new().await;
    world.open_epoch(1).await;
    let (north, south) = (world.hospital("north"), world.hospital("south"));
    world.publish(&north, &[("n-1", &SEIZURES), ("n-2", &SEIZURES[..5]), ("n-3", &HEART)]).await;
    world.publish(&south, &[("s-1", &SEIZURES), ("s-2", &SEIZURES[1..]), ("s-3", &HEART)]).await;
    (world, north, south)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn similar_cases_are_shown_and_their_hospital_learns_of_it() {
    let (_world, north, south) = three_hospitals().await;
    north.catch_up(IDLE).await.unwrap();
    for breadth in [Breadth::Close, Breadth::Wide] {
        let report = north.look_up(ask("n-1", breadth)).await.unwrap();
        let hospitals: Vec<_> = report.matches.iter().map(|found| found.hospital.as_str()).collect();
        assert_eq!((hospitals, report.failed.len()), (vec!["south", "south"], 0), "{report:?}");
        assert_eq!(report.matches[0].shared.len(), 6);
        assert!(report.matches[0].shared.iter().any(|symptom| symptom.label == "Seizure"));
        let own: Vec<_> = report.own.iter().map(|own| own.case.as_str()).collect();
        assert_eq!(own, ["n-2"]);
        assert!(report.height >= 1 && report.block > report.height);
    }
    south.catch_up(IDLE).await.unwrap();
    let receipts = south.receipts(None, 0, 50).await.unwrap();
    assert_eq!(receipts.len(), 4);
    assert!(receipts.iter().all(|found| found.asker == "north" && found.purpose == "diagnosis"));
    let of_one = south.receipts(Some("s-1".parse().unwrap()), 0, 50).await.unwrap();
    assert_eq!(of_one.iter().map(|found| found.rank).collect::<Vec<_>>(), [1, 1]);
    north.catch_up(IDLE).await.unwrap();
    assert!(north.receipts(None, 0, 50).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawn_case_is_gone_from_the_next_answer() {
    let (_world, north, south) = three_hospitals().await;
    south.withdraw("operator", &"s-1".parse().unwrap()).await.unwrap();
    let report = north.look_up(ask("n-1", Breadth::Close)).await.unwrap();
    assert_eq!(report.matches.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_gets_the_stored_answer_and_never_a_new_search() {
    let (world, north, _south) = three_hospitals().await;
    for mood in [Mood::Down, Mood::LosesAnswer] {
        let before = *world.matcher.searches.lock().unwrap();
        world.matcher.set(mood);
        let error = north.look_up(ask("n-1", Breadth::Close)).await.unwrap_err();
        assert!(error.may_pass() && error.code() == "matcher-unavailable", "{error}");
        world.matcher.set(Mood::Honest);
        let asked = north.lookups(0, 1).await.unwrap().remove(0);
        assert_eq!(asked.state, "asked");
        let request = asked.request.parse().unwrap();
        let report = north.retry("dr-kim", request).await.unwrap();
        assert_eq!(report.matches.len(), 2);
        assert_eq!(north.retry("dr-kim", request).await.unwrap(), report);
        assert_eq!(*world.matcher.searches.lock().unwrap(), before + 1);
        world.clock.advance(1_000);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_expired_unanswered_ends() {
    let (world, north, _south) = three_hospitals().await;
    world.matcher.set(Mood::Down);
    north.look_up(ask("n-1", Breadth::Close)).await.unwrap_err();
    let request = north.lookups(0, 1).await.unwrap()[0].request.parse().unwrap();
    world.clock.advance(11 * 60_000);
    let error = north.retry("dr-kim", request).await.unwrap_err();
    assert_eq!(error.code(), "expired-request");
    let error = north.retry("dr-kim", request).await.unwrap_err();
    assert!(matches!(error, HospitalError::Matcher(_)) && !error.may_pass(), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_the_ledger_knows_as_used_is_passed_over() {
    let (world, north, _south) = three_hospitals().await;
    north.look_up(ask("n-1", Breadth::Close)).await.unwrap();
    drop(north);
    // A restored backup has forgotten the look-up; its slot stays used on the ledger.
    let file = rusqlite::Connection::open(world.folder.path().join("north.db")).unwrap();
    file.execute("DELETE FROM lookups", []).unwrap();
    drop(file);
    let north = world.hospital("north");
    assert_eq!(north.look_up(ask("n-1", Breadth::Close)).await.unwrap().matches.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn budgets_of_clinician_and_hospital_end_a_day() {
    let (world, north, _south) = three_hospitals().await;
    for _ in 0..20 {
        north.look_up(ask("n-1", Breadth::Close)).await.unwrap();
    }
    assert_eq!(north.look_up(ask("n-1", Breadth::Close)).await.unwrap_err().code(), "budget-clinician");
    drop(north);
    let file = rusqlite::Connection::open(world.folder.path().join("north.db")).unwrap();
    let day = world.now().day().number();
    for slot in 20..LOOKUP_SLOTS_A_DAY {
        file.execute("INSERT INTO foreign_slots (day, slot) VALUES (?1, ?2)", (day, slot)).unwrap();
    }
    drop(file);
    let north = world.hospital("north");
    let other = Question { clinician: "dr-lee".into(), ..ask("n-1", Breadth::Close) };
    assert_eq!(north.look_up(other).await.unwrap_err().code(), "budget-hospital");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_clinician_has_one_budget_however_the_name_is_spelt() {
    let (_world, north, _south) = three_hospitals().await;
    let by = |clinician: &str| Question { clinician: clinician.to_owned(), ..ask("n-1", Breadth::Close) };
    for _ in 0..19 {
        north.look_up(by("Dr. Kim")).await.unwrap();
    }
    // Of two calls at once, one is the last of the day.
    let second = Question { case: "n-2".parse().unwrap(), ..by("dr.  KIM") };
    let (one, other) = tokio::join!(north.look_up(second), north.look_up(by(" DR. kim ")));
    let denied: Vec<_> = [one, other].into_iter().filter_map(Result::err).collect();
    assert_eq!(denied.iter().map(HospitalError::code).collect::<Vec<_>>(), ["budget-clinician"]);
    assert_eq!(north.look_up(by("dr. kim")).await.unwrap_err().code(), "budget-clinician");
    assert!(north.look_up(by("dr. lee")).await.is_ok());
    for bad in ["dr.\u{200b} kim", "dr.\nkim"] {
        assert_eq!(north.look_up(by(bad)).await.unwrap_err().code(), "malformed");
    }
    let audit = north.audit(0, 500).await.unwrap();
    let named = audit.iter().filter(|line| line.action == "look-up" && line.clinician.as_deref() == Some("dr. kim"));
    assert_eq!(named.filter(|line| line.actor == "node" && line.code == "ok").count(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_left_no_entry_burns_neither_budget_nor_slot() {
    let (world, north, _south) = three_hospitals().await;
    let cases = ["n-1", "n-2", "n-3"];
    world.matcher.set(Mood::LosesAnswer);
    north.look_up(ask("n-1", Breadth::Wide)).await.unwrap_err();
    world.matcher.set(Mood::Down);
    for case in cases {
        // Impatience takes no further slot: the same question is the same request.
        for _ in 0..7 {
            assert!(north.look_up(ask(case, Breadth::Close)).await.unwrap_err().may_pass());
        }
    }
    assert_eq!(north.lookups(0, 500).await.unwrap().len(), 4);
    // Nobody may still record them.
    world.clock.advance(21 * 60_000);
    world.matcher.set(Mood::Honest);
    for case in cases {
        north.look_up(ask(case, Breadth::Close)).await.unwrap();
    }
    drop(north);
    let file = rusqlite::Connection::open(world.folder.path().join("north.db")).unwrap();
    let slots = |hold: &str, state: &str| -> String {
        let sql = "SELECT coalesce(group_concat(slot, ','), '') FROM
                   (SELECT slot FROM lookups WHERE hold = ?1 AND state = ?2 ORDER BY slot)";
        file.query_row(sql, (hold, state), |row| row.get(0)).unwrap()
    };
    // The recorded one keeps its slot; the three others gave theirs to the next three.
    assert_eq!((slots("used", "asked"), slots("free", "refused")), ("0".to_owned(), "1,2,3".to_owned()));
    assert_eq!(slots("used", "shown"), "1,2,3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_retries_at_once_are_one() {
    let (world, north, _south) = three_hospitals().await;
    world.matcher.set(Mood::LosesAnswer);
    north.look_up(ask("n-1", Breadth::Close)).await.unwrap_err();
    world.matcher.set(Mood::Honest);
    let request = north.lookups(0, 1).await.unwrap()[0].request.parse().unwrap();
    let before = *world.matcher.calls.lock().unwrap();
    let (one, other) = tokio::join!(north.retry("admin/1", request), north.retry("admin/2", request));
    assert_eq!(one.unwrap(), other.unwrap());
    assert_eq!(*world.matcher.calls.lock().unwrap(), before + 1);
    let audit = north.audit(0, 500).await.unwrap();
    let again = audit.iter().filter(|line| line.action == "look-up-again" && line.clinician.is_some());
    assert_eq!(again.map(|line| line.actor.as_str()).collect::<std::collections::BTreeSet<_>>().len(), 2);
}
