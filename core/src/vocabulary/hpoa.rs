//! Reads `phenotype.hpoa`, the official disease annotations of the HPO: twelve columns, separated by tabs.
//!
//! A row that cannot be read is refused with its line and the reason, the others stand.

use super::frequency::{self, Stated};
use super::obo::release;
use crate::term::TermId;

/// Bytes of one line at most.
const LINE_MAX: usize = 1 << 16;
/// Columns of a row.
const COLUMNS: usize = 12;

/// The parts of a `phenotype.hpoa`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Annotations {
    /// The date of the file.
    pub(super) release: String,
    /// In the order of the file.
    pub(super) rows: Vec<Row>,
    /// Rows that could not be read, or only in part: line and reason.
    pub(super) refused: Vec<(usize, &'static str)>,
}

/// One annotation.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) line: usize,
    pub(super) disease: String,
    pub(super) name: String,
    /// The disease does *not* show the term.
    pub(super) excluded: bool,
    pub(super) term: TermId,
    pub(super) stated: Stated,
}

/// Why a file is no `phenotype.hpoa`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HpoaError {
    /// The header does not tell the release.
    #[error("the header has no #version with a date, as in 2025-01-16")]
    NoRelease,
    /// The line that names the columns is missing or names others.
    #[error("the columns are not those of phenotype.hpoa: expected database_id, disease_name, qualifier, hpo_id, …")]
    Columns,
}

/// Reads the file.
pub(super) fn parse(bytes: &[u8]) -> Result<Annotations, HpoaError> {
    let mut annotations = Annotations::default();
    let mut named = false;
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(version) = line.strip_prefix(b"#version:") {
            let version = std::str::from_utf8(version).unwrap_or_default();
            annotations.release = release(version.trim()).ok_or(HpoaError::NoRelease)?;
        } else if line.is_empty() || line.starts_with(b"#") {
            // A remark.
        } else if !named {
            if !line.starts_with(b"database_id\tdisease_name\tqualifier\thpo_id\treference\tevidence\tonset\tfrequency")
            {
                return Err(HpoaError::Columns);
            }
            named = true;
        } else {
            match row(line, index + 1, &mut annotations.refused) {
                Ok(row) => annotations.rows.push(row),
                Err(why) => annotations.refused.push((index + 1, why)),
            }
        }
    }
    if annotations.release.is_empty() {
        return Err(HpoaError::NoRelease);
    }
    if named { Ok(annotations) } else { Err(HpoaError::Columns) }
}

fn row(line: &[u8], number: usize, refused: &mut Vec<(usize, &'static str)>) -> Result<Row, &'static str> {
    if line.len() > LINE_MAX {
        return Err("the line is too long");
    }
    let line = std::str::from_utf8(line).map_err(|_| "not UTF-8")?;
    let columns: Vec<&str> = line.split('\t').collect();
    let [disease, name, qualifier, term, _, _, _, frequency, ..] = columns.as_slice() else {
        return Err("too few columns");
    };
    if columns.len() != COLUMNS {
        return Err("not twelve columns");
    }
    let well_formed = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic());
    if !disease.split_once(':').is_some_and(|(source, local)| well_formed(source) && well_formed(local)) {
        return Err("not a disease id: expected a source and a number, as in OMIM:147791");
    }
    let excluded = match *qualifier {
        "" => false,
        "NOT" => true,
        _ => return Err("the qualifier is neither empty nor NOT"),
    };
    let term = term.parse().map_err(|_| "not an HPO id: expected HP: and seven digits")?;
    let stated = frequency::parse(frequency).unwrap_or_else(|_| {
        refused.push((number, "the frequency cannot be read; the row is kept without one"));
        Stated::Unstated
    });
    Ok(Row { line: number, disease: (*disease).to_owned(), name: (*name).to_owned(), excluded, term, stated })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: &str = "#version: 2025-01-16\ndatabase_id\tdisease_name\tqualifier\thpo_id\treference\tevidence\tonset\tfrequency\tsex\tmodifier\taspect\tbiocuration\n";

    fn read(body: &str) -> Annotations {
        parse(format!("{HEADER}{body}").as_bytes()).unwrap()
    }

    #[test]
    fn rows_are_read() {
        let read = read(
            "OMIM:1\tName\t\tHP:0001250\tPMID:1\tPCS\t\t1/2\t\t\tP\tx\nORPHA:2\tOther\tNOT\tHP:0001251\tPMID:1\tTAS\t\t\t\t\tP\tx\n",
        );
        assert_eq!((read.release.as_str(), read.rows.len(), read.refused.len()), ("2025-01-16", 2, 0));
        assert_eq!((read.rows[0].stated, read.rows[0].excluded, read.rows[0].line), (Stated::Count(1, 2), false, 3));
        assert!(read.rows[1].excluded);
    }

    #[test]
    fn a_broken_row_is_named_and_the_others_stand() {
        let read = read(concat!(
            "OMIM:1\tName\t\tHP:1250\tPMID:1\tPCS\t\t1/2\t\t\tP\tx\n",
            "short\trow\n",
            "OMIM:1\tName\tMAYBE\tHP:0001250\tPMID:1\tPCS\t\t1/2\t\t\tP\tx\n",
            "OMIM:1\tName\t\tHP:0001250\tPMID:1\tPCS\t\toften\t\t\tP\tx\n",
            "nothing\tName\t\tHP:0001250\tPMID:1\tPCS\t\t\t\t\tP\tx\n",
        ));
        assert_eq!(read.refused.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 4, 5, 6, 7]);
        assert_eq!(read.rows.len(), 1, "the row with an unreadable frequency is kept");
    }

    #[test]
    fn another_file_is_refused() {
        assert_eq!(parse(b"a\tb\n"), Err(HpoaError::Columns));
        assert_eq!(parse(&HEADER.as_bytes()[21..]), Err(HpoaError::NoRelease));
        assert_eq!(parse(b"#version: 2025-01-16\n"), Err(HpoaError::Columns));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
            let mut with_header = HEADER.as_bytes().to_vec();
            with_header.extend_from_slice(&bytes);
            let _ = parse(&with_header);
        }

        #[test]
        fn every_row_is_kept_or_refused(columns in proptest::collection::vec("[^\t\r\n]{0,8}|HP:[0-9]{7}|OMIM:[0-9]+|NOT|[0-9]+/[0-9]+", 1..14)) {
            let line = columns.join("\t");
            let read = read(&line);
            if !line.is_empty() && !line.starts_with('#') {
                prop_assert!(read.rows.len() + read.refused.len() >= 1);
            }
        }
    }
}
