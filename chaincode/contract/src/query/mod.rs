//! Queries: they read committed state and write nothing. Lists come in pages with a bookmark.

pub(crate) mod cases;
pub(crate) mod channels;
pub(crate) mod consents;
pub(crate) mod introductions;
pub(crate) mod lookups;
pub(crate) mod members;
