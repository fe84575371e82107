//! Questions about one case by its name.

use std::collections::BTreeSet;

use semblance_core::id::CaseHandle;
use semblance_core::token::Token;

use crate::error::IndexError;
use crate::search::View;
use crate::state::Place;

impl View<'_> {
    /// Whether a live case has this name. Walks through all names: for what is asked seldom.
    #[must_use]
    pub fn holds(&self, handle: CaseHandle) -> bool {
        let wanted = BTreeSet::from([handle]);
        let stored = self.state.segments.iter().any(|segment| !segment.find(&wanted).is_empty());
        stored || !self.state.tail.find(&wanted).is_empty()
    }

    /// Whether the live case of this name carries every one of these tokens. Looks for it among the carriers of the
    /// rarest, which are few, instead of among all names.
    ///
    /// # Errors
    /// The index files cannot be read.
    pub fn carries_all(&self, handle: CaseHandle, tokens: &[Token]) -> Result<bool, IndexError> {
        let Some(rarest) = tokens.iter().min_by_key(|token| self.frequency(**token)) else { return Ok(false) };
        let Some(place) = self.carrier(handle, *rarest)? else { return Ok(false) };
        for token in tokens {
            if !self.carries(place, *token)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Where the live case of this name stands, if it carries this token.
    fn carrier(&self, handle: CaseHandle, token: Token) -> Result<Option<Place>, IndexError> {
        for part in 0..self.state.parts() {
            let Some(mut postings) = self.state.postings(part, token)? else { continue };
            let columns = self.state.columns(part);
            let mut found = None;
            postings.read_before(columns.len(), |carriers| {
                let named = |case: &&u32| self.state.handle(Place { part, case: **case }) == Some(handle);
                let live = |case: &&u32| columns.live(**case).is_some();
                found = found.or_else(|| carriers.iter().filter(live).find(named).copied());
            });
            if let Some(case) = found {
                return Ok(Some(Place { part, case }));
            }
        }
        Ok(None)
    }

    /// Whether the case at this place carries a token.
    pub(crate) fn carries(&self, place: Place, token: Token) -> Result<bool, IndexError> {
        let postings = self.state.postings(place.part, token)?;
        Ok(postings.is_some_and(|mut postings| postings.holds(place.case)))
    }
}
