//! Terms of the Human Phenotype Ontology (HPO), by number.

use std::fmt;

/// An HPO id, `HP:0001250`, as its number. That it exists in a vocabulary is another question.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TermId(u32);

/// The text is no HPO id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an HPO id: expected HP: and seven digits, as in HP:0001250")]
pub struct TermIdError;

impl TermId {
    /// *Phenotypic abnormality*, the root of everything a fingerprint may hold.
    pub const PHENOTYPIC_ABNORMALITY: Self = Self(118);

    /// Checks a number.
    ///
    /// # Errors
    /// More than seven digits.
    pub const fn new(number: u32) -> Result<Self, TermIdError> {
        if number > 9_999_999 { Err(TermIdError) } else { Ok(Self(number)) }
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl std::str::FromStr for TermId {
    type Err = TermIdError;

    fn from_str(text: &str) -> Result<Self, TermIdError> {
        let digits = text.strip_prefix("HP:").ok_or(TermIdError)?;
        if digits.len() != 7 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(TermIdError);
        }
        digits.parse().map(Self).map_err(|_| TermIdError)
    }
}

impl fmt::Display for TermId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "HP:{:07}", self.0)
    }
}

/// A term is a symptom: debug output, which ends up in logs, does not name it.
impl fmt::Debug for TermId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TermId(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_is_an_id() {
        assert_eq!("HP:0001250".parse::<TermId>().unwrap().to_string(), "HP:0001250");
        for bad in ["", "HP:", "HP:1250", "hp:0001250", "HP:00012500", "HP:000125a", "HP:+001250", " HP:0001250"] {
            assert!(bad.parse::<TermId>().is_err(), "{bad}");
        }
    }
}
