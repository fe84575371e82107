//! The cases added since the last commit: searched in RAM, so that they show at once.

use std::collections::{BTreeSet, HashMap};

use semblance_core::id::CaseHandle;
use semblance_core::token::Token;

use crate::case::IndexedCase;
use crate::columns::Columns;
use crate::postings::Postings;

/// Cases that tantivy has been given and has not committed.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    pub(crate) columns: Columns,
    handles: Vec<CaseHandle>,
    fingerprints: Vec<Box<[Token]>>,
    lists: HashMap<Token, Vec<u32>>,
}

impl Tail {
    pub(crate) fn push(&mut self, case: &IndexedCase) {
        let number = self.columns.len();
        self.columns.push(case.ordinal(), case.hospital(), case.length(), case.expires());
        self.handles.push(case.handle());
        self.fingerprints.push(case.tokens().into());
        for token in case.tokens() {
            self.lists.entry(*token).or_default().push(number);
        }
    }

    pub(crate) fn handle(&self, case: u32) -> Option<CaseHandle> {
        self.handles.get(case as usize).copied()
    }

    pub(crate) fn tokens(&self, case: u32) -> &[Token] {
        self.fingerprints.get(case as usize).map(AsRef::as_ref).unwrap_or_default()
    }

    pub(crate) fn postings(&self, token: Token) -> Option<Postings<'_>> {
        self.lists.get(&token).map(|cases| Postings::Recent(cases))
    }

    /// The live cases of these names.
    pub(crate) fn find(&self, handles: &BTreeSet<CaseHandle>) -> Vec<u32> {
        let named = |case: &u32| self.handle(*case).is_some_and(|handle| handles.contains(&handle));
        self.columns.all_live().map(|(case, _)| case).filter(named).collect()
    }
}
