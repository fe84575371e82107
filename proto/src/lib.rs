//! Protobuf messages and gRPC services of Semblance; generated code, no logic.
//!
//! Messages stand alone; the feature `services` adds clients and servers and pulls tonic in. To add a service: put its
//! file into `proto/semblance/v1`, every file there is compiled. No protobuf compiler needs to be installed.

/// Version 1 of every message and service.
#[expect(missing_docs, reason = "generated; the .proto files hold the documentation")]
#[allow(clippy::all, clippy::indexing_slicing, clippy::unwrap_used, reason = "generated")]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/semblance.v1.rs"));
}

/// The descriptors of every file, encoded, for the reflection service.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/semblance.descriptors"));
