//! How fast a Fabric network takes publications and look-ups, through our client and through the official one.
//!
//! Both make the same calls of the same chaincode on the same network, in turns: who began is second in the next round. A case, its patient's key and its consent are used once, so that each call is new.

mod load;
mod network;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use futures::{StreamExt, stream};
use semblance_core::limits::{LOOKUP_BATCH_MAX, LOOKUP_SLOTS_A_DAY, PUBLISH_BATCH_MAX};
use semblance_core::organisation::Role;
use semblance_ledger::client::LedgerClient;
use semblance_ledger::suite::clinic::Patient;
use semblance_ledger::suite::official::{OfficialLedger, OfficialProgram};
use semblance_ledger::suite::{Network, organisation};
use serde_json::{Map, Value};

use crate::report;
use load::{Figures, Work, drive};
use network::Fabric;

/// Speed of a Fabric network.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The network's folder or its network.json; the network must be fresh.
    #[arg(long)]
    network: PathBuf,
    /// The folder of the official client, with its packages installed.
    #[arg(long, default_value = "deploy/fabric/official-client")]
    official: PathBuf,
    /// Numbers of clients.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 32, 128])]
    clients: Vec<usize>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Who publishes and records.
const HOSPITAL: &str = "hospital-1";
const MATCHER: &str = "matcher-1";
/// Batches that are prepared at a time.
const PREPARED: usize = 8;

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(measure(arguments))
}

async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let fabric = Fabric::read(&arguments.network)?;
    let mut clients = vec![("semblance", Pair::own(&fabric)?)];
    match OfficialProgram::find(&arguments.official) {
        Ok(program) => {
            let most = arguments.clients.iter().copied().max().unwrap_or(1);
            clients.push(("official", Pair::official(&program, &fabric, most).await?));
        }
        Err(missing) => report::tell(&format!("SKIPPED the official client: {missing}")),
    }
    let mut world = World { network: fabric.found().await?, prepared: 0, slots: 0, cases: Vec::new() };
    let (mut report, mut rows) = (Map::new(), Vec::new());
    for kind in [Kind::Single, Kind::Batched, Kind::Lookup, Kind::LookupBatched, Kind::Read] {
        for (row, &count) in arguments.clients.iter().enumerate() {
            let mut measured: Vec<Figures> = clients.iter().map(|_| Figures::default()).collect();
            for round in 0..kind.rounds() {
                let mut turns: Vec<_> = clients.iter().zip(&mut measured).collect();
                turns.rotate_left((row + round) % clients.len());
                for ((name, pair), figures) in turns {
                    let Some(work) = world.work(kind, count).await? else { continue };
                    report::tell(&format!("{} at {count} clients: {name}", kind.name()));
                    fabric.settle().await?;
                    drive(pair.of(kind), count, work, figures).await?;
                }
            }
            let measured = clients.iter().zip(&measured).filter(|(_, figures)| figures.are_some());
            let figures: Map<String, Value> =
                measured.map(|((name, _), figures)| ((*name).to_owned(), figures.report())).collect();
            if !figures.is_empty() {
                let row = format!("{} at {count} clients", kind.name());
                report.insert(row.clone(), Value::Object(figures));
                rows.push(row);
            }
        }
    }
    report::print(arguments.json, &Value::Object(report.clone()), &table(&rows, &report));
    Ok(())
}

/// A client of the hospital and one of the matcher.
struct Pair {
    hospital: LedgerClient,
    matcher: LedgerClient,
}

impl Pair {
    fn own(fabric: &Fabric) -> anyhow::Result<Self> {
        let client = |name| {
            let ledger = fabric.ledger(&organisation(name), Role::Node)?;
            anyhow::Ok(LedgerClient::new(Arc::new(ledger)))
        };
        Ok(Self { hospital: client(HOSPITAL)?, matcher: client(MATCHER)? })
    }

    async fn official(program: &OfficialProgram, fabric: &Fabric, most: usize) -> anyhow::Result<Self> {
        let client = async |name| {
            let ledger = OfficialLedger::start(program, fabric.path(), None, &organisation(name), most).await?;
            anyhow::Ok(LedgerClient::new(Arc::new(ledger)))
        };
        Ok(Self { hospital: client(HOSPITAL).await?, matcher: client(MATCHER).await? })
    }

    fn of(&self, kind: Kind) -> &LedgerClient {
        match kind {
            Kind::Lookup | Kind::LookupBatched => &self.matcher,
            Kind::Single | Kind::Batched | Kind::Read => &self.hospital,
        }
    }
}

/// What is measured.
#[derive(Clone, Copy)]
enum Kind {
    /// One case a transaction.
    Single,
    /// As many as one takes.
    Batched,
    /// One look-up's entry a transaction.
    Lookup,
    /// Those that wait together in one.
    LookupBatched,
    /// A query.
    Read,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Single => "publish, one case a transaction",
            Self::Batched => "publish, 100 cases a transaction",
            Self::Lookup => "record look-ups, one a transaction",
            Self::LookupBatched => "record look-ups, all that wait",
            Self::Read => "read a case",
        }
    }

    /// How often each client has its turn; a day has few look-ups.
    const fn rounds(self) -> usize {
        match self {
            Self::Lookup | Self::LookupBatched => 1,
            Self::Single | Self::Batched | Self::Read => 2,
        }
    }

    /// Transactions or queries of a row: enough for several rounds where they are quick.
    fn calls(self, clients: usize) -> usize {
        match self {
            Self::Single => (2 * clients).max(10),
            Self::Batched => clients.max(10),
            Self::Lookup => clients.max(8),
            Self::LookupBatched => clients,
            Self::Read => (20 * clients).max(200),
        }
    }
}

