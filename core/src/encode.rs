//! Fixed, length-prefixed byte layouts for everything that is signed, committed to or stored on a ledger.
//!
//! Integers are big-endian. A byte string or list carries a 32-bit length first. A *statement* (anything signed or
//! committed) opens with its domain tag, a version byte and the network id, so that a signature made for one purpose
//! or network never passes for another. A *record* (anything stored) opens with a version byte alone. Decoders are
//! strict: each value has exactly one encoding, trailing bytes are refused, lengths are bounded before allocation.

use crate::id::NetworkId;

/// Domain tags, one for each kind of statement; a tag is never used twice.
pub mod domain {
    /// A request to look up similar cases, signed by the asking hospital's node.
    pub const LOOKUP_REQUEST: &str = "semblance/lookup-request";
    /// The commitment to a query inside a look-up request.
    pub const QUERY_COMMITMENT: &str = "semblance/query-commitment";
    /// The commitment to an answer inside a look-up entry.
    pub const ANSWER_COMMITMENT: &str = "semblance/answer-commitment";
    /// The salted commitment to a local case.
    pub const CASE_COMMITMENT: &str = "semblance/case-commitment";
    /// A patient's consent.
    pub const CONSENT: &str = "semblance/consent";
    /// A patient's withdrawal of a consent.
    pub const WITHDRAWAL: &str = "semblance/withdrawal";
    /// A hospital's registration of a patient's key.
    pub const PATIENT_KEY: &str = "semblance/patient-key";
    /// The info of an HPKE message in a receipt slot.
    pub const RECEIPT_SLOT: &str = "semblance/receipt-slot";
    /// The info of an HPKE message that carries an epoch key.
    pub const EPOCH_KEY: &str = "semblance/epoch-key";
    /// The rotation of an organisation's key, signed by the key it replaces.
    pub const KEY_ROTATION: &str = "semblance/key-rotation";
    /// That an organisation shall be a member, signed by it and by members who approve.
    pub const MEMBERSHIP: &str = "semblance/membership";
    /// A ledger proposal, signed by the submitting organisation's node.
    pub const PROPOSAL: &str = "semblance/proposal";
    /// The input of a clinician's weekly pseudonym.
    pub const CLINICIAN_PSEUDONYM: &str = "semblance/clinician-pseudonym";
    /// The header of a block of the embedded ledger.
    pub const BLOCK: &str = "semblance/block";
    /// The signed head of an audit log.
    pub const AUDIT_HEAD: &str = "semblance/audit-head";
    /// A hospital's proposal of an introduction.
    pub const INTRODUCTION: &str = "semblance/introduction";
    /// The answer to a proposed introduction.
    pub const INTRODUCTION_ANSWER: &str = "semblance/introduction-answer";
    /// The salted commitment to whom an introduction is proposed.
    pub const INTRODUCTION_RECIPIENT: &str = "semblance/introduction-recipient";
    /// The info of an HPKE message inside a proposal of an introduction.
    pub const INTRODUCTION_NOTE: &str = "semblance/introduction-note";
    /// The info of an HPKE message inside the answer to an introduction.
    pub const INTRODUCTION_ANSWER_NOTE: &str = "semblance/introduction-answer-note";
    /// The salted commitment to a consent that a channel rests on.
    pub const CONSENT_COMMITMENT: &str = "semblance/consent-commitment";
    /// The opening of a channel between two sides of a match.
    pub const CHANNEL: &str = "semblance/channel";
    /// The opening of a symptom group.
    pub const GROUP: &str = "semblance/group";
    /// The salted commitment to what a symptom group is about.
    pub const GROUP_TOPIC: &str = "semblance/group-topic";
    /// The info of an HPKE message that carries a symptom group's topic.
    pub const GROUP_TOPIC_SEAL: &str = "semblance/group-topic-seal";
    /// The digest over all sealed topics of a symptom group.
    pub const GROUP_TOPICS: &str = "semblance/group-topics";
    /// A hospital's word on one leaf of a channel.
    pub const LEAF_ATTESTATION: &str = "semblance/leaf-attestation";
    /// A patient's word on one leaf of a channel, signed by the consent key.
    pub const LEAF_PLEDGE: &str = "semblance/leaf-pledge";
    /// A hospital's revocation of one leaf of a channel.
    pub const LEAF_REVOCATION: &str = "semblance/leaf-revocation";
}

