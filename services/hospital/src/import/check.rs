//! A stated packet against a vocabulary: what is kept, what is repaired, why one is refused.

use std::collections::BTreeMap;

use semblance_core::term::TermId;

use super::packet::Packet;
use super::report::Repair;
use crate::store::case::{CaseContent, CaseTerm, LocalCaseId};

/// What a vocabulary says of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// A symptom.
    Symptom,
    /// An older id of this symptom.
    Replaced(TermId),
    /// Retired, without a single replacement.
    Retired,
    /// A term, but no phenotypic abnormality: an onset, a mode of inheritance.
    NoSymptom,
    /// Not in this release.
    Unknown,
}

/// Why a packet is refused whole. The text is for the importing person; it is never logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The packet's id is no usable name.
    #[error("id: {0}")]
    Id(#[from] crate::store::case::LocalCaseIdError),
    /// An HPO id that is malformed.
    #[error("`{0}` is no HPO id: expected HP: and seven digits, as in HP:0001250")]
    Malformed(String),
    /// An HPO id that the vocabulary does not have.
    #[error("{0} is not in the vocabulary's HPO release: check the digits, or use a newer vocabulary")]
    Unknown(TermId),
}

/// A checked packet and what was repaired in it.
pub(super) struct Checked {
    pub(super) case: CaseContent,
    pub(super) repairs: Vec<Repair>,
}

/// Holds a packet against a vocabulary.
pub(super) fn check(packet: Packet, known: &dyn Fn(TermId) -> Known) -> Result<Checked, Refusal> {
    let local_id: LocalCaseId = packet.id.parse()?;
    let mut repairs: Vec<Repair> = packet.notes.into_iter().map(Repair::Read).collect();
    let mut terms: BTreeMap<TermId, CaseTerm> = BTreeMap::new();
    for feature in packet.features {
        if !feature.id.get(..3).is_some_and(|prefix| prefix.eq_ignore_ascii_case("HP:")) {
            repairs.push(Repair::Foreign { id: feature.id.chars().take(80).collect() });
            continue;
        }
        let stated: TermId =
            feature.id.parse().map_err(|_| Refusal::Malformed(feature.id.chars().take(80).collect()))?;
        let term = match known(stated) {
            Known::Symptom => stated,
            Known::Replaced(by) => {
                repairs.push(Repair::Replaced { id: stated.to_string(), by: by.to_string() });
                by
            }
            Known::Retired => {
                repairs.push(Repair::Retired { id: stated.to_string() });
                continue;
            }
            Known::NoSymptom => {
                repairs.push(Repair::NoSymptom { id: stated.to_string() });
                continue;
            }
            Known::Unknown => return Err(Refusal::Unknown(stated)),
        };
        let new = CaseTerm { term, excluded: feature.excluded, onset: feature.onset };
        merge(&mut terms, new, &mut repairs);
    }
    let case =
        CaseContent { local_id, subject: packet.subject, label: packet.label, terms: terms.into_values().collect() };
    Ok(Checked { case, repairs })
}

fn merge(terms: &mut BTreeMap<TermId, CaseTerm>, new: CaseTerm, repairs: &mut Vec<Repair>) {
    let Some(before) = terms.get_mut(&new.term) else {
        terms.insert(new.term, new);
        return;
    };
    let id = new.term.to_string();
    if before.excluded == new.excluded {
        repairs.push(Repair::Duplicate { id });
        if before.onset.is_none() {
            before.onset = new.onset;
        }
        return;
    }
    // A symptom that was absent at one visit and present at another is present.
    repairs.push(Repair::Contradiction { id });
    if before.excluded {
        *before = new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::packet::StatedFeature;

    fn term(number: u32) -> TermId {
        TermId::new(number).unwrap()
    }

    fn known(id: TermId) -> Known {
        match id.number() {
            1250..=1260 => Known::Symptom,
            9 => Known::Replaced(term(1250)),
            8 => Known::Retired,
            7 => Known::NoSymptom,
            _ => Known::Unknown,
        }
    }

    fn packet(features: &[(&str, bool)]) -> Packet {
        let features =
            features.iter().map(|&(id, excluded)| StatedFeature { id: id.to_owned(), excluded, onset: None }).collect();
        Packet { id: "p".into(), subject: None, label: None, features, notes: vec![] }
    }

    #[test]
    fn every_repair_is_named_and_nothing_is_dropped_silently() {
        let features = [
            ("HP:0000009", false),
            ("HP:0001250", false),
            ("HP:0000008", false),
            ("HP:0000007", true),
            ("MONDO:0000001", false),
            ("HP:0001252", true),
            ("HP:0001252", false),
            ("HP:0001253", true),
        ];
        let checked = check(packet(&features), &known).ok().unwrap();
        assert_eq!(checked.case.observed(), [term(1250), term(1252)]);
        assert_eq!(checked.case.terms.len(), 3);
        let expected = [
            Repair::Replaced { id: "HP:0000009".into(), by: "HP:0001250".into() },
            Repair::Duplicate { id: "HP:0001250".into() },
            Repair::Retired { id: "HP:0000008".into() },
            Repair::NoSymptom { id: "HP:0000007".into() },
            Repair::Foreign { id: "MONDO:0000001".into() },
            Repair::Contradiction { id: "HP:0001252".into() },
        ];
        assert_eq!(checked.repairs, expected);
    }

    #[test]
    fn unknown_and_malformed_ids_refuse_the_packet() {
        assert_eq!(check(packet(&[("HP:9999999", false)]), &known).err(), Some(Refusal::Unknown(term(9_999_999))));
        assert!(matches!(check(packet(&[("HP:12", false)]), &known).err(), Some(Refusal::Malformed(_))));
        assert!(matches!(check(packet(&[("hp:0001250", false)]), &known).err(), Some(Refusal::Malformed(_))));
    }
}
