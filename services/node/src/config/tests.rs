use super::*;

fn full() -> ConfigFile {
    let tls = || TlsSection {
        certificate_file: "node.pem".into(),
        key: Some("inline".to_owned().into()),
        key_file: Some("node.key".into()),
    };
    ConfigFile {
        node: NodeSection {
            organisation: "hospital-north".to_owned(),
            data: "data".into(),
            genesis: "network.genesis".into(),
            vocabulary: Some("vocabulary.bin".into()),
        },
        roles: RolesSection { hospital: true, matcher: false },
        listen: ListenSection {
            address: "127.0.0.1:7001".parse().unwrap(),
            admin_address: Some("https://localhost:7001".to_owned()),
        },
        tls: tls(),
        admin: Some(tls()),
        keys: KeysSection {
            signing: Some("00".repeat(32).into()),
            signing_file: Some("signing.key".into()),
            sealing: Some("00".repeat(32).into()),
            sealing_file: Some("sealing.key".into()),
            earlier_sealing_files: vec!["sealing-1.key".into()],
        },
        ledger: LedgerSection {
            kind: LedgerKind::Remote,
            organisation: Some("matcher".to_owned()),
            address: Some("https://localhost:7000".to_owned()),
            network: Some("fabric".into()),
        },
        matchers: vec![MatcherAddress {
            organisation: "matcher".to_owned(),
            address: "https://localhost:7000".to_owned(),
        }],
        channels: Some(ChannelsSection {
            address: "127.0.0.1:7443".parse().unwrap(),
            certificate_file: Some("web.pem".into()),
            key_file: Some("web.key".into()),
        }),
        hospitals: vec![HospitalAddress {
            organisation: "hospital-south".to_owned(),
            address: "https://localhost:7002".to_owned(),
        }],
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// `section.key` of every key a configuration can have. A new field breaks `full` until it is added there.
fn keys_of_the_types() -> Vec<String> {
    let value: toml::Value = toml::Value::try_from(full()).unwrap();
    let mut keys = Vec::new();
    for (section, value) in value.as_table().unwrap() {
        let table = match value {
            toml::Value::Array(rows) => rows[0].as_table().unwrap(),
            other => other.as_table().unwrap(),
        };
        keys.extend(table.keys().map(|key| format!("{section}.{key}")));
    }
    keys.sort();
    keys
}

#[test]
fn the_configuration_page_lists_every_key_and_no_other() {
    let page = std::fs::read_to_string(root().join("docs/src/configuration.md")).unwrap();
    let mut section = String::new();
    let mut listed = Vec::new();
    for line in page.lines() {
        if let Some(header) = line.strip_prefix("## `[") {
            section = header.trim_matches(|c| "[]`".contains(c)).to_owned();
        } else if let Some(row) = line.strip_prefix("| `") {
            listed.push(format!("{section}.{}", row.split('`').next().unwrap()));
        }
    }
    listed.sort();
    assert_eq!(listed, keys_of_the_types());
}

#[test]
fn every_example_is_a_valid_configuration() {
    let mut count = 0;
    for entry in std::fs::read_dir(root().join("deploy/examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            Config::read(&path).unwrap();
            count += 1;
        }
    }
    assert!(count >= 3, "{count} examples");
}

const GOOD: &str = r#"
[node]
organisation = "hospital-north"
data = "data"
genesis = "network.genesis"
[roles]
hospital = true
[listen]
address = "127.0.0.1:7001"
[tls]
certificate_file = "node.pem"
key_file = "node.key"
[keys]
signing_file = "signing.key"
sealing_file = "sealing.key"
[ledger]
kind = "remote"
organisation = "matcher"
address = "https://localhost:7000"
[[matchers]]
organisation = "matcher"
address = "https://localhost:7000"
"#;

fn error_of(text: &str) -> String {
    Config::parse(Path::new("node.toml"), text).unwrap_err().to_string()
}

#[test]
fn wrong_keys_are_named_with_file_and_line() {
    Config::parse(Path::new("node.toml"), GOOD).unwrap();
    let unknown = error_of(&GOOD.replace("hospital = true", "hospital = true\nhospitl = true"));
    assert!(unknown.starts_with("node.toml:8: unknown field `hospitl`, expected"), "{unknown}");
    let wrong = error_of(&GOOD.replace("127.0.0.1:7001", "localhost"));
    assert!(wrong.starts_with("node.toml:9: "), "{wrong}");
    let missing = error_of(&GOOD.replace("data = \"data\"\n", ""));
    assert!(missing.contains("missing field `data`"), "{missing}");
}

#[test]
fn a_secret_stands_in_one_place() {
    let both = GOOD.replace("signing_file", "signing = \"00\"\nsigning_file");
    assert_eq!(error_of(&both), "node.toml:13: keys: `signing` and `signing_file` are both set: keep one");
    let neither = GOOD.replace("key_file = \"node.key\"\n", "");
    assert_eq!(error_of(&neither), "node.toml:10: tls: `key_file` (or `key`) is missing");
}

#[test]
fn sections_must_agree() {
    let both = error_of(&GOOD.replace("\"remote\"", "\"embedded\""));
    assert!(both.contains("ledger: `kind = \"embedded\"` goes without further keys"), "{both}");
    let nowhere = error_of(&GOOD.replacen("address = \"https", "network = \"https", 1));
    assert!(nowhere.contains("`kind = \"remote\"` goes with `organisation` and `address`"), "{nowhere}");
    let chain = error_of(&GOOD.replace("\"remote\"", "\"fabric\""));
    assert!(chain.contains("`kind = \"fabric\"` needs `network`"), "{chain}");
    let plain = error_of(&GOOD.replace("https://localhost:7000", "http://localhost:7000"));
    assert!(plain.contains("must start with https://"), "{plain}");
    let idle = error_of(&GOOD.replace("hospital = true", "hospital = false"));
    assert!(idle.contains("roles: the node has nothing to do"), "{idle}");
    let alone = &GOOD[..GOOD.find("[[matchers]]").unwrap()];
    assert!(error_of(alone).contains("a hospital needs a matcher"), "{}", error_of(alone));
    let double = error_of(&GOOD.replace("hospital = true", "hospital = true\nmatcher = true"));
    assert!(double.contains("a hospital or a matcher"), "{double}");
}

#[test]
fn a_ledger_is_founded_with_an_administrators_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("node.toml");
    let elsewhere = "kind = \"remote\"\norganisation = \"matcher\"\naddress = \"https://localhost:7000\"\n[[";
    let holder = GOOD.replacen(elsewhere, "kind = \"embedded\"\n[[", 1);
    let error = Config::parse(&file, &holder).unwrap_err();
    assert!(error.to_string().contains("node.toml:16: ledger: the embedded ledger is not founded"), "{error}");
    let admin = format!("{holder}[admin]\ncertificate_file = \"admin.pem\"\nkey_file = \"admin.key\"\n");
    let founder = Config::parse(&file, &admin).unwrap();

    // From then on the machine can do without.
    std::fs::create_dir_all(founder.ledger_file().parent().unwrap()).unwrap();
    std::fs::write(founder.ledger_file(), "").unwrap();
    Config::parse(&file, &holder).unwrap();
}

#[cfg(unix)]
#[test]
fn a_secret_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signing.key");
    std::fs::write(&path, "00".repeat(32)).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = Secret::File("signing.key".into()).read(folder.path()).unwrap_err();
    assert!(error.to_string().contains("can be read by others (mode 644)"), "{error}");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(*Secret::File("signing.key".into()).read_bytes(folder.path(), "key").unwrap(), [0; 32]);
}

#[cfg(unix)]
#[test]
fn earlier_sealing_keys_follow_the_present_one() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    for (name, byte) in [("signing.key", "01"), ("sealing.key", "02"), ("sealing-1.key", "03")] {
        let path = folder.path().join(name);
        std::fs::write(&path, byte.repeat(32)).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let text = GOOD.replace("[ledger]", "earlier_sealing_files = [\"sealing-1.key\"]\n[ledger]");
    let config = Config::parse(Path::new("node.toml"), &text).unwrap();
    let keys = config.content().keys.read(folder.path()).unwrap();
    assert_eq!(keys.sealing.iter().map(|key| key[0]).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn secrets_are_not_shown() {
    assert!(!format!("{:?}", full().keys).contains("0000"));
}