/// Why bytes are not the layout they claim to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end before the value does.
    #[error("{what}: {missing} more bytes expected at offset {offset}")]
    Truncated {
        /// The field being read.
        what: &'static str,
        /// Where reading stopped.
        offset: usize,
        /// How many bytes are missing.
        missing: usize,
    },
    /// A length exceeds what the field may hold.
    #[error("{what}: length {length} exceeds the limit of {limit}")]
    TooLong {
        /// The field being read.
        what: &'static str,
        /// The length found.
        length: usize,
        /// The largest length allowed.
        limit: usize,
    },
    /// The domain tag is another one.
    #[error("domain tag is not {expected}")]
    Domain {
        /// The tag this decoder reads.
        expected: &'static str,
    },
    /// The version byte is newer or unknown.
    #[error("{what}: version {found} is not supported, this program reads up to {supported}")]
    Version {
        /// The type being read.
        what: &'static str,
        /// The version found.
        found: u8,
        /// The newest version this program reads.
        supported: u8,
    },
    /// The value belongs to another network.
    #[error("statement belongs to another network")]
    Network,
    /// A value is out of its range or not in canonical form.
    #[error("{what}: {why}")]
    Invalid {
        /// The field being read.
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Bytes follow the end of the value.
    #[error("{count} bytes follow the end of the value")]
    Trailing {
        /// How many.
        count: usize,
    },
}

