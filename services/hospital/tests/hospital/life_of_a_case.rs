use semblance_contract::state::CaseView;
use semblance_contract::wire::Handle;
use semblance_core::id::CaseHandle;
use semblance_core::time::Timestamp;
use semblance_hospital::store::Store;
use semblance_hospital::{ConsentTerms, HospitalService, Selection};

use crate::world::{DAY, HEART, IDLE, SEIZURES, World, id};

pub(crate) async fn handle_of(hospital: &HospitalService, case: &str) -> Handle {
    let rows = hospital.cases("", 500).await.unwrap();
    let row = rows.iter().find(|row| row.case == case).unwrap();
    Handle(row.handle.as_ref().unwrap().parse::<CaseHandle>().unwrap())
}

async fn view(world: &World, handle: &Handle) -> CaseView {
    world.query("case", handle).await.unwrap()
}

fn only(case: &str) -> Selection {
    Selection::Cases(vec![case.parse().unwrap()])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_is_published_once_and_withdrawn_for_ever() {
    let world = World::new().await;
    world.open_epoch(1).await;
    let north = world.hospital("north");
    world.publish(&north, &[("n-1", &SEIZURES), ("n-2", &HEART)]).await;
    let again = north.publish("operator", Selection::All).await.unwrap();
    assert_eq!((again.done, again.unchanged), (0, 2));
    let handle = handle_of(&north, "n-1").await;
    assert!(view(&world, &handle).await.case.is_live_at(world.now()));

    let report = north.withdraw("operator", &"n-1".parse().unwrap()).await.unwrap();
    assert!(report.withdrawn && report.purged == 1 && report.purge_waiting == 0, "{report:?}");
    let ended = view(&world, &handle).await;
    assert!(!ended.case.is_live_at(world.now()) && ended.purge.is_some());
    let again = north.withdraw("operator", &"n-1".parse().unwrap()).await.unwrap();
    assert!(again.withdrawn && again.consent == report.consent);
    // Along with all others nobody who withdrew is asked again.
    let terms = || ConsentTerms::usual().unwrap();
    let all = north.consent("operator", Selection::All, terms()).await.unwrap();
    assert_eq!((all.done, all.refused.len()), (0, 0), "{all:?}");
    assert_eq!(north.publish("operator", Selection::All).await.unwrap().done, 0);

    // A new consent is a new one: the old one is dead.
    let terms = ConsentTerms::usual().unwrap();
    assert_eq!(north.consent("operator", only("n-1"), terms).await.unwrap().done, 1);
    assert_eq!(north.publish("operator", only("n-1")).await.unwrap().done, 1);
    assert_ne!(handle_of(&north, "n-1").await, handle);
    assert_eq!(north.status().await.unwrap().waiting, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawal_takes_effect_while_the_matcher_is_down_and_the_purge_follows() {
    let world = World::new().await;
    world.open_epoch(1).await;
    let north = world.hospital("north");
    world.publish(&north, &[("n-1", &SEIZURES)]).await;
    let handle = handle_of(&north, "n-1").await;
    world.ledger.peers().set_down(&id("matcher"), true);
    let report = north.withdraw("operator", &"n-1".parse().unwrap()).await.unwrap();
    assert!(report.withdrawn && report.purge_waiting == 1, "{report:?}");
    assert!(!view(&world, &handle).await.case.is_live_at(world.now()));
    world.ledger.peers().set_down(&id("matcher"), false);
    world.clock.advance(10_000);
    assert_eq!(north.send().await.unwrap().waiting, 0);
    assert!(view(&world, &handle).await.purge.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corrected_case_takes_the_place_of_the_old_one_a_few_times_an_epoch() {
    let world = World::new().await;
    world.open_epoch(1).await;
    let north = world.hospital("north");
    world.publish(&north, &[("n-1", &SEIZURES)]).await;
    let unchanged = north.correct("operator", Selection::All).await.unwrap();
    assert_eq!((unchanged.done, unchanged.unchanged), (0, 1));
    let first = handle_of(&north, "n-1").await;
    world.import(&north, &[("n-1", &SEIZURES[..5])]).await;
    assert_eq!(north.correct("operator", Selection::All).await.unwrap().done, 1);
    assert!(view(&world, &first).await.purge.is_some());
    world.import(&north, &[("n-1", &SEIZURES[..4])]).await;
    assert_eq!(north.correct("operator", only("n-1")).await.unwrap().done, 1);
    world.import(&north, &[("n-1", &SEIZURES[1..])]).await;
    let limited = north.correct("operator", only("n-1")).await.unwrap();
    assert_eq!(limited.refused[0].code, "publications-exhausted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_consent_takes_its_case_out() {
    let world = World::new().await;
    world.open_epoch(1).await;
    let north = world.hospital("north");
    world.publish(&north, &[("n-1", &SEIZURES)]).await;
    assert_eq!(north.expire().await.unwrap(), 0);
    world.clock.advance(366 * DAY);
    assert_eq!(north.expire().await.unwrap(), 1);
    north.send().await.unwrap();
    let row = &north.cases("", 10).await.unwrap()[0];
    assert_eq!((row.consent, row.publication), (Some("expired"), Some("purged")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawal_submitted_by_another_member_is_noticed() {
    let world = World::new().await;
    world.open_epoch(1).await;
    let north = world.hospital("north");
    world.publish(&north, &[("n-1", &SEIZURES)]).await;
    north.catch_up(IDLE).await.unwrap();
    let (key, consent) = {
        drop(north);
        let store = Store::open(&world.folder.path().join("north.db")).unwrap();
        store
            .step(|tx| -> Result<_, semblance_hospital::store::StoreError> {
                let case = "n-1".parse().unwrap();
                let key = semblance_hospital::store::patient_key::get(tx, &case)?.unwrap();
                Ok((key, semblance_hospital::store::consent::newest(tx, &case)?.unwrap()))
            })
            .unwrap()
    };
    let signer = semblance_core::signature::SigningKey::from_seed(&key.seed);
    let withdrawal = semblance_core::consent::Withdrawal {
        network: crate::world::NETWORK,
        consent: consent.consent,
        sequence: 9,
        patient_key: signer.verifying_key(),
        time: Timestamp::from_millis(1),
    };
    use semblance_core::record::Record;
    use semblance_core::signature::Statement;
    let (_, source) = withdrawal.sign(&signer).into_parts();
    let call = semblance_ledger::Call {
        function: "withdraw_consent".into(),
        arguments: vec![semblance_contract::wire::SignedStatement(source).encode()],
        ..Default::default()
    };
    world.handle("south", semblance_core::organisation::Role::Node).submit(call).await.unwrap();
    let north = world.hospital("north");
    north.catch_up(IDLE).await.unwrap();
    north.send().await.unwrap();
    let row = &north.cases("", 10).await.unwrap()[0];
    assert_eq!((row.consent, row.publication), (Some("withdrawn"), Some("purged")));
}
