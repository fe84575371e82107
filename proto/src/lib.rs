//! Protobuf messages and gRPC services of Semblance; generated code, no logic
