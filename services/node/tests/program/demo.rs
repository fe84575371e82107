//! The demo, played as a newcomer plays it.

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

    let again = run(&arguments).good();
    assert_eq!(again["resumed"], true);
    assert_eq!(again["network"], story["network"]);
    let handles = |story: &serde_json::Value| -> Vec<String> {
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

#[test]
fn a_demo_that_finds_nothing_is_no_success() {
    let said = run(&["demo", "--once", "--patients", "3"]);
    assert_eq!((said.code, said.json["chain"]["intact"].as_bool()), (1, Some(true)), "{}", said.errors);
    assert!(
        said.errors.contains("nothing similar was found") && said.errors.contains("--patients 300"),
        "{}",
        said.errors
    );
}
