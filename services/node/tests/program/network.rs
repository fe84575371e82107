//! A network of processes, made by `init` and spoken to by the commands: from import to withdrawal and audit.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::process::{Node, run};

/// Patients of two diseases, dealt out to two hospitals, so that each finds those of the other.
const SYMPTOMS: [[&str; 6]; 2] = [
    ["HP:0001250", "HP:0001263", "HP:0000252", "HP:0001252", "HP:0000486", "HP:0002353"],
    ["HP:0001166", "HP:0000545", "HP:0001519", "HP:0002650", "HP:0001382", "HP:0000768"],
];

pub(crate) fn write_patients(path: &Path, hospital: &str, count: usize) {
    let lines: Vec<String> = (0..count)
        .map(|number| {
            let observed = SYMPTOMS[number % SYMPTOMS.len()];
            json!({ "case_id": format!("{hospital}-{number}"), "disease": "made up", "observed": observed }).to_string()
        })
        .collect();
    std::fs::write(path, lines.join("\n")).unwrap();
}

/// How far from a hospital's node it listens for devices.
const DEVICES: u16 = 400;

/// A port from which so many are free at this moment, and those for devices beside them.
pub(crate) fn free_ports(count: u16) -> u16 {
    for _ in 0..100 {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        let fits = first.checked_add(DEVICES + count).is_some();
        if fits && (first..first + count).all(|port| free(port) && free(port + DEVICES)) {
            return first;
        }
    }
    panic!("no {count} free ports in a row");
}

/// Makes the files of a network of north, south and matcher, whose nodes listen from a port on; `more` ports after
/// theirs are free.
pub(crate) fn found(folder: &Path, more: u16) -> (PathBuf, u16) {
    let (net, port) = (folder.join("net"), free_ports(3 + more));
    let (out, first) = (net.to_str().unwrap(), port.to_string());
    let names = ["--hospitals", "north,south", "--matchers", "matcher"];
    let made = run(&[&["init", "--out", out, "--port", &first], &names[..]].concat()).good();
    assert_eq!(made["separation"], "true");
    (net, port)
}

pub(crate) fn publish_all(node: &Node, patients: &Path, count: u64) {
    let imported = node.run(&["import", patients.to_str().unwrap()]).good();
    assert_eq!((imported["imported"].as_u64(), imported["refused"].as_u64()), (Some(count), Some(0)));
    let again = node.run(&["import", patients.to_str().unwrap()]).good();
    assert_eq!((again["imported"].as_u64(), again["unchanged"].as_u64()), (Some(0), Some(count)));
    for step in ["register", "consent", "publish"] {
        let report = node.run(&[step, "--all"]).good();
        assert_eq!(report["done"].as_u64(), Some(count), "{step}: {report}");
    }
}

pub(crate) fn look_up(node: &Node, case: &str, breadth: &str) -> Value {
    node.run(&["lookup", case, "--clinician", "dr-a", "--breadth", breadth]).good()
}

pub(crate) fn handles(finding: &Value) -> Vec<&str> {
    finding["matches"].as_array().unwrap().iter().map(|found| found["handle"].as_str().unwrap()).collect()
}

