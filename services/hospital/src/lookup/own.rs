//! Similar cases of the own hospital, compared in plaintext; nothing of this leaves it.

use std::collections::BTreeSet;

use semblance_core::term::TermId;

use super::report::{OwnCase, Symptom};
use crate::error::HospitalError;
use crate::service::HospitalService;
use crate::step::CHUNK;
use crate::store::case::{self, StoredCase};

/// Most own cases shown.
const SHOWN: usize = 10;
/// Fewer thousandths are no likeness worth showing.
const FLOOR: u32 = 100;

impl HospitalService {
    /// The own cases most similar to this one: simGIC, the information shared over the information of both, ancestors
    /// included.
    pub(super) async fn similar_own(&self, asked: &StoredCase) -> Result<Vec<OwnCase>, HospitalError> {
        let service = self.clone();
        let (id, observed) = (asked.content.local_id.clone(), asked.content.observed());
        self.store()
            .run(move |tx| -> Result<Vec<OwnCase>, HospitalError> {
                let closure = service.closure(&observed);
                let (mut best, mut after): (Vec<OwnCase>, String) = (Vec::new(), String::new());
                loop {
                    let page = case::page(tx, &after, CHUNK)?;
                    let Some(last) = page.last() else { break };
                    last.content.local_id.as_str().clone_into(&mut after);
                    let others = page.iter().filter(|other| other.content.local_id != id);
                    best.extend(others.filter_map(|other| service.compare(&observed, &closure, other)));
                    best.sort_by(|one, next| next.thousandths.cmp(&one.thousandths).then(one.case.cmp(&next.case)));
                    best.truncate(SHOWN);
                }
                Ok(best)
            })
            .await
    }

    fn compare(&self, observed: &[TermId], closure: &BTreeSet<TermId>, other: &StoredCase) -> Option<OwnCase> {
        let theirs = other.content.observed();
        let their_closure = self.closure(&theirs);
        let weight = |terms: &mut dyn Iterator<Item = &TermId>| -> f64 {
            terms.map(|term| self.inner.vocabulary.information_content(*term)).sum()
        };
        let both = weight(&mut closure.intersection(&their_closure));
        let either = weight(&mut closure.union(&their_closure));
        if either <= 0.0 {
            return None;
        }
        let thousandths = (1000.0 * both / either) as u32;
        if thousandths < FLOOR {
            return None;
        }
        let shared = observed.iter().filter(|term| theirs.contains(term)).map(|term| self.symptom(*term)).collect();
        let case = other.content.local_id.to_string();
        Some(OwnCase { case, label: other.content.label.clone(), thousandths, shared })
    }

    fn closure(&self, terms: &[TermId]) -> BTreeSet<TermId> {
        terms.iter().flat_map(|term| self.inner.vocabulary.ancestors(*term)).copied().collect()
    }

    /// A symptom with its name.
    pub(crate) fn symptom(&self, term: TermId) -> Symptom {
        let label = self.inner.vocabulary.label(term).unwrap_or_default().to_owned();
        Symptom { id: term.to_string(), label }
    }
}
