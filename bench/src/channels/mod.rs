//! How fast channels are, beside openmls alone.
//!
//! Three hospitals' offices stand on disk, and every transaction of theirs is synced. Devices are led by the same driver
//! as a browser's. Coming in, and what a message costs where nothing is in between, is measured step by step without a
//! network; then the same members talk over three nodes that run, with mutual TLS between them. openmls alone does the
//! same cryptography with the same settings, and keeps its state where the devices do: in memory, or each in a synced
//! database of its own. What it does not do is the network, the hub, the queues and the proofs. In a large group some
//! members alone are there; what their devices take is scaled to the whole group.

mod crowd;
mod entry;
mod group;
mod nodes;
mod raw;
mod talk;
mod town;

use std::path::Path;

use clap::{Args, ValueEnum};
use semblance_channels::client::Content;
use semblance_channels::store::{MemoryStore, SqliteStore, Store};
use semblance_core::record::Record;
use serde_json::{Map, Value, json};

use crate::measure::Cost;
use crate::report;
use crate::samples::round;
use crowd::Crowd;
use entry::Bytes;
use group::{Group, MakeStore};
use raw::{Entry, RawGroup};
use talk::{TEXT, median, talk};

/// Speed of channels.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Numbers of members, one run each.
    #[arg(long, value_delimiter = ',', default_values_t = [2, 10, 100, 1000])]
    members: Vec<usize>,
    /// How many members are there, at most; the others are in the group and take no part.
    #[arg(long, default_value_t = 100)]
    there: usize,
    /// The same, in groups of a thousand members and more.
    #[arg(long, default_value_t = 51)]
    there_of_many: usize,
    /// Where devices keep what is theirs.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Devices::Memory, Devices::Disk])]
    devices: Vec<Devices>,
    /// Messages said one at a time.
    #[arg(long, default_value_t = 100)]
    messages: usize,
    /// Members that come in, one at a time.
    #[arg(long, default_value_t = 5)]
    entries: usize,
    /// Messages that the hub carries.
    #[arg(long, default_value_t = 640)]
    carried: usize,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Where devices keep what is theirs.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Devices {
    /// In memory, as a browser does between two writes.
    Memory,
    /// Each in a database of its own, synced; all on this machine's one disk.
    Disk,
}

/// Members of a group in which some alone are there.
const MANY: usize = 1000;
/// Members that say something at the same time, so that one write to the disk serves them all.
const AT_ONCE: usize = 16;

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut report = Map::new();
    for &members in &arguments.members {
        anyhow::ensure!(members > 1, "a group has at least two members");
        for &devices in &arguments.devices {
            let (name, report_one) = match devices {
                Devices::Memory => ("memory", measure(arguments, members, in_memory)?),
                Devices::Disk if members >= MANY => {
                    report::tell("SKIPPED devices on disk: so many databases are not on one disk");
                    continue;
                }
                Devices::Disk => ("disk", measure(arguments, members, on_disk)?),
            };
            report.insert(format!("{members} members, devices in {name}").replace("in disk", "on disk"), report_one);
        }
    }
    report::print(arguments.json, &Value::Object(report.clone()), &table(&report));
    Ok(())
}

fn in_memory(_folder: &Path, _number: usize) -> anyhow::Result<MemoryStore> {
    Ok(MemoryStore::default())
}

fn on_disk(folder: &Path, number: usize) -> anyhow::Result<SqliteStore> {
    Ok(SqliteStore::open(&folder.join(format!("device-{number}.sqlite")))?)
}

impl Arguments {
    fn there(&self, members: usize) -> usize {
        members.min(if members >= MANY { self.there_of_many } else { self.there }).max(2)
    }

    fn messages(&self, members: usize) -> usize {
        if members >= MANY { self.messages.div_ceil(5) } else { self.messages }
    }
}

/// What openmls alone takes.
struct Raw {
    talk: Cost,
    entry: Entry,
}

impl Raw {
    fn measure<S: Store>(arguments: &Arguments, members: usize, make: MakeStore<S>) -> anyhow::Result<Self> {
        let mut group = RawGroup::found(members, arguments.there(members), make)?;
        let plain = Content::Text(TEXT.to_owned()).encode();
        // As ours say their names: whoever has spoken has a place in what every member writes with each message.
        (0..arguments.there(members)).try_for_each(|number| group.talk(number, &plain).map(drop))?;
        let costs = (0..arguments.messages(members)).map(|number| group.talk(number, &plain));
        let talk = median(&costs.collect::<anyhow::Result<Vec<_>>>()?);
        let entries = (0..arguments.entries).map(|_| group.enter()).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Self { talk, entry: middle(&entries) })
    }
}

