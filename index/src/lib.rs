//! The search index: tantivy's postings under our own exact scoring
