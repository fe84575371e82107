//! Between the ledger's types and the messages of its gRPC.

use prost::Message;
use semblance_core::id::TransactionId;
use semblance_core::signature::Signature;
use semblance_core::time::Timestamp;
use semblance_proto::v1;
use semblance_proto::v1::ledger_fault::Fault;
use tonic::{Code, Status};

use crate::identity::IncomingProposal;
use crate::{BlockEvents, LedgerError, TransactionOutcome, Validation};

pub(super) fn proposal_message(proposal: IncomingProposal) -> v1::SignedProposal {
    v1::SignedProposal {
        proposal: proposal.bytes,
        signature: proposal.signature.as_bytes().to_vec(),
        transient: proposal.transient.into_iter().collect(),
    }
}

pub(super) fn incoming(message: v1::SignedProposal) -> Result<IncomingProposal, LedgerError> {
    let signature = <[u8; 64]>::try_from(message.signature)
        .map_err(|_| LedgerError::Identity("a signature has 64 bytes".into()))?;
    Ok(IncomingProposal {
        bytes: message.proposal,
        signature: Signature::from_bytes(signature),
        transient: message.transient.into_iter().collect(),
    })
}

pub(super) fn block_message(block: BlockEvents) -> v1::Block {
    let outcome = |outcome: TransactionOutcome| v1::TransactionOutcome {
        transaction: outcome.transaction.as_bytes().to_vec(),
        validation: validation_message(outcome.validation).into(),
        event: outcome.event.map(|(name, payload)| v1::TransactionEvent { name, payload }),
    };
    v1::Block {
        number: block.number,
        timestamp: block.timestamp.millis(),
        transactions: block.transactions.into_iter().map(outcome).collect(),
    }
}

pub(super) fn block(message: v1::Block) -> Result<BlockEvents, LedgerError> {
    let outcome = |message: v1::TransactionOutcome| {
        Ok(TransactionOutcome {
            validation: validation(message.validation())?,
            transaction: transaction(message.transaction)?,
            event: message.event.map(|event| (event.name, event.payload)),
        })
    };
    Ok(BlockEvents {
        number: message.number,
        timestamp: Timestamp::from_millis(message.timestamp),
        transactions: message.transactions.into_iter().map(outcome).collect::<Result<_, LedgerError>>()?,
    })
}

pub(super) fn transaction(bytes: Vec<u8>) -> Result<TransactionId, LedgerError> {
    let bytes = <[u8; 32]>::try_from(bytes);
    bytes.map(TransactionId::from_bytes).map_err(|_| LedgerError::Malformed("a transaction's id has 32 bytes".into()))
}

fn validation_message(validation: Validation) -> v1::TransactionValidation {
    match validation {
        Validation::Valid => v1::TransactionValidation::Valid,
        Validation::MvccConflict => v1::TransactionValidation::MvccConflict,
        Validation::PhantomConflict => v1::TransactionValidation::PhantomConflict,
        Validation::EndorsementPolicyFailure => v1::TransactionValidation::EndorsementPolicyFailure,
        Validation::DuplicateTransaction => v1::TransactionValidation::DuplicateTransaction,
    }
}

fn validation(message: v1::TransactionValidation) -> Result<Validation, LedgerError> {
    match message {
        v1::TransactionValidation::Valid => Ok(Validation::Valid),
        v1::TransactionValidation::MvccConflict => Ok(Validation::MvccConflict),
        v1::TransactionValidation::PhantomConflict => Ok(Validation::PhantomConflict),
        v1::TransactionValidation::EndorsementPolicyFailure => Ok(Validation::EndorsementPolicyFailure),
        v1::TransactionValidation::DuplicateTransaction => Ok(Validation::DuplicateTransaction),
        v1::TransactionValidation::Unspecified => Err(LedgerError::Malformed("unknown validation code".into())),
    }
}