/// What the calls are made of.
struct World {
    network: Network,
    prepared: u32,
    slots: u16,
    /// Cases that stand on the ledger: one for each hospital to look up from, and those to read.
    cases: Vec<(String, Patient)>,
}

impl World {
    async fn work(&mut self, kind: Kind, clients: usize) -> anyhow::Result<Option<Vec<Work>>> {
        let calls = kind.calls(clients);
        Ok(match kind {
            Kind::Single => Some(self.publications(calls, 1).await?),
            Kind::Batched => Some(self.publications(calls * PUBLISH_BATCH_MAX, PUBLISH_BATCH_MAX).await?),
            Kind::Lookup => self.lookups(calls, 1).await?,
            Kind::LookupBatched if clients == 1 => None,
            Kind::LookupBatched => self.lookups(calls, LOOKUP_BATCH_MAX).await?,
            Kind::Read => {
                let cases = self.published().await?.iter().cycle();
                Some(cases.take(calls).map(|(_, case)| Work::Read(case.handle)).collect())
            }
        })
    }

    /// Patients with keys and consents, whose cases are to be published.
    async fn publications(&mut self, count: usize, batch: usize) -> anyhow::Result<Vec<Work>> {
        report::tell(&format!("preparing {count} patients with keys and consents"));
        let whole = u32::try_from(PUBLISH_BATCH_MAX)?;
        let batches = u32::try_from(count)?.div_ceil(whole);
        let (network, first) = (&self.network, self.prepared);
        let patients = stream::iter(0..batches)
            .map(|number| network.patients(HOSPITAL, first + number * whole, whole))
            .buffered(PREPARED)
            .collect::<Vec<_>>()
            .await
            .concat();
        self.prepared += batches * whole;
        let chosen = patients.get(..count).unwrap_or(&patients);
        let matcher = organisation(MATCHER);
        let work = |cases: &[Patient]| Work::Publish(matcher.clone(), cases.iter().map(Patient::publication).collect());
        Ok(chosen.chunks(batch).map(work).collect())
    }

    /// Entries, each of a look-up with a slot of its own; none where the day has not so many.
    async fn lookups(&mut self, count: usize, batch: usize) -> anyhow::Result<Option<Vec<Work>>> {
        let published = self.published().await?.to_vec();
        let hospitals = u16::try_from(published.len())?;
        let count = u16::try_from(count)?;
        if self.slots + count > LOOKUP_SLOTS_A_DAY * hospitals {
            report::tell("SKIPPED a row: the hospitals have no more look-ups today");
            return Ok(None);
        }
        let mut entries = Vec::new();
        for number in self.slots..self.slots + count {
            let Some((hospital, case)) = published.get(usize::from(number % hospitals)) else { continue };
            let request = self.network.request(hospital, MATCHER, case, number / hospitals);
            entries.push(self.network.entry(request));
        }
        self.slots += count;
        Ok(Some(entries.chunks(batch).map(|entries| Work::Record(entries.to_vec())).collect()))
    }

    async fn published(&mut self) -> anyhow::Result<&[(String, Patient)]> {
        if self.cases.is_empty() {
            let hospitals = self.network.parties.iter().map(|party| party.id.to_string());
            for hospital in hospitals.filter(|name| name.starts_with("hospital")).collect::<Vec<_>>() {
                let first = self.prepared;
                self.prepared += 1;
                let cases = self.network.published(&hospital, first, 1).await;
                self.cases.extend(cases.into_iter().map(|case| (hospital.clone(), case)));
            }
        }
        Ok(&self.cases)
    }
}

fn table(rows: &[String], report: &Map<String, Value>) -> String {
    let mut text = format!(
        "{:<52}{:>32}{:>32}{:>12}\n{:<52}{:>12}{:>10}{:>10}{:>12}{:>10}{:>10}{:>12}\n",
        "", "semblance", "official", "ratio", "", "a second", "p50 ms", "p95 ms", "a second", "p50 ms", "p95 ms", ""
    );
    for row in rows {
        let value = |who: &str, what: &str| report.get(row)?.get(who)?.get(what)?.as_f64();
        let cell = |who, what| value(who, what).map_or_else(|| "-".to_owned(), |value| value.to_string());
        text.push_str(&format!("{row:<52}"));
        for who in ["semblance", "official"] {
            let [rate, median, worse] = ["items_a_second", "p50_ms", "p95_ms"].map(|what| cell(who, what));
            text.push_str(&format!("{rate:>12}{median:>10}{worse:>10}"));
        }
        let ratio = value("semblance", "items_a_second").zip(value("official", "items_a_second"));
        let ratio = ratio.map_or_else(|| "-".to_owned(), |(ours, theirs)| format!("{:.2}", ours / theirs));
        text.push_str(&format!("{ratio:>12}\n"));
    }
    text
}
