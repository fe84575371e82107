//! Import of patients' symptoms: GA4GH Phenopackets (version 2, JSON) as a file, a folder or an archive, and JSON lines.
//!
//! One raw packet is in memory at a time; checked cases are stored in small batches, each in one transaction. Every
//! row ends in the report: imported, corrected, unchanged, refused or ignored, with each repair. The same source again
//! changes nothing: a case is known by its id and the digest of its content, and another content under a known id is
//! a correction.

mod check;
mod json;
mod packet;
mod report;
mod source;

use std::collections::HashMap;
use std::path::Path;

use semblance_core::id::Digest;
use semblance_core::random::RandomSource;
use semblance_core::term::TermId;
use semblance_core::time::Clock;

pub use check::{Known, Refusal};
pub use packet::{FEATURES_MAX, PacketError};
pub use report::{ImportReport, Repair, RowOutcome, RowReport};
pub use source::{Bounds, Progress, SourceError};

use crate::store::case::{self, CaseContent, LocalCaseId, Stored};
use crate::store::{Store, StoreError, audit};
use packet::Packet;
use source::{Content, Source};

/// Cases stored in one transaction.
const BATCH: usize = 100;

/// Why an import failed. Rows reported before are imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The source cannot be read on.
    #[error("{0}")]
    Source(#[from] SourceError),
    /// The store failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The observer asked to stop.
    #[error("the import was stopped")]
    Stopped,
}

/// Follows an import: a progress bar, a stream of rows.
pub trait ImportObserver: Send {
    /// A row is settled and, where it was taken, durable.
    fn row(&mut self, row: &RowReport);

    /// Whether the observer passes the rows on by itself: then the report holds none.
    fn keeps_rows(&self) -> bool {
        false
    }

    /// So many bytes of the source are read. Answers whether to go on.
    fn progress(&mut self, read: u64, total: u64) -> bool {
        let _ = (read, total);
        true
    }
}

/// Watches nothing.
pub struct Unobserved;

impl ImportObserver for Unobserved {
    fn row(&mut self, _: &RowReport) {}
}

/// What an import needs beside its source.
pub struct Import<'a> {
    /// Where cases are kept.
    pub store: &'a Store,
    /// What the vocabulary says of an id.
    pub known: &'a dyn Fn(TermId) -> Known,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Where case secrets come from.
    pub random: &'a dyn RandomSource,
    /// Bounds on the source.
    pub bounds: Bounds,
    /// Who imports, for the local audit.
    pub actor: &'a str,
}

impl Import<'_> {
    /// Reads a source to its end. When the source ends badly, the report says so and counts what came before.
    ///
    /// # Errors
    /// The store failed, the source cannot be opened at all, or the observer asked to stop.
    pub fn run(&self, path: &Path, observer: &mut dyn ImportObserver) -> Result<ImportReport, ImportError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        self.read(&name, source::size(path), observer, |source| source.read(path))
    }

    /// Reads what comes under a file's name, of about `size` bytes, to its end.
    ///
    /// # Errors
    /// As [`Import::run`].
    pub fn run_from(
        &self,
        name: &str,
        size: u64,
        reader: impl std::io::Read,
        observer: &mut dyn ImportObserver,
    ) -> Result<ImportReport, ImportError> {
        self.read(name, size, observer, |source| source.read_from(name, reader))
    }

    fn read(
        &self,
        name: &str,
        total: u64,
        observer: &mut dyn ImportObserver,
        read: impl FnOnce(&mut Source<'_>) -> Result<(), ImportError>,
    ) -> Result<ImportReport, ImportError> {
        let progress = Progress::default();
        let (waiting, seen) = (Vec::new(), HashMap::new());
        let mut batch = Batch { import: self, waiting, seen, report: ImportReport::default() };
        let ended = {
            let mut take = |row: String, content: Content| -> Result<(), ImportError> {
                batch.take(row, content, observer)?;
                if observer.progress(progress.bytes(), total) { Ok(()) } else { Err(ImportError::Stopped) }
            };
            read(&mut Source::new(self.bounds, progress.clone(), &mut take))
        };
        batch.flush(observer)?;
        let mut report = batch.report;
        match ended {
            Ok(()) => {}
            Err(ImportError::Source(error)) if report != ImportReport::default() => {
                report.stopped = Some(error.to_string());
            }
            Err(error) => return Err(error),
        }
        observer.progress(total, total);
        let code = if report.stopped.is_some() { "stopped" } else { "ok" };
        self.store.step(|tx| audit::add(tx, self.clock.now(), self.actor, "import", name, code))?;
        tracing::info!(
            imported = report.imported,
            corrected = report.corrected,
            unchanged = report.unchanged,
            refused = report.refused,
            "import ended"
        );
        Ok(report)
    }
}

