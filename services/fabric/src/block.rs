//! A checked view of a block: what it holds, with its hashes recomputed and its signatures ready to be verified.
//!
//! Sources: `common.proto`, `transaction.proto` and `rwset.proto` of fabric-protos; the header's hash is SHA-256 over
//! its ASN.1 form (`protoutil/blockutils.go` describes it).

mod action;
mod rwset;
mod signed;

pub(crate) use action::proposal_hash;
pub use action::{Action, Endorsement, Event};
pub use rwset::{CollectionWrites, Metadatum, Namespace, PrivateWrite, RangeRead, Version, Write};
pub use signed::{Certificate, Creator, SignatureError};

use der::asn1::{OctetStringRef, UintRef};
use der::{Encode, Sequence};
use prost::Message;
use prost::encoding::{DecodeContext, decode_key, skip_field};
use sha2::{Digest, Sha256};

use crate::proto::common::{self, ChannelHeader, Envelope, HeaderType, Payload, SignatureHeader};

/// Most transactions of a block that are read.
const TRANSACTIONS_MAX: usize = 100_000;
/// Where a block's metadata hold the orderers' signatures.
const SIGNATURES: usize = 0;
/// Where they hold one validation code a transaction.
const VALIDATION: usize = 2;
/// The parts of an envelope: payload (1) and signature (2).
const ENVELOPE_FIELDS: u32 = 2;
/// The kind of a transaction that cannot be read; Fabric has none below 0.
const UNREADABLE: i32 = -1;
/// Most orderers' signatures that are read.
const SIGNATURES_MAX: usize = 256;

/// Why a block is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// A part is missing.
    #[error("the block has no {0}")]
    Missing(&'static str),
    /// A part is malformed.
    #[error("the block's {0} is malformed")]
    Malformed(&'static str),
    /// It holds too much of something.
    #[error("the block has {1} {0}, more than are read")]
    TooMany(&'static str, usize),
    /// Two transactions stand in the place of one.
    #[error("two of the block's transactions are joined into one, which hides the first")]
    Joined,
    /// Its data are not those that its header names.
    #[error("the block's data do not have the hash in its header")]
    DataHash,
}

/// A block whose data have the hash that its header names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its number, from 0.
    pub number: u64,
    /// The hash of the block before; empty for block 0.
    pub previous_hash: Vec<u8>,
    /// The hash of its own header.
    pub hash: [u8; 32],
    /// Its transactions, in order.
    pub transactions: Vec<Transaction>,
    /// The orderers' signatures.
    pub signatures: Vec<OrdererSignature>,
}

/// One transaction of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its id; empty for a configuration.
    pub id: String,
    /// What kind it is ([`HeaderType`]); -1 for one that cannot be read.
    pub kind: i32,
    /// Its channel.
    pub channel: String,
    /// When, by the submitter's clock, in milliseconds since 1970; 0 where it says nothing.
    pub millis: u64,
    /// The validation code that the peer found ([`crate::proto::protos::TxValidationCode`]).
    pub code: i32,
    /// Who submitted it.
    pub creator: Creator,
    /// The fresh bytes in its id.
    pub nonce: Vec<u8>,
    /// What was signed, and the signature.
    pub signed: (Vec<u8>, Vec<u8>),
    /// What it holds: for an endorser's transaction see [`Transaction::action`].
    pub data: Vec<u8>,
    headers: (Vec<u8>, Vec<u8>),
}

/// A signature of an orderer over the block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrdererSignature {
    /// Who signed; a BFT orderer gives its number only.
    pub signer: Result<Creator, u32>,
    /// What was signed.
    pub bytes: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

impl Block {
    /// Reads and checks a block.
    ///
    /// # Errors
    /// A part is missing or malformed, or the data do not have the header's hash. A malformed transaction that peers
    /// found invalid is kept: of no kind, with nothing but its bytes.
    pub fn read(block: common::Block) -> Result<Self, BlockError> {
        let header = block.header.ok_or(BlockError::Missing("header"))?;
        let data = block.data.ok_or(BlockError::Missing("data"))?.data;
        let metadata = block.metadata.ok_or(BlockError::Missing("metadata"))?.metadata;
        if data.len() > TRANSACTIONS_MAX {
            return Err(BlockError::TooMany("transactions", data.len()));
        }
        if data_hash(&data) != header.data_hash.as_slice() {
            return Err(BlockError::DataHash);
        }
        let encoded = header_bytes(&header)?;
        // The genesis block comes without validation codes: it was not validated but configured.
        let none = Vec::new();
        let codes = metadata.get(VALIDATION).unwrap_or(&none);
        if !codes.is_empty() && codes.len() != data.len() {
            return Err(BlockError::Malformed("list of validation codes"));
        }
        let transactions = data.iter().enumerate().map(|(place, envelope)| {
            let code = codes.get(place).copied().map_or(if header.number == 0 { 0 } else { -1 }, i32::from);
            match Transaction::read(envelope, code) {
                // Peers keep such a one in its block and skip it; it must not halt whoever follows them.
                Err(BlockError::Malformed(_)) if code > 0 => Ok(Transaction::malformed(envelope, code)),
                read => read,
            }
        });
        let transactions = transactions.collect::<Result<_, _>>()?;
        let signatures = match metadata.get(SIGNATURES) {
            Some(bytes) => orderer_signatures(bytes, &encoded)?,
            None => Vec::new(),
        };
        Ok(Self {
            number: header.number,
            previous_hash: header.previous_hash,
            hash: Sha256::digest(&encoded).into(),
            transactions,
            signatures,
        })
    }
}

