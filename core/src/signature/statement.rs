//! Statements, and how what arrived signed becomes something to rely on.

use super::{Signature, SignatureError, SigningKey, VerifyingKey};
use crate::encode::{DecodeError, Reader, Writer};
use crate::id::{Digest, NetworkId};
use crate::limits::STATEMENT_BYTES_MAX;

/// A type with one strict layout that opens with a domain tag, a version and the network: something that can be signed.
pub trait Statement: Sized {
    /// Its tag, from [`crate::encode::domain`].
    const DOMAIN: &'static str;
    /// The version written, and the newest that is read.
    const VERSION: u8 = 1;

    /// The network it speaks about.
    fn network(&self) -> NetworkId;

    /// Writes the fields after the network.
    fn write(&self, writer: &mut Writer);

    /// Reads the fields after the network.
    ///
    /// # Errors
    /// The bytes are not exactly what [`Statement::write`] writes of a valid value.
    fn read(network: NetworkId, reader: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// The bytes that are signed or committed to.
    #[must_use]
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::statement(Self::DOMAIN, Self::VERSION, self.network());
        self.write(&mut writer);
        writer.finish()
    }

    /// Reads a whole statement of this network.
    ///
    /// # Errors
    /// Not the exact bytes of a valid statement of this network.
    fn decode(bytes: &[u8], network: NetworkId) -> Result<Self, DecodeError> {
        let (_, mut reader) = Reader::statement(bytes, Self::DOMAIN, Self::VERSION, network)?;
        let statement = Self::read(network, &mut reader)?;
        reader.finish()?;
        Ok(statement)
    }

    /// The BLAKE3 hash of the signed bytes.
    #[must_use]
    fn digest(&self) -> Digest {
        Digest::of(&self.encode())
    }

    /// Signs it.
    #[must_use]
    fn sign(self, key: &SigningKey) -> Signed<Self> {
        let bytes = self.encode();
        let signature = key.sign(&bytes);
        Signed { statement: self, source: SignedBytes { bytes, signature } }
    }
}

/// Bytes and a signature as they arrived: nothing is known about them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SignedBytes {
    bytes: Vec<u8>,
    signature: Signature,
}

impl SignedBytes {
    /// Takes both as they are.
    #[must_use]
    pub const fn new(bytes: Vec<u8>, signature: Signature) -> Self {
        Self { bytes, signature }
    }

    /// The exact bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The signature.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The BLAKE3 hash of the bytes, without the signature.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    /// Decodes the statement, not looking at the signature yet.
    ///
    /// # Errors
    /// Not the exact bytes of a valid statement of this network.
    pub fn claim<T: Statement>(self, network: NetworkId) -> Result<Unverified<T>, DecodeError> {
        Ok(Unverified { statement: T::decode(&self.bytes, network)?, source: self })
    }

    /// Reads it from a layout.
    ///
    /// # Errors
    /// Too few bytes left, or more than any statement has.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bytes = reader.bytes("signed statement", STATEMENT_BYTES_MAX)?.to_vec();
        Ok(Self { bytes, signature: Signature::read(reader)? })
    }

    /// Writes it to a layout.
    pub fn write(&self, writer: &mut Writer) {
        writer.bytes(&self.bytes);
        self.signature.write(writer);
    }
}

/// A well-formed statement whose signature has not been verified. What it says is a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unverified<T> {
    statement: T,
    source: SignedBytes,
}

impl<T> Unverified<T> {
    /// What it claims, to find out whose key to verify it with.
    #[must_use]
    pub const fn claims(&self) -> &T {
        &self.statement
    }

    /// Verifies the signature. The caller makes sure that the key belongs to whom the statement names.
    ///
    /// # Errors
    /// The signature is not by this key over these bytes.
    pub fn verify(self, key: &VerifyingKey) -> Result<Signed<T>, SignatureError> {
        key.verify(&self.source.bytes, &self.source.signature)?;
        Ok(Signed { statement: self.statement, source: self.source })
    }
}

/// A statement whose signature has been verified, with the exact bytes that were signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed<T> {
    statement: T,
    source: SignedBytes,
}

impl<T> Signed<T> {
    /// What was said.
    #[must_use]
    pub const fn statement(&self) -> &T {
        &self.statement
    }

    /// The exact bytes and the signature, to store.
    #[must_use]
    pub const fn source(&self) -> &SignedBytes {
        &self.source
    }

    /// The BLAKE3 hash of the signed bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.source.digest()
    }

    /// Both, apart.
    #[must_use]
    pub fn into_parts(self) -> (T, SignedBytes) {
        (self.statement, self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::assert_strict;

    #[test]
    fn signed_bytes_have_one_encoding() {
        let signed = SignedBytes::new(b"statement".to_vec(), SigningKey::from_seed(&[1; 32]).sign(b"statement"));
        let encode = |signed: &SignedBytes| {
            let mut writer = Writer::default();
            signed.write(&mut writer);
            writer.finish()
        };
        let decode = |bytes: &[u8]| {
            let mut reader = Reader::new(bytes);
            let signed = SignedBytes::read(&mut reader)?;
            reader.finish().map(|()| signed)
        };
        assert_strict(&encode(&signed), decode, encode);
    }
}
