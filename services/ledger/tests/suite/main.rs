//! The suite on the embedded ledger, in this process and through its gRPC with mutual TLS.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod embedded;
mod grpc;
mod throughput;
