//! Channels between processes: people of two hospitals talk over HTTP, from introduction to leaving.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::network::{found, write_patients};
use crate::process::{PATIENCE, Said, run};

/// Patients that each hospital publishes.
const PATIENTS: usize = 14;
/// What is said; it stands nowhere but on the devices.
const GREETING: &str = "Our two children have the same rare seizures";
const REPLY: &str = "Then let us compare what helped them";
/// How the person is called; told to the channel's members alone.
const NAME: &str = "Doctor Aurelia Nordwind";

/// The members: of which hospital, and as whom.
const NORTH: [&str; 2] = ["north", "clinician"];
const SOUTH: [&str; 2] = ["south", "clinician"];
const PATIENT: [&str; 2] = ["south", "patient"];

/// A node that serves and writes its log to a file.
struct Logged {
    child: Child,
    config: PathBuf,
    ready: Value,
    log: PathBuf,
}

impl Logged {
    fn start(config: &Path) -> Self {
        let log = config.with_file_name("node.log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_semblance"));
        command.args(["--json", "--log", "debug", "serve", "--config"]).arg(config).env_remove("SEMBLANCE_LOG");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let line = lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{} is not ready", config.display()));
        let ready = serde_json::from_str(&line).unwrap();
        Self { child, config: config.to_path_buf(), ready, log }
    }

    fn run(&self, arguments: &[&str]) -> Said {
        run(&[arguments, &["--config", self.config.to_str().unwrap()]].concat())
    }

    /// Where devices reach it, and what vouches for its certificate there.
    fn devices(&self) -> (String, Vec<String>) {
        let port = self.ready["devices"].as_str().unwrap().rsplit_once(':').unwrap().1;
        let text: toml::Table = std::fs::read_to_string(&self.config).unwrap().parse().unwrap();
        if text["channels"].as_table().unwrap().contains_key("certificate_file") {
            let root = self.config.with_file_name("authority.pem").to_str().unwrap().to_owned();
            (format!("https://localhost:{port}"), vec!["--root".to_owned(), root])
        } else {
            (format!("http://127.0.0.1:{port}"), Vec::new())
        }
    }

    /// Registers a device of a person, in a folder of its own.
    fn device(&self, folder: &Path, person: &str, role: &str, name: &str) -> Device {
        let out = folder.join(format!("device of {name}"));
        let (url, root) = self.devices();
        let who = ["channel", "register", "--person", person, "--role", role, "--name", name, "--url", &url];
        let root: Vec<&str> = root.iter().map(String::as_str).collect();
        let made = self.run(&[&who[..], &root, &["--out", out.to_str().unwrap()]].concat()).good();
        assert_eq!(made["folder"], json!(out));
        Device { folder: out }
    }

    /// What it did and refused about channels.
    fn audit(&self) -> Vec<[String; 3]> {
        let rows = self.run(&["channel", "audit"]).good();
        let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
        rows.as_array().unwrap().iter().map(|row| ["actor", "action", "code"].map(|key| text(row, key))).collect()
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A person's device.
struct Device {
    folder: PathBuf,
}

impl Device {
    fn run(&self, arguments: &[&str]) -> Said {
        run(&[&["channel"], arguments, &["--device", self.folder.to_str().unwrap()]].concat())
    }

    /// What was said, as far as this device can read it: who and what.
    fn read(&self, channel: &str) -> Vec<(String, String)> {
        let rows = self.run(&["read", channel]).good();
        let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
        rows.as_array().unwrap().iter().map(|row| (text(row, "from"), text(row, "text"))).collect()
    }

    /// Who is in the channel, sorted: of which hospital, as whom, and the name as far as this device was told.
    fn members(&self, channel: &str) -> Vec<[String; 3]> {
        let rows = self.run(&["members", channel]).good();
        let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let member = |row: &Value| ["hospital", "role", "name"].map(|key| text(row, key));
        let mut members: Vec<_> = rows.as_array().unwrap().iter().map(member).collect();
        members.sort();
        members
    }
}

/// Asks again until there is an answer.
fn until<T>(what: &str, mut asked: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = asked() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Adds channels to a hospital's configuration, where they are not in it: devices at a free port, and the other
/// hospital's node.
fn with_channels(net: &Path, own: &str, other: &str) {
    let file = net.join(own).join("node.toml");
    let mut text = std::fs::read_to_string(&file).unwrap();
    let table: toml::Table = text.parse().unwrap();
    if table.contains_key("channels") {
        return;
    }
    let there: toml::Table = std::fs::read_to_string(net.join(other).join("node.toml")).unwrap().parse().unwrap();
    let port = there["listen"]["address"].as_str().unwrap().rsplit_once(':').unwrap().1;
    write!(
        text,
        "\n[channels]\naddress = \"127.0.0.1:0\"\n\n[[hospitals]]\norganisation = \"{other}\"\naddress = \"https://localhost:{port}\"\n"
    )
    .unwrap();
    std::fs::write(&file, text).unwrap();
}

fn publish(node: &Logged, name: &str, folder: &Path) {
    let patients = folder.join(format!("{name}.jsonl"));
    write_patients(&patients, name, PATIENTS);
    node.run(&["import", patients.to_str().unwrap()]).good();
    for step in ["register", "consent", "publish"] {
        assert_eq!(node.run(&[step, "--all"]).good()["done"].as_u64(), Some(PATIENTS as u64), "{step}");
    }
}

/// North finds a case of south's and both agree to talk; gives back the channel, and south's case.
fn introduce(north: &Logged, south: &Logged) -> (String, String) {
    let finding = north.run(&["lookup", "north-0", "--clinician", "dr-north", "--breadth", "close"]).good();
    let request = finding["request"].as_str().unwrap();
    let proposed = north.run(&["introductions", "propose", request, "1"]).good();
    let introduction = proposed["introduction"].as_str().unwrap().to_owned();
    let row = |node: &Logged| {
        let rows = node.run(&["introductions", "list"]).good();
        rows.as_array().unwrap().iter().find(|row| row["introduction"] == *introduction).cloned()
    };
    let heard = until("the introduction", || row(south));
    let case = heard["case"].as_str().unwrap().to_owned();
    south.run(&["introductions", "answer", &introduction, "--accept", "clinicians,patient"]).good();
    south.run(&["channel", "assign", &case, "dr-south"]).good();
    let opened = until("the channel", || {
        let said = south.run(&["channel", "open", &introduction]);
        (said.code == 0).then_some(said.json)
    });
    assert_eq!(opened["hub"], "south");
    (opened["channel"].as_str().unwrap().to_owned(), case)
}

/// A device joins once its hospital offers the channel, and takes part once it was let in.
fn join(device: &Device, channel: &str) {
    until("the offer", || {
        let offers = device.run(&["offers"]).good();
        offers.as_array().unwrap().iter().any(|offer| offer["channel"] == *channel).then_some(())
    });
    until("the hub", || (device.run(&["join", channel]).code == 0).then_some(()));
}

/// Waits until all agree on who is in the channel.
fn agree_on_members(devices: &[&Device], channel: &str, expected: &[[&str; 2]]) {
    until("everybody", || {
        // Everybody takes their turn, however the first ones stand: one lets another in.
        let seen: Vec<_> = devices.iter().map(|device| device.members(channel)).collect();
        let is_expected = |members: &Vec<[String; 3]>| {
            let seen = members.iter().map(|[hospital, role, _]| [hospital.as_str(), role.as_str()]);
            seen.eq(expected.iter().copied())
        };
        seen.iter().all(is_expected).then_some(())
    });
}

/// Every file below a folder that holds some words.
fn holding(folder: &Path, words: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, words));
            continue;
        }
        // A database's journal may go while this looks.
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let holds = |word: &&str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
        if words.iter().any(holds) {
            found.push(path);
        }
    }
    found
}

