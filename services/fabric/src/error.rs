//! What can go wrong, by the stage it goes wrong at, each with what every peer said.

use prost::Message;
use tonic::{Code, Status, TimeoutExpired};

use crate::connection::MESSAGE_BYTES_MAX;
use crate::identity::SignError;
use crate::proto::gateway::ErrorDetail;
use crate::proto::google;
use crate::proto::protos::TxValidationCode;

/// Most details of one failed call.
const DETAILS_MAX: usize = 256;
/// What the name of a detail's type ends in.
pub(crate) const DETAIL: &str = "gateway.ErrorDetail";
/// How SmartBFT's orderers tell that a request has reached them by way of others (its request pool's errors).
const KNOWN: [&str; 2] = ["request already processed", "request already exists"];
/// How a gateway tells that peers came to different results.
const MISMATCH: &str = "ProposalResponsePayloads do not match";
/// How a peer tells of a chaincode's refusal.
const REFUSAL: &str = "chaincode response ";

/// Where a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// A query.
    Evaluate,
    /// Collecting endorsements: nothing was sent to the orderers.
    Endorse,
    /// Handing over to the orderers: they may have taken it all the same.
    Submit,
    /// Asking what became of it: it may yet be committed.
    CommitStatus,
    /// Following a chaincode's events; there is no transaction.
    Events,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Evaluate => "evaluating transaction",
            Self::Endorse => "endorsing transaction",
            Self::Submit => "submitting transaction",
            Self::CommitStatus => "asking for the commit status of transaction",
            Self::Events => "following events of chaincode",
        })
    }
}

/// What one peer or orderer said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerDetail {
    /// Its address.
    pub address: String,
    /// Its member.
    pub msp_id: String,
    /// What it said.
    pub message: String,
}

/// A stage that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{stage} {transaction_id} failed ({code:?}): {}", self.text())]
pub struct CallError {
    /// The stage.
    pub stage: Stage,
    /// The transaction; for [`Stage::Events`] the chaincode.
    pub transaction_id: String,
    /// What gRPC calls it.
    pub code: Code,
    /// What the gateway said.
    pub message: String,
    /// What each peer said.
    pub details: Vec<PeerDetail>,
    /// Whether nothing left this machine: it could not be signed, was too large, or there was not even a connection.
    pub never_sent: bool,
}

/// What a chaincode answered instead of agreeing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChaincodeRefusal {
    /// Its status, 400 or more.
    pub status: u32,
    /// Its own text.
    pub message: String,
}

impl CallError {
    pub(crate) fn new(stage: Stage, transaction_id: &str, status: &Status) -> Self {
        Self {
            stage,
            transaction_id: transaction_id.to_owned(),
            code: code(status),
            message: status.message().to_owned(),
            details: PeerDetail::read_all(status.details()),
            never_sent: never_sent(status),
        }
    }

    pub(crate) fn unsigned(stage: Stage, transaction_id: &str, error: &SignError) -> Self {
        let error = Self::local(stage, transaction_id, Code::FailedPrecondition, error.to_string());
        Self { never_sent: true, ..error }
    }

    pub(crate) fn too_large(stage: Stage, transaction_id: &str, bytes: usize) -> Self {
        let message = format!("the message of {bytes} bytes is larger than the {MESSAGE_BYTES_MAX} that may be sent");
        Self { never_sent: true, ..Self::local(stage, transaction_id, Code::OutOfRange, message) }
    }

    pub(crate) fn malformed(stage: Stage, transaction_id: &str, what: &str) -> Self {
        Self::local(stage, transaction_id, Code::DataLoss, format!("the peer's answer is malformed: {what}"))
    }

    fn local(stage: Stage, transaction_id: &str, code: Code, message: String) -> Self {
        let transaction_id = transaction_id.to_owned();
        Self { stage, transaction_id, code, message, details: Vec::new(), never_sent: false }
    }

    /// What the chaincode answered, if that is why it failed.
    #[must_use]
    pub fn refusal(&self) -> Option<ChaincodeRefusal> {
        let said = self.details.iter().map(|detail| detail.message.as_str()).chain([self.message.as_str()]);
        said.filter_map(refusal).next()
    }

    /// Whether the peer could not be reached or did not answer in time.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        matches!(self.code, Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled)
    }

    /// Whether an orderer refused the transaction because it has it already.
    #[must_use]
    pub fn is_known_to_orderers(&self) -> bool {
        let known = |detail: &PeerDetail| KNOWN.iter().any(|text| detail.message.contains(text));
        self.stage == Stage::Submit && self.details.iter().any(known)
    }

    /// Whether the endorsing peers came to different results: one of them runs something else, or has fewer blocks than
    /// another, which passes.
    #[must_use]
    pub fn is_mismatch(&self) -> bool {
        let mut said = self.details.iter().map(|detail| &detail.message).chain([&self.message]);
        self.stage == Stage::Endorse && said.any(|text| text.contains(MISMATCH))
    }

    /// Whether the transaction may take effect in spite of the failure: it is to be asked for
    /// ([`crate::Transaction::commit`]) before it is sent again under another id.
    #[must_use]
    pub const fn outcome_unknown(&self) -> bool {
        match self.stage {
            Stage::Evaluate | Stage::Endorse | Stage::Events => false,
            Stage::Submit => !self.never_sent,
            Stage::CommitStatus => true,
        }
    }

    /// The gateway's text with what each peer said.
    #[must_use]
    pub fn text(&self) -> String {
        let told =
            self.details.iter().map(|detail| format!("{} ({}): {}", detail.msp_id, detail.address, detail.message));
        let told: Vec<String> = told.collect();
        if told.is_empty() { self.message.clone() } else { format!("{}: {}", self.message, told.join("; ")) }
    }
}

