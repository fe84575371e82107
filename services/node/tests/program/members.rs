//! Members come and their keys go: a hospital joins a running network, and others rotate their keys.

use std::path::Path;

use semblance_node::network::read_genesis;
use serde_json::Value;

use crate::network::{found, handles, look_up, publish_all, write_patients};
use crate::process::{Node, PATIENCE, run};

/// Patients that each hospital publishes.
const PATIENTS: usize = 14;

fn publish(node: &Node, name: &str, folder: &Path) {
    let patients = folder.join(format!("{name}.jsonl"));
    write_patients(&patients, name, PATIENTS);
    publish_all(node, &patients, PATIENTS as u64);
}

/// Starts a network of three and fills it.
fn running(net: &Path, folder: &Path) -> [Node; 3] {
    let nodes = ["matcher", "north", "south"].map(|name| Node::start(&net.join(name).join("node.toml")));
    assert_eq!(nodes[1].run(&["epoch", "open"]).good()["opened"], 1);
    publish(&nodes[1], "north", folder);
    publish(&nodes[2], "south", folder);
    nodes
}

fn hospitals(finding: &Value) -> Vec<&str> {
    finding["matches"].as_array().unwrap().iter().map(|found| found["hospital"].as_str().unwrap()).collect()
}

#[test]
fn a_fourth_hospital_joins_publishes_and_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (net, port) = found(folder.path(), 1);
    let [_matcher, north, south] = running(&net, folder.path());

    let (new, genesis) = (folder.path().join("new"), folder.path().join("now.genesis"));
    assert_eq!(north.run(&["member", "show", "--out", genesis.to_str().unwrap()]).good().as_array().unwrap().len(), 3);
    let (ledger, own_port) = (format!("matcher=https://localhost:{port}"), (port + 3).to_string());
    let init = ["init", "--out", new.to_str().unwrap(), "--join", genesis.to_str().unwrap()];
    let whom = ["--hospitals", "west", "--ledger", &ledger, "--port", &own_port];
    let made = run(&[&init[..], &whom].concat()).good();
    let record = made["record"].as_str().unwrap();
    let config = new.join("west/node.toml");
    let early = run(&["serve", "--config", config.to_str().unwrap()]);
    assert_eq!(early.code, 2, "{}", early.errors);
    assert!(early.errors.contains("`west` is no member of this network"), "{}", early.errors);

    let approvals: Vec<String> = [(&north, "north"), (&south, "south")]
        .into_iter()
        .map(|(node, name)| {
            let file = folder.path().join(format!("{name}.approval")).to_str().unwrap().to_owned();
            let approved = node.run(&["member", "approve", record, "--out", &file]).good();
            assert_eq!((&approved["check"], &approved["newcomer"]), (&made["check"], &"west".into()));
            file
        })
        .collect();
    let alone = south.run(&["member", "join", record, "--approvals", &approvals[0]]);
    assert_eq!(alone.code, 3, "one of three is not more than half: {}", alone.errors);
    let join = ["member", "join", record, "--approvals", &approvals[0], &approvals[1]];
    assert_eq!(south.run(&join).good()["joined"], "west");

    let west = Node::start(&config);
    assert_eq!(west.run(&["member", "show"]).good().as_array().unwrap().len(), 4);
    // The epoch's key was sealed to those who were members then: the newcomer takes part from the next one on.
    assert_eq!(west.run(&["epoch", "open"]).good()["opened"], 2);
    for node in [&north, &south] {
        assert_eq!(node.run(&["publish", "--all"]).good()["done"], PATIENTS);
    }
    publish(&west, "west", folder.path());

    let found = look_up(&north, "north-0", "close");
    assert!(hospitals(&found).contains(&"west"), "{found}");
    let asked = look_up(&west, "west-0", "close");
    assert!(
        hospitals(&asked).iter().all(|hospital| ["north", "south"].contains(hospital)) && !handles(&asked).is_empty()
    );
    let disclosed = hospitals(&found).iter().filter(|hospital| **hospital == "west").count();
    assert!(west.receipts_of(disclosed).iter().all(|receipt| receipt["asker"] == "north"));
}

