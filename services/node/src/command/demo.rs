//! `semblance demo`: see it happen on one machine.

use std::path::PathBuf;

use anyhow::Context;

use crate::demo::{Demo, Wanted};
use crate::failure::Failure;
use crate::output::Output;
use crate::stop;

/// See it happen: three hospitals and a matcher on this machine, from import to withdrawal.
///
/// Each party has its own keys, certificate and folder, and they speak over mutual TLS, as they would on machines of
/// their own. The hospitals import patients, publish them with consent, look up similar ones in both breadths and open
/// the receipts. People of a match and of a symptom group talk, end to end encrypted, until a patient withdraws. Then
/// the chain is verified, and the files of the ledger, the matcher and the hubs are searched for symptoms, for what was
/// said and for names. The parties keep serving until Ctrl-C.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Real patients: a Phenopacket, a folder or tar.gz of them, or JSON lines, gzipped or not. Otherwise synthetic
    /// ones are drawn from the vocabulary's disease frequencies.
    #[arg(long, value_name = "PATH")]
    cases: Option<PathBuf>,
    /// How many synthetic patients; 300 without this.
    #[arg(
        long,
        value_parser = clap::value_parser!(u32).range(3..=100_000),
        value_name = "N",
        conflicts_with = "cases"
    )]
    patients: Option<u32>,
    /// The ledger: embedded in the matcher's node, or a channel of the Fabric network of --network.
    #[arg(long, value_enum, default_value_t = DemoLedger::Embedded, requires_if("fabric", "network"), value_name = "KIND")]
    ledger: DemoLedger,
    /// The Fabric network, as `deploy/fabric/up` brings it up; its organisations take part. The state is kept in its
    /// folder `demo` unless --data names another one.
    #[arg(long, value_name = "DIR")]
    network: Option<PathBuf>,
    /// End after the story.
    #[arg(long)]
    once: bool,
    /// Keep the state in this folder, one folder a party, and take it up again the next time; otherwise it is
    /// temporary.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// What a demo's ledger is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum DemoLedger {
    /// In the matcher's node.
    Embedded,
    /// A channel of Hyperledger Fabric.
    Fabric,
}

/// Plays the demo.
///
/// # Errors
/// Something failed, or did not come out as a demo promises.
pub fn run(arguments: Arguments, output: &Output) -> anyhow::Result<()> {
    super::block_on(play(arguments, output))
}

async fn play(arguments: Arguments, output: &Output) -> anyhow::Result<()> {
    let stopped = stop::on_signal()?;
    let fabric = match (arguments.ledger, arguments.network) {
        (DemoLedger::Fabric, network) => network,
        (DemoLedger::Embedded, None) => None,
        (DemoLedger::Embedded, Some(_)) => {
            return Err(Failure::usage("--network is for --ledger fabric").hint("add --ledger fabric").into());
        }
    };
    // The channel outlives the demo, so that the keys of its members must as well.
    let named = arguments.data.or_else(|| fabric.as_ref().map(|network| network.join("demo")));
    // Removed when it is dropped, after the parties have stopped.
    let temporary = match &named {
        Some(_) => None,
        None => Some(tempfile::tempdir().context("cannot make a temporary folder")?),
    };
    let data = match (&named, &temporary) {
        (Some(data), _) => data.clone(),
        (None, Some(folder)) => folder.path().join("demo"),
        (None, None) => anyhow::bail!("no folder for the demo's state"),
    };
    let wanted =
        Wanted { cases: arguments.cases, patients: arguments.patients.map(|count| count as usize), data, fabric };
    let demo = tokio::select! {
        demo = Demo::play(wanted, output) => demo?,
        () = stopped.cancelled() => anyhow::bail!("stopped before the end"),
    };
    let told = demo.tell(output);
    if told.is_ok() && !arguments.once {
        output.line(demo.invitation());
        stopped.cancelled().await;
    }
    demo.stop().await;
    told
}
