//! Processes that stop, are killed and come back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use semblance_core::organisation::Role;
use semblance_ledger::client::LedgerClient;
use semblance_ledger::suite::clinic::Patient;
use semblance_ledger::suite::{Network, Told, organisation};
use semblance_ledger::{LedgerError, Validation};

use super::publishing::{publish_all, wait_for_fingerprints};
use crate::endorsed::Endorsed;
use crate::under_test::FabricFactory;

/// Cases published while one process is killed and comes back.
const CASES: usize = 6;
/// Longer than that no matcher may lack a block because of a fingerprint that does not come.
const STALL: Duration = Duration::from_secs(20);

/// A hospital with two peers goes on with the second when the first is killed, and sees what it was told before.
pub(super) async fn another_peer_of_the_hospital_takes_over(factory: &'static FabricFactory) -> Told {
    let network = Network::semblance(factory, 2, 2).await;
    let patients = network.patients("hospital-1", 1, 12).await;
    let ledger = factory.node("hospital-1");
    let client = LedgerClient::new(ledger.clone());
    let names: Vec<&String> = factory
        .deployed()
        .file
        .organisation(&organisation("hospital-1"))
        .unwrap()
        .peers
        .iter()
        .map(|peer| &peer.name)
        .collect();
    assert_eq!(names.len(), 2);
    for (name, patients) in names.iter().zip(patients.chunks(6)) {
        publish_all(&client, &patients[..3], |_| ()).await;
        factory.deployed().run_aside("process", &["kill", name]).await;
        let begun = Instant::now();
        publish_all(&client, &patients[3..], |_| ()).await;
        assert!(begun.elapsed() < STALL, "it took {:?}", begun.elapsed());
        for patient in patients {
            assert!(client.case(patient.handle).await.unwrap().is_some(), "what was acknowledged is seen");
        }
        factory.deployed().run_aside("process", &["start", name]).await;
        factory.deployed().run_aside("ready", &[]).await;
    }
    network.assert_sound().await;
    Ok(())
}

/// Publishing goes on through the other matcher; the one that was down gets what it missed.
pub(super) async fn a_matcher_is_down_and_publishing_goes_on(factory: &'static FabricFactory) -> Told {
    let network = Network::semblance(factory, 3, 2).await;
    let patients = network.patients("hospital-1", 1, 10).await;
    let hospital = LedgerClient::new(factory.node("hospital-1"));
    network.ledger.set_down(&organisation("matcher-1"), true).await?;
    let case = vec![patients[0].publication()];
    let refused = hospital.publish_cases(&organisation("matcher-1"), case).await;
    assert!(matches!(refused, Err(LedgerError::Unavailable(_))), "{refused:?}");
    publish_all(&hospital, &patients, |_| ()).await;
    network.ledger.set_down(&organisation("matcher-1"), false).await?;
    for matcher in ["matcher-1", "matcher-2"] {
        wait_for_fingerprints(&LedgerClient::new(factory.node(matcher)), &patients).await;
    }
    network.assert_sound().await;
    Ok(())
}

/// A hospital that has its own peer alone endorse sends nobody the fingerprint: nobody waits for it.
pub(super) async fn a_half_delivered_publication_stalls_nobody(factory: &'static FabricFactory) -> Told {
    let network = Network::semblance(factory, 2, 2).await;
    let patients = network.patients("hospital-1", 1, 3).await;
    let client = LedgerClient::new(factory.node("hospital-1"));
    let alone = Endorsed::by(factory.node("hospital-1"), &["hospital-1"]);
    for patient in &patients {
        let outcome = alone.publish_cases(&organisation("matcher-1"), vec![patient.publication()]).await;
        let invalid =
            matches!(&outcome, Err(LedgerError::Invalid { validation: Validation::EndorsementPolicyFailure, .. }));
        assert!(invalid, "{outcome:?}");
    }
    let begun = Instant::now();
    publish_all(&client, &patients, |_| ()).await;
    for matcher in ["matcher-1", "matcher-2"] {
        wait_for_fingerprints(&LedgerClient::new(factory.node(matcher)), &patients).await;
    }
    assert!(begun.elapsed() < STALL, "it took {:?}", begun.elapsed());
    network.assert_sound().await;
    Ok(())
}

/// Peers dial a chaincode server that comes back.
pub(super) async fn chaincode_servers_are_restarted(factory: &'static FabricFactory) -> Told {
    let network = Network::semblance(factory, 2, 2).await;
    let patients = network.patients("hospital-1", 1, 8).await;
    let client = LedgerClient::new(factory.node("hospital-1"));
    for (place, patients) in patients.chunks(4).enumerate() {
        let member = organisation(["hospital-1", "matcher-1"][place]);
        factory.servers().stop(&member).await;
        let restart = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            factory.servers().start_again(&member).await;
        };
        tokio::join!(publish_all(&client, patients, |_| ()), restart);
    }
    wait_for_fingerprints(&LedgerClient::new(factory.node("matcher-2")), &patients).await;
    network.assert_sound().await;
    Ok(())
}

/// Each peer and each orderer, the one that leads among them, is killed while a hospital publishes, and started again.
pub(super) async fn every_process_is_killed_and_nothing_acknowledged_is_lost(factory: &'static FabricFactory) -> Told {
    let network = Network::semblance(factory, 3, 2).await;
    let names = factory.deployed().processes();
    let count = u32::try_from(names.len() * CASES).unwrap();
    let patients = network.patients("hospital-1", 1, count).await;
    let client = LedgerClient::new(factory.node("hospital-1"));
    for (name, patients) in names.iter().zip(patients.chunks(CASES)) {
        crate::say(&format!("     killing {name}"));
        let acknowledged = AtomicUsize::new(0);
        let publish = publish_all(&client, patients, |_| _ = acknowledged.fetch_add(1, Ordering::Relaxed));
        let kill = async {
            while acknowledged.load(Ordering::Relaxed) < 2 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            factory.deployed().run_aside("process", &["kill", name]).await;
            tokio::time::sleep(Duration::from_secs(2)).await;
            factory.deployed().run_aside("process", &["start", name]).await;
        };
        tokio::join!(publish, kill);
        factory.deployed().run_aside("ready", &[]).await;
    }
    everybody_has(factory, &patients).await;
    network.assert_sound().await;
    Ok(())
}

async fn everybody_has(factory: &FabricFactory, patients: &[Patient]) {
    for member in ["hospital-1", "hospital-2", "hospital-3", "matcher-1", "matcher-2"] {
        let client = LedgerClient::new(factory.ledger(&organisation(member), Role::Node));
        for patient in patients {
            let found = client.case(patient.handle).await.unwrap();
            assert!(found.is_some(), "{member} lacks case {}", patient.handle);
        }
    }
    for matcher in ["matcher-1", "matcher-2"] {
        wait_for_fingerprints(&LedgerClient::new(factory.node(matcher)), patients).await;
    }
}