fn middle(entries: &[Entry]) -> Entry {
    let of = |part: fn(&Entry) -> Cost| median(&entries.iter().map(part).collect::<Vec<_>>());
    Entry { add: of(|entry| entry.add), join: of(|entry| entry.join), follow: of(|entry| entry.follow) }
}

fn measure<S: Store>(arguments: &Arguments, members: usize, make: MakeStore<S>) -> anyhow::Result<Value> {
    report::tell(&format!("{members} members, openmls alone"));
    let raw = Raw::measure(arguments, members, make)?;
    report::tell(&format!("{members} members, three hospitals"));
    let mut group = Group::found(members, arguments.there(members), make)?;
    group.introduce()?;
    let messages = arguments.messages(members);
    let single = talk(&mut group, messages, 1)?;
    let bursts = talk(&mut group, messages.div_ceil(AT_ONCE).max(3), AT_ONCE)?;
    let mut bytes = Bytes::default();
    let entries = (0..arguments.entries).map(|_| entry::enter(&mut group, &mut bytes));
    let entry = middle(&entries.collect::<anyhow::Result<Vec<_>>>()?);
    let mut report = Map::new();
    report.insert("members_there".into(), json!(arguments.there(members)));
    report.insert("sent_to_received".into(), single.way.report());
    report.insert("message".into(), beside(single.median(), raw.talk));
    report.insert(format!("message, {AT_ONCE} at once"), beside(bursts.median(), raw.talk));
    report.insert("add".into(), beside(entry.add, raw.entry.add));
    report.insert("join".into(), beside(entry.join, raw.entry.join));
    let mut both = entry.add;
    both += entry.join;
    let mut raw_both = raw.entry.add;
    raw_both += raw.entry.join;
    report.insert("add and join".into(), beside(both, raw_both));
    if arguments.there(members) > 2 {
        report.insert("follow a commit".into(), beside(entry.follow, raw.entry.follow));
    }
    drop(group);
    report::tell(&format!("{members} members, three nodes"));
    // A new group: openmls keeps the secrets of earlier epochs and writes them with every message, and the other group has
    // been through some.
    let mut group = Group::found(members, arguments.there(members), make)?;
    group.introduce()?;
    let mut crowd = Crowd::of(group)?;
    let over_nodes = crowd.talk(messages, 1)?;
    report.insert("sent_to_received, three nodes".into(), over_nodes.way.report());
    report.insert("message, three nodes".into(), beside(over_nodes.median(), raw.talk));
    let bursts = crowd.talk(messages.div_ceil(AT_ONCE).max(3), AT_ONCE)?;
    report.insert(format!("message, three nodes, {AT_ONCE} at once"), beside(bursts.median(), raw.talk));
    // All within one minute of the hub's clock, in which nobody says more than sixty things.
    let rate;
    (rate, bytes.message) = crowd.rate(arguments.carried.min(50 * arguments.there(members)))?;
    report.insert("carried_a_second".into(), json!(round(rate)));
    report.insert("delivered_a_second".into(), json!(round(rate * members as f64)));
    report.insert("bytes".into(), bytes.report());
    Ok(Value::Object(report))
}

fn beside(ours: Cost, raw: Cost) -> Value {
    json!({
        "ms": round(ours.wall * 1000.0),
        "cpu_ms": round(ours.cpu * 1000.0),
        "openmls_ms": round(raw.wall * 1000.0),
        "openmls_cpu_ms": round(raw.cpu * 1000.0),
        "ratio": round(ours.wall / raw.wall),
        "cpu_ratio": round(ours.cpu / raw.cpu),
    })
}

fn table(report: &Map<String, Value>) -> String {
    let mut text = String::new();
    for (name, figures) in report {
        text.push_str(&format!(
            "{name}\n  {:<24}{:>12}{:>12}{:>14}{:>16}{:>8}{:>12}\n",
            "", "ms", "cpu ms", "openmls ms", "openmls cpu ms", "ratio", "cpu ratio"
        ));
        for (row, figure) in figures.as_object().into_iter().flatten() {
            match figure.as_object().filter(|figure| figure.contains_key("ratio")) {
                Some(figure) => {
                    let cell = |name| figure.get(name).map_or_else(String::new, Value::to_string);
                    let [ours, cpu, raw] = ["ms", "cpu_ms", "openmls_ms"].map(cell);
                    let [raw_cpu, ratio, cpu_ratio] = ["openmls_cpu_ms", "ratio", "cpu_ratio"].map(cell);
                    text.push_str(&format!(
                        "  {row:<24}{ours:>12}{cpu:>12}{raw:>14}{raw_cpu:>16}{ratio:>8}{cpu_ratio:>12}\n"
                    ));
                }
                None => text.push_str(&format!("  {row}: {figure}\n")),
            }
        }
    }
    text
}