/// Whoever shows another token is refused, and that is recorded.
fn a_wrong_token_is_refused(node: &Logged, device: &Device) {
    let token = device.folder.join("token");
    let kept = std::fs::read(&token).unwrap();
    let before = node.audit();
    std::fs::write(&token, "A".repeat(kept.len())).unwrap();
    let refused = device.run(&["offers"]);
    std::fs::write(&token, kept).unwrap();
    assert_eq!(refused.code, 3, "{}", refused.errors);
    assert!(refused.errors.contains("not-authorised"), "{}", refused.errors);
    let after = node.audit();
    let new = &after[..after.len() - before.len()];
    assert!(new.contains(&["stranger", "authenticate", "not-authorised"].map(str::to_owned)), "{after:?}");
}

#[test]
fn people_of_two_hospitals_talk_over_http_until_one_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let (net, _) = found(folder.path(), 0);
    with_channels(&net, "north", "south");
    with_channels(&net, "south", "north");
    let [matcher, north, south] =
        ["matcher", "north", "south"].map(|name| Logged::start(&net.join(name).join("node.toml")));
    assert_eq!(north.run(&["epoch", "open"]).good()["opened"], 1);
    publish(&north, "north", folder.path());
    publish(&south, "south", folder.path());
    let (channel, case) = introduce(&north, &south);

    let asker = north.device(folder.path(), "dr-north", "clinician", NAME);
    let colleague = south.device(folder.path(), "dr-south", "clinician", "Doctor South");
    let patient = south.device(folder.path(), &case, "patient", "Mother of one");
    let stranger = north.device(folder.path(), "dr-other", "clinician", "Doctor Other");
    for device in [&colleague, &asker, &patient] {
        join(device, &channel);
    }
    let all = [&colleague, &asker, &patient];
    agree_on_members(&all, &channel, &[NORTH, SOUTH, PATIENT]);
    // Who made the channel hears everybody's name.
    until("the names", || {
        let names = colleague.members(&channel).into_iter().map(|[_, _, name]| name);
        names.eq([NAME, "Doctor South", "Mother of one"]).then_some(())
    });

    let refused = stranger.run(&["join", &channel]);
    assert_eq!(refused.code, 3, "{}", refused.errors);
    assert!(refused.errors.contains("not-offered"), "{}", refused.errors);
    a_wrong_token_is_refused(&north, &asker);

    asker.run(&["say", &channel, GREETING]).good();
    until("the greeting", || all.iter().all(|device| device.read(&channel).len() == 1).then_some(()));
    patient.run(&["say", &channel, REPLY]).good();
    until("the reply", || all.iter().all(|device| device.read(&channel).len() == 2).then_some(()));
    let expected = [(NAME.to_owned(), GREETING.to_owned()), ("Mother of one".to_owned(), REPLY.to_owned())];
    for device in all {
        assert_eq!(device.read(&channel), expected, "the same to everybody, in one order");
    }

    assert_eq!(asker.run(&["leave", &channel]).code, 0);
    agree_on_members(&[&colleague, &patient], &channel, &[SOUTH, PATIENT]);
    colleague.run(&["say", &channel, "She has left"]).good();
    until("what is said without her", || (patient.read(&channel).len() == 3).then_some(()));
    assert_eq!(asker.read(&channel), expected, "who left reads what was said before and nothing after it");
    assert_ne!(asker.run(&["say", &channel, "Still here?"]).code, 0);

    for node in [&matcher, &north, &south] {
        assert!(std::fs::metadata(&node.log).unwrap().len() > 0, "{} logs something", node.config.display());
    }
    let told = holding(&net, &[GREETING, REPLY, NAME, "Mother of one", "She has left"]);
    assert!(told.is_empty(), "no node keeps or logs what is said, or how people are called: {told:?}");
    assert!(
        !holding(&asker.folder, &[GREETING]).is_empty(),
        "the device itself keeps it, so the search finds what is there"
    );
}
