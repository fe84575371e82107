//! Queries: they read committed state and write nothing. Lists come in pages with a bookmark.

pub(crate) mod cases;
pub(crate) mod consents;
pub(crate) mod lookups;
pub(crate) mod members;
