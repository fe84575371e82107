//! Cases and queries in the shape of `terms-8`, at any number.
//!
//! Each case is drawn from a profile, which is the terms of a published case (`--from`) or of a synthetic patient:
//! most of its terms are kept and a few of another's join. Dummies and relatives are the real ones. Tokens are hashes
//! of term numbers: no key is needed to measure speed.

use std::collections::BTreeSet;
use std::path::Path;

use semblance_core::dummies::{CaseSecret, Frequencies};
use semblance_core::fingerprint::FingerprintPlan;
use semblance_core::id::CaseHandle;
use semblance_core::observed::ObservedTerms;
use semblance_core::policy::Reach;
use semblance_core::query::{Breadth, Group, Query, QueryPlan};
use semblance_core::random::SeededSource;
use semblance_core::synthetic;
use semblance_core::term::TermId;
use semblance_core::time::Timestamp;
use semblance_core::token::{EpochNumber, Token};
use semblance_core::vocabulary::Vocabulary;
use semblance_index::IndexedCase;

use crate::cases;
use crate::draw::Draw;

/// Synthetic profiles, when no published cases are given, and the diseases they have.
const PATIENTS: usize = 5_000;
const DISEASES: usize = 500;
/// Hospitals among which the cases are spread.
const HOSPITALS: usize = 12;
/// The second half of two years in which cases expire.
const EXPIRY_MILLIS: usize = 730 * 86_400_000;

/// Where cases come from.
pub(crate) struct Source {
    vocabulary: std::sync::Arc<Vocabulary>,
    frequencies: Frequencies,
    profiles: Vec<Vec<TermId>>,
}

impl Source {
    /// Published cases from JSON lines, or synthetic patients.
    pub(crate) fn new(from: Option<&Path>, draw: &mut Draw) -> anyhow::Result<Self> {
        let vocabulary = Vocabulary::built_in();
        let profiles = match from {
            Some(path) => {
                let read = cases::read(path, &vocabulary, &mut cases::Register::default())?;
                read.cases.iter().map(|case| case.observed.terms().to_vec()).collect()
            }
            None => {
                let patients = synthetic::patients(&vocabulary, PATIENTS, DISEASES, &SeededSource::new(draw.bytes()));
                patients.into_iter().map(|patient| patient.observed).collect()
            }
        };
        Ok(Self { frequencies: Frequencies::of(&vocabulary), vocabulary, profiles })
    }

    /// The observed terms of one more case.
    pub(crate) fn observed(&self, draw: &mut Draw) -> ObservedTerms {
        loop {
            let (profile, other) = (self.profile(draw), self.profile(draw));
            let mut terms: Vec<TermId> = profile.iter().copied().filter(|_| draw.below(4) > 0).collect();
            terms.extend(other.iter().take(draw.below(3)));
            // Fewer than three terms are no case: draw again.
            if let Ok(observed) = ObservedTerms::new(&self.vocabulary, &terms) {
                return observed;
            }
        }
    }

    fn profile(&self, draw: &mut Draw) -> &[TermId] {
        self.profiles.get(draw.below(self.profiles.len())).map(Vec::as_slice).unwrap_or_default()
    }

    /// A case with these observed terms.
    pub(crate) fn case(&self, ordinal: u32, observed: &ObservedTerms, draw: &mut Draw) -> anyhow::Result<IndexedCase> {
        let drawn = draw.bytes();
        let plan = FingerprintPlan::new(observed, &CaseSecret::from_bytes(drawn), &self.frequencies)?;
        let tokens: BTreeSet<Token> = plan.terms().iter().map(token).collect();
        let tokens: Vec<Token> = tokens.into_iter().collect();
        let handle = CaseHandle::from_bytes(drawn.first_chunk().copied().unwrap_or_default());
        let expires = Timestamp::from_millis(1_800_000_000_000 + draw.below(EXPIRY_MILLIS) as u64);
        let hospital = draw.below(HOSPITALS) as u16;
        Ok(IndexedCase::new(ordinal, handle, hospital, expires, &tokens)?)
    }

    /// A query from a case's observed terms.
    pub(crate) fn query(&self, breadth: Breadth, observed: &ObservedTerms) -> anyhow::Result<Query> {
        let plan = match breadth {
            Breadth::Close => QueryPlan::close(observed),
            Breadth::Wide => {
                QueryPlan::wide(observed, &self.vocabulary, &CaseSecret::from_bytes([7; 32]), &self.frequencies)?
            }
        };
        let group = |(own, relatives): (TermId, &[TermId])| Group {
            own: token(&own),
            relatives: relatives.iter().map(token).collect(),
        };
        Ok(Query::new(EpochNumber(1), breadth, plan.groups().map(group).collect(), 10)?)
    }

    /// The observed terms of a case that may be looked up wide.
    pub(crate) fn asked(&self, draw: &mut Draw) -> ObservedTerms {
        loop {
            let observed = self.observed(draw);
            if observed.reach() == Reach::Full {
                return observed;
            }
        }
    }
}

fn token(term: &TermId) -> Token {
    let hash = blake3::hash(&term.number().to_be_bytes());
    Token(u64::from_be_bytes(hash.as_bytes().first_chunk().copied().unwrap_or_default()))
}
