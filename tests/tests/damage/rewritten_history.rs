//! Whoever runs a ledger can rewrite it whole, and the file alone does not show it; a head kept elsewhere does.

use std::path::{Path, PathBuf};

use semblance_core::audit::head::HeadText;
use semblance_core::organisation::OrganisationKind;
use semblance_core::signature::Statement;
use semblance_ledger::embedded::verify::{audit_head, check_head, verify_file};
use semblance_tests::network::{Member, NETWORK, START, TestNetwork, members};

/// A ledger with so many cases, in a history that follows from the seed; returns its head as a line of text.
async fn ledger(path: &Path, seed: u64, cases: usize) -> String {
    let network = TestNetwork::found(path, 2, 1, seed).await;
    let north = network.member("north");
    network.fill(&north.id, cases).await;
    let head = audit_head(&network.ledger.head().unwrap(), north.id.clone(), START);
    HeadText::from(&head.sign(&north.signing)).to_string()
}

fn check(path: &Path, kept: &str) -> Result<(), String> {
    let report = verify_file(path).unwrap();
    assert!(report.is_sound(), "{:?}", report.findings);
    let claim = kept.parse::<HeadText>().unwrap().claim().unwrap();
    let north = Member::new("north", OrganisationKind::Hospital);
    let head = claim.verify(&north.signing.verifying_key()).unwrap();
    check_head(&report, head.statement()).map_err(|finding| finding.to_string())
}

#[tokio::test]
async fn a_kept_head_finds_a_rewritten_history() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| -> PathBuf { folder.path().join(name) };
    let kept = ledger(&file("honest"), 1, 5).await;
    assert_eq!(check(&file("honest"), &kept), Ok(()));

    // The same members with the same keys, another history of the same length.
    ledger(&file("rewritten"), 2, 5).await;
    let found = check(&file("rewritten"), &kept).unwrap_err();
    assert!(found.contains("the history was rewritten"), "{found}");

    // Cut off before the head.
    ledger(&file("shortened"), 1, 0).await;
    let found = check(&file("shortened"), &kept).unwrap_err();
    assert!(found.contains("before the kept head"), "{found}");
}

#[tokio::test]
async fn a_kept_head_fits_the_history_that_went_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let kept = ledger(&path, 1, 2).await;
    {
        let network = TestNetwork::open(&path, members(2, 1), START, 9).unwrap();
        let south = network.member("south").id.clone();
        network.fill(&south, 3).await;
    }
    assert_eq!(check(&path, &kept), Ok(()));
    let copied = kept.replace(&NETWORK.to_string(), &NETWORK.to_string().replace('5', "6"));
    assert!(copied.parse::<HeadText>().is_err(), "a character lost in copying is noticed");
}
