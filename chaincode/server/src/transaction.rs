//! What a peer asks to be executed, checked before the contract sees any of it.

use std::collections::BTreeMap;
use std::fmt;

use prost::Message;
use semblance_contract::error::wire::Refusal;
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
        let signed = message.proposal.as_ref().ok_or_else(|| malformed("signed proposal"))?;
        let bytes = signed.proposal_bytes.len();
        if bytes > PROPOSAL_BYTES_MAX {
            return Err(Refusal::TooLarge { bytes: in_full(bytes), limit: in_full(PROPOSAL_BYTES_MAX) });
        }
        let proposal: Proposal = part(&signed.proposal_bytes, "message")?;
        let header: Header = part(&proposal.header, "header")?;
        let channel: ChannelHeader = part(&header.channel_header, "channel header")?;
        let signature: SignatureHeader = part(&header.signature_header, "signature header")?;
        let extension: ChaincodeHeaderExtension = part(&channel.extension, "header extension")?;
        let chaincode = extension.chaincode_id.ok_or_else(|| malformed("chaincode"))?.name;
        if channel.tx_id != message.txid || channel.channel_id != message.channel_id {
            return Err(malformed("transaction id or channel"));
        }
        let timestamp = moment(&channel)?;
        let off_by_millis = timestamp.distance(now);
        if off_by_millis > PROPOSAL_SKEW_MILLIS {
            return Err(Refusal::Skew { off_by_millis, allowed_millis: PROPOSAL_SKEW_MILLIS });
        }
        let (function, arguments) = input(&message.payload)?;
        Ok(Self {
            transaction: message.txid.parse().map_err(|_| malformed("transaction id"))?,
            timestamp,
            caller: caller::read(&signature.creator)?,
            chaincode,
            function,
            arguments,
            transient: transient(&proposal.payload)?,
        })
    }
}

pub(crate) fn malformed(what: &str) -> Refusal {
    Refusal::other("invalid-proposal", format!("the proposal's {what} is missing or malformed"))
}

fn in_full(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn part<M: Message + Default>(bytes: &[u8], what: &'static str) -> Result<M, Refusal> {
    M::decode(bytes).map_err(|_| malformed(what))
}

fn moment(channel: &ChannelHeader) -> Result<Timestamp, Refusal> {
    let timestamp = channel.timestamp.ok_or_else(|| malformed("time"))?;
    let seconds = u64::try_from(timestamp.seconds).map_err(|_| malformed("time"))?;
    let millis = u64::try_from(timestamp.nanos / 1_000_000).map_err(|_| malformed("time"))?;
    Ok(Timestamp::from_millis(seconds.saturating_mul(1000).saturating_add(millis)))
}

fn input(payload: &[u8]) -> Result<(String, Vec<Vec<u8>>), Refusal> {
    let input: ChaincodeInput = part(payload, "input")?;
    let mut arguments = input.args.into_iter();
    let function = arguments.next().ok_or_else(|| malformed("function"))?;
    let named = !function.is_empty()
        && function.len() <= FUNCTION_NAME_MAX
        && function.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_');
    let function = String::from_utf8(function).ok().filter(|_| named).ok_or_else(|| malformed("function"))?;
    let arguments: Vec<_> = arguments.collect();
    if arguments.len() > ARGUMENTS_MAX {
        return Err(malformed("list of arguments"));
    }
    Ok((function, arguments))
}

fn transient(payload: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, Refusal> {
    let payload: ChaincodeProposalPayload = part(payload, "payload")?;
    let named = |name: &String| !name.is_empty() && name.len() <= TRANSIENT_NAME_MAX;
    if payload.transient_map.len() > TRANSIENTS_MAX || !payload.transient_map.keys().all(named) {
        return Err(malformed("transient data"));
    }
    Ok(payload.transient_map.into_iter().collect())
}

#[cfg(test)]
mod tests;