/// Does what a rotation says: sets its lines in a configuration.
fn set(config: &Path, lines: &str) {
    let mut text: toml::Table = std::fs::read_to_string(config).unwrap().parse().unwrap();
    for (section, changes) in lines.parse::<toml::Table>().unwrap() {
        let section = text[&section].as_table_mut().unwrap();
        section.extend(changes.as_table().unwrap().clone());
    }
    std::fs::write(config, text.to_string()).unwrap();
}

fn rotate(config: &Path, what: &[&str]) -> Value {
    let out = config.with_file_name("rotated");
    let (config, out) = (config.to_str().unwrap(), out.to_str().unwrap());
    run(&[&["member", "rotate", "--config", config, "--out", out], what].concat()).good()
}

#[test]
fn a_hospital_rotates_its_keys_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (net, _) = found(folder.path(), 0);
    let [matcher, north, south] = running(&net, folder.path());
    let head = folder.path().join("head.txt");
    std::fs::write(&head, south.run(&["audit", "head"]).good()["head"].as_str().unwrap()).unwrap();

    // Found while it is away, so that the receipts are sealed to the key it is about to replace.
    let config = south.config.clone();
    assert_eq!(south.stop(), 0);
    let before = look_up(&north, "north-0", "close")["matches"].as_array().unwrap().len();
    assert!(before > 0);
    let rotated = rotate(&config, &["--signing", "--sealing", "--root"]);
    assert_eq!(rotated["rotation"], 1);
    let stale = run(&["serve", "--config", config.to_str().unwrap()]);
    assert_eq!(stale.code, 2, "the replaced certificates are nobody's: {}", stale.errors);
    set(&config, rotated["configuration"].as_str().unwrap());

    let south = Node::start(&config);
    assert_eq!(south.receipts_of(before).len(), before, "the earlier sealing key still opens");
    let after = look_up(&north, "north-0", "close")["matches"].as_array().unwrap().len();
    assert_eq!(south.receipts_of(before + after).len(), before + after, "so does the new one");
    assert!(!handles(&look_up(&south, "south-0", "close")).is_empty(), "it asks with its new key");
    let keys = south.run(&["status"]).good()["sealing_keys"].clone();
    let told = |place: usize| (keys[place]["key"].as_u64(), keys[place]["needed"].as_str().map(str::to_owned));
    assert_eq!(told(0), (Some(2), Some("present".to_owned())));
    assert_eq!(told(1), (Some(1), Some("blocks-to-read".to_owned())), "receipts may still be sealed to it");
    let members = north.run(&["member", "show"]).good();
    assert!(members.as_array().unwrap().iter().any(|row| row["member"] == "south" && row["rotations"] == 1));
    let verified = matcher.run(&["audit", "verify", "--head", head.to_str().unwrap()]).good();
    assert_eq!(verified["sound"], true, "a head that the replaced key signed still counts");
}

#[test]
fn the_ledgers_holder_gets_a_new_root_and_the_others_still_reach_it() {
    let folder = tempfile::tempdir().unwrap();
    let (net, _) = found(folder.path(), 0);
    let [matcher, north, south] = running(&net, folder.path());
    let config = matcher.config.clone();
    let rotated = rotate(&config, &["--root"]);
    // Whoever is connected learns of the new root before the node comes back with it.
    for node in [&north, &south] {
        let kept = node.config.with_file_name("data").join("members.genesis");
        let start = std::time::Instant::now();
        let knows = || {
            let members = read_genesis(&kept).ok()?;
            members.organisations().iter().find(|member| member.id.as_str() == "matcher").map(|member| member.rotations)
        };
        while knows() != Some(1) {
            assert!(start.elapsed() < PATIENCE, "{} does not learn of the root", kept.display());
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }
    assert_eq!(matcher.stop(), 0);
    set(&config, rotated["configuration"].as_str().unwrap());
    let _matcher = Node::start(&config);
    assert!(!handles(&look_up(&north, "north-0", "close")).is_empty());
    assert_eq!(south.run(&["member", "show"]).good().as_array().unwrap().len(), 3);
}
