//! The messages and services of Hyperledger Fabric that are used here, generated from this crate's own `.proto` files;
//! the numbers of their fields are the protocol's (fabric-protos).

#![expect(missing_docs, clippy::all, reason = "generated code")]

pub mod common {
    tonic::include_proto!("common");
}
pub mod configuration {
    tonic::include_proto!("configuration");
}
pub mod gateway {
    tonic::include_proto!("gateway");
}
pub mod google {
    pub mod rpc {
        tonic::include_proto!("google.rpc");
    }
}
pub mod kvrwset {
    tonic::include_proto!("kvrwset");
}
pub mod lifecycle {
    tonic::include_proto!("lifecycle");
}
pub mod msp {
    tonic::include_proto!("msp");
}
pub mod orderer {
    tonic::include_proto!("orderer");
}
/// Proposals, transactions, the peer's services and the chaincode's protocol (package `protos`).
pub mod protos {
    tonic::include_proto!("protos");
}
pub mod queryresult {
    tonic::include_proto!("queryresult");
}
pub mod rwset {
    tonic::include_proto!("rwset");
}
