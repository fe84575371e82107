//! Published cases from JSON lines, gzipped or not.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::Context;
use semblance_core::observed::ObservedTerms;
use semblance_core::term::TermId;
use semblance_core::vocabulary::{Resolution, Vocabulary};
use serde::Deserialize;

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "pub")]
    publication: String,
    disease: String,
    observed: Vec<String>,
}

/// One published case with at least three observed terms.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// What enters fingerprint and query.
    pub(crate) observed: ObservedTerms,
    /// All observed terms, ascending, also beyond the 32 of a fingerprint: what the plaintext competitors see.
    pub(crate) terms: Vec<TermId>,
    /// The disease, by number.
    pub(crate) disease: usize,
    /// The publication, by number.
    pub(crate) publication: usize,
}

/// Numbers for names, the same ones in all files of one run.
#[derive(Default)]
pub(crate) struct Names(BTreeMap<String, usize>);

impl Names {
    fn number(&mut self, name: String) -> usize {
        let next = self.0.len();
        *self.0.entry(name).or_insert(next)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Numbers of diseases and of publications.
#[derive(Default)]
pub(crate) struct Register {
    pub(crate) diseases: Names,
    pub(crate) publications: Names,
}

/// The usable cases of a file.
pub(crate) struct Cases {
    pub(crate) cases: Vec<Case>,
    /// Cases left out because fewer than three of their terms are symptoms of the vocabulary.
    pub(crate) too_few: usize,
    /// Ids left out because the vocabulary cannot resolve them to one symptom.
    pub(crate) unknown: usize,
}

/// Reads a file of JSON lines with `pub`, `disease` and `observed`.
pub(crate) fn read(path: &Path, vocabulary: &Vocabulary, register: &mut Register) -> anyhow::Result<Cases> {
    let mut found = Cases { cases: Vec::new(), too_few: 0, unknown: 0 };
    for (number, line) in lines(path)?.lines().enumerate() {
        let line = line.with_context(|| format!("{}: line {} cannot be read", path.display(), number + 1))?;
        if line.trim().is_empty() {
            continue;
        }
        let row: Row = serde_json::from_str(&line)
            .with_context(|| format!("{}: line {} is no case: pub, disease, observed", path.display(), number + 1))?;
        let mut terms: Vec<TermId> = row.observed.iter().filter_map(|id| symptom(vocabulary, id)).collect();
        found.unknown += row.observed.len() - terms.len();
        terms.sort_unstable();
        terms.dedup();
        let Ok(observed) = ObservedTerms::new(vocabulary, &terms) else {
            found.too_few += 1;
            continue;
        };
        let disease = register.diseases.number(row.disease);
        let publication = register.publications.number(row.publication);
        found.cases.push(Case { observed, terms, disease, publication });
    }
    anyhow::ensure!(!found.cases.is_empty(), "{} holds no usable case", path.display());
    Ok(found)
}

fn lines(path: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut magic = [0; 2];
    let gzipped = file.read(&mut magic)? == 2 && magic == [0x1f, 0x8b];
    file.seek(SeekFrom::Start(0))?;
    if gzipped {
        Ok(Box::new(BufReader::new(flate2::read::MultiGzDecoder::new(file))))
    } else {
        Ok(Box::new(BufReader::new(file)))
    }
}

fn symptom(vocabulary: &Vocabulary, id: &str) -> Option<TermId> {
    let term = match vocabulary.resolve(id.parse().ok()?) {
        Resolution::Current(term) | Resolution::Replaced { by: term } => term,
        Resolution::Obsolete { .. } | Resolution::Unknown => return None,
    };
    is_symptom(vocabulary, term).then_some(term)
}

/// Whether a term is strictly below *Phenotypic abnormality*.
pub(crate) fn is_symptom(vocabulary: &Vocabulary, term: TermId) -> bool {
    term != TermId::PHENOTYPIC_ABNORMALITY && vocabulary.is_phenotypic_abnormality(term)
}