/// Builds a layout. Infallible: lengths are checked by the types that are written.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Opens a statement: tag, version, network.
    #[must_use]
    pub fn statement(tag: &'static str, version: u8, network: NetworkId) -> Self {
        let mut writer = Self::default();
        writer.text(tag);
        writer.u8(version);
        writer.raw(network.as_bytes());
        writer
    }

    /// Opens a stored record: version alone.
    #[must_use]
    pub fn record(version: u8) -> Self {
        Self { bytes: vec![version] }
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.raw(&[value])
    }

    /// Appends a flag as one byte, 0 or 1.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.u8(u8::from(value))
    }

    /// Appends two bytes, big-endian.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Appends four bytes, big-endian.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Appends eight bytes, big-endian.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Appends bytes of a length that the layout fixes.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Appends a count of the items that follow. Saturates at 2^32 − 1, which no bounded type reaches.
    pub fn count(&mut self, count: usize) -> &mut Self {
        self.u32(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// Appends a length and the bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len());
        self.raw(bytes)
    }

    /// Appends a length and the text's UTF-8 bytes.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Appends zeros up to a total length, so that every value of a kind is equally long.
    pub fn pad_to(&mut self, length: usize) -> &mut Self {
        self.bytes.resize(self.bytes.len().max(length), 0);
        self
    }

    /// Ends the layout.
    #[must_use]
    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

/// Reads a layout strictly; call [`Reader::finish`] at the end.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte, expecting neither tag nor version.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// Opens a statement and returns its version, between 1 and `newest`.
    ///
    /// # Errors
    /// Another tag, version or network.
    pub fn statement(
        bytes: &'a [u8],
        tag: &'static str,
        newest: u8,
        network: NetworkId,
    ) -> Result<(u8, Self), DecodeError> {
        let mut reader = Self::new(bytes);
        if reader.bytes("domain tag", 64)? != tag.as_bytes() {
            return Err(DecodeError::Domain { expected: tag });
        }
        let version = reader.version(tag, newest)?;
        if reader.array::<16>("network")? != *network.as_bytes() {
            return Err(DecodeError::Network);
        }
        Ok((version, reader))
    }

    /// Opens a stored record and returns its version, between 1 and `newest`.
    ///
    /// # Errors
    /// An empty record or an unknown version.
    pub fn record(bytes: &'a [u8], what: &'static str, newest: u8) -> Result<(u8, Self), DecodeError> {
        let mut reader = Self::new(bytes);
        let version = reader.version(what, newest)?;
        Ok((version, reader))
    }

    fn version(&mut self, what: &'static str, newest: u8) -> Result<u8, DecodeError> {
        let found = self.u8(what)?;
        if found == 0 || found > newest {
            return Err(DecodeError::Version { what, found, supported: newest });
        }
        Ok(found)
    }

    /// Reads bytes of a length that the layout fixes.
    ///
    /// # Errors
    /// Too few bytes left.
    pub fn raw(&mut self, what: &'static str, length: usize) -> Result<&'a [u8], DecodeError> {
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        let Some(found) = rest.get(..length) else {
            return Err(DecodeError::Truncated { what, offset: self.offset, missing: length - rest.len() });
        };
        self.offset += length;
        Ok(found)
    }

    /// Reads an array of a fixed length.
    ///
    /// # Errors
    /// Too few bytes left.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.raw(what, N)?);
        Ok(array)
    }

    /// Reads one byte.
    ///
    /// # Errors
    /// No byte left.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(self.array(what)?))
    }

    /// Reads a flag.
    ///
    /// # Errors
    /// No byte left, or one that is neither 0 nor 1.
    pub fn bool(&mut self, what: &'static str) -> Result<bool, DecodeError> {
        match self.u8(what)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Invalid { what, why: "a flag is 0 or 1" }),
        }
    }

    /// Reads a 16-bit number.
    ///
    /// # Errors
    /// Too few bytes left.
    pub fn u16(&mut self, what: &'static str) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array(what)?))
    }

    /// Reads a 32-bit number.
    ///
    /// # Errors
    /// Too few bytes left.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array(what)?))
    }

    /// Reads a 64-bit number.
    ///
    /// # Errors
    /// Too few bytes left.
    pub fn u64(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.array(what)?))
    }

    /// Reads a count of items, at most `limit`.
    ///
    /// # Errors
    /// Too few bytes left, or a larger count.
    pub fn count(&mut self, what: &'static str, limit: usize) -> Result<usize, DecodeError> {
        let length = usize::try_from(self.u32(what)?).unwrap_or(usize::MAX);
        if length > limit {
            return Err(DecodeError::TooLong { what, length, limit });
        }
        Ok(length)
    }

    /// Reads a length and that many bytes, at most `limit`.
    ///
    /// # Errors
    /// Too few bytes left, or a larger length.
    pub fn bytes(&mut self, what: &'static str, limit: usize) -> Result<&'a [u8], DecodeError> {
        let length = self.count(what, limit)?;
        self.raw(what, length)
    }

    /// Reads a length and that many bytes of UTF-8, at most `limit`.
    ///
    /// # Errors
    /// Too few bytes left, a larger length, or no UTF-8.
    pub fn text(&mut self, what: &'static str, limit: usize) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes(what, limit)?).map_err(|_| DecodeError::Invalid { what, why: "not UTF-8" })
    }

    /// Bytes not read yet.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.offset)
    }

    /// Ends a layout that [`Writer::pad_to`] padded to this length.
    ///
    /// # Errors
    /// The layout is not of that length, or a byte left over is not zero.
    pub fn finish_padded(mut self, length: usize) -> Result<(), DecodeError> {
        if self.bytes.len() != length {
            return Err(DecodeError::Invalid { what: "padding", why: "not of its length" });
        }
        let padding = self.raw("padding", self.remaining())?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(DecodeError::Invalid { what: "padding", why: "not zero" });
        }
        Ok(())
    }

    /// Ends the layout.
    ///
    /// # Errors
    /// Bytes left over.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            count => Err(DecodeError::Trailing { count }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: NetworkId = NetworkId::from_bytes([7; 16]);

    #[test]
    fn a_statement_reads_back() {
        let bytes = Writer::statement(domain::CONSENT, 1, NETWORK).u16(9).text("ok").bool(true).finish();
        let (version, mut reader) = Reader::statement(&bytes, domain::CONSENT, 1, NETWORK).unwrap();
        assert_eq!((version, reader.u16("a").unwrap(), reader.text("b", 8).unwrap()), (1, 9, "ok"));
        assert!(reader.bool("c").unwrap());
        reader.finish().unwrap();
    }

    #[test]
    fn another_tag_network_or_version_is_refused() {
        let bytes = Writer::statement(domain::CONSENT, 1, NETWORK).finish();
        let open = |tag, newest, network| Reader::statement(&bytes, tag, newest, network).map(|_| ());
        assert!(matches!(open(domain::WITHDRAWAL, 1, NETWORK), Err(DecodeError::Domain { .. })));
        assert_eq!(open(domain::CONSENT, 1, NetworkId::from_bytes([8; 16])), Err(DecodeError::Network));
        let newer = Writer::statement(domain::CONSENT, 2, NETWORK).finish();
        let error = Reader::statement(&newer, domain::CONSENT, 1, NETWORK).unwrap_err();
        assert!(matches!(error, DecodeError::Version { found: 2, supported: 1, .. }));
    }

    #[test]
    fn lengths_are_checked_before_anything_is_read() {
        let bytes = Writer::default().u32(u32::MAX).finish();
        assert!(matches!(Reader::new(&bytes).bytes("blob", 16), Err(DecodeError::TooLong { .. })));
        assert!(matches!(Reader::new(&[1, 2]).u32("n"), Err(DecodeError::Truncated { missing: 2, .. })));
        assert_eq!(Reader::new(&[0]).finish(), Err(DecodeError::Trailing { count: 1 }));
    }
}
