use std::collections::HashMap;

use proptest::prelude::*;
use semblance_fabric::proto::msp::SerializedIdentity;
use semblance_fabric::proto::protos::{ChaincodeId, SignedProposal};

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// The parts of a proposal, to be changed one by one.
struct Parts {
    millis: u64,
    txid: String,
    unit: &'static str,
    msp: &'static str,
    args: Vec<Vec<u8>>,
    transient: HashMap<String, Vec<u8>>,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            millis: NOW.millis(),
            txid: "ab".repeat(32),
            unit: "client",
            msp: "hospital-1",
            args: vec![b"publish_cases".to_vec(), b"argument".to_vec()],
            transient: HashMap::from([("fingerprints".to_owned(), b"value".to_vec())]),
        }
    }
}

impl Parts {
    fn message(self) -> ChaincodeMessage {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::OrganizationalUnitName, self.unit);
        let pem = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem();
        let creator = SerializedIdentity { mspid: self.msp.to_owned(), id_bytes: pem.into_bytes() };
        let id = ChaincodeId { name: "semblance".into(), ..ChaincodeId::default() };
        let channel_header = ChannelHeader {
            channel_id: "channel".into(),
            tx_id: self.txid.clone(),
            timestamp: Some(prost_types::Timestamp {
                seconds: i64::try_from(self.millis / 1000).unwrap(),
                nanos: i32::try_from(self.millis % 1000 * 1_000_000).unwrap(),
            }),
            extension: ChaincodeHeaderExtension { chaincode_id: Some(id) }.encode_to_vec(),
            ..ChannelHeader::default()
        };
        let signature_header = SignatureHeader { creator: creator.encode_to_vec(), nonce: vec![1; 24] };
        let header = Header {
            channel_header: channel_header.encode_to_vec(),
            signature_header: signature_header.encode_to_vec(),
        };
        let payload = ChaincodeProposalPayload { input: Vec::new(), transient_map: self.transient };
        let proposal = Proposal { header: header.encode_to_vec(), payload: payload.encode_to_vec(), extension: vec![] };
        ChaincodeMessage {
            payload: ChaincodeInput { args: self.args, ..ChaincodeInput::default() }.encode_to_vec(),
            txid: "ab".repeat(32),
            channel_id: "channel".into(),
            proposal: Some(SignedProposal { proposal_bytes: proposal.encode_to_vec(), signature: vec![] }),
            ..ChaincodeMessage::default()
        }
    }
}

#[test]
fn a_call_is_read_with_its_caller() {
    let call = Call::read(&Parts::default().message(), NOW).unwrap();
    assert_eq!(
        (call.function.as_str(), call.arguments.as_slice()),
        ("publish_cases", [b"argument".to_vec()].as_slice())
    );
    assert_eq!(
        (call.caller.organisation.as_str(), call.caller.role),
        ("hospital-1", semblance_contract::stub::Role::Node)
    );
    assert_eq!((call.chaincode.as_str(), call.timestamp), ("semblance", NOW));
    assert_eq!(call.transient["fingerprints"], b"value");
    let admin = Call::read(&Parts { unit: "admin", ..Parts::default() }.message(), NOW).unwrap();
    assert_eq!(admin.caller.role, semblance_contract::stub::Role::Admin);
}

#[test]
fn what_is_wrong_is_refused_with_its_word() {
    let refused = |parts: Parts| Call::read(&parts.message(), NOW).unwrap_err().to_string();
    let off = PROPOSAL_SKEW_MILLIS + 1;
    for (parts, word) in [
        (Parts { millis: NOW.millis() - off, ..Parts::default() }, "clock-skew: 300001 300000: "),
        (Parts { millis: NOW.millis() + off, ..Parts::default() }, "clock-skew: 300001 300000: "),
        (Parts { txid: "cd".repeat(32), ..Parts::default() }, "invalid-proposal: "),
        (Parts { unit: "peer", ..Parts::default() }, "identity: "),
        (Parts { msp: "Hospital One", ..Parts::default() }, "identity: "),
        (Parts { args: Vec::new(), ..Parts::default() }, "invalid-proposal: "),
        (Parts { args: vec![b"No Name".to_vec()], ..Parts::default() }, "invalid-proposal: "),
        (Parts { args: vec![b"f".to_vec(); ARGUMENTS_MAX + 2], ..Parts::default() }, "invalid-proposal: "),
        (Parts { transient: HashMap::from([("x".repeat(99), vec![])]), ..Parts::default() }, "invalid-proposal: "),
        (
            Parts { transient: HashMap::from([("x".into(), vec![0; PROPOSAL_BYTES_MAX])]), ..Parts::default() },
            "too-large: ",
        ),
    ] {
        let text = refused(parts);
        assert!(text.starts_with(word), "{text}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400), place in 0..4_usize) {
        let mut message = Parts::default().message();
        match place {
            0 => message.payload = bytes,
            1 => message.proposal.as_mut().unwrap().proposal_bytes = bytes,
            2 => {
                let whole = &mut message.proposal.as_mut().unwrap().proposal_bytes;
                let at = bytes.len() % whole.len();
                whole[at] ^= bytes.first().copied().unwrap_or(1);
            }
            _ => message.txid = String::from_utf8_lossy(&bytes).into_owned(),
        }
        let _ = Call::read(&message, NOW);
    }
}
