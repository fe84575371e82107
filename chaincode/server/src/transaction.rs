//! What a peer asks to be executed, checked before the contract sees any of it.

use std::collections::BTreeMap;
use std::fmt;

use prost::Message;
use semblance_contract::ContractError;
use semblance_contract::stub::Caller;
use semblance_core::id::TransactionId;
use semblance_core::limits::{
    ARGUMENTS_MAX, FUNCTION_NAME_MAX, PROPOSAL_BYTES_MAX, PROPOSAL_SKEW_MILLIS, TRANSIENT_NAME_MAX, TRANSIENTS_MAX,
};
use semblance_core::time::Timestamp;
use semblance_fabric::proto::common::{ChannelHeader, Header, SignatureHeader};
use semblance_fabric::proto::protos::{
    ChaincodeHeaderExtension, ChaincodeInput, ChaincodeMessage, ChaincodeProposalPayload, Proposal,
};

use crate::caller;

/// Why a transaction is refused before the contract runs. The first word of each text is stable, for programs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// A part is missing or malformed.
    #[error("invalid-proposal: the proposal's {0} is missing or malformed")]
    Malformed(&'static str),
    /// It exceeds a limit.
    #[error(
        "too-large: {bytes} {limit}: the proposal has so many bytes with its transient data, that many are allowed"
    )]
    TooLarge {
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        limit: usize,
    },
    /// Its time is too far from ours.
    #[error(
        "clock-skew: {off_by_millis} {allowed_millis}: the proposal's time is so many ms off this peer's clock, that many are allowed"
    )]
    Skew {
        /// How far.
        off_by_millis: u64,
        /// How far it may be.
        allowed_millis: u64,
    },
    /// The certificate is of no member's node or administrator.
    #[error("identity: {0}")]
    Identity(String),
    /// No contract goes by the chaincode's name.
    #[error("unknown-chaincode: this server runs no chaincode of that name")]
    Chaincode,
    /// The contract refuses.
    #[error("{0}")]
    Contract(#[from] ContractError),
}

/// A call that may run.
pub(crate) struct Call {
    pub(crate) transaction: TransactionId,
    pub(crate) timestamp: Timestamp,
    pub(crate) caller: Caller,
    pub(crate) chaincode: String,
    pub(crate) function: String,
    pub(crate) arguments: Vec<Vec<u8>>,
    pub(crate) transient: BTreeMap<String, Vec<u8>>,
}

impl fmt::Debug for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Call");
        shown.field("transaction", &self.transaction).field("function", &self.function).finish_non_exhaustive()
    }
}

impl Call {
    /// Reads a TRANSACTION message.
    ///
    /// # Errors
    /// It is malformed, too large, or its time is off `now` by more than five minutes.
    pub(crate) fn read(message: &ChaincodeMessage, now: Timestamp) -> Result<Self, Refusal> {
        let signed = message.proposal.as_ref().ok_or(Refusal::Malformed("signed proposal"))?;
        let bytes = signed.proposal_bytes.len();
        if bytes > PROPOSAL_BYTES_MAX {
            return Err(Refusal::TooLarge { bytes, limit: PROPOSAL_BYTES_MAX });
        }
        let proposal: Proposal = part(&signed.proposal_bytes, "message")?;
        let header: Header = part(&proposal.header, "header")?;
        let channel: ChannelHeader = part(&header.channel_header, "channel header")?;
        let signature: SignatureHeader = part(&header.signature_header, "signature header")?;
        let extension: ChaincodeHeaderExtension = part(&channel.extension, "header extension")?;
        let chaincode = extension.chaincode_id.ok_or(Refusal::Malformed("chaincode"))?.name;
        if channel.tx_id != message.txid || channel.channel_id != message.channel_id {
            return Err(Refusal::Malformed("transaction id or channel"));
        }
        let timestamp = moment(&channel)?;
        let off_by_millis = timestamp.distance(now);
        if off_by_millis > PROPOSAL_SKEW_MILLIS {
            return Err(Refusal::Skew { off_by_millis, allowed_millis: PROPOSAL_SKEW_MILLIS });
        }
        let (function, arguments) = input(&message.payload)?;
        Ok(Self {
            transaction: message.txid.parse().map_err(|_| Refusal::Malformed("transaction id"))?,
            timestamp,
            caller: caller::read(&signature.creator)?,
            chaincode,
            function,
            arguments,
            transient: transient(&proposal.payload)?,
        })
    }
}

fn part<M: Message + Default>(bytes: &[u8], what: &'static str) -> Result<M, Refusal> {
    M::decode(bytes).map_err(|_| Refusal::Malformed(what))
}

fn moment(channel: &ChannelHeader) -> Result<Timestamp, Refusal> {
    let timestamp = channel.timestamp.ok_or(Refusal::Malformed("time"))?;
    let seconds = u64::try_from(timestamp.seconds).map_err(|_| Refusal::Malformed("time"))?;
    let millis = u64::try_from(timestamp.nanos / 1_000_000).map_err(|_| Refusal::Malformed("time"))?;
    Ok(Timestamp::from_millis(seconds.saturating_mul(1000).saturating_add(millis)))
}

fn input(payload: &[u8]) -> Result<(String, Vec<Vec<u8>>), Refusal> {
    let input: ChaincodeInput = part(payload, "input")?;
    let mut arguments = input.args.into_iter();
    let function = arguments.next().ok_or(Refusal::Malformed("function"))?;
    let named = !function.is_empty()
        && function.len() <= FUNCTION_NAME_MAX
        && function.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_');
    let function = String::from_utf8(function).ok().filter(|_| named).ok_or(Refusal::Malformed("function"))?;
    let arguments: Vec<_> = arguments.collect();
    if arguments.len() > ARGUMENTS_MAX {
        return Err(Refusal::Malformed("list of arguments"));
    }
    Ok((function, arguments))
}

fn transient(payload: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, Refusal> {
    let payload: ChaincodeProposalPayload = part(payload, "payload")?;
    let named = |name: &String| !name.is_empty() && name.len() <= TRANSIENT_NAME_MAX;
    if payload.transient_map.len() > TRANSIENTS_MAX || !payload.transient_map.keys().all(named) {
        return Err(Refusal::Malformed("transient data"));
    }
    Ok(payload.transient_map.into_iter().collect())
}

#[cfg(test)]
mod tests;
