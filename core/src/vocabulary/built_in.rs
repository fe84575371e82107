//! The vocabulary that is part of the program.

use std::sync::{Arc, LazyLock};

use super::Vocabulary;

/// Made by `semblance vocabulary build`; see `core/data/README.md`.
const FILE: &[u8] = include_bytes!("../../data/hpo.vocabulary");

#[expect(clippy::expect_used, reason = "the file is committed and decoded by the tests")]
static BUILT_IN: LazyLock<Arc<Vocabulary>> =
    LazyLock::new(|| Arc::new(Vocabulary::decode(FILE).expect("the built-in vocabulary decodes")));

pub(super) fn vocabulary() -> Arc<Vocabulary> {
    Arc::clone(&BUILT_IN)
}
