//! An import whose file comes over the wire, and whose rows go back as they settle.

use std::io::{self, Read};

use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use semblance_proto::v1;
use semblance_proto::v1::import_request::Part;
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use super::status::{malformed, status};
use crate::import::{Bounds, ImportObserver, ImportReport, RowOutcome, RowReport};
use crate::service::HospitalService;

/// Pieces of the file that may wait between the connection and the reader.
const CHUNKS_WAITING: usize = 8;
/// Rows that may wait for the connection.
const ROWS_WAITING: usize = 256;

/// Rows that a person should look at, then the sums.
pub(crate) type Rows = BoxStream<'static, Result<v1::ImportResponse, Status>>;

/// Starts an import; the file's name comes first.
pub(super) async fn start(
    service: HospitalService,
    actor: String,
    mut incoming: Streaming<v1::ImportRequest>,
) -> Result<Rows, Status> {
    let Some(v1::ImportRequest { part: Some(Part::File(file)) }) = incoming.message().await? else {
        return Err(malformed("file", "the file's name before its bytes"));
    };
    let (chunks, reader) = mpsc::channel(CHUNKS_WAITING);
    let (rows, outgoing) = mpsc::channel(ROWS_WAITING);
    tokio::spawn(forward(incoming, chunks));
    tokio::spawn(async move {
        let observer = Box::new(Sender { rows: rows.clone() });
        let reader = Box::new(Chunks { chunks: reader, current: Vec::new(), taken: 0 });
        let named = (file.name, file.bytes);
        let ended = service.import_from(&actor, named, reader, Bounds::default(), observer).await;
        // Whoever went away wants no sums.
        let _ = rows.send(ended.map(|report| sums(&report)).map_err(|error| status(&error))).await;
    });
    Ok(stream::unfold(outgoing, async |mut rows| rows.recv().await.map(|row| (row, rows))).boxed())
}

/// Passes the file's bytes on, until the caller ends or the reader does.
async fn forward(mut incoming: Streaming<v1::ImportRequest>, chunks: mpsc::Sender<io::Result<Vec<u8>>>) {
    loop {
        let chunk = match incoming.message().await {
            Ok(Some(v1::ImportRequest { part: Some(Part::Chunk(bytes)) })) => Ok(bytes),
            Ok(None) => return,
            Ok(Some(_)) => Err(io::Error::new(io::ErrorKind::InvalidData, "a piece of the file was expected")),
            Err(_) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended")),
        };
        let last = chunk.is_err();
        if chunks.send(chunk).await.is_err() || last {
            return;
        }
    }
}

/// The file's bytes as a reader; reads on a thread where blocking is allowed.
struct Chunks {
    chunks: mpsc::Receiver<io::Result<Vec<u8>>>,
    current: Vec<u8>,
    taken: usize,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.current.len() {
            match self.chunks.blocking_recv() {
                None => return Ok(0),
                Some(chunk) => (self.current, self.taken) = (chunk?, 0),
            }
        }
        let mut rest = self.current.get(self.taken..).unwrap_or_default();
        let count = rest.read(buffer)?;
        self.taken += count;
        Ok(count)
    }
}

struct Sender {
    rows: mpsc::Sender<Result<v1::ImportResponse, Status>>,
}

impl ImportObserver for Sender {
    fn row(&mut self, row: &RowReport) {
        if row.is_noteworthy() {
            let part = Some(v1::import_response::Part::Row(message(row)));
            let _ = self.rows.blocking_send(Ok(v1::ImportResponse { part }));
        }
    }

    fn keeps_rows(&self) -> bool {
        true
    }

    /// Stops when the caller has gone away; what was reported until then is imported.
    fn progress(&mut self, _: u64, _: u64) -> bool {
        !self.rows.is_closed()
    }
}

fn message(row: &RowReport) -> v1::ImportRow {
    let (outcome, reason, revision) = match &row.outcome {
        RowOutcome::Imported => (v1::ImportOutcome::Imported, "", 1),
        RowOutcome::Unchanged => (v1::ImportOutcome::Unchanged, "", 0),
        RowOutcome::Corrected { revision } => (v1::ImportOutcome::Corrected, "", *revision),
        RowOutcome::Refused { reason } => (v1::ImportOutcome::Refused, reason.as_str(), 0),
        RowOutcome::Ignored { reason } => (v1::ImportOutcome::Ignored, reason.as_str(), 0),
    };
    let more = (row.repairs_left_out > 0).then(|| format!("and {} more", row.repairs_left_out));
    v1::ImportRow {
        row: row.row.clone(),
        case: row.case.as_ref().map(ToString::to_string).unwrap_or_default(),
        outcome: outcome.into(),
        reason: reason.to_owned(),
        revision,
        repairs: row.repairs.iter().map(ToString::to_string).chain(more).collect(),
        observed: u32::try_from(row.observed).unwrap_or(u32::MAX),
        unpublishable: row.unpublishable.clone().unwrap_or_default(),
    }
}

fn sums(report: &ImportReport) -> v1::ImportResponse {
    let sums = v1::ImportSums {
        imported: report.imported,
        unchanged: report.unchanged,
        corrected: report.corrected,
        repaired: report.repaired,
        unpublishable: report.unpublishable,
        refused: report.refused,
        ignored: report.ignored,
        stopped: report.stopped.clone().unwrap_or_default(),
    };
    v1::ImportResponse { part: Some(v1::import_response::Part::Sums(sums)) }
}
