//! Every decoder of bytes that others make: those of [`decoder`], and those of channels, which are tested beside them.

mod calls;
#[path = "decoder.rs"]
mod decoder;

pub use calls::*;
pub use decoder::*;
