//! A transaction as a client proposes it and a peer hands it on.

use std::collections::HashMap;

use prost::Message;
use semblance_core::time::Timestamp;
use semblance_fabric::proto::common::{ChannelHeader, Header, SignatureHeader};
use semblance_fabric::proto::msp::SerializedIdentity;
use semblance_fabric::proto::protos::chaincode_message::Type;
use semblance_fabric::proto::protos::{
    ChaincodeHeaderExtension, ChaincodeId, ChaincodeInput, ChaincodeMessage, ChaincodeProposalPayload, Proposal,
    SignedProposal,
};

use super::message;

/// The only channel.
pub(super) const CHANNEL: &str = "channel";

/// One transaction; tests change a part of it.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// When it is proposed.
    pub time: Timestamp,
    /// Its id, in the proposal's header.
    pub transaction: String,
    /// Its id, in the peer's message; the same unless a test changes one.
    pub announced: String,
    /// The name of the chaincode.
    pub chaincode: String,
    /// The submitter's MSP.
    pub msp: String,
    /// The submitter's certificate, in PEM.
    pub certificate: String,
    /// Function and arguments.
    pub arguments: Vec<Vec<u8>>,
    /// Private input.
    pub transient: HashMap<String, Vec<u8>>,
}

impl Invocation {
    /// A call without arguments by a node of the first hospital.
    #[must_use]
    pub fn new(function: &str, number: u32, time: Timestamp) -> Self {
        let transaction = hex::encode([[0xab; 28].as_slice(), &number.to_be_bytes()].concat());
        Self {
            time,
            announced: transaction.clone(),
            transaction,
            chaincode: "semblance".to_owned(),
            msp: "hospital-1".to_owned(),
            certificate: certificate(&["client"]),
            arguments: vec![function.as_bytes().to_vec()],
            transient: HashMap::new(),
        }
    }

    /// What a peer sends.
    #[must_use]
    pub fn message(&self) -> ChaincodeMessage {
        let creator = SerializedIdentity { mspid: self.msp.clone(), id_bytes: self.certificate.clone().into_bytes() };
        let chaincode_id = Some(ChaincodeId { name: self.chaincode.clone(), ..ChaincodeId::default() });
        let channel_header = ChannelHeader {
            channel_id: CHANNEL.to_owned(),
            tx_id: self.transaction.clone(),
            timestamp: Some(prost_types::Timestamp {
                seconds: i64::try_from(self.time.millis() / 1000).unwrap(),
                nanos: i32::try_from(self.time.millis() % 1000 * 1_000_000).unwrap(),
            }),
            extension: ChaincodeHeaderExtension { chaincode_id }.encode_to_vec(),
            ..ChannelHeader::default()
        };
        let signature_header = SignatureHeader { creator: creator.encode_to_vec(), nonce: vec![1; 24] };
        let (channel_header, signature_header) = (channel_header.encode_to_vec(), signature_header.encode_to_vec());
        let header = Header { channel_header, signature_header }.encode_to_vec();
        let payload = ChaincodeProposalPayload { input: Vec::new(), transient_map: self.transient.clone() };
        let proposal = Proposal { header, payload: payload.encode_to_vec(), extension: Vec::new() };
        let proposal = SignedProposal { proposal_bytes: proposal.encode_to_vec(), signature: Vec::new() };
        let input = ChaincodeInput { args: self.arguments.clone(), ..ChaincodeInput::default() };
        let message = message(Type::Transaction, input.encode_to_vec(), &self.announced);
        ChaincodeMessage { proposal: Some(proposal), ..message }
    }
}

/// A certificate with up to two organisational units, in PEM.
#[must_use]
pub fn certificate(units: &[&str]) -> String {
    // A name holds one part of each type: the second unit's type is the first's in other words.
    let types = [rcgen::DnType::OrganizationalUnitName, rcgen::DnType::CustomDnType(vec![2, 5, 4, 11])];
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    for (kind, unit) in types.into_iter().zip(units) {
        params.distinguished_name.push(kind, *unit);
    }
    params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
}
