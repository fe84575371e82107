//! Lay words of our own, laid over the HPO's synonyms: a text file of words, id and label, separated by tabs.

use crate::term::TermId;

/// Rows at most.
const ROWS_MAX: usize = 10_000;

/// A lay word and the term it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayWord {
    pub(super) words: String,
    pub(super) term: TermId,
}

/// Why a text is no list of lay words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("lay words, line {line}: {why}")]
pub struct LayWordError {
    line: usize,
    why: &'static str,
}

impl LayWord {
    /// Reads a list. Lines that start with `#` are remarks; the label at the end of a row is for its reader.
    ///
    /// # Errors
    /// A row without words or HPO id, or too many rows.
    pub fn parse(text: &str) -> Result<Vec<Self>, LayWordError> {
        let mut rows = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let fail = |why| LayWordError { line: index + 1, why };
            let mut columns = line.split('\t');
            let words = columns.next().map(str::trim).filter(|words| !words.is_empty()).ok_or(fail("no words"))?;
            let term = columns.next().and_then(|id| id.parse().ok()).ok_or(fail("no HPO id in the second column"))?;
            if rows.len() == ROWS_MAX {
                return Err(fail("too many rows"));
            }
            rows.push(Self { words: words.to_owned(), term });
        }
        Ok(rows)
    }

    /// The lay words that are part of the program.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the file is committed and parsed by the tests")]
    pub fn built_in() -> Vec<Self> {
        Self::parse(include_str!("../../../data/lay-words.tsv")).expect("the built-in lay words parse")
    }

    /// What people say.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.words
    }

    /// What it means.
    #[must_use]
    pub const fn term(&self) -> TermId {
        self.term
    }
}