#[test]
fn a_network_of_processes_publishes_finds_and_proves() {
    let folder = tempfile::tempdir().unwrap();
    let (net, _) = found(folder.path(), 0);
    let twice = run(&["init", "--out", net.to_str().unwrap(), "--hospitals", "north", "--matchers", "matcher"]);
    assert_eq!(twice.code, 2, "keys are never overwritten: {}", twice.errors);

    let matcher = Node::start(&net.join("matcher/node.toml"));
    assert_eq!(matcher.ready["roles"], json!(["ledger", "matcher"]));
    let north = Node::start(&net.join("north/node.toml"));
    let south = Node::start(&net.join("south/node.toml"));
    assert_eq!(north.ready["roles"], json!(["hospital", "channels"]));
    assert!(north.ready["devices"].is_string() && matcher.ready["devices"].is_null());

    for node in [&matcher, &north] {
        assert_eq!(node.health(), "SERVING");
    }
    let early = north.run(&["publish", "--all"]);
    assert_eq!(early.code, 3, "no epoch is open: {}", early.errors);
    assert!(early.errors.contains("wrong-epoch"), "{}", early.errors);
    assert_eq!(north.run(&["epoch", "open"]).good()["opened"], 1);

    for (node, name) in [(&north, "north"), (&south, "south")] {
        let patients = folder.path().join(format!("{name}.jsonl"));
        write_patients(&patients, name, 14);
        publish_all(node, &patients, 14);
    }
    let head = folder.path().join("head.txt");
    let signed = south.run(&["audit", "head"]).good();
    std::fs::write(&head, signed["head"].as_str().unwrap()).unwrap();

    let close = look_up(&north, "north-0", "close");
    assert_eq!(close["matches"].as_array().unwrap().len(), 7);
    assert!(close["matches"].as_array().unwrap().iter().all(|found| found["hospital"] == "south"));
    assert!(!handles(&look_up(&north, "north-0", "wide")).is_empty());
    let stored = north.run(&["lookup", "--retry", close["request"].as_str().unwrap()]).good();
    assert_eq!(stored["transaction"], close["transaction"], "a retry is no new search");
    let unknown = north.run(&["lookup", "nobody", "--clinician", "dr-a"]);
    assert_eq!(unknown.code, 3);
    assert!(unknown.errors.contains("unknown-case"), "{}", unknown.errors);

    let first = handles(&close)[0].to_owned();
    let receipts = south.receipts_of(14);
    let receipt = receipts.iter().find(|receipt| receipt["handle"] == *first).unwrap();
    assert_eq!((&receipt["asker"], &receipt["purpose"]), (&json!("north"), &json!("diagnosis")));

    let case = receipt["case"].as_str().unwrap();
    assert_eq!(south.run(&["withdraw", case]).good()["withdrawn"], true);
    assert!(!handles(&look_up(&north, "north-0", "close")).contains(&first.as_str()));
    let dead = south.run(&["publish", case]);
    assert_eq!(dead.code, 3, "a withdrawn consent is dead: {}", dead.errors);

    for node in [&north, &matcher] {
        let checks = node.run(&["doctor"]).good();
        let bad: Vec<_> = checks.as_array().unwrap().iter().filter(|check| check["state"] != "good").collect();
        assert!(bad.is_empty() && checks.as_array().unwrap().len() >= 5, "{checks}");
    }
    submit_elsewhere(&north, &south, folder.path());

    let stranger = net.join("south/node.toml");
    let address = format!("https://{}", north.ready["address"].as_str().unwrap());
    let foreign = run(&["cases", "--config", stranger.to_str().unwrap(), "--address", &address]);
    assert_ne!(foreign.code, 0, "another hospital's administrator sees nothing");

    let verified = matcher.run(&["audit", "verify", "--head", head.to_str().unwrap()]).good();
    assert_eq!((&verified["sound"], &verified["kept_head"]), (&json!(true), &json!("checked")));
    who_looked(&north);
    let config = matcher.config.clone();
    assert_eq!(matcher.stop(), 0);
    let sick = north.run(&["doctor"]);
    assert_eq!(sick.code, 1);
    let wrong = |about: &str| {
        let mut checks = sick.json.as_array().unwrap().iter().filter(|check| check["about"] == about);
        checks.any(|check| check["state"] == "wrong" && check["to_do"].is_string())
    };
    assert!(wrong("network") && !wrong("certificates"), "{}", sick.json);
    for node in [north, south] {
        assert_eq!(node.stop(), 0);
    }
    // The disk with the ledger is missing: no new network is made beside the old one.
    std::fs::remove_dir_all(net.join("matcher/data/ledger")).unwrap();
    let refused = run(&["serve", "--config", config.to_str().unwrap()]);
    assert_eq!(refused.code, 2, "{}", refused.errors);
    assert!(refused.errors.contains("holds no ledger") && refused.errors.contains("restore"), "{}", refused.errors);
}

