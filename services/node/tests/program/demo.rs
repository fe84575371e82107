//! The demo, played as a newcomer plays it.

use std::collections::BTreeSet;

use semblance_core::term::TermId;
use semblance_core::vocabulary::Vocabulary;
use serde_json::Value;

use crate::process::run;

#[test]
fn a_demo_tells_its_whole_story_and_can_be_taken_up_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo");
    let arguments = ["demo", "--once", "--patients", "60", "--data", data.to_str().unwrap()];
    let story = run(&arguments).good();

    assert_eq!((&story["synthetic"], &story["resumed"]), (&true.into(), &false.into()));
    assert_eq!(story["parties"].as_array().unwrap().len(), 4);
    let filled = story["filled"].as_array().unwrap();
    let published: u64 = filled.iter().map(|hospital| hospital["published"].as_u64().unwrap()).sum();
    assert_eq!(published, 60, "{filled:?}");

    let lookups = story["lookups"].as_array().unwrap();
    assert_eq!(lookups.len(), 6);
    let found: usize = lookups.iter().map(|asked| asked["matches"].as_array().unwrap().len()).sum();
    assert!(found > 0);
    assert_eq!(story["receipts"].as_array().unwrap().len(), found);
    for asked in lookups {
        let own = &asked["hospital"];
        assert!(asked["matches"].as_array().unwrap().iter().all(|found| found["hospital"] != *own));
    }

    let withdrawn = &story["withdrawal"];
    assert_eq!((&withdrawn["gone"], &withdrawn["purged"]), (&true.into(), &1.into()));
    assert_eq!(story["chain"]["intact"], true);
    assert_eq!(story["plaintext"]["found"].as_array().unwrap().len(), 0);
    assert!(story["plaintext"]["files"].as_u64().unwrap() >= 3 && story["plaintext"]["words"].as_u64().unwrap() > 10);
    people_talked(&story);

    let again = run(&arguments).good();
    assert_eq!(again["resumed"], true);
    assert_eq!(again["network"], story["network"]);
    people_talked(&again);
    assert_ne!(again["group"]["channel"], story["group"]["channel"]);
    let handles = |story: &Value| -> Vec<String> {
        let matches = story["lookups"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|asked| asked["matches"].as_array().unwrap().iter().map(|found| found["handle"].to_string()));
        matches.collect()
    };
    assert!(!handles(&again).contains(&withdrawn["handle"].to_string()), "a withdrawn case stays withdrawn");
    assert!(again["chain"]["blocks"].as_u64() > story["chain"]["blocks"].as_u64());

    let other = run(&["demo", "--once", "--cases", "others.jsonl", "--data", data.to_str().unwrap()]);
    assert_eq!(other.code, 2, "other patients are not passed over without a word: {}", other.errors);
    assert!(other.errors.contains("60 synthetic patients"), "{}", other.errors);
}

/// What the demo promises of channels stands in its document.
fn people_talked(story: &Value) {
    let count = |of: &Value| of.as_array().unwrap().len();
    for (channel, offers) in [(&story["channel"], 0), (&story["group"], 3)] {
        assert_eq!((count(&channel["people"]), count(&channel["said"])), (3, 3), "{channel}");
        assert!(channel["said"].as_array().unwrap().iter().all(|said| count(&said["read_by"]) == 3), "{channel}");
        assert_eq!(channel["offers"].as_array().map_or(0, Vec::len), offers, "{channel}");
    }
    let of: BTreeSet<_> =
        story["group"]["people"].as_array().unwrap().iter().map(|person| person["hospital"].to_string()).collect();
    assert_eq!(of.len(), 3);
    assert!(story["group"]["offers"].as_array().unwrap().iter().all(|offer| offer["size"].is_string()));

    let parting = &story["parting"];
    assert!(parting["seconds"].as_f64().unwrap() <= 5.0, "{parting}");
    assert_eq!((parting["files_with_later"].as_u64(), count(&parting["went_on"])), (Some(0), 2), "{parting}");
    let overheard = &story["overheard"];
    assert_eq!((count(&overheard["found"]), overheard["hubs"].as_u64()), (0, Some(3)), "{overheard}");
    assert!(overheard["files_of_devices"].as_u64().unwrap() > 0, "{overheard}");
}

#[test]
fn a_demo_that_finds_nothing_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("strangers.jsonl");
    let vocabulary = Vocabulary::built_in();
    // Nobody shares these, and none is common enough to be another fingerprint's padding.
    let rare = |term: &TermId| vocabulary.annotation_count(*term) == 1 && vocabulary.symptom(*term) == Ok(*term);
    let symptoms: Vec<String> = vocabulary.terms().filter(rare).take(15).map(|term| term.to_string()).collect();
    let line = |(number, observed): (usize, &[String])| {
        serde_json::json!({"case_id": format!("stranger-{number}"), "observed": observed}).to_string()
    };
    let lines: Vec<String> = symptoms.chunks(5).enumerate().map(line).collect();
    std::fs::write(&file, lines.join("\n")).unwrap();
    let said = run(&["demo", "--once", "--cases", file.to_str().unwrap()]);
    assert_eq!((said.code, said.json["chain"]["intact"].as_bool()), (1, Some(true)), "{}", said.errors);
    assert!(said.errors.contains("nothing similar was found in 6 look-ups"), "{}", said.errors);
    assert!(said.errors.contains("try more cases"), "{}", said.errors);
}

#[test]
fn a_source_without_patients_says_why_before_anybody_starts() {
    let folder = tempfile::tempdir().unwrap();
    let (file, data) = (folder.path().join("cases.jsonl"), folder.path().join("demo"));
    std::fs::write(&file, "not a patient\n").unwrap();
    let said = run(&["demo", "--once", "--cases", file.to_str().unwrap(), "--data", data.to_str().unwrap()]);
    assert_eq!(said.code, 2, "{}", said.errors);
    assert!(said.errors.contains("1 refused") && said.errors.contains("not readable as JSON"), "{}", said.errors);
    assert!(!data.exists(), "nothing is left behind");
}
