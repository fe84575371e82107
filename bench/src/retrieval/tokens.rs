//! Our own designs: real seeds, real fingerprints, real queries, the real index.

use std::path::Path;

use anyhow::Context;
use semblance_core::dummies::{CaseSecret, Frequencies};
use semblance_core::fingerprint::FingerprintPlan;
use semblance_core::id::CaseHandle;
use semblance_core::policy::Reach;
use semblance_core::query::{Breadth, Query, QueryPlan};
use semblance_core::term::TermId;
use semblance_core::time::Timestamp;
use semblance_core::token::{EpochNumber, Seed, Token};
use semblance_core::vocabulary::Vocabulary;
use semblance_index::{Block, Change, Filters, IndexedCase, Merging, Position, Searcher, Writer};
use semblance_keys::EpochKey;
use tempfile::TempDir;

use super::Ranking;
use crate::cases::Case;
use crate::draw::Draw;

const EPOCH: EpochNumber = EpochNumber(1);

/// The cases as matchers hold them, padded and, for comparison, bare.
///
/// Each publication stands for a hospital of its own, so that the rule that leaves the asker's hospital out masks the
/// query's own publication.
pub(super) struct Collection<'a> {
    cases: &'a [Case],
    vocabulary: &'a Vocabulary,
    frequencies: &'a Frequencies,
    key: EpochKey,
    padded: Shelf,
    bare: Shelf,
}

/// One index in a folder that goes away.
struct Shelf {
    searcher: Searcher,
    _folder: TempDir,
}

impl Shelf {
    fn fill(changes: Vec<Change>) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let mut writer = Writer::open(Path::new(folder.path()), Merging::Off)?;
        writer.apply(&Block { position: Position { block: 1, time: Timestamp::from_millis(1) }, changes })?;
        writer.commit()?;
        Ok(Self { searcher: writer.searcher(), _folder: folder })
    }
}

impl<'a> Collection<'a> {
    pub(super) fn build(
        cases: &'a [Case],
        vocabulary: &'a Vocabulary,
        frequencies: &'a Frequencies,
    ) -> anyhow::Result<Self> {
        let key = EpochKey::from_bytes(Draw::new(0, "epoch key").bytes());
        let mut draw = Draw::new(0, "case secrets");
        let (mut padded, mut bare) = (Vec::with_capacity(cases.len()), Vec::with_capacity(cases.len()));
        for (case, ordinal) in cases.iter().zip(0..) {
            let secret = CaseSecret::from_bytes(draw.bytes());
            let plan = FingerprintPlan::new(&case.observed, &secret, frequencies)?;
            let fingerprint = plan.build(&seeds(&key, plan.terms()))?;
            padded.push(publication(ordinal, case, fingerprint.tokens())?);
            let mut own: Vec<Token> = seeds(&key, case.observed.terms()).iter().map(Seed::token).collect();
            own.sort_unstable();
            bare.push(publication(ordinal, case, &own)?);
        }
        let (padded, bare) = (Shelf::fill(padded)?, Shelf::fill(bare)?);
        Ok(Self { cases, vocabulary, frequencies, key, padded, bare })
    }

    /// What a clinician's look-up asks: a case with three or four terms may only be looked up close.
    fn query(&self, case: &Case, breadth: Breadth) -> anyhow::Result<Query> {
        let plan = match (breadth, case.observed.reach()) {
            (Breadth::Wide, Reach::Full) => {
                let mut hasher = blake3::Hasher::new();
                for term in case.observed.terms() {
                    hasher.update(&term.number().to_be_bytes());
                }
                let secret = CaseSecret::from_bytes(*hasher.finalize().as_bytes());
                QueryPlan::wide(&case.observed, self.vocabulary, &secret, self.frequencies)?
            }
            _ => QueryPlan::close(&case.observed),
        };
        plan.build(EPOCH, &seeds(&self.key, plan.terms()), 10).context("the query cannot be built")
    }

    /// `terms-8`, close.
    pub(super) const fn close(&self) -> Design<'_> {
        Design { collection: self, shelf: &self.padded, breadth: Breadth::Close }
    }

    /// `terms-8`, wide.
    pub(super) const fn wide(&self) -> Design<'_> {
        Design { collection: self, shelf: &self.padded, breadth: Breadth::Wide }
    }

    /// The same without dummies, to see what they cost.
    pub(super) const fn unpadded_wide(&self) -> Design<'_> {
        Design { collection: self, shelf: &self.bare, breadth: Breadth::Wide }
    }

    /// What a clinician would be shown without a floor: for each case of the answer the shown score in thousandths,
    /// and whether the case has the query's disease.
    pub(super) fn shown(&self, query: &Case, breadth: Breadth) -> anyhow::Result<Vec<(u64, bool)>> {
        let asked = self.query(query, breadth)?;
        let hospital = u16::try_from(query.publication)?;
        let view = self.padded.searcher.view();
        let hits = view.search(&asked, Filters::of(hospital))?;
        let explained = view.explain(&asked, Some(hospital), &hits)?;
        let pairs = hits.iter().zip(explained).map(|(hit, explanation)| {
            let shown = explanation.shown;
            let thousandths = shown.reached().saturating_mul(1000).checked_div(shown.possible()).unwrap_or(0);
            (thousandths, self.has_disease(hit.ordinal, query.disease))
        });
        Ok(pairs.collect())
    }

    fn has_disease(&self, ordinal: u32, disease: usize) -> bool {
        self.cases.get(ordinal as usize).is_some_and(|case| case.disease == disease)
    }
}

fn seeds(key: &EpochKey, terms: &[TermId]) -> Vec<Seed> {
    terms.iter().map(|term| key.seed(EPOCH, *term)).collect()
}

fn publication(ordinal: u32, case: &Case, tokens: &[Token]) -> anyhow::Result<Change> {
    let handle = CaseHandle::from_bytes(u128::from(ordinal).to_be_bytes());
    let hospital = u16::try_from(case.publication).context("more than 65,536 publications")?;
    Ok(Change::Add(IndexedCase::new(ordinal, handle, hospital, Timestamp::from_millis(u64::MAX), tokens)?))
}

/// One breadth over one index.
pub(super) struct Design<'a> {
    collection: &'a Collection<'a>,
    shelf: &'a Shelf,
    breadth: Breadth,
}

impl Ranking for Design<'_> {
    fn rank(&self, query: &Case) -> anyhow::Result<Option<usize>> {
        let asked = self.collection.query(query, self.breadth)?;
        // Every case that shares anything, so that ranks beyond an answer's ten are known too.
        let filters = Filters { exclude: Some(u16::try_from(query.publication)?), shared_min: 0 };
        let hits = self.shelf.searcher.view().search_for(&asked, filters, self.collection.cases.len())?;
        let right = |hit: &semblance_index::Hit| self.collection.has_disease(hit.ordinal, query.disease);
        Ok(hits.iter().position(right).map(|position| position + 1))
    }
}