/// The administrator reads who asked about whom, and is told when a list goes on.
fn who_looked(north: &Node) {
    let said = north.run(&["audit", "list", "--actor", "dr-a", "--action", "look-up"]);
    let (errors, lines) = (said.errors.clone(), said.good());
    let lines = lines.as_array().unwrap();
    assert!(lines.len() >= 3 && errors.is_empty(), "{errors}");
    for line in lines {
        assert_eq!(line["clinician"], "dr-a", "beside the certificate that named the clinician: {line}");
        assert!(line["actor"].as_str().unwrap().starts_with("admin/"), "{line}");
    }
    let cut = north.run(&["audit", "list", "--limit", "2"]);
    let errors = cut.errors.clone();
    let last = cut.good()[1]["id"].clone();
    assert!(errors.contains(&format!("--after {last}")), "{errors}");
    for (arguments, next) in [
        (&["cases", "--limit", "1"][..], "--after"),
        (&["receipts", "--limit", "1"], "--limit"),
        (&["lookups", "--limit", "1"], "--skip"),
    ] {
        let said = north.run(arguments);
        assert!(said.errors.contains("more") && said.errors.contains(next), "{arguments:?}: {}", said.errors);
        assert_eq!(said.good().as_array().unwrap().len(), 1);
    }
}

/// A withdrawal that north's patient was handed is submitted by south, and north learns of it.
fn submit_elsewhere(north: &Node, south: &Node, folder: &Path) {
    let case = |node: &Node| {
        let all = node.run(&["cases"]).good();
        all.as_array().unwrap().iter().find(|row| row["case"] == "north-2").unwrap().clone()
    };
    let file = folder.join("withdrawal");
    let path = file.to_str().unwrap();
    let kept = north.run(&["withdraw", "north-2", "--export", path]).good();
    assert_eq!(case(north)["consent"], "live", "signed is not withdrawn");
    let handle = case(north)["handle"].as_str().unwrap().to_owned();
    assert!(handles(&look_up(south, "south-2", "close")).contains(&handle.as_str()));

    let changed = folder.join("changed");
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&changed, bytes).unwrap();
    let forged = south.run(&["withdraw", "--statement", changed.to_str().unwrap()]);
    assert_eq!(forged.code, 3, "{}", forged.errors);

    let withdrawn = south.run(&["withdraw", "--statement", path]).good();
    assert_eq!((&withdrawn["consent"], &withdrawn["purged"]), (&kept["consent"], &json!(1)));
    assert!(!handles(&look_up(south, "south-2", "close")).contains(&handle.as_str()));
    let again = south.run(&["withdraw", "--statement", path]).good();
    assert_eq!(again["withdrawn"], true, "a second time changes nothing and succeeds");

    let lines = north.run(&["audit", "list", "--subject", "north-2"]).good();
    let signed: Vec<_> = lines.as_array().unwrap().iter().filter(|line| line["action"] == "sign-withdrawal").collect();
    assert_eq!(signed.len(), 1, "{lines}");
    let denied = north.run(&["audit", "list", "--denied", "--action", "look-up"]).good();
    assert!(denied.as_array().unwrap().iter().all(|line| line["code"] != "ok"));
}

#[test]
fn a_hospital_may_not_hold_fingerprints_unless_in_a_pilot() {
    let folder = tempfile::tempdir().unwrap();
    let net = folder.path().join("net");
    run(&["init", "--out", net.to_str().unwrap(), "--hospitals", "north", "--matchers", "matcher"]).good();
    let file = net.join("north/node.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let mut other: toml::Table = text.parse().unwrap();
    other.insert("roles".to_owned(), toml::Table::from_iter([("matcher".to_owned(), true.into())]).into());
    // Only a hospital's node serves devices.
    other.remove("channels").unwrap();
    std::fs::write(&file, other.to_string()).unwrap();
    let refused = run(&["serve", "--config", file.to_str().unwrap()]);
    assert_eq!(refused.code, 2);
    assert!(refused.errors.contains("keeps fingerprints apart from hospitals"), "{}", refused.errors);

    std::fs::write(&file, text.replace("hospital = true", "hospital = true\nhospitl = true")).unwrap();
    let unknown = run(&["serve", "--config", file.to_str().unwrap()]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.errors.contains("unknown field `hospitl`"), "{}", unknown.errors);
}
