//! Who speaks to a ledger, and how its proposals are made.

use semblance_core::id::{NetworkId, OrganisationId};
use semblance_core::organisation::Role;
use semblance_core::proposal::{Proposal, ProposalError, ProposalParts, SignedProposal, Transient, transient_hash};
use semblance_core::random::RandomSource;
use semblance_core::signature::SigningKey;
use semblance_core::time::Clock;

use crate::{Call, LedgerError};

/// An organisation's node or administrator with the key it signs proposals with.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The network its proposals are for.
    pub network: NetworkId,
    /// Its organisation.
    pub organisation: OrganisationId,
    /// In which role it acts.
    pub role: Role,
    /// SHA-256 of the certificate (DER) that its connections show.
    pub certificate: [u8; 32],
    /// The organisation's signing key.
    pub key: SigningKey,
}

impl Identity {
    /// Signs a call; every time under a new transaction id.
    ///
    /// # Errors
    /// The call exceeds a limit or is malformed.
    pub fn propose(
        &self,
        call: &Call,
        clock: &dyn Clock,
        random: &dyn RandomSource,
    ) -> Result<SignedProposal, LedgerError> {
        let parts = ProposalParts {
            network: self.network,
            nonce: random.array(),
            organisation: self.organisation.clone(),
            role: self.role,
            certificate: self.certificate,
            timestamp: clock.now(),
            function: call.function.clone(),
            arguments: call.arguments.clone(),
            transient: transient_hash(&call.transient).map_err(refusal)?,
            endorsers: call.endorsers.clone(),
        };
        let signed = Proposal::new(parts).map_err(refusal)?.sign(&self.key);
        signed.check_transient(&call.transient).map_err(refusal)?;
        Ok(signed)
    }
}

/// A proposal as it arrives at a ledger: nothing about it has been checked.
#[derive(Clone)]
pub struct IncomingProposal {
    /// The bytes that are said to be signed.
    pub bytes: Vec<u8>,
    /// The signature.
    pub signature: semblance_core::signature::Signature,
    /// The private input that came along.
    pub transient: Transient,
}

impl IncomingProposal {
    /// Sends a signed proposal with its private input.
    #[must_use]
    pub fn new(signed: &SignedProposal, transient: Transient) -> Self {
        Self { bytes: signed.bytes().to_vec(), signature: *signed.signature(), transient }
    }
}

/// Says why a proposal is refused, in the words of the ledger.
#[must_use]
pub fn refusal(error: ProposalError) -> LedgerError {
    match error {
        ProposalError::TooLarge { bytes, limit } => LedgerError::TooLarge { bytes, limit },
        ProposalError::Signature(error) => LedgerError::Identity(error.to_string()),
        error => LedgerError::Refused { code: "invalid-proposal".into(), message: error.to_string() },
    }
}
