//! `semblance import`: patients' symptoms into the hospital's own store.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use indicatif::ProgressBar;
use semblance_proto::v1;
use semblance_proto::v1::import_request::Part as Sent;
use semblance_proto::v1::import_response::Part as Got;
use serde::Serialize;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_stream::wrappers::ReceiverStream;

use super::{Connection, failure, filled};
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::progress;

/// Bytes sent at once.
const CHUNK: usize = 256 << 10;
/// Chunks on their way.
const CHUNKS: usize = 4;

/// Import patients' symptoms into this hospital's own store; nothing leaves the hospital.
///
/// Takes GA4GH Phenopackets (version 2, JSON) as a file, a folder or a tar archive, and JSON lines, all gzipped or
/// not. Every row is accounted for: imported, corrected, unchanged, refused with the reason, or ignored. The same
/// source again makes no duplicates.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// The file or folder.
    path: PathBuf,
}

#[derive(Debug, Serialize)]
struct Row {
    row: String,
    case: Option<String>,
    outcome: &'static str,
    reason: Option<String>,
    repairs: Vec<String>,
    observed: u32,
    unpublishable: Option<String>,
}

#[derive(Debug, Default, Serialize)]
struct Report {
    imported: u64,
    unchanged: u64,
    corrected: u64,
    repaired: u64,
    unpublishable: u64,
    refused: u64,
    ignored: u64,
    stopped: Option<String>,
    rows: Vec<Row>,
}

/// Imports.
///
/// # Errors
/// The source cannot be read, the node cannot be reached, or reading ended early.
pub fn run(arguments: Arguments, output: &Output) -> anyhow::Result<()> {
    let report = crate::command::block_on(async {
        let client = arguments.connection.client().await?;
        import(client, arguments.path, output).await
    })?;
    output.result(&report, text)?;
    match &report.stopped {
        None => Ok(()),
        Some(why) => Err(Failure::new(Kind::Failed, format!("reading ended before the source did: {why}"))
            .hint("what came before is imported; repair the source and import it again, nothing is doubled")
            .into()),
    }
}

async fn import(
    mut client: v1::hospital_client::HospitalClient<tonic::transport::Channel>,
    path: PathBuf,
    output: &Output,
) -> anyhow::Result<Report> {
    let (name, bytes) = describe(&path)?;
    let bar = progress::bytes(output, "importing", bytes);
    let (sender, requests) = channel(CHUNKS);
    let reading = tokio::task::spawn_blocking({
        let bar = bar.clone();
        move || read(&path, name, bytes, Chunks { sender, waiting: Vec::new(), bar })
    });
    let answered = receive(&mut client, requests).await;
    bar.finish_and_clear();
    // A reader that failed to send says less than the node that stopped listening.
    let read = reading.await.context("reading the source failed")?;
    let report = answered?;
    read?;
    Ok(report)
}

/// The name that tells the node what it gets, and how many bytes.
fn describe(path: &Path) -> anyhow::Result<(String, u64)> {
    let metadata =
        std::fs::metadata(path).map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if metadata.is_dir() { Ok((format!("{name}.tar"), 0)) } else { Ok((name, metadata.len())) }
}

/// Sends a file as it is, a folder as an archive that is made on the way.
fn read(path: &Path, name: String, bytes: u64, mut chunks: Chunks) -> anyhow::Result<()> {
    chunks.send(Sent::File(v1::ImportFile { name, bytes }))?;
    let cannot_read = || format!("cannot read {}", path.display());
    if path.is_dir() {
        let mut archive = tar::Builder::new(chunks);
        archive.follow_symlinks(false);
        archive.append_dir_all("", path).with_context(cannot_read)?;
        archive.into_inner().with_context(cannot_read)?.flush().with_context(cannot_read)
    } else {
        let mut file = std::fs::File::open(path).with_context(cannot_read)?;
        std::io::copy(&mut file, &mut chunks).with_context(cannot_read)?;
        chunks.flush().with_context(cannot_read)
    }
}

/// Bytes on their way to the node.
struct Chunks {
    sender: Sender<v1::ImportRequest>,
    waiting: Vec<u8>,
    bar: ProgressBar,
}

impl Chunks {
    fn send(&self, part: Sent) -> std::io::Result<()> {
        let request = v1::ImportRequest { part: Some(part) };
        self.sender.blocking_send(request).map_err(|_| std::io::Error::other("the node stopped listening"))
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let chunk = std::mem::take(&mut self.waiting);
        self.bar.inc(chunk.len() as u64);
        if chunk.is_empty() { Ok(()) } else { self.send(Sent::Chunk(chunk)) }
    }
}

async fn receive(
    client: &mut v1::hospital_client::HospitalClient<tonic::transport::Channel>,
    requests: Receiver<v1::ImportRequest>,
) -> anyhow::Result<Report> {
    let response = client.import(ReceiverStream::new(requests)).await;
    let mut parts = response.map_err(|status| failure(&status))?.into_inner();
    let mut rows = Vec::new();
    while let Some(part) = parts.message().await.map_err(|status| failure(&status))? {
        match part.part {
            Some(Got::Row(row)) => rows.push(told(row)),
            Some(Got::Sums(sums)) => {
                return Ok(Report {
                    imported: sums.imported,
                    unchanged: sums.unchanged,
                    corrected: sums.corrected,
                    repaired: sums.repaired,
                    unpublishable: sums.unpublishable,
                    refused: sums.refused,
                    ignored: sums.ignored,
                    stopped: filled(sums.stopped),
                    rows,
                });
            }
            None => {}
        }
    }
    Err(Failure::new(Kind::Failed, "the node ended the import without its sums").hint("import it again").into())
}

fn told(row: v1::ImportRow) -> Row {
    let outcome = match row.outcome() {
        v1::ImportOutcome::Imported => "imported",
        v1::ImportOutcome::Unchanged => "unchanged",
        v1::ImportOutcome::Corrected => "corrected",
        v1::ImportOutcome::Refused => "refused",
        v1::ImportOutcome::Ignored => "ignored",
        v1::ImportOutcome::Unspecified => "unknown",
    };
    Row {
        row: row.row,
        case: filled(row.case),
        outcome,
        reason: filled(row.reason),
        repairs: row.repairs,
        observed: row.observed,
        unpublishable: filled(row.unpublishable),
    }
}

fn text(report: &Report) -> String {
    let line = |row: &Row| {
        let notes = row.reason.iter().chain(&row.repairs).chain(&row.unpublishable).cloned().collect::<Vec<_>>();
        format!("{}: {}{}{}", row.row, row.outcome, if notes.is_empty() { "" } else { ": " }, notes.join("; "))
    };
    let mut lines: Vec<String> = report.rows.iter().map(line).collect();
    let Report { imported, unchanged, corrected, repaired, unpublishable, refused, ignored, .. } = report;
    lines.push(format!(
        "imported {imported}, corrected {corrected}, unchanged {unchanged} (of these {repaired} repaired, \
         {unpublishable} with too few symptoms to publish); refused {refused}, ignored {ignored}"
    ));
    lines.join("\n")
}
