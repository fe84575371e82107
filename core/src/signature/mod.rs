//! Signatures: Ed25519, verified strictly, over exact bytes that are kept.
//!
//! What arrives is [`SignedBytes`]: bytes and a signature that nobody has looked at. Decoding gives an [`Unverified`]
//! statement, which can be asked what it claims, so that the right key can be found; only verification gives a
//! [`Signed`] one. The exact bytes stay with it and are what a ledger stores, so that anyone can verify them again.

mod statement;

use std::fmt;

use ed25519_dalek::Signer;
use zeroize::Zeroizing;

use crate::encode::{DecodeError, Reader, Writer};
use crate::random::RandomSource;

pub use statement::{Signed, SignedBytes, Statement, Unverified};

/// Why a key or a signature is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The bytes are no usable public key.
    #[error("verifying key is no canonical point of the curve, or of small order")]
    Key,
    /// The signature is not by this key over these bytes.
    #[error("signature does not verify with this key")]
    Signature,
}

/// A secret key that signs. Wipes itself; debug output shows nothing.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// Derives the key of a 32-byte seed (RFC 8032 section 5.1.5).
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// Draws a new one.
    #[must_use]
    pub fn random(source: &dyn RandomSource) -> Self {
        Self::from_seed(&Zeroizing::new(source.array()))
    }

    /// The seed, for a key file.
    #[must_use]
    pub fn expose_seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey(self.0.verifying_key())
    }

    /// Signs bytes. They must open with a domain tag, as those of every [`Statement`] do.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> Signature {
        Signature(self.0.sign(bytes).to_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningKey(..)")
    }
}

/// A public key that verifies: a canonical point that is not of small order.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VerifyingKey(ed25519_dalek::VerifyingKey);

impl VerifyingKey {
    /// Checks 32 bytes.
    ///
    /// # Errors
    /// No canonical point of the curve, or one of small order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, SignatureError> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| SignatureError::Key)?;
        if key.is_weak() || key.to_edwards().compress().as_bytes() != bytes {
            return Err(SignatureError::Key);
        }
        Ok(Self(key))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Verifies a signature over exact bytes, strictly: no small-order points, no malleable forms.
    ///
    /// # Errors
    /// It is not by this key over these bytes.
    pub fn verify(&self, bytes: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0.verify_strict(bytes, &signature).map_err(|_| SignatureError::Signature)
    }

    /// Whether all of these are signatures by these keys, for about half the work of verifying one after another.
    ///
    /// Every signature that [`VerifyingKey::verify`] takes is taken. Nobody can make one in the name of another; but who
    /// makes a key and a signature on purpose of points of mixed order has one that is taken here now and then and refused
    /// there. It is for what was verified strictly when it was first taken up.
    #[must_use]
    pub fn verify_all<'a>(signed: impl IntoIterator<Item = (Self, &'a SignedBytes)>) -> bool {
        let (mut keys, mut bytes, mut signatures) = (Vec::new(), Vec::new(), Vec::new());
        for (key, one) in signed {
            keys.push(key.0);
            bytes.push(one.bytes());
            signatures.push(ed25519_dalek::Signature::from_bytes(&one.signature().0));
        }
        ed25519_dalek::verify_batch(&bytes, &signatures, &keys).is_ok()
    }

    /// Reads it from a layout.
    ///
    /// # Errors
    /// Too few bytes left, or no usable key.
    pub fn read(reader: &mut Reader<'_>, what: &'static str) -> Result<Self, DecodeError> {
        Self::from_bytes(&reader.array(what)?)
            .map_err(|_| DecodeError::Invalid { what, why: "not a canonical point, or of small order" })
    }

    /// Writes it to a layout.
    pub fn write(&self, writer: &mut Writer) {
        writer.raw(self.as_bytes());
    }
}

impl PartialOrd for VerifyingKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for VerifyingKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.as_bytes()))
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "VerifyingKey({self})")
    }
}

/// Sixty-four bytes that may be a signature.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Takes the bytes as they are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// Reads it from a layout.
    ///
    /// # Errors
    /// Too few bytes left.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array("signature").map(Self)
    }

    /// Writes it to a layout.
    pub fn write(&self, writer: &mut Writer) {
        writer.raw(&self.0);
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Signature({})", hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_seed(&[byte; 32])
    }

    #[test]
    fn a_signature_is_by_one_key_over_exact_bytes() {
        let signature = key(1).sign(b"bytes");
        key(1).verifying_key().verify(b"bytes", &signature).unwrap();
        assert_eq!(key(2).verifying_key().verify(b"bytes", &signature), Err(SignatureError::Signature));
        assert_eq!(key(1).verifying_key().verify(b"other", &signature), Err(SignatureError::Signature));
        for byte in 0..64 {
            let mut changed = *signature.as_bytes();
            changed[byte] ^= 1;
            assert!(key(1).verifying_key().verify(b"bytes", &Signature::from_bytes(changed)).is_err(), "byte {byte}");
        }
    }

    #[test]
    fn many_signatures_verify_at_once_or_not_at_all() {
        let signed =
            |by: u8, bytes: &[u8]| (key(by).verifying_key(), SignedBytes::new(bytes.to_vec(), key(by).sign(bytes)));
        let all = [signed(1, b"one"), signed(2, b"two"), signed(1, b"three")];
        let verify =
            |all: &[(VerifyingKey, SignedBytes)]| VerifyingKey::verify_all(all.iter().map(|(key, one)| (*key, one)));
        assert!(verify(&all));
        for place in 0..all.len() {
            let mut other_key = all.clone();
            other_key[place].0 = key(3).verifying_key();
            assert!(!verify(&other_key), "key {place}");
            let mut other_bytes = all.clone();
            other_bytes[place].1 = SignedBytes::new(b"else".to_vec(), *all[place].1.signature());
            assert!(!verify(&other_bytes), "bytes {place}");
        }
    }

    /// RFC 8032 section 7.1, test 1.
    #[test]
    fn the_standard_vector_holds() {
        let mut seed = [0; 32];
        hex::decode_to_slice("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", &mut seed).unwrap();
        let key = SigningKey::from_seed(&seed);
        assert_eq!(key.verifying_key().to_string(), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        assert!(hex::encode(key.sign(b"").as_bytes()).starts_with("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974"));
    }

    #[test]
    fn keys_of_small_order_or_not_canonical_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        // y = p + 1, a second way to write the identity; y = 0 has order 4; y = 2 is on no point.
        let mut not_canonical = [0xff; 32];
        (not_canonical[0], not_canonical[31]) = (0xee, 0x7f);
        // y = p + 3 is y = 3, a point of large order written in a second way.
        let mut second_form = not_canonical;
        second_form[0] = 0xf0;
        let mut nowhere = [0; 32];
        nowhere[0] = 2;
        for bytes in [identity, [0; 32], not_canonical, second_form, nowhere] {
            assert_eq!(VerifyingKey::from_bytes(&bytes), Err(SignatureError::Key));
        }
    }

    #[test]
    fn debug_output_shows_no_secret() {
        assert_eq!(format!("{:?}", key(9)), "SigningKey(..)");
    }
}
