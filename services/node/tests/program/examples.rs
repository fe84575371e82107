//! The example configurations, started: with generated keys, on free ports.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::process::{Node, run};

/// Puts an example in the place of an organisation's generated configuration, with that folder's files.
fn place(example: &str, own: &Path, changes: &[(&str, &str)]) -> PathBuf {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples");
    let mut text = std::fs::read_to_string(examples.join(example)).unwrap();
    let here = [("/etc/semblance/", ""), ("/var/lib/semblance", "data")];
    for (from, to) in here.iter().chain(changes) {
        text = text.replace(from, to);
    }
    let file = own.join("example.toml");
    std::fs::write(&file, text).unwrap();
    file
}

fn init(net: &Path, names: &[&str]) {
    run(&[&["init", "--out", net.to_str().unwrap()], names].concat()).good();
}

#[test]
fn the_examples_of_a_matcher_with_the_ledger_and_of_a_hospital_start() {
    let folder = tempfile::tempdir().unwrap();
    let net = folder.path().join("net");
    init(&net, &["--hospitals", "hospital-north", "--matchers", "matcher"]);
    let file = place("matcher-with-ledger.toml", &net.join("matcher"), &[("0.0.0.0:7000", "127.0.0.1:0")]);
    let matcher = Node::start(&file);
    assert_eq!(matcher.ready["roles"], json!(["ledger", "matcher"]));

    let address = matcher.ready["address"].as_str().unwrap();
    let port = address.rsplit_once(':').unwrap().1;
    let ledger = format!("localhost:{port}");
    let changes = [("0.0.0.0:7001", "127.0.0.1:0"), ("matcher.example.org:7000", ledger.as_str())];
    let hospital = Node::start(&place("hospital.toml", &net.join("hospital-north"), &changes));
    assert_eq!(hospital.ready["roles"], json!(["hospital"]));
    assert_eq!(hospital.run(&["epoch", "open"]).good()["opened"], 1);
}

#[test]
fn the_example_of_a_pilot_starts() {
    let folder = tempfile::tempdir().unwrap();
    let net = folder.path().join("net");
    init(&net, &["--pilot", "--hospitals", "pilot-clinic", "--matchers", "pilot-matcher"]);
    let clinic = Node::start(&place("pilot.toml", &net.join("pilot-clinic"), &[("127.0.0.1:7001", "127.0.0.1:0")]));
    assert_eq!(clinic.ready["roles"], json!(["ledger", "hospital"]));

    // The matcher that `init` made would hold the ledger itself.
    let file = net.join("pilot-matcher/node.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let port = clinic.ready["address"].as_str().unwrap().rsplit_once(':').unwrap().1;
    let ledger = format!("kind = \"remote\"\norganisation = \"pilot-clinic\"\naddress = \"https://localhost:{port}\"");
    let text = text.replace("kind = \"embedded\"", &ledger).replace("127.0.0.1:7000", "127.0.0.1:0");
    std::fs::write(&file, text).unwrap();
    assert_eq!(Node::start(&file).ready["roles"], json!(["matcher"]));
}
