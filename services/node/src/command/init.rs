//! `semblance init`: the files of a small network.

use std::path::PathBuf;

use semblance_core::id::OrganisationId;
use serde::Serialize;

use crate::network::{NetworkPlan, NewNetwork, Written};
use crate::output::Output;
use crate::system::{SystemClock, SystemRandom};

/// Make the files of a small network: genesis, keys, certificates and configurations.
///
/// Each organisation gets a folder to carry to its machine, with certificates of its own authority. The authorities'
/// own keys lie apart in `authorities`: no node needs them. Nothing is ever overwritten.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The folder to write to; must be empty or not there yet.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The hospitals' names, with commas: a-z, 0-9 and '-'.
    #[arg(long, value_delimiter = ',', required = true, value_name = "NAMES")]
    hospitals: Vec<OrganisationId>,
    /// The matchers' names, with commas; the first will hold the embedded ledger.
    #[arg(long, value_delimiter = ',', required = true, value_name = "NAMES")]
    matchers: Vec<OrganisationId>,
    /// The network's name, for people.
    #[arg(long, default_value = "semblance")]
    name: String,
    /// Further host names or addresses for the nodes' certificates, beside localhost and 127.0.0.1.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    hosts: Vec<String>,
    /// The first port; matchers come first, then hospitals.
    #[arg(long, default_value_t = 7000)]
    port: u16,
    /// Allow hospitals to run matchers, for a trial: whoever holds fingerprints and cases of its own can read others'.
    #[arg(long)]
    pilot: bool,
}

#[derive(Serialize)]
struct Report {
    network: String,
    name: String,
    separation: String,
    genesis: PathBuf,
    configurations: Vec<PathBuf>,
    authorities: PathBuf,
}

/// Draws the network and writes it.
///
/// # Errors
/// A name is none or stands twice, or the folder holds something.
pub fn run(arguments: Arguments, output: &Output) -> anyhow::Result<()> {
    let Arguments { out, hospitals, matchers, name, hosts, port, pilot } = arguments;
    let plan = NetworkPlan::new(&name, hospitals, matchers, pilot, &hosts, port)?;
    let network = NewNetwork::draw(plan, &SystemClock, &SystemRandom)?;
    let Written { genesis, configurations, authorities } = network.write(&out)?;
    let is = network.genesis().network();
    let report = Report {
        network: is.id().to_string(),
        name: is.name().to_owned(),
        separation: is.separation().word().to_owned(),
        genesis,
        configurations,
        authorities,
    };
    output.result(&report, text)
}

fn text(report: &Report) -> String {
    let mut lines = vec![
        format!("network {} ({})", report.name, report.network),
        format!("  genesis       {}", report.genesis.display()),
    ];
    for path in &report.configurations {
        lines.push(format!("  configuration {}", path.display()));
    }
    let authorities = report.authorities.display();
    lines.push("next steps".to_owned());
    lines.push(format!("  1. move {authorities} to a safe place off these machines: it can make new certificates"));
    lines
        .push("  2. carry each organisation's folder to its machine and set the addresses in its node.toml".to_owned());
    lines.push("  3. start the nodes, the one that holds the ledger (the first matcher) first:".to_owned());
    for path in &report.configurations {
        lines.push(format!("       semblance serve --config {}", path.display()));
    }
    let hospital = report.configurations.last().map(|path| path.display().to_string()).unwrap_or_default();
    lines.push("  4. open the first epoch, from any one hospital:".to_owned());
    lines.push(format!("       semblance epoch open --config {hospital}"));
    if report.separation == "pilot" {
        lines.push("this is a pilot network: the separation of matchers from hospitals is off".to_owned());
    }
    lines.join("\n")
}
