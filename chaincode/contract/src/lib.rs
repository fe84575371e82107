//! The smart contract of Semblance: synchronous, deterministic, the same library inside the chaincode server for
//! Hyperledger Fabric and inside the embedded ledger.
//!
//! What it must never know: which ledger runs it, a clock, a random source, a plaintext term.

pub mod stub;
