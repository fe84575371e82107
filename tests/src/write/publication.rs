//! A hospital brings its cases to the ledger: import, key, consent, publication.

use std::path::Path;

use semblance_core::id::Digest;
use semblance_core::vocabulary::Vocabulary;
use semblance_hospital::import::{Bounds, Unobserved};
use semblance_hospital::{ConsentTerms, HospitalService, Selection};

use super::ledger::HOSPITALS;
use super::say;
use crate::network::{START, TestNetwork, members};
use crate::world::{closed_door, open_hospital};

/// Opens the ledger and its first hospital, whose files are in the folder.
#[must_use]
pub fn open(ledger: &Path, folder: &Path, seed: u64) -> (TestNetwork, HospitalService) {
    let network = TestNetwork::open(ledger, members(HOSPITALS, 1), START, seed).unwrap();
    let member = &network.members[0];
    let hospital = open_hospital(&network, member, &folder.join("hospital.db"), vec![closed_door(&network, member)]);
    (network, hospital)
}

/// Writes so many cases of a round as JSON lines, each with eight symptoms.
pub fn make_file(folder: &Path, round: u64, count: usize) {
    let vocabulary = Vocabulary::built_in();
    let symptoms: Vec<_> = vocabulary.terms().filter(|term| vocabulary.symptom(*term) == Ok(*term)).skip(1).collect();
    let line = |number| {
        let id = super::hospital::case_id(round, number);
        let digest = Digest::of(id.as_bytes());
        let places = digest.as_bytes().chunks_exact(4).map(|four| u32::from_be_bytes([0, four[1], four[2], four[3]]));
        let terms: Vec<String> =
            places.map(|place| format!("\"{}\"", symptoms[place as usize % symptoms.len()])).collect();
        format!("{{\"case_id\":\"{id}\",\"observed\":[{}]}}\n", terms.join(","))
    };
    std::fs::write(folder.join("cases.jsonl"), (0..count).map(line).collect::<String>()).unwrap();
}

/// Imports the file and brings all cases as far as they go. Tells of each step that is done.
pub async fn bring(hospital: &HospitalService, folder: &Path, tell: impl Fn(&str)) {
    let file = folder.join("cases.jsonl");
    hospital.import("admin", file, Bounds::default(), Box::new(Unobserved)).await.unwrap();
    tell("imported");
    hospital.send().await.unwrap();
    hospital.register("admin", Selection::All).await.unwrap();
    tell("registered");
    hospital.consent("admin", Selection::All, ConsentTerms::usual().unwrap()).await.unwrap();
    tell("consented");
    hospital.publish("admin", Selection::All).await.unwrap();
    tell("published");
}

/// Brings the cases of the folder's file, then waits to be killed.
pub async fn write(ledger: &Path, folder: &Path, seed: u64) {
    let (_network, hospital) = open(ledger, folder, seed);
    say("ready");
    bring(&hospital, folder, say).await;
    std::future::pending().await
}
