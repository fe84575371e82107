//! Where packets come from: a file, a folder, an archive, lines. One packet is in memory at a time.
//!
//! Nothing is ever unpacked to the disk, so names inside an archive are text for the report alone.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bounds on what is read.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes of one packet or line.
    pub packet_bytes: usize,
    /// Files, archive entries and lines in one import.
    pub entries: u64,
    /// Bytes read in one import after decompression.
    pub total_bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { packet_bytes: 4 << 20, entries: 2_000_000, total_bytes: 16 << 30 }
    }
}

/// Why reading the source ended early. What came before it is imported.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file cannot be read.
    #[error("{place}: {error}")]
    Io {
        /// The file.
        place: String,
        /// Why.
        error: io::Error,
    },
    /// The name says nothing we can read.
    #[error("{0}: expected a folder or a file ending in .json, .jsonl, .ndjson (also .gz), .tar, .tar.gz or .tgz")]
    Unknown(String),
    /// More entries than allowed.
    #[error("{place}: more than {limit} entries; split the source")]
    TooManyEntries {
        /// The file.
        place: String,
        /// The limit.
        limit: u64,
    },
    /// More bytes than allowed, as a decompression bomb has.
    #[error("{place}: more than {limit} bytes after decompression; split the source")]
    TooLarge {
        /// The file.
        place: String,
        /// The limit.
        limit: u64,
    },
}

/// What stands at one place of the source.
pub(super) enum Content {
    /// One Phenopacket.
    Phenopacket(Vec<u8>),
    /// One line of JSON lines.
    Line(Vec<u8>),
    /// Something that is not ours to read, and why.
    Ignored(&'static str),
    /// A packet that cannot be read, and why.
    Refused(String),
}

/// How much of the compressed source is read, for a progress bar.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<AtomicU64>);

impl Progress {
    /// Bytes of the source files read so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

struct Counted<R> {
    inner: R,
    progress: Progress,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.progress.0.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Ends with an error, not with the end of the file, when the import's budget of bytes is used up.
struct Budgeted<R> {
    inner: R,
    left: Arc<AtomicU64>,
}

const BUDGET: &str = "semblance: byte budget used up";

impl<R: Read> Read for Budgeted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let before = self.left.fetch_sub((count as u64).min(self.left.load(Ordering::Relaxed)), Ordering::Relaxed);
        if before < count as u64 {
            return Err(io::Error::other(BUDGET));
        }
        Ok(count)
    }
}

/// The size of a source on the disk, for a progress bar.
pub(super) fn size(path: &Path) -> u64 {
    let Ok(metadata) = std::fs::metadata(path) else { return 0 };
    if metadata.is_file() {
        return metadata.len();
    }
    let Ok(entries) = std::fs::read_dir(path) else { return 0 };
    entries.filter_map(Result::ok).filter(|entry| !is_link(&entry.path())).map(|entry| size(&entry.path())).sum()
}

fn is_link(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_symlink())
}

/// Reads a source from its start to its end.
pub(super) struct Source<'a> {
    bounds: Bounds,
    entries: u64,
    left: Arc<AtomicU64>,
    progress: Progress,
    take: &'a mut dyn FnMut(String, Content) -> Result<(), super::ImportError>,
}

impl<'a> Source<'a> {
    pub(super) fn new(
        bounds: Bounds,
        progress: Progress,
        take: &'a mut dyn FnMut(String, Content) -> Result<(), super::ImportError>,
    ) -> Self {
        Self { bounds, entries: 0, left: Arc::new(AtomicU64::new(bounds.total_bytes)), progress, take }
    }

    /// Reads a file or a folder.
    pub(super) fn read(&mut self, path: &Path) -> Result<(), super::ImportError> {
        if path.is_dir() {
            return self.folder(path);
        }
        match Format::of(path) {
            Some(format) => self.file(path, format),
            None => Err(SourceError::Unknown(path.display().to_string()).into()),
        }
    }