/// An error as a gRPC status: the code for everyone, the ledger's own error in the details.
pub(super) fn status(error: LedgerError) -> Status {
    let text = error.to_string();
    let (code, fault) = match error {
        LedgerError::Unavailable(reason) => (Code::Unavailable, Fault::Unavailable(v1::LedgerUnavailable { reason })),
        LedgerError::OutcomeUnknown { transaction, reason } => {
            let transaction = transaction.as_bytes().to_vec();
            (Code::Unknown, Fault::OutcomeUnknown(v1::LedgerOutcomeUnknown { transaction, reason }))
        }
        LedgerError::Refused { code, message } => {
            (Code::FailedPrecondition, Fault::Refused(v1::LedgerRefused { code, message }))
        }
        LedgerError::Invalid { transaction, validation } => {
            let transaction = transaction.as_bytes().to_vec();
            let validation = validation_message(validation).into();
            (Code::Aborted, Fault::Invalid(v1::LedgerInvalid { transaction, validation }))
        }
        LedgerError::Skew { off_by_millis, allowed_millis } => {
            (Code::FailedPrecondition, Fault::Skew(v1::LedgerSkew { off_by_millis, allowed_millis }))
        }
        LedgerError::Identity(reason) => (Code::PermissionDenied, Fault::Identity(v1::LedgerIdentity { reason })),
        LedgerError::TooLarge { bytes, limit } => {
            let (bytes, limit) = (bytes as u64, limit as u64);
            (Code::ResourceExhausted, Fault::TooLarge(v1::LedgerTooLarge { bytes, limit }))
        }
        LedgerError::Malformed(reason) => (Code::Internal, Fault::Malformed(v1::LedgerMalformed { reason })),
        LedgerError::Storage(reason) => (Code::Internal, Fault::Storage(v1::LedgerStorage { reason })),
    };
    Status::with_details(code, text, v1::LedgerFault { fault: Some(fault) }.encode_to_vec().into())
}

/// The ledger's own error out of a status, if it carries one.
pub(super) fn fault(status: &Status) -> Option<LedgerError> {
    if status.details().is_empty() {
        return None;
    }
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    Some(match v1::LedgerFault::decode(status.details()).ok()?.fault? {
        Fault::Unavailable(fault) => LedgerError::Unavailable(fault.reason),
        Fault::OutcomeUnknown(fault) => {
            LedgerError::OutcomeUnknown { transaction: transaction(fault.transaction).ok()?, reason: fault.reason }
        }
        Fault::Refused(fault) => LedgerError::Refused { code: fault.code, message: fault.message },
        Fault::Invalid(fault) => LedgerError::Invalid {
            validation: validation(fault.validation()).ok()?,
            transaction: transaction(fault.transaction).ok()?,
        },
        Fault::Skew(fault) => {
            LedgerError::Skew { off_by_millis: fault.off_by_millis, allowed_millis: fault.allowed_millis }
        }
        Fault::Identity(fault) => LedgerError::Identity(fault.reason),
        Fault::TooLarge(fault) => LedgerError::TooLarge { bytes: size(fault.bytes), limit: size(fault.limit) },
        Fault::Malformed(fault) => LedgerError::Malformed(fault.reason),
        Fault::Storage(fault) => LedgerError::Storage(fault.reason),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_arrives_as_it_left() {
        let transaction = TransactionId::from_bytes([7; 32]);
        let mut errors = vec![
            LedgerError::Unavailable("stopping".into()),
            LedgerError::OutcomeUnknown { transaction, reason: "lost".into() },
            LedgerError::Refused { code: "slot-used".into(), message: "taken".into() },
            LedgerError::Skew { off_by_millis: 400_000, allowed_millis: 300_000 },
            LedgerError::Identity("no member".into()),
            LedgerError::TooLarge { bytes: 2, limit: 1 },
            LedgerError::Malformed("odd".into()),
            LedgerError::Storage("full".into()),
        ];
        for validation in [
            Validation::MvccConflict,
            Validation::PhantomConflict,
            Validation::EndorsementPolicyFailure,
            Validation::DuplicateTransaction,
        ] {
            errors.push(LedgerError::Invalid { transaction, validation });
        }
        for error in errors {
            assert_eq!(fault(&status(error.clone())), Some(error));
        }
        assert_eq!(fault(&Status::internal("plain")), None);
        assert_eq!(fault(&Status::with_details(Code::Internal, "", vec![0xff; 9].into())), None);
    }

    #[test]
    fn blocks_arrive_as_they_left() {
        let outcome = TransactionOutcome {
            transaction: TransactionId::from_bytes([7; 32]),
            validation: Validation::PhantomConflict,
            event: Some(("event".into(), vec![])),
        };
        let plain = TransactionOutcome { event: None, validation: Validation::Valid, ..outcome.clone() };
        let sent = BlockEvents { number: 3, timestamp: Timestamp::from_millis(4), transactions: vec![outcome, plain] };
        assert_eq!(block(block_message(sent.clone())), Ok(sent.clone()));
        let mut unknown = block_message(sent.clone());
        unknown.transactions[0].validation = 99;
        assert!(matches!(block(unknown), Err(LedgerError::Malformed(_))));
        let mut short = block_message(sent);
        short.transactions[0].transaction.pop();
        assert!(matches!(block(short), Err(LedgerError::Malformed(_))));
    }
}
