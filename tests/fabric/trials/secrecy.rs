//! Where fingerprints lie: searched for by their bytes in everything that the processes keep.

use std::path::{Path, PathBuf};

use semblance_core::random::{RandomSource, SeededSource};
use semblance_ledger::LedgerError;
use semblance_ledger::client::LedgerClient;
use semblance_ledger::suite::clinic::Patient;
use semblance_ledger::suite::{Network, Skipped, Told, organisation, private};

use crate::endorsed::Endorsed;
use crate::under_test::FabricFactory;

/// Writes after which a purged fingerprint must be gone from the disk: a peer's database forgets bytes for good when it
/// writes its tables anew, which depends on how much is written.
const WRITES: usize = 200;
/// Bytes of one of them.
const WRITE_BYTES: usize = 600_000;

/// The matchers' peers hold a published fingerprint; no hospital's peer and no orderer does, and a client that names
/// another hospital as endorser is refused.
pub(super) async fn fingerprints_lie_on_matchers_peers_alone(factory: &'static FabricFactory) -> Told {
    let network = Network::semblance(factory, 3, 2).await;
    let patients = network.patients("hospital-1", 1, 2).await;
    let client = LedgerClient::new(factory.node("hospital-1"));
    let dishonest = Endorsed::by(factory.node("hospital-1"), &["hospital-1", "matcher-1", "hospital-2"]);
    let refused = dishonest.publish_cases(&organisation("matcher-1"), vec![patients[1].publication()]).await;
    assert!(matches!(&refused, Err(LedgerError::Refused { code, .. }) if code == "wrong-endorser"), "{refused:?}");
    let published = client.publish_cases(&organisation("matcher-1"), vec![patients[0].publication()]).await.unwrap();
    assert!(published.response.all_succeeded());
    super::publishing::wait_for_fingerprints(&LedgerClient::new(factory.node("matcher-2")), &patients[..1]).await;
    let kept = holders(factory, &patients[0]);
    for matcher in ["matcher-1", "matcher-2"] {
        assert!(kept.iter().any(|path| names(path, matcher)), "the search finds nothing at {matcher}: {kept:?}");
    }
    // The hospital's own peer endorsed it, and forgets it after some blocks.
    let allowed = |path: &Path| ["hospital-1", "matcher-1", "matcher-2"].iter().any(|name| names(path, name));
    for patient in &patients {
        let strangers: Vec<_> = holders(factory, patient).into_iter().filter(|path| !allowed(path)).collect();
        assert!(strangers.is_empty(), "{strangers:?}");
    }
    network.assert_sound().await;
    Ok(())
}

/// A purged fingerprint is unreadable at once, and gone from every file after some traffic.
pub(super) async fn a_purged_fingerprint_leaves_the_disk(factory: &'static FabricFactory) -> Told {
    let network = Network::semblance(factory, 2, 2).await;
    let patients = network.published("hospital-1", 1, 1).await;
    let client = LedgerClient::new(factory.node("hospital-1"));
    assert!(!holders(factory, &patients[0]).is_empty(), "it lies somewhere before");
    client.withdraw_consent(patients[0].withdrawal()).await.unwrap();
    let purged = client
        .purge_cases(&organisation("hospital-1"), &organisation("matcher-1"), vec![patients[0].handle])
        .await
        .unwrap();
    assert!(purged.response.all_succeeded());
    for matcher in ["matcher-1", "matcher-2"] {
        let found = network.client(matcher).fingerprints(&[patients[0].handle]).await.unwrap();
        assert!(found.iter().all(Option::is_none), "{matcher} still reads it");
    }
    let others = Network::scratch(factory, 2, 2).await;
    let traffic = SeededSource::new([7; 32]);
    for sent in 0..=WRITES {
        let holders = holders(factory, &patients[0]);
        if holders.is_empty() {
            return Ok(());
        }
        assert!(sent < WRITES, "after {sent} large writes it still lies in {holders:?}");
        let mut value = vec![0; WRITE_BYTES];
        RandomSource::fill(&traffic, &mut value);
        let hospital = others.node("hospital-1");
        hospital.submit(private::put(&format!("traffic {sent}"), &value)).await.expect("written");
    }
    Err(Skipped("nothing was sent"))
}

/// The files that hold a part of a case's fingerprint.
fn holders(factory: &FabricFactory, patient: &Patient) -> Vec<PathBuf> {
    let value = patient.value.encode();
    // The tokens, without what stands around them.
    let needle = &value[value.len() - 32..];
    let mut found = Vec::new();
    search(&factory.deployed().directory(), needle, &mut found);
    found
}

fn search(folder: &Path, needle: &[u8], found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, needle, found);
            continue;
        }
        // Files of a running database come and go.
        let Ok(bytes) = std::fs::read(&path) else { continue };
        if memchr::memmem::find(&bytes, needle).is_some() {
            found.push(path);
        }
    }
}

/// Whether a file is one of an organisation's peers.
fn names(path: &Path, organisation: &str) -> bool {
    let path = path.to_string_lossy();
    path.contains("/peers/peer") && path.contains(&format!("-{organisation}/"))
}
