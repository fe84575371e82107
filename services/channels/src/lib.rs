//! End-to-end encrypted channels on MLS (RFC 9420): the client that also runs in a browser, and the hub that delivers.
//!
//! openmls is used in this crate alone. What it must never know: a symptom, a name, the text of a message in the hub;
//! the system's clock or random source anywhere.

pub mod check;
pub mod client;
pub mod driver;
pub mod limits;
pub mod mls;
#[cfg(feature = "node")]
pub mod node;
#[cfg(feature = "node")]
pub mod office;
pub mod provider;
#[cfg(feature = "node")]
pub mod relay;
pub mod store;
#[cfg(all(feature = "node", any(test, feature = "testing")))]
pub mod testing;
#[cfg(test)]
mod tests;
pub mod wire;
