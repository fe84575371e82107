//! `semblance member rotate`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use semblance_contract::wire::SignedStatement;
use semblance_core::organisation::{KeyRotation, Organisation, Role};
use semblance_core::record::Record;
use semblance_core::signature::{SignedBytes, Statement};
use semblance_ledger::client::LedgerClient;
use serde::Serialize;

use super::administrator;
use crate::administer::failure;
use crate::config::Config;
use crate::failure::Failure;
use crate::folder;
use crate::network::{Renewal, Renewed};
use crate::output::Output;
use crate::party::Party;

/// The signed rotation's name in the folder of the new keys.
const ROTATION: &str = "rotation";

/// Rotate this organisation's keys: draw new ones and tell the ledger, signed with the present one.
///
/// The new keys are written before the ledger hears of them. From that moment the node must work with them: stop it
/// (unless it holds the ledger), rotate, set the lines that are printed in its configuration, and start it again. If
/// the answer was lost, the same command with the same folder takes the rotation up again.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").multiple(true).required(true))]
pub(super) struct Arguments {
    /// The folder for the new keys; not there yet, unless a rotation is taken up again.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A new signing key.
    #[arg(long, group = "what")]
    signing: bool,
    /// A new sealing key; the earlier one stays in use for what was sealed to it.
    #[arg(long, group = "what")]
    sealing: bool,
    /// A new authority, with new certificates of node and administrator.
    #[arg(long, group = "what")]
    root: bool,
    /// Further host names or addresses for the node's new certificate, beside localhost and 127.0.0.1.
    #[arg(long, value_delimiter = ',', value_name = "NAMES", requires = "root")]
    hosts: Vec<String>,
}

#[derive(Serialize)]
struct Report {
    member: String,
    rotation: u32,
    block: u64,
    /// What to set in the configuration.
    configuration: String,
}

pub(super) async fn run(config: Config, arguments: Arguments, output: &Output) -> anyhow::Result<()> {
    let party = administrator(config).await?;
    let ledger = LedgerClient::new(party.ledger(Role::Admin)?);
    let present = ledger.member(&party.organisation).await.map_err(failure)?;
    let present = present.with_context(|| format!("{} is no member", party.organisation))?;
    let file = arguments.out.join(ROTATION);
    let source = if file.exists() { read(&file)? } else { draw(&party, &present, &arguments)? };
    let does_not_fit = || format!("{} holds a rotation that does not fit the present keys", file.display());
    let claim = source.clone().claim::<KeyRotation>(party.network()).with_context(does_not_fit)?;
    let signed = claim.verify(&present.verifying_key).with_context(does_not_fit)?;
    let next = present.rotated(signed.statement()).with_context(does_not_fit)?;
    let block = ledger.rotate_key(source).await.map_err(failure)?.block;
    party.members.take(next.clone());
    let configuration = configuration(&party, &arguments.out, signed.statement())?;
    let report = Report { member: next.id.to_string(), rotation: next.rotations, block, configuration };
    output.result(&report, |report| {
        format!(
            "{}: rotation {} is in block {}; set in {} and start the node again:\n\n{}",
            report.member,
            report.rotation,
            report.block,
            party.config.file().display(),
            report.configuration
        )
    })
}

/// Draws and writes the new keys, then the statement that names them: a statement without its keys would be fatal.
fn draw(party: &Party, present: &Organisation, arguments: &Arguments) -> anyhow::Result<SignedBytes> {
    let Arguments { out, signing, sealing, root, hosts } = arguments;
    let wanted = Renewal { signing: *signing, sealing: *sealing, hosts: root.then_some(hosts.as_slice()) };
    let (clock, random) = (party.system.clock(), party.system.random());
    let (renewed, next) = Renewed::draw(present, &wanted, clock.as_ref(), random.as_ref())?;
    renewed.write(out)?;
    let rotation = KeyRotation::between(party.network(), present, &next)?;
    let source = rotation.sign(&party.signing).into_parts().1;
    folder::write_public(&out.join(ROTATION), &SignedStatement(source.clone()).encode())?;
    Ok(source)
}

fn read(file: &Path) -> anyhow::Result<SignedBytes> {
    let bytes = folder::read(file, folder::STATEMENT_MAX)?;
    let statement = SignedStatement::decode(&bytes).with_context(|| format!("{} is no rotation", file.display()))?;
    Ok(statement.0)
}

/// The lines to set.
fn configuration(party: &Party, out: &Path, rotation: &KeyRotation) -> anyhow::Result<String> {
    let out = out.canonicalize().with_context(|| format!("cannot find {}", out.display()))?;
    let own = party.config.folder().canonicalize().unwrap_or_default();
    let shown = out.strip_prefix(&own).unwrap_or(&out);
    let path = |name: &str| format!("{:?}", shown.join(name).display().to_string());
    let mut lines = Vec::new();
    if rotation.verifying_key().is_some() || rotation.sealing_key().is_some() {
        lines.push("[keys]".to_owned());
    }
    if rotation.verifying_key().is_some() {
        lines.push(format!("signing_file = {}", path("secret/signing.key")));
    }
    if rotation.sealing_key().is_some() {
        let keys = &party.config.content().keys;
        let present = keys.sealing_file.iter().chain(&keys.earlier_sealing_files);
        let earlier: Vec<String> = present.map(|file| format!("{:?}", file.display().to_string())).collect();
        lines.push(format!("sealing_file = {}", path("secret/sealing.key")));
        lines.push(format!("earlier_sealing_files = [{}]", earlier.join(", ")));
        if keys.sealing_file.is_none() {
            lines.push("# and the inline key of until now, which needs a file of its own".to_owned());
        }
    }
    if rotation.tls_root().is_some() {
        for (section, name) in [("tls", "node"), ("admin", "admin")] {
            lines.push(format!("[{section}]"));
            lines.push(format!("certificate_file = {}", path(&format!("{name}.pem"))));
            lines.push(format!("key_file = {}", path(&format!("secret/{name}.key"))));
        }
    }
    if lines.is_empty() {
        return Err(Failure::usage("the rotation names nothing new").into());
    }
    Ok(lines.join("\n"))
}
