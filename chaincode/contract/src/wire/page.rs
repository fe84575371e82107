//! Pages of a query, and what a query may not find.

use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::limits::PAGE_MAX;
use semblance_core::record::{Record, read_option, write_option};

/// Longest bookmark, in bytes; the longest key of the ledger fits.
const BOOKMARK_MAX: usize = 256;

/// Nothing: the argument of a query that needs none, the response of a transaction that says none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Empty;

impl Record for Empty {
    const NAME: &'static str = "empty";

    fn write(&self, _writer: &mut Writer) {}

    fn read(_reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self)
    }
}

/// A record, or that there is none: a flag, then the record's fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maybe<T>(pub Option<T>);

impl<T: Record> Record for Maybe<T> {
    const NAME: &'static str = T::NAME;

    fn write(&self, writer: &mut Writer) {
        write_option(writer, self.0.as_ref(), T::write);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        read_option(reader, T::NAME, T::read).map(Self)
    }
}

/// Which page of a query: an optional bookmark, and how many rows at most (u16, 1 to 500).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    bookmark: Option<String>,
    limit: u16,
}

impl PageRequest {
    /// The first page; the limit is brought into its bounds.
    #[must_use]
    pub fn first(limit: usize) -> Self {
        Self::at(None, limit)
    }

    /// The page that starts at a bookmark, as the page before gave it.
    #[must_use]
    pub fn at(bookmark: Option<String>, limit: usize) -> Self {
        let limit = u16::try_from(limit.clamp(1, PAGE_MAX)).unwrap_or(1);
        Self { bookmark, limit }
    }

    /// Where to start.
    #[must_use]
    pub fn bookmark(&self) -> Option<&str> {
        self.bookmark.as_deref()
    }

    /// How many rows at most.
    #[must_use]
    pub fn limit(&self) -> usize {
        usize::from(self.limit)
    }
}

impl Record for PageRequest {
    const NAME: &'static str = "page request";

    fn write(&self, writer: &mut Writer) {
        write_option(writer, self.bookmark.as_ref(), |bookmark, writer| {
            writer.text(bookmark);
        });
        writer.u16(self.limit);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bookmark = read_option(reader, "bookmark", read_bookmark)?;
        let limit = reader.u16("page limit")?;
        if !(1..=PAGE_MAX).contains(&usize::from(limit)) {
            return Err(DecodeError::Invalid { what: "page limit", why: "a page has 1 to 500 rows" });
        }
        Ok(Self { bookmark, limit })
    }
}

fn read_bookmark(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    reader.text("bookmark", BOOKMARK_MAX).map(str::to_owned)
}

/// Some rows of a query, and where the next page starts unless this is the last one. A page may hold fewer rows than
/// asked for and still not be the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// The bookmark of the next page.
    pub next: Option<String>,
}

impl<T: Record> Record for Page<T> {
    const NAME: &'static str = T::NAME;

    fn write(&self, writer: &mut Writer) {
        writer.count(self.rows.len());
        for row in &self.rows {
            row.write(writer);
        }
        write_option(writer, self.next.as_ref(), |next, writer| {
            writer.text(next);
        });
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = reader.count("rows of a page", PAGE_MAX)?;
        let rows = (0..count).map(|_| T::read(reader)).collect::<Result<_, _>>()?;
        Ok(Self { rows, next: read_option(reader, "bookmark", read_bookmark)? })
    }
}
