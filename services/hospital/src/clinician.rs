//! A clinician's name in the form in which budgets and pseudonyms know it.

/// A clinician's name: blanks at the ends gone and those inside single, letters in lower case, so that one person
/// spelt in two ways has one budget and one pseudonym. Composed and decomposed accents stay different.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ClinicianName(String);

/// The text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a clinician has a name of 1 to {} characters without control or invisible characters", ClinicianName::MAX)]
pub(crate) struct ClinicianNameError;

impl ClinicianName {
    const MAX: usize = 200;

    /// Checks a name and brings it into its form.
    ///
    /// # Errors
    /// Empty, too long, or with characters that cannot be seen.
    pub(crate) fn new(text: &str) -> Result<Self, ClinicianNameError> {
        if text.len() > 4 * Self::MAX || text.chars().any(is_hidden) {
            return Err(ClinicianNameError);
        }
        // Upper case first: letters that differ in lower case alone, as the two forms of sigma, become one.
        let folded = text.to_uppercase().to_lowercase();
        let name = folded.split_whitespace().collect::<Vec<_>>().join(" ");
        if name.is_empty() || name.chars().count() > Self::MAX {
            return Err(ClinicianNameError);
        }
        Ok(Self(name))
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

/// Control characters, and those of Unicode's format class that change nothing but the bytes of a name.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> Option<String> {
        ClinicianName::new(text).ok().map(ClinicianName::into_text)
    }

    #[test]
    fn one_person_has_one_name() {
        for spelt in ["Dr. Kim", " dr.  KIM ", "dr.\u{a0}kim", "DR. Kim\u{2003}"] {
            assert_eq!(name(spelt).as_deref(), Some("dr. kim"), "{spelt:?}");
        }
        assert_eq!(name("Weiß"), name("WEISS"));
        assert_ne!(name("Kim"), name("Kym"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for bad in ["", " ", "a\nb", "a\tb", "ki\u{200b}m", "k\u{ad}im", &"x".repeat(201)] {
            assert_eq!(name(bad), None, "{bad:?}");
        }
        assert!(name(&"x".repeat(200)).is_some());
    }

    proptest! {
        #[test]
        fn a_name_keeps_its_form(text in ".{0,60}") {
            if let Some(once) = name(&text) {
                prop_assert_eq!(name(&once), Some(once.clone()));
            }
        }
    }
}
