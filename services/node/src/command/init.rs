//! `semblance init`: the files of a small network, or of an organisation that joins one.

use std::path::{Path, PathBuf};

use anyhow::Context;
use semblance_core::id::OrganisationId;
use semblance_core::organisation::OrganisationKind;
use semblance_ledger::fabric::network_file::NetworkFile;
use serde::Serialize;

use crate::config::LedgerKind;
use crate::failure::Failure;
use crate::network::{
    LedgerPlace, NetworkPlan, NewNetwork, Newcomer, NewcomerPlan, Written, WrittenNewcomer, read_genesis,
};
use crate::output::Output;
use crate::system::{SystemClock, SystemRandom};

/// Make the files of a small network: genesis, keys, certificates and configurations.
///
/// Each organisation gets a folder to carry to its machine, with certificates of its own authority. The authorities'
/// own keys lie apart in `authorities`: no node needs them. Nothing is ever overwritten.
///
/// With `--join` it makes the folder of one organisation that joins a network which runs already, and the record that
/// the members have to approve (`semblance member approve`, `semblance member join`).
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The folder to write to; must be empty or not there yet.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The hospitals' names, with commas: a-z, 0-9 and '-'.
    #[arg(long, value_delimiter = ',', required_unless_present_any = ["join", "fabric"], value_name = "NAMES")]
    hospitals: Vec<OrganisationId>,
    /// The matchers' names, with commas; the first will hold the embedded ledger.
    #[arg(long, value_delimiter = ',', required_unless_present_any = ["join", "fabric"], value_name = "NAMES")]
    matchers: Vec<OrganisationId>,
    /// The network's name, for people.
    #[arg(long, default_value = "semblance")]
    name: String,
    /// Further host names or addresses for the nodes' certificates, beside localhost and 127.0.0.1.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    hosts: Vec<String>,
    /// The first port; matchers come first, then hospitals. With `--join`, the newcomer's port.
    #[arg(long, default_value_t = 7000)]
    port: u16,
    /// Let a hospital hold the ledger and run a matcher's node beside its own, for a trial: whoever holds fingerprints
    /// and cases of its own can read others'.
    #[arg(long)]
    pilot: bool,
    /// Make one newcomer for the network of this genesis file, or of a later one of `semblance member show --out`.
    #[arg(long, value_name = "GENESIS", conflicts_with_all = ["name", "pilot"])]
    join: Option<PathBuf>,
    /// Whose node holds the network's ledger and where: `matcher=https://matcher.example.org:7000`.
    #[arg(long, value_name = "NAME=URL", requires = "join", required_unless_present_any = ["hospitals", "matchers", "fabric"],
        value_parser = holder)]
    ledger: Option<LedgerPlace>,
    /// A matcher that the newcomer asks, and where its node is; may be given several times. Without it the holder of the
    /// ledger is asked, if it is a matcher.
    #[arg(long, value_name = "NAME=URL", requires = "join", value_parser = node_at)]
    ask: Vec<(OrganisationId, String)>,
    /// Use the channel of this Fabric network as the ledger: its `network.json`, or the folder with it. Without names
    /// all its organisations take part.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["ledger", "pilot"])]
    fabric: Option<PathBuf>,
}

/// Reads `--ledger`.
fn holder(text: &str) -> Result<LedgerPlace, String> {
    node_at(text).map(|(name, address)| LedgerPlace::Remote(name, address))
}

/// Reads an organisation's name and where its node is.
fn node_at(text: &str) -> Result<(OrganisationId, String), String> {
    let (name, address) = text.split_once('=').ok_or("expected NAME=https://host:port")?;
    let name = OrganisationId::new(name).map_err(|error| error.to_string())?;
    crate::config::check_address(address)?;
    Ok((name, address.to_owned()))
}

/// The hospitals and matchers of a Fabric network.
pub(crate) fn members_of(network: &Path) -> anyhow::Result<(Vec<OrganisationId>, Vec<OrganisationId>)> {
    let file = NetworkFile::read(network).map_err(|error| Failure::usage(error.to_string()))?;
    let of = |kind| file.members(kind).map_err(|error| Failure::usage(error.to_string()));
    Ok((of(OrganisationKind::Hospital)?, of(OrganisationKind::Matcher)?))
}