    fn folder(&mut self, path: &Path) -> Result<(), super::ImportError> {
        let place = path.display().to_string();
        let io = |error| SourceError::Io { place: place.clone(), error };
        let mut paths: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(path).map_err(io)? {
            paths.push(entry.map_err(io)?.path());
        }
        // In the order of their names, so that two imports of one folder report alike.
        paths.sort();
        for path in paths {
            let place = path.display().to_string();
            if is_link(&path) {
                self.give(place, Content::Ignored("a symbolic link; links are not followed"))?;
            } else if path.is_dir() {
                self.folder(&path)?;
            } else if let Some(format) = Format::of(&path).filter(|_| !is_side_file(&path)) {
                self.file(&path, format)?;
            } else {
                self.give(place, Content::Ignored(NOT_OURS))?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, format: Format) -> Result<(), super::ImportError> {
        let place = path.display().to_string();
        let file = File::open(path).map_err(|error| SourceError::Io { place: place.clone(), error })?;
        self.bytes(file, &place, format)
    }

    /// Reads what comes under a file's name.
    pub(super) fn read_from(&mut self, name: &str, reader: impl Read) -> Result<(), super::ImportError> {
        let format = Format::of(Path::new(name)).ok_or_else(|| SourceError::Unknown(name.to_owned()))?;
        self.bytes(reader, name, format)
    }

    fn bytes(&mut self, reader: impl Read, place: &str, format: Format) -> Result<(), super::ImportError> {
        let counted = BufReader::new(Counted { inner: reader, progress: self.progress.clone() });
        let plain: Box<dyn Read + '_> =
            if format.gzip { Box::new(flate2::bufread::MultiGzDecoder::new(counted)) } else { Box::new(counted) };
        let reader = BufReader::new(Budgeted { inner: plain, left: Arc::clone(&self.left) });
        match format.shape {
            Shape::Packet => {
                let content = self.packet(reader, place)?;
                self.give(place.to_owned(), content)
            }
            Shape::Lines => self.lines(reader, place),
            Shape::Archive => self.archive(reader, place),
        }
    }

    fn packet(&self, reader: impl Read, place: &str) -> Result<Content, super::ImportError> {
        let mut bytes = Vec::new();
        let limit = self.bounds.packet_bytes;
        reader.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(|error| self.failure(place, error))?;
        if bytes.len() > limit {
            return Ok(Content::Refused(format!("more than {limit} bytes")));
        }
        Ok(Content::Phenopacket(bytes))
    }

    fn lines(&mut self, mut reader: impl BufRead, place: &str) -> Result<(), super::ImportError> {
        let limit = self.bounds.packet_bytes;
        let mut number = 0_u64;
        loop {
            let mut line = Vec::new();
            let count = (&mut reader)
                .take(limit as u64 + 1)
                .read_until(b'\n', &mut line)
                .map_err(|error| self.failure(place, error))?;
            if count == 0 {
                return Ok(());
            }
            number += 1;
            let row = format!("{place}:{number}");
            if line.last() != Some(&b'\n') && line.len() > limit {
                self.give(row, Content::Refused(format!("more than {limit} bytes")))?;
                skip_line(&mut reader).map_err(|error| self.failure(place, error))?;
            } else if !line.iter().all(u8::is_ascii_whitespace) {
                self.give(row, Content::Line(line))?;
            }
        }
    }

    /// Walks an archive's raw entries: long names are read here, within bounds, instead of by the library.
    fn archive(&mut self, reader: impl Read, place: &str) -> Result<(), super::ImportError> {
        let mut archive = tar::Archive::new(reader);
        let entries = archive.entries().map_err(|error| self.failure(place, error))?.raw(true);
        let mut long_name = None;
        for entry in entries {
            let mut entry = entry.map_err(|error| self.failure(place, error))?;
            let kind = entry.header().entry_type();
            if kind.is_gnu_longname() || kind.is_pax_local_extensions() {
                let mut bytes = Vec::new();
                (&mut entry).take(64 << 10).read_to_end(&mut bytes).map_err(|error| self.failure(place, error))?;
                long_name = if kind.is_gnu_longname() { gnu_name(&bytes) } else { pax_path(&bytes) };
                continue;
            }
            let short_name = || String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let name = long_name.take().unwrap_or_else(short_name);
            let row = format!("{place}: {}", name.escape_debug());
            let path = Path::new(&name);
            let wanted = Format::of(path).is_some_and(|format| format == Format::PACKET) && !is_side_file(path);
            let content = match kind {
                tar::EntryType::Directory | tar::EntryType::XGlobalHeader | tar::EntryType::GNULongLink => continue,
                tar::EntryType::Regular | tar::EntryType::Continuous if wanted => self.packet(&mut entry, &row)?,
                tar::EntryType::Regular | tar::EntryType::Continuous => Content::Ignored(NOT_OURS),
                _ => Content::Ignored("not a regular file"),
            };
            self.give(row, content)?;
        }
        Ok(())
    }

    fn give(&mut self, row: String, content: Content) -> Result<(), super::ImportError> {
        self.entries += 1;
        if self.entries > self.bounds.entries {
            return Err(SourceError::TooManyEntries { place: row, limit: self.bounds.entries }.into());
        }
        (self.take)(row, content)
    }

    fn failure(&self, place: &str, error: io::Error) -> SourceError {
        if error.to_string().contains(BUDGET) {
            return SourceError::TooLarge { place: place.to_owned(), limit: self.bounds.total_bytes };
        }
        SourceError::Io { place: place.to_owned(), error }
    }
}

const NOT_OURS: &str = "neither a Phenopacket (.json), nor JSON lines (.jsonl), nor an archive";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Packet,
    Lines,
    Archive,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Format {
    shape: Shape,
    gzip: bool,
}

impl Format {
    const PACKET: Self = Self { shape: Shape::Packet, gzip: false };

    fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
        let (name, gzip) = match name.strip_suffix(".gz") {
            Some(rest) => (rest, true),
            None => (name.as_str(), false),
        };
        let ends = |suffix: &str| name.ends_with(suffix);
        if ends(".tgz") && !gzip {
            return Some(Self { shape: Shape::Archive, gzip: true });
        }
        let shape = match () {
            () if ends(".tar") => Shape::Archive,
            () if ends(".jsonl") || ends(".ndjson") => Shape::Lines,
            () if ends(".json") => Shape::Packet,
            () => return None,
        };
        Some(Self { shape, gzip })
    }
}

/// macOS puts `._name` files beside the real ones into archives.
fn is_side_file(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("._"))
}

fn skip_line(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        let (end, found) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        reader.consume(end);
        if found {
            return Ok(());
        }
    }
}

fn gnu_name(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    Some(String::from_utf8_lossy(bytes.get(..end)?).into_owned())
}

/// The `path` record of a PAX header: lines of `length key=value`.
fn pax_path(bytes: &[u8]) -> Option<String> {
    tar::PaxExtensions::new(bytes)
        .filter_map(Result::ok)
        .find(|extension| extension.key_bytes() == b"path")
        .map(|extension| String::from_utf8_lossy(extension.value_bytes()).into_owned())
}