impl Transaction {
    fn read(envelope: &[u8], code: i32) -> Result<Self, BlockError> {
        let malformed = |what| move |_: prost::DecodeError| BlockError::Malformed(what);
        once(envelope)?;
        let envelope = Envelope::decode(envelope).map_err(malformed("envelope"))?;
        let payload = Payload::decode(envelope.payload.as_slice()).map_err(malformed("payload"))?;
        let header = payload.header.unwrap_or_default();
        let channel = ChannelHeader::decode(header.channel_header.as_slice()).map_err(malformed("channel header"))?;
        let signature =
            SignatureHeader::decode(header.signature_header.as_slice()).map_err(malformed("signature header"))?;
        Ok(Self {
            id: channel.tx_id,
            kind: channel.r#type,
            channel: channel.channel_id,
            millis: channel.timestamp.map_or(0, millis),
            code,
            creator: Creator::read(&signature.creator),
            nonce: signature.nonce,
            signed: (envelope.payload, envelope.signature),
            data: payload.data,
            headers: (header.channel_header, header.signature_header),
        })
    }

    /// One that cannot be read. It has no id, so that no signature of its creator verifies.
    fn malformed(envelope: &[u8], code: i32) -> Self {
        Self {
            id: String::new(),
            kind: UNREADABLE,
            channel: String::new(),
            millis: 0,
            code,
            creator: Creator::read(&[]),
            nonce: Vec::new(),
            signed: (envelope.to_vec(), Vec::new()),
            data: Vec::new(),
            headers: (Vec::new(), Vec::new()),
        }
    }

    /// Whether it is a call of a chaincode.
    #[must_use]
    pub fn is_call(&self) -> bool {
        self.kind == i32::from(HeaderType::EndorserTransaction)
    }

    /// Whether it changes the channel's configuration.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        self.kind == i32::from(HeaderType::Config)
    }

    /// What was called and what came of it.
    ///
    /// # Errors
    /// It is no call, or malformed.
    pub fn action(&self) -> Result<Action, BlockError> {
        Action::read(&self.data, (&self.headers.0, &self.headers.1))
    }

    /// Checks that the creator signed it, and that its id is made of nonce and creator.
    ///
    /// # Errors
    /// It is not so.
    pub fn verify_creator(&self) -> Result<(), SignatureError> {
        if crate::transaction_id(&self.nonce, &self.creator.bytes) != self.id {
            return Err(SignatureError::Id);
        }
        self.creator.certificate()?.verify(&self.signed.0, &self.signed.1)
    }
}

/// Refuses two envelopes in one's place. A block's hash is over its envelopes one after the other, and two of them
/// together read as the second one: a peer could hide the first. No orderer writes that, so it is no transaction.
fn once(envelope: &[u8]) -> Result<(), BlockError> {
    let (mut rest, mut last) = (envelope, 0);
    while !rest.is_empty() {
        let field = next_field(&mut rest).map_err(|_| BlockError::Malformed("envelope"))?;
        // The parts of an envelope come in order; what a later version adds comes behind them.
        if field <= last && field <= ENVELOPE_FIELDS {
            return Err(BlockError::Joined);
        }
        last = last.max(field);
    }
    Ok(())
}

fn next_field(rest: &mut &[u8]) -> Result<u32, prost::DecodeError> {
    let (field, wire) = decode_key(rest)?;
    skip_field(wire, field, rest, DecodeContext::default())?;
    Ok(field)
}

fn millis(timestamp: prost_types::Timestamp) -> u64 {
    let seconds = u64::try_from(timestamp.seconds).unwrap_or_default();
    let rest = u64::try_from(timestamp.nanos / 1_000_000).unwrap_or_default();
    seconds.saturating_mul(1000).saturating_add(rest)
}

pub(crate) fn data_hash(data: &[Vec<u8>]) -> [u8; 32] {
    let mut hash = Sha256::new();
    data.iter().for_each(|envelope| hash.update(envelope));
    hash.finalize().into()
}

/// The header as it is hashed: number, previous hash, data hash.
#[derive(Sequence)]
struct HeaderSequence<'a> {
    number: UintRef<'a>,
    previous: OctetStringRef<'a>,
    data: OctetStringRef<'a>,
}

pub(crate) fn header_bytes(header: &common::BlockHeader) -> Result<Vec<u8>, BlockError> {
    let malformed = |_| BlockError::Malformed("header");
    let number = header.number.to_be_bytes();
    HeaderSequence {
        number: UintRef::new(&number).map_err(malformed)?,
        previous: OctetStringRef::new(&header.previous_hash).map_err(malformed)?,
        data: OctetStringRef::new(&header.data_hash).map_err(malformed)?,
    }
    .to_der()
    .map_err(malformed)
}

fn orderer_signatures(bytes: &[u8], header: &[u8]) -> Result<Vec<OrdererSignature>, BlockError> {
    let malformed = |_| BlockError::Malformed("orderers' signatures");
    let metadata = common::Metadata::decode(bytes).map_err(malformed)?;
    if metadata.signatures.len() > SIGNATURES_MAX {
        return Err(BlockError::TooMany("orderers' signatures", metadata.signatures.len()));
    }
    let signatures = metadata.signatures.into_iter().map(|signature| {
        // A BFT orderer signs with a short header that names it by number.
        let (signer, own) = if signature.signature_header.is_empty() {
            let identifier = common::IdentifierHeader::decode(signature.identifier_header.as_slice());
            (Err(identifier.map_err(malformed)?.identifier), signature.identifier_header)
        } else {
            let own = SignatureHeader::decode(signature.signature_header.as_slice()).map_err(malformed)?;
            (Ok(Creator::read(&own.creator)), signature.signature_header)
        };
        let bytes = [metadata.value.as_slice(), &own, header].concat();
        Ok(OrdererSignature { signer, bytes, signature: signature.signature })
    });
    signatures.collect()
}

#[cfg(test)]
mod tests;
