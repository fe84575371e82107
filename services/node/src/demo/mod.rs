//! The demo: several parties in one process, each with its own keys, folder and connections over mutual TLS.

mod ask;
mod fill;
mod parties;
mod patients;
mod secrecy;
mod state;
mod story;
mod talk;

use std::path::{Path, PathBuf};
use std::time::Instant;

use semblance_contract::SemblanceContract;
use semblance_core::organisation::Role;
use semblance_core::random::SeededSource;
use semblance_core::vocabulary::Vocabulary;

use crate::output::Output;
use crate::progress;
use crate::system::System;
use fill::Bar;
use parties::Parties;
use patients::{Patient, SourceReport};
use state::State;
use story::{Story, Verified};
use talk::{Acts, Stage};

/// What a demo shall show.
pub(crate) struct Wanted {
    /// Real patients; otherwise they are made up.
    pub(crate) cases: Option<PathBuf>,
    /// How many are made up, if it matters.
    pub(crate) patients: Option<usize>,
    /// The folder of its state.
    pub(crate) data: PathBuf,
    /// The Fabric network whose channel is the ledger, instead of the embedded one.
    pub(crate) fabric: Option<PathBuf>,
}

/// A demo whose story is told and whose parties still serve.
pub(crate) struct Demo {
    parties: Parties,
    story: Story,
}

/// How many patients are made up unless it is said otherwise.
pub(crate) const PATIENTS: usize = 300;
/// The seed of the patients made up: the same ones in every demo.
const SEED: [u8; 32] = *b"semblance/demo/synthetic/v1.....";

impl Demo {
    /// Plays the demo through.
    ///
    /// # Errors
    /// Something failed on the way.
    pub(crate) async fn play(wanted: Wanted, output: &Output) -> anyhow::Result<Self> {
        let system = System::default();
        let mut watch = Stopwatch::start();
        let mut state = State::read(&wanted.data)?;
        state.check(&wanted)?;
        let vocabulary = Vocabulary::built_in();
        // Before anybody starts: a source that cannot be used leaves nothing behind.
        let gathered = if state.dealt { None } else { Some(gather(&wanted, &vocabulary, &system, output)?) };
        watch.lap("patients");
        let parties = Parties::start(&wanted.data, wanted.fabric.as_deref(), &system).await?;
        parties.open_epoch(&vocabulary).await?;
        let told = parties.told();
        tell_parties(&told, &wanted.data, output);
        watch.lap("start");

        let resumed = state.filled;
        let shares = if let Some((patients, source)) = gathered {
            state.deal(&wanted, patients.len(), source);
            let shares = patients::spread(patients, parties.hospitals.len());
            fill::deal(&parties, &shares)?;
            state.write(&wanted.data)?;
            shares
        } else {
            let read = parties.hospitals.iter().map(|running| patients::read_back(&fill::patients_file(running)));
            read.collect::<Result<Vec<_>, _>>()?
        };
        tell_patients(&shares, &state, resumed, vocabulary.release(), output);
        let filled = if resumed { Vec::new() } else { fill::fill(&parties, &shares, output).await? };
        state.filled = true;
        state.runs += 1;
        state.write(&wanted.data)?;
        ask::matchers_follow(&parties).await?;
        watch.lap("publish");

        let names: Vec<String> = told.iter().map(|party| party.organisation.clone()).collect();
        let usable = |hospital: usize, case: &str| {
            // The matchers come first among the names.
            names.get(parties.matchers.len() + hospital).is_none_or(|name| !state.is_withdrawn(name, case))
        };
        let chosen = ask::choose(&shares, &usable);
        // A name of its own for each run, so that a demo played again and again keeps within a clinician's budget.
        let clinician = format!("demo-clinician-{}", state.runs);
        let lookups = ask::look_up_all(&parties, &chosen, &clinician).await?;
        watch.lap("look-ups");
        let receipts = ask::receipts(&parties, &lookups).await?;
        watch.lap("receipts");
        let meeting = ask::meeting(&parties, &lookups, &receipts)?;
        let acts = match &meeting {
            None => Acts::default(),
            Some(meeting) => {
                let shares = shares.iter().enumerate();
                let stage = Stage {
                    parties: &parties,
                    meeting,
                    clinician: &clinician,
                    colleague: &format!("demo-colleague-{}", state.runs),
                    patients: shares.map(|(hospital, share)| still(share, &|case| usable(hospital, case))).collect(),
                    vocabulary: &vocabulary,
                    devices: talk::devices_of_run(&wanted.data, state.runs),
                };
                let leaves =
                    state::Withdrawal { hospital: meeting.found.hospital.clone(), case: meeting.case.to_string() };
                Acts::play(&stage, &mut watch, || state.withdraw(leaves, &wanted.data)).await?
            }
        };
        let working = progress::working(output, "verifying the chain and searching the files");
        let chain = verify(&parties).await?;
        let words = secrecy::words(chosen.iter().flatten(), &vocabulary);
        let plaintext = secrecy::search(&parties.shared_files()?, &words)?;
        working.finish_and_clear();
        watch.lap("verification");
        let story = Story {
            synthetic: state.synthetic,
            source: state.source,
            resumed,
            data: wanted.data,
            network: parties.genesis.network().id().to_string(),
            vocabulary: vocabulary.release().to_owned(),
            parties: told,
            filled,
            lookups,
            receipts,
            channel: acts.channel,
            group: acts.group,
            withdrawal: acts.withdrawal,
            parting: acts.parting,
            asked_again: acts.asked_again,
            chain,
            plaintext,
            overheard: acts.overheard,
            seconds: watch.laps,
        };
        Ok(Self { parties, story })
    }