struct Batch<'a> {
    import: &'a Import<'a>,
    waiting: Vec<(RowReport, Option<(CaseContent, Digest)>)>,
    /// Ids seen in this import with the digests of their contents, both shortened to 16 bytes.
    seen: HashMap<[u8; 16], [u8; 16]>,
    report: ImportReport,
}

impl Batch<'_> {
    fn take(&mut self, row: String, content: Content, observer: &mut dyn ImportObserver) -> Result<(), ImportError> {
        let settled = match content {
            Content::Phenopacket(bytes) => self.check(row, Packet::from_phenopacket(&bytes), &bytes),
            Content::Line(bytes) => self.check(row, Packet::from_line(&bytes), &bytes),
            Content::Ignored(reason) => {
                (RowReport::left(&row, None, RowOutcome::Ignored { reason: reason.to_owned() }), None)
            }
            Content::Refused(reason) => (RowReport::left(&row, None, RowOutcome::Refused { reason }), None),
        };
        self.waiting.push(settled);
        if self.waiting.len() >= BATCH { self.flush(observer) } else { Ok(()) }
    }

    fn check(
        &mut self,
        row: String,
        packet: Result<Packet, PacketError>,
        bytes: &[u8],
    ) -> (RowReport, Option<(CaseContent, Digest)>) {
        let refused = |row: String, case, reason| (RowReport::left(&row, case, RowOutcome::Refused { reason }), None);
        let packet = match packet {
            Ok(packet) => packet,
            Err(error) => return refused(row, None, error.to_string()),
        };
        let id: Option<LocalCaseId> = packet.id.parse().ok();
        let checked = match check::check(packet, self.import.known) {
            Ok(checked) => checked,
            Err(refusal) => return refused(row, id, refusal.to_string()),
        };
        let case = checked.case;
        if !self.is_first(&case) {
            let reason = "the same id stood earlier in this import with another content; give each case its own id";
            return refused(row, id, reason.to_owned());
        }
        let report = RowReport::kept(&row, case.local_id.clone(), case.observed().len(), checked.repairs);
        (report, Some((case, Digest::of(bytes))))
    }

    /// Whether this id comes for the first time, or again with the same content.
    fn is_first(&mut self, case: &CaseContent) -> bool {
        let short = |digest: Digest| digest.as_bytes().first_chunk::<16>().copied().unwrap_or_default();
        let content = short(case.digest());
        *self.seen.entry(short(Digest::of(case.local_id.as_str().as_bytes()))).or_insert(content) == content
    }

    fn flush(&mut self, observer: &mut dyn ImportObserver) -> Result<(), ImportError> {
        let mut waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        let import = self.import;
        let now = import.clock.now();
        import.store.step(|tx| -> Result<(), StoreError> {
            for (row, case) in &mut waiting {
                let Some((case, source)) = case else { continue };
                row.outcome = match case::put(tx, case, *source, now, import.random)? {
                    Stored::New => RowOutcome::Imported,
                    Stored::Unchanged => RowOutcome::Unchanged,
                    Stored::Corrected { revision } => RowOutcome::Corrected { revision },
                };
            }
            Ok(())
        })?;
        let room = if observer.keeps_rows() { 0 } else { ImportReport::ROWS_MAX };
        for (row, _) in waiting {
            observer.row(&row);
            self.report.count(row, room);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
