//! Decoders of the services: what arrives over their wires and what they read back from their own files.

use std::path::Path;

use prost::Message;
use rustls_pki_types::CertificateDer;
use semblance_chaincode::testing::would_run;
use semblance_core::answer::Answer;
use semblance_core::denial::Denial;
use semblance_core::encode::{Reader, Writer};
use semblance_core::lookup::LookupRequest;
use semblance_core::patient_key::PatientKeyEntry;
use semblance_core::query::Query;
use semblance_core::signature::{SignedBytes, Statement};
use semblance_core::time::Timestamp;
use semblance_hospital::QueuedPublication;
use semblance_hospital::matcher::Found;
use semblance_hospital::rpc::convert;
use semblance_index::Mark;
use semblance_ledger::tls::{certificate_digest, peer_identity};
use semblance_matcher::IncomingSearch;
use semblance_node::config::Config;
use semblance_proto::v1;

use super::{NETWORK, stored};

/// The root of the certificates in the corpus.
const ROOT: &[u8] = include_bytes!("../seeds/certificate/root");
/// Within their validity.
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// A client's certificate, and a member's root.
pub fn certificate(bytes: &[u8]) {
    let shown = [CertificateDer::from(bytes.to_vec())];
    for root in [ROOT, bytes] {
        if let Ok(peer) = peer_identity(&shown, |_| Some(root.to_vec()), NOW) {
            assert_eq!(peer.certificate, certificate_digest(bytes));
        }
    }
}

/// What a peer hands to the chaincode server, with a client's proposal in it.
pub fn chaincode(bytes: &[u8]) {
    let _ = would_run(bytes, NOW);
}

/// A node's configuration.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(config) = Config::parse(Path::new("node.toml"), text) {
        assert!(!config.own_address().is_empty());
    }
}

/// The first byte chooses what a hospital's people ask of their node.
pub fn hospital(bytes: &[u8]) {
    let [kind, message @ ..] = bytes else { return };
    match kind % 3 {
        0 => {
            let Ok(message) = v1::LookUpRequest::decode(message) else { return };
            if let Ok(question) = convert::question(message) {
                assert!((1..=10).contains(&question.count));
            }
        }
        1 => {
            let Ok(message) = v1::ConsentRequest::decode(message) else { return };
            let _ = convert::scopes(&message);
            let _ = convert::selection(message.selection);
        }
        _ => {
            let Ok(message) = v1::ListReceiptsRequest::decode(message) else { return };
            let _ = convert::case(&message.case);
            let _ = (convert::skip(message.skip), convert::limit(message.limit));
        }
    }
}

/// How far an index says it is.
pub fn mark(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(mark) = Mark::decode(text) {
        assert_eq!(mark.encode(), text);
    }
}

/// What waits in a hospital's store for the ledger.
pub fn outbox(bytes: &[u8]) {
    if let Ok(queued) = QueuedPublication::decode(bytes) {
        assert_eq!(queued.encode(), bytes);
    }
    stored::<PatientKeyEntry>(bytes);
    stored::<Denial>(bytes);
    let mut reader = Reader::new(bytes);
    let Ok(source) = SignedBytes::read(&mut reader) else { return };
    if reader.finish().is_ok() {
        let mut writer = Writer::default();
        source.write(&mut writer);
        assert_eq!(writer.finish(), bytes);
    }
}

/// The first byte chooses between what a matcher is sent and what it sends.
pub fn search(bytes: &[u8]) {
    let [kind, message @ ..] = bytes else { return };
    if kind % 2 == 0 {
        let Ok(message) = v1::SearchRequest::decode(message) else { return };
        let Ok(search) = IncomingSearch::try_from(message) else { return };
        let _ = search.request.claim::<LookupRequest>(NETWORK);
        if let Ok(query) = Query::decode(&search.query) {
            let _ = query.commitment(NETWORK, &search.query_salt);
        }
    } else {
        let Ok(message) = v1::SearchResponse::decode(message) else { return };
        let Ok(found) = Found::try_from(message) else { return };
        if let Ok(answer) = Answer::decode(&found.answer, NETWORK) {
            assert_eq!(answer.encode(), found.answer);
        }
    }
}
