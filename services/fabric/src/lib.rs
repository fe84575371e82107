//! A client of Hyperledger Fabric 3's gateway.
//!
//! What it must never know: our domain, or which chaincode it calls.

pub mod proto;