#[derive(Serialize)]
struct Report {
    ledger: LedgerKind,
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
    let Arguments { out, hospitals, matchers, name, hosts, port, pilot, join, ledger, ask, fabric } = arguments;
    // The configurations lie elsewhere, so that the path must not depend on where this was called.
    let fabric = fabric.map(|path| path.canonicalize().with_context(|| format!("{} is not there", path.display())));
    let fabric = fabric.transpose()?;
    if let Some(genesis) = join {
        let ledger = ledger.or(fabric.map(LedgerPlace::Fabric)).ok_or_else(|| {
            Failure::usage("where the network's ledger is, is missing").hint("add --ledger NAME=URL, or --fabric DIR")
        })?;
        let (id, kind) = match (hospitals.as_slice(), matchers.as_slice()) {
            ([id], []) => (id.clone(), OrganisationKind::Hospital),
            ([], [id]) => (id.clone(), OrganisationKind::Matcher),
            _ => {
                let hint = "give one name with --hospitals or with --matchers";
                return Err(Failure::usage("one organisation joins at a time").hint(hint).into());
            }
        };
        if kind == OrganisationKind::Hospital && ask.is_empty() && matches!(ledger, LedgerPlace::Fabric(_)) {
            let hint = "add --ask NAME=URL, once for each matcher";
            return Err(Failure::usage("a hospital asks matchers, and none is named").hint(hint).into());
        }
        return join_network(NewcomerPlan { id, kind, hosts, port, ledger, ask }, &genesis, &out, output);
    }
    let plan = match fabric {
        Some(network) => {
            let (hospitals, matchers) = match (hospitals, matchers) {
                (hospitals, matchers) if hospitals.is_empty() && matchers.is_empty() => members_of(&network)?,
                named => named,
            };
            NetworkPlan::new(&name, hospitals, matchers, pilot, &hosts, port)?.on_fabric(network)
        }
        None => NetworkPlan::new(&name, hospitals, matchers, pilot, &hosts, port)?,
    };
    let on_fabric = plan.fabric().is_some();
    let network = NewNetwork::draw(plan, &SystemClock, &SystemRandom)?;
    let Written { genesis, configurations, authorities } = network.write(&out)?;
    let is = network.genesis().network();
    let report = Report {
        ledger: if on_fabric { LedgerKind::Fabric } else { LedgerKind::Embedded },
        network: is.id().to_string(),
        name: is.name().to_owned(),
        separation: is.separation().word().to_owned(),
        genesis,
        configurations,
        authorities,
    };
    output.result(&report, text)
}

#[derive(Serialize)]
struct NewcomerReport {
    newcomer: String,
    network: String,
    record: PathBuf,
    check: String,
    configuration: PathBuf,
    authorities: PathBuf,
}

fn join_network(plan: NewcomerPlan, genesis: &Path, out: &Path, output: &Output) -> anyhow::Result<()> {
    let genesis = read_genesis(genesis)?;
    if genesis.organisations().iter().any(|member| member.id == plan.id) {
        return Err(Failure::usage(format!("`{}` is a member already", plan.id)).into());
    }
    let (newcomer, network) = (plan.id.to_string(), genesis.network().id().to_string());
    let drawn = Newcomer::draw(plan, genesis, &SystemClock, &SystemRandom)?;
    let WrittenNewcomer { record, configuration, authorities } = drawn.write(out)?;
    let check = drawn.check().to_string();
    let report = NewcomerReport { newcomer, network, record, check, configuration, authorities };
    output.result(&report, |report| {
        let NewcomerReport { newcomer, network, record, check, configuration, authorities } = report;
        let (record, configuration) = (record.display(), configuration.display());
        format!(
            "{newcomer} for network {network}\n  configuration {configuration}\n  record        {record}\n  check         \
             {check}\nnext steps\n  1. move {} to a safe place off this machine\n  2. give the record to the members, \
             and read the check to them over another way; each approves:\n       semblance member approve {record} --out \
             MEMBER.approval\n  3. one of them submits it:\n       semblance member join {record} --approvals \
             *.approval\n  4. start the node:\n       semblance serve --config {configuration}\n  5. a hospital takes \
             part from the next epoch on: have one opened (semblance epoch open)",
            authorities.display()
        )
    })
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
    let any = report.configurations.first().map(|path| path.display().to_string()).unwrap_or_default();
    if report.ledger == LedgerKind::Fabric {
        lines.push("  3. found the network on the channel, from any one of them, then start the nodes:".to_owned());
        lines.push(format!("       semblance found --config {any}"));
    } else {
        lines.push("  3. start the nodes, the one that holds the ledger (the first matcher) first:".to_owned());
    }
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
