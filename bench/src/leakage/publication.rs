//! What the attacker sees, and what he can make himself in the same way.

use semblance_core::dummies::{CaseSecret, Frequencies};
use semblance_core::fingerprint::FingerprintPlan;
use semblance_core::observed::ObservedTerms;
use semblance_core::term::TermId;
use semblance_core::vocabulary::Vocabulary;

use super::Numbers;
use crate::draw::Draw;

/// A way to publish cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Design {
    /// `terms-8`: observed terms and dummies.
    Padded,
    /// Observed terms alone.
    Unpadded,
    /// Observed terms and everything above them.
    Closure,
}

impl Design {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Padded => "terms-8",
            Self::Unpadded => "unpadded",
            Self::Closure => "closure",
        }
    }
}

/// Makes sets of terms as hospitals do.
pub(super) struct Publisher<'a> {
    pub(super) vocabulary: &'a Vocabulary,
    pub(super) frequencies: &'a Frequencies,
}

/// Published sets of nameless tokens, with the truth that the attacker does not see.
pub(super) struct Publication {
    pub(super) sets: Vec<Vec<u32>>,
    pub(super) observed: Vec<Vec<TermId>>,
    pub(super) numbers: Numbers,
}

impl Publisher<'_> {
    /// Publishes cases.
    pub(super) fn publish(
        &self,
        design: Design,
        observed: &[Vec<TermId>],
        purpose: &str,
    ) -> anyhow::Result<Publication> {
        let sets = self.treat(design, observed, purpose)?;
        let numbers = Numbers::of(&sets);
        let sets = sets.iter().map(|set| numbers.set(set)).collect();
        Ok(Publication { sets, observed: observed.to_vec(), numbers })
    }

    /// The terms behind the tokens of cases.
    pub(super) fn treat(
        &self,
        design: Design,
        cases: &[Vec<TermId>],
        purpose: &str,
    ) -> anyhow::Result<Vec<Vec<TermId>>> {
        let mut secrets = Draw::new(0, purpose);
        let treat = |terms: &Vec<TermId>| match design {
            Design::Padded => {
                let observed = ObservedTerms::new(self.vocabulary, terms)?;
                let secret = CaseSecret::from_bytes(secrets.bytes());
                Ok(FingerprintPlan::new(&observed, &secret, self.frequencies)?.terms().to_vec())
            }
            Design::Unpadded | Design::Closure => Ok(self.visible(design, terms)),
        };
        cases.iter().map(treat).collect()
    }

    /// What follows from a case's terms alone, without its secret.
    pub(super) fn visible(&self, design: Design, terms: &[TermId]) -> Vec<TermId> {
        if design != Design::Closure {
            return terms.to_vec();
        }
        let mut above: Vec<TermId> = terms.iter().flat_map(|term| self.vocabulary.ancestors(*term)).copied().collect();
        above.sort_unstable();
        above.dedup();
        // What everyone has is read at once and tells nothing.
        above.retain(|term| crate::cases::is_symptom(self.vocabulary, *term));
        above
    }
}

/// Patients drawn from the public disease frequencies, each disease alike, with 3 to 32 terms.
pub(super) fn imagine(vocabulary: &Vocabulary, count: usize) -> Vec<Vec<TermId>> {
    let mut draw = Draw::new(0, "imagined patients");
    let diseases = vocabulary.diseases();
    let mut patients = Vec::with_capacity(count);
    for _ in 0..count * 10 {
        let Some(disease) = diseases.get(draw.below(diseases.len())) else { break };
        let has = |draw: &mut Draw, per_mille: u16| draw.below(1000) < usize::from(per_mille);
        let symptoms = disease.terms().iter().filter(|symptom| has(&mut draw, symptom.per_mille()));
        let terms: Vec<TermId> = symptoms.map(|symptom| symptom.term()).collect();
        if let Ok(observed) = ObservedTerms::new(vocabulary, &terms) {
            patients.push(observed.terms().to_vec());
        }
        if patients.len() == count {
            break;
        }
    }
    patients
}