    /// Tells the story, and fails if not everything came true.
    ///
    /// # Errors
    /// Something that a demo promises did not come true.
    pub(crate) fn tell(&self, output: &Output) -> anyhow::Result<()> {
        output.result(&self.story, Story::text)?;
        Ok(self.story.holds()?)
    }

    /// How to talk to the parties that still serve.
    pub(crate) fn invitation(&self) -> String {
        let mut lines =
            vec!["the parties keep serving; Ctrl-C ends them. Talk to one of them, for example:".to_owned()];
        let hospital = self.story.parties.iter().find(|party| party.kind == "hospital");
        if let Some(story::Party { folder, address, .. }) = hospital {
            let config = folder.join(crate::network::NODE_FILE);
            lines.push(format!("  semblance cases --config {} --address https://{address}", config.display()));
        }
        lines.join("\n")
    }

    /// Stops all parties.
    pub(crate) async fn stop(self) {
        self.parties.stop().await;
    }
}

/// The patients that are wanted, and what became of the rows of the source they came from.
fn gather(
    wanted: &Wanted,
    vocabulary: &Vocabulary,
    system: &System,
    output: &Output,
) -> anyhow::Result<(Vec<Patient>, Option<SourceReport>)> {
    let Some(path) = &wanted.cases else {
        let count = wanted.patients.unwrap_or(PATIENTS);
        return Ok((patients::make_up(count, vocabulary, &SeededSource::new(SEED)), None));
    };
    let mut bar = Bar::new(output, "reading the patients");
    let (patients, report) = patients::read(path, vocabulary, system.clock().as_ref(), &mut bar)?;
    Ok((patients, Some(report)))
}

/// A hospital's patients who did not withdraw.
fn still<'a>(share: &'a [Patient], usable: &dyn Fn(&str) -> bool) -> Vec<&'a Patient> {
    share.iter().filter(|patient| usable(&patient.case_id)).collect()
}

async fn verify(parties: &Parties) -> anyhow::Result<Verified> {
    let matcher = parties.matcher()?;
    let report = match matcher.node.ledger() {
        Some(ledger) => ledger.verify().await?,
        None => matcher.party.fabric(Role::Node)?.verify(&SemblanceContract, &mut |_| ()).await?,
    };
    anyhow::ensure!(report.network == Some(parties.genesis.network().id()), "the ledger is of another network");
    for finding in &report.findings {
        tracing::error!(%finding, "the chain does not verify");
    }
    Ok(Verified {
        ledger: parties.ledger_in_words()?,
        blocks: report.blocks,
        head: report.hashes.last().map(ToString::to_string).unwrap_or_default(),
        intact: report.is_sound(),
    })
}

fn tell_parties(parties: &[story::Party], data: &Path, output: &Output) {
    output.line("Semblance demo: each party has its own keys, folder and certificate; they speak over mutual TLS");
    for story::Party { organisation, kind, address, .. } in parties {
        output.line(format!("  {organisation:16} {address:16} {kind}"));
    }
    output.line(format!("state: {}\n", data.display()));
}

fn tell_patients(shares: &[Vec<Patient>], state: &State, resumed: bool, release: &str, output: &Output) {
    let counts: Vec<String> = shares.iter().map(|share| share.len().to_string()).collect();
    let kind = if state.synthetic { "synthetic patients (they never lived)" } else { "patients of the given source" };
    let action = if resumed { "taken up again" } else { "imported, consented and published" };
    output.line(format!("{kind}, {} by hospital, {action}; HPO release {release}", counts.join(" + ")));
    if let Some(source) = state.source.as_ref().filter(|_| !resumed) {
        output.line(source.text());
    }
    output.line("");
}

/// How long each part took.
struct Stopwatch {
    since: Instant,
    laps: Vec<(String, f64)>,
}

impl Stopwatch {
    fn start() -> Self {
        Self { since: Instant::now(), laps: Vec::new() }
    }

    fn lap(&mut self, part: &str) {
        let seconds = (self.since.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        self.laps.push((part.to_owned(), seconds));
        self.since = Instant::now();
    }
}