/// A transaction that was ordered and did not take effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("transaction {transaction_id} in block {block} is not valid: {}", self.reason())]
pub struct CommitError {
    /// The transaction.
    pub transaction_id: String,
    /// Its validation code, as a number: a newer peer may have more of them.
    pub code: i32,
    /// The block it stands in.
    pub block: u64,
}

impl CommitError {
    /// The validation code, if it is a known one.
    #[must_use]
    pub fn validation(&self) -> Option<TxValidationCode> {
        TxValidationCode::try_from(self.code).ok()
    }

    fn reason(&self) -> String {
        self.validation().map_or_else(|| format!("code {}", self.code), |code| code.as_str_name().to_owned())
    }
}

/// Why a whole submission failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// A stage failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It was ordered and did not take effect.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl SubmitError {
    /// Whether the transaction may take effect in spite of the failure.
    #[must_use]
    pub const fn outcome_unknown(&self) -> bool {
        match self {
            Self::Call(error) => error.outcome_unknown(),
            Self::Commit(_) => false,
        }
    }
}

impl PeerDetail {
    /// Reads the details beside a failed call (`grpc-status-details-bin`, a `google.rpc.Status`): at most the first 256
    /// of them; what cannot be read is left out.
    #[must_use]
    pub fn read_all(bytes: &[u8]) -> Vec<Self> {
        let Ok(status) = google::rpc::Status::decode(bytes) else { return Vec::new() };
        let typed = status.details.into_iter().filter(|detail| detail.type_url.ends_with(DETAIL)).take(DETAILS_MAX);
        let decoded = typed.filter_map(|detail| ErrorDetail::decode(detail.value.as_slice()).ok());
        decoded.map(|ErrorDetail { address, msp_id, message }| Self { address, msp_id, message }).collect()
    }
}

/// Reads `chaincode response <status>, <message>`.
fn refusal(text: &str) -> Option<ChaincodeRefusal> {
    let (_, rest) = text.split_once(REFUSAL)?;
    let (status, message) = rest.split_once(", ")?;
    Some(ChaincodeRefusal { status: status.parse().ok()?, message: message.to_owned() })
}

/// The code, as a gateway would have it: tonic calls its own deadline a cancellation, and a connection that breaks under
/// a call anything. Only what happened on this side has a source.
pub(crate) fn code(status: &Status) -> Code {
    if status.code() == Code::Cancelled && status.message() == TimeoutExpired(()).to_string() {
        return Code::DeadlineExceeded;
    }
    let here = std::error::Error::source(status).is_some();
    match status.code() {
        Code::Unknown | Code::Internal | Code::Cancelled if here => Code::Unavailable,
        code => code,
    }
}

/// Whether the connection could not even be made.
fn never_sent(status: &Status) -> bool {
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        source = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(message: &str, details: &[&str]) -> Status {
        let details = details.iter().map(|message| {
            let detail = ErrorDetail { address: "peer:1".into(), msp_id: "north".into(), message: (*message).into() };
            prost_types::Any { type_url: format!("type.googleapis.com/{DETAIL}"), value: detail.encode_to_vec() }
        });
        let status = google::rpc::Status { code: 10, message: message.into(), details: details.collect() };
        Status::with_details(Code::Aborted, message, status.encode_to_vec().into())
    }

    #[test]
    fn a_chaincodes_refusal_is_found_among_what_the_peers_said() {
        let said = "chaincode response 409, slot-used: the slot 7, of today, is used";
        let error = CallError::new(Stage::Endorse, "id", &status("see details", &["another peer is down", said]));
        assert_eq!(error.details.len(), 2);
        let refusal = error.refusal().unwrap();
        assert_eq!((refusal.status, refusal.message.as_str()), (409, "slot-used: the slot 7, of today, is used"));
        assert!(error.to_string().contains("north (peer:1): another peer is down"), "{error}");
    }

    #[test]
    fn an_orderer_that_has_it_already_has_it() {
        let said =
            ["no answer", "status=SERVICE_UNAVAILABLE, info=failed to submit request: request already processed"];
        let error = |stage, details| CallError::new(stage, "id", &status("see details", details));
        assert!(error(Stage::Submit, &said).is_known_to_orderers());
        assert!(!error(Stage::Submit, &said[..1]).is_known_to_orderers());
        assert!(!error(Stage::Endorse, &said).is_known_to_orderers());
    }

    #[test]
    fn different_results_are_told_by_the_gateway_or_of_a_peer() {
        let text = "failed to assemble transaction: ProposalResponsePayloads do not match (base64): 'a' vs 'b'";
        for (message, details) in [(text, &[][..]), ("see details", &["another", text])] {
            let error = |stage| CallError::new(stage, "id", &status(message, details));
            assert!(error(Stage::Endorse).is_mismatch() && !error(Stage::Submit).is_mismatch());
        }
    }

    #[test]
    fn what_is_no_refusal_is_none() {
        for text in ["", "chaincode response", "chaincode response x, y", "chaincode response 500"] {
            assert_eq!(CallError::new(Stage::Endorse, "id", &status(text, &[text])).refusal(), None, "{text}");
        }
        assert_eq!(PeerDetail::read_all(b"\xff\xff\xff"), []);
    }
}
