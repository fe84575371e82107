//! What Fabric's failures mean to those who call a ledger.

use semblance_contract::error::wire::Refusal;
use semblance_core::id::TransactionId;
use semblance_core::limits::PROPOSAL_SKEW_MILLIS;
use semblance_fabric::proto::protos::TxValidationCode;
use semblance_fabric::{CallError, ChaincodeRefusal, SignError, Stage};

use crate::{LedgerError, Validation};

/// What it says of a member that it has no peer of; also of one that is none.
const NO_PEERS: &str = "failed to find any endorsing peers for org(s)";

/// A failed query or endorsement: nothing was written.
pub(super) fn call_failed(error: &CallError) -> LedgerError {
    if let Some(refusal) = error.refusal() {
        return refused(&refusal);
    }
    if error.is_mismatch() {
        let message = "the peers came to different results: one of them runs another contract, or lags behind";
        return LedgerError::Refused { code: "endorsement-mismatch".into(), message: message.into() };
    }
    let text = error.text();
    if let Some(skew) = skew(&text) {
        return skew;
    }
    if text.contains("access denied") || text.contains("creator org unknown") || text.contains("creator is malformed") {
        return LedgerError::Identity(text);
    }
    match error.code {
        tonic::Code::PermissionDenied | tonic::Code::Unauthenticated => LedgerError::Identity(text),
        tonic::Code::DataLoss | tonic::Code::OutOfRange => LedgerError::Malformed(text),
        _ if text.contains(NO_PEERS) => LedgerError::Unavailable(format!("{text}; nothing was written")),
        _ => LedgerError::Unavailable(text),
    }
}

/// A peer refuses by itself what is a quarter of an hour off, before it asks the chaincode.
fn skew(text: &str) -> Option<LedgerError> {
    let (_, times) = text.split_once("incorrect timestamp ")?;
    let (proposal, rest) = times.split_once(", peer time ")?;
    let (peer, _) = rest.split_once(',')?;
    let [proposal, peer] = [proposal, peer].map(|time| time.parse::<jiff::Timestamp>().ok());
    let off_by_millis = proposal?.as_millisecond().abs_diff(peer?.as_millisecond());
    Some(LedgerError::Skew { off_by_millis, allowed_millis: PROPOSAL_SKEW_MILLIS })
}

/// A contract's refusal, or that of the chaincode server before it.
fn refused(refusal: &ChaincodeRefusal) -> LedgerError {
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    match Refusal::parse(&refusal.message) {
        Refusal::Skew { off_by_millis, allowed_millis } => LedgerError::Skew { off_by_millis, allowed_millis },
        Refusal::TooLarge { bytes, limit } => LedgerError::TooLarge { bytes: size(bytes), limit: size(limit) },
        Refusal::Identity(why) => LedgerError::Identity(why),
        Refusal::Other { code, message } => LedgerError::Refused { code, message },
    }
}

/// A transaction that was ordered and did not take effect.
pub(super) fn invalid(transaction: TransactionId, code: i32) -> LedgerError {
    match validation(code) {
        Some(validation) => LedgerError::Invalid { transaction, validation },
        None => LedgerError::Malformed(format!("transaction {transaction} was found invalid, code {code}")),
    }
}

/// What a validation code means to us; none for those that a well-made transaction never gets.
pub(super) fn validation(code: i32) -> Option<Validation> {
    match TxValidationCode::try_from(code).ok()? {
        TxValidationCode::Valid => Some(Validation::Valid),
        TxValidationCode::MvccReadConflict => Some(Validation::MvccConflict),
        TxValidationCode::PhantomReadConflict => Some(Validation::PhantomConflict),
        TxValidationCode::EndorsementPolicyFailure => Some(Validation::EndorsementPolicyFailure),
        TxValidationCode::DuplicateTxid => Some(Validation::DuplicateTransaction),
        _ => None,
    }
}

/// A transaction's id, as Fabric writes it.
pub(super) fn transaction_of(id: &str) -> Result<TransactionId, LedgerError> {
    id.parse().map_err(|_| LedgerError::Malformed("a transaction's id has 64 hexadecimal digits".to_owned()))
}

pub(super) fn unsigned(error: &SignError) -> CallError {
    local(tonic::Code::FailedPrecondition, error.to_string())
}

pub(super) fn nonsense() -> CallError {
    local(tonic::Code::DataLoss, "the peer's answer is malformed".to_owned())
}

pub(super) fn not_ordered(transaction: &str) -> CallError {
    let message = "the orderers have not put it into a block".to_owned();
    CallError {
        stage: Stage::CommitStatus,
        transaction_id: transaction.to_owned(),
        ..local(tonic::Code::DeadlineExceeded, message)
    }
}

pub(super) fn lagging(address: &str, wanted: u64) -> CallError {
    local(
        tonic::Code::Unavailable,
        format!("the peer at {address} has fewer than {wanted} blocks and does not catch up"),
    )
}

fn local(code: tonic::Code, message: String) -> CallError {
    let (stage, transaction_id) = (Stage::Evaluate, String::new());
    CallError { stage, transaction_id, code, message, details: Vec::new(), never_sent: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(message: &str) -> LedgerError {
        call_failed(&local(tonic::Code::Aborted, format!("peer said: chaincode response 409, {message}")))
    }

    #[test]
    fn a_refusals_first_word_says_what_it_is() {
        let said = error("slot-used: the slot is used: take another one");
        let expected =
            LedgerError::Refused { code: "slot-used".into(), message: "the slot is used: take another one".into() };
        assert_eq!(said, expected);
        let peers = "hospital-1 (127.0.0.1:17000): request unauthorized due to incorrect timestamp 2026-11-27T20:40:21Z, \
                     peer time 2026-11-26T20:40:21Z, peer.authentication.timewindow 15m0s";
        let said = call_failed(&local(tonic::Code::Unknown, peers.to_owned()));
        assert_eq!(said, LedgerError::Skew { off_by_millis: 86_400_000, allowed_millis: 300_000 });
        let skew = LedgerError::Skew { off_by_millis: 300_001, allowed_millis: 300_000 };
        assert_eq!(error("clock-skew: 300001 300000: the proposal's time"), skew);
        assert_eq!(error("too-large: 7 5: the proposal"), LedgerError::TooLarge { bytes: 7, limit: 5 });
        // The contract's own code of that name has no numbers.
        assert!(matches!(error("too-large: send less at once"), LedgerError::Refused { .. }));
        assert!(matches!(error("identity: no role"), LedgerError::Identity(_)));
        assert!(matches!(error("no word at all"), LedgerError::Refused { .. }));
    }

    #[test]
    fn codes_that_nobody_knows_are_no_validation() {
        assert_eq!(validation(0), Some(Validation::Valid));
        assert_eq!(validation(11), Some(Validation::MvccConflict));
        assert_eq!((validation(4), validation(99)), (None, None));
    }
}
