//! How well dummies are told from real terms by someone who reads a fingerprint and has plaintext cases, and whether it
//! helps to draw no kin of a case's own terms.

use std::collections::{BTreeSet, HashMap};

use semblance_core::dummies::{CaseSecret, Purpose, draw, dummies_for};
use semblance_core::term::TermId;
use serde_json::{Map, Value, json};

use super::publication::Publisher;
use crate::draw::Draw;

/// Imagined cases of independent terms that smooth a co-occurrence.
const SMOOTHING: f64 = 1.0;

pub(super) fn run(publisher: &Publisher<'_>, observed: &[Vec<TermId>]) -> anyhow::Result<(Value, String)> {
    let (target, own) = observed.split_at(observed.len() / 2);
    let company = Company::count(own);
    let (mut report, mut table) = (Map::new(), "\ndummies told from real terms (area under the curve)\n".to_owned());
    for (name, spare_kin) in [("own terms left out", false), ("kin left out too", true)] {
        let (mut real, mut dummy) = (Vec::new(), Vec::new());
        let mut secrets = Draw::new(0, "kinship");
        for terms in target {
            let mut excluded: BTreeSet<TermId> = terms.iter().copied().collect();
            if spare_kin {
                excluded.extend(kin(publisher, terms));
            }
            let secret = CaseSecret::from_bytes(secrets.bytes());
            let wanted = dummies_for(terms.len());
            let dummies = draw(publisher.frequencies, &secret, Purpose::Padding, &excluded, wanted)?;
            let all: Vec<TermId> = terms.iter().chain(&dummies).copied().collect();
            real.extend(terms.iter().map(|term| company.fits(*term, &all)));
            dummy.extend(dummies.iter().map(|term| company.fits(*term, &all)));
        }
        let area = area_under_curve(real, dummy);
        table.push_str(&format!("{name:<20} {area:.3}\n"));
        report.insert(name.replace(' ', "-"), json!((area * 10_000.0).round() / 10_000.0));
    }
    Ok((Value::Object(report), table))
}

/// Everything above and below a case's terms.
fn kin(publisher: &Publisher<'_>, terms: &[TermId]) -> BTreeSet<TermId> {
    let mut kin: BTreeSet<TermId> =
        terms.iter().flat_map(|term| publisher.vocabulary.ancestors(*term)).copied().collect();
    let mut below = terms.to_vec();
    while let Some(term) = below.pop() {
        let children = publisher.vocabulary.children(term);
        below.extend(children.iter().filter(|child| kin.insert(**child)));
    }
    kin
}

/// Which terms keep company in plaintext cases.
struct Company {
    cases: f64,
    terms: HashMap<TermId, f64>,
    pairs: HashMap<(TermId, TermId), f64>,
}

impl Company {
    fn count(cases: &[Vec<TermId>]) -> Self {
        let mut company = Self { cases: cases.len() as f64, terms: HashMap::new(), pairs: HashMap::new() };
        for terms in cases {
            for one in terms {
                *company.terms.entry(*one).or_default() += 1.0;
                for other in terms {
                    *company.pairs.entry((*one, *other)).or_default() += 1.0;
                }
            }
        }
        company
    }

    /// How much more often a term meets the others than by chance, as a mean of logarithms, plus how often it is seen.
    fn fits(&self, term: TermId, all: &[TermId]) -> f64 {
        let share = |term: &TermId| (self.terms.get(term).copied().unwrap_or(0.0) + 0.5) / self.cases;
        let lift = |other: &TermId| {
            let chance = share(&term) * share(other);
            let together = self.pairs.get(&(term, *other)).copied().unwrap_or(0.0);
            ((together + SMOOTHING * chance) / (self.cases + SMOOTHING) / chance).ln().max(-3.0)
        };
        let others = all.iter().filter(|other| **other != term);
        others.map(lift).sum::<f64>() / (all.len().max(2) - 1) as f64 + share(&term).ln()
    }
}

/// The chance that a real term scores above a dummy, ties counting half.
fn area_under_curve(real: Vec<f64>, mut dummy: Vec<f64>) -> f64 {
    dummy.sort_by(f64::total_cmp);
    let below = |score: &f64| {
        let (under, upto) = (dummy.partition_point(|one| one < score), dummy.partition_point(|one| one <= score));
        (under + upto) as f64 / 2.0
    };
    real.iter().map(below).sum::<f64>() / (real.len().max(1) * dummy.len().max(1)) as f64
}
