//! Blocks: what happened, in order, chained by hashes.
//!
//! The header is a statement (number, hash of the previous header, time, data hash); the block's hash is the BLAKE3 of
//! the header's bytes. The data are a count, one BLAKE3 digest for each transaction, then the transactions. The data
//! hash covers count and digests, so that a flipped bit is not only found but its transaction named.

use semblance_core::encode::{DecodeError, Reader, Writer, domain};
use semblance_core::id::{Digest, NetworkId, OrganisationId, TransactionId};
use semblance_core::limits::{
    EVENT_BYTES_MAX, MESSAGE_BYTES_MAX, ORGANISATIONS_MAX, PROPOSAL_BYTES_MAX, STATE_KEY_MAX,
};
use semblance_core::signature::Signature;
use semblance_core::time::Timestamp;

use super::effects::{ReadSet, WriteSet, read_optional, write_optional};
use crate::Validation;

/// Bytes of one recorded transaction.
pub(super) const TRANSACTION_BYTES_MAX: usize = 8 << 20;
/// Transactions of one block.
pub(super) const TRANSACTIONS_MAX: usize = 512;

/// A block's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The network.
    pub network: NetworkId,
    /// The block's number, from 0.
    pub number: u64,
    /// The hash of the block before; zeros for block 0.
    pub previous: Digest,
    /// The ledger's time, never before that of the block before.
    pub timestamp: Timestamp,
    /// The hash over the digests of its transactions.
    pub data: Digest,
}

impl Header {
    /// The header's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::statement(domain::BLOCK, 1, self.network);
        writer.u64(self.number);
        self.previous.write(&mut writer);
        self.timestamp.write(&mut writer);
        self.data.write(&mut writer);
        writer.finish()
    }

    /// Reads a header of this network.
    ///
    /// # Errors
    /// Not the exact bytes of a header of this network.
    pub fn decode(bytes: &[u8], network: NetworkId) -> Result<Self, DecodeError> {
        let (_, mut reader) = Reader::statement(bytes, domain::BLOCK, 1, network)?;
        let header = Self {
            network,
            number: reader.u64("block number")?,
            previous: Digest::read(&mut reader)?,
            timestamp: Timestamp::read(&mut reader, "block time")?,
            data: Digest::read(&mut reader)?,
        };
        reader.finish()?;
        Ok(header)
    }
}

/// One transaction as a block records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedTransaction {
    /// The exact bytes of the signed proposal.
    pub proposal: Vec<u8>,
    /// Their signature.
    pub signature: Signature,
    /// What came of it on its endorsers' peers.
    pub executed: Executed,
    /// Whether it took effect.
    pub validation: Validation,
}

/// A call as its endorsers executed it, all with the same result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// Whose peers executed it, in ascending order.
    pub endorsers: Vec<OrganisationId>,
    /// What it read.
    pub reads: ReadSet,
    /// What it wrote, if it is valid.
    pub writes: WriteSet,
    /// What the contract returned.
    pub response: Vec<u8>,
    /// Its event, name and payload.
    pub event: Option<(String, Vec<u8>)>,
}

impl RecordedTransaction {
    /// The transaction's id.
    #[must_use]
    pub fn id(&self) -> TransactionId {
        TransactionId::from_bytes(*Digest::of(&self.proposal).as_bytes())
    }

    /// The transaction's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::record(1);
        writer.bytes(&self.proposal);
        self.signature.write(&mut writer);
        self.executed.write(&mut writer);
        writer.u8(validation_code(self.validation));
        writer.finish()
    }

    /// Reads a transaction.
    ///
    /// # Errors
    /// Not the exact bytes of one.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (_, mut reader) = Reader::record(bytes, "transaction", 1)?;
        let transaction = Self {
            proposal: reader.bytes("proposal", PROPOSAL_BYTES_MAX)?.to_vec(),
            signature: Signature::read(&mut reader)?,
            executed: Executed::read(&mut reader)?,
            validation: validation_from_code(reader.u8("validation")?)?,
        };
        reader.finish()?;
        Ok(transaction)
    }
}

impl Executed {
    fn write(&self, writer: &mut Writer) {
        writer.count(self.endorsers.len());
        for endorser in &self.endorsers {
            endorser.write(writer);
        }
        self.reads.write(writer);
        self.writes.write(writer);
        writer.bytes(&self.response);
        write_optional(writer, self.event.as_ref(), |writer, (name, payload)| {
            writer.text(name).bytes(payload);
        });
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            endorsers: (0..reader.count("endorsers", ORGANISATIONS_MAX)?)
                .map(|_| OrganisationId::read(reader))
                .collect::<Result<_, _>>()?,
            reads: ReadSet::read(reader)?,
            writes: WriteSet::read(reader)?,
            response: reader.bytes("response", MESSAGE_BYTES_MAX)?.to_vec(),
            event: read_optional(reader, |reader| {
                let name = reader.text("event", STATE_KEY_MAX)?.to_owned();
                Ok((name, reader.bytes("event payload", EVENT_BYTES_MAX)?.to_vec()))
            })?,
        })
    }
}

/// The stored transactions of a block: their digests and their bytes, not decoded yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockData {
    /// BLAKE3 of each transaction's bytes, as stored.
    pub digests: Vec<Digest>,
    /// Each transaction's bytes.
    pub transactions: Vec<Vec<u8>>,
}

impl BlockData {
    /// Takes the bytes of transactions.
    #[must_use]
    pub fn of(transactions: Vec<Vec<u8>>) -> Self {
        Self { digests: transactions.iter().map(|bytes| Digest::of(bytes)).collect(), transactions }
    }

    /// What the header's data hash must be.
    #[must_use]
    pub fn hash(&self) -> Digest {
        let mut writer = Writer::default();
        self.write_digests(&mut writer);
        Digest::of(&writer.finish())
    }

    fn write_digests(&self, writer: &mut Writer) {
        writer.count(self.digests.len());
        for digest in &self.digests {
            digest.write(writer);
        }
    }

    /// The data's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        self.write_digests(&mut writer);
        for transaction in &self.transactions {
            writer.bytes(transaction);
        }
        writer.finish()
    }

    /// Reads the data of a block; the digests are not checked yet.
    ///
    /// # Errors
    /// Not the layout of a block's data.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let count = reader.count("transactions", TRANSACTIONS_MAX)?;
        let data = Self {
            digests: (0..count).map(|_| Digest::read(&mut reader)).collect::<Result<_, _>>()?,
            transactions: (0..count)
                .map(|_| Ok(reader.bytes("transaction", TRANSACTION_BYTES_MAX)?.to_vec()))
                .collect::<Result<_, DecodeError>>()?,
        };
        reader.finish()?;
        Ok(data)
    }
}

const CODES: [(u8, Validation); 5] = [
    (1, Validation::Valid),
    (2, Validation::MvccConflict),
    (3, Validation::PhantomConflict),
    (4, Validation::EndorsementPolicyFailure),
    (5, Validation::DuplicateTransaction),
];

fn validation_code(validation: Validation) -> u8 {
    CODES.iter().find(|(_, known)| *known == validation).map_or(0, |(code, _)| *code)
}

fn validation_from_code(code: u8) -> Result<Validation, DecodeError> {
    CODES
        .iter()
        .find(|(known, _)| *known == code)
        .map(|(_, validation)| *validation)
        .ok_or(DecodeError::Invalid { what: "validation", why: "unknown code" })
}
