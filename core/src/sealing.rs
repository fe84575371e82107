//! Sealing to an organisation: HPKE (RFC 9180) in base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305.
//!
//! The randomness of a message is a 32-byte seed of a ChaCha20 stream, so that whoever is told the seed can seal the
//! same message again and compare. A sealed message is the 32-byte encapsulated key, the ciphertext and a 16-byte tag.

use std::fmt;

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable, single_shot_open, single_shot_seal};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

use crate::encode::{DecodeError, Reader, Writer};
use crate::random::RandomSource;

/// Bytes that sealing adds to a plaintext: encapsulated key and tag.
pub const SEALING_OVERHEAD: usize = ENCAPSULATED + 16;

const ENCAPSULATED: usize = 32;

/// The number of an organisation's sealing key: 1 for its first, one more with each rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SealingKeyId(pub u32);

impl fmt::Display for SealingKeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

impl SealingKeyId {
    /// Reads it from a layout.
    ///
    /// # Errors
    /// Too few bytes left.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.u32("sealing key id").map(Self)
    }

    /// Writes it to a layout.
    pub fn write(self, writer: &mut Writer) {
        writer.u32(self.0);
    }
}

/// Why something could not be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealingError {
    /// The public key is no usable X25519 key.
    #[error("sealing key is not canonical or of small order")]
    PublicKey,
    /// The message could not be sealed.
    #[error("message could not be sealed")]
    Seal,
    /// The message is not for this key and context, or was changed.
    #[error("message does not open with this key: it is sealed to another one, for another purpose, or was changed")]
    Open,
}

/// The public half of a sealing key: a canonical X25519 key that is not of small order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SealingPublicKey([u8; 32]);

/// The u-coordinates of small order below the field's prime, little-endian (RFC 7748 section 6.1 asks to refuse what
/// they lead to, an all-zero secret).
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    {
        let mut one = [0; 32];
        one[0] = 1;
        one
    },
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09,
        0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44,
        0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ],
    below_prime(0xec),
];

/// 2^255 − 19 and its neighbours, little-endian: all ones but the lowest byte and the top bit.
const fn below_prime(lowest: u8) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    bytes[0] = lowest;
    bytes[31] = 0x7f;
    bytes
}

impl SealingPublicKey {
    /// Checks 32 bytes.
    ///
    /// # Errors
    /// Not below the field's prime, or of small order.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, SealingError> {
        let mut big_endian = bytes;
        big_endian.reverse();
        let mut prime = below_prime(0xed);
        prime.reverse();
        if big_endian >= prime || SMALL_ORDER.contains(&bytes) {
            return Err(SealingError::PublicKey);
        }
        Ok(Self(bytes))
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals a message; the same arguments give the same bytes.
    ///
    /// `info` says what the message is for and `aad` is authenticated with it; opening needs both. `randomness` must
    /// be fresh for every message and is as secret as the message.
    ///
    /// # Errors
    /// The message is too long for the cipher (256 GiB).
    pub fn seal(
        &self,
        info: &[u8],
        aad: &[u8],
        plaintext: &[u8],
        randomness: &[u8; 32],
    ) -> Result<Vec<u8>, SealingError> {
        let recipient =
            <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&self.0).map_err(|_| SealingError::PublicKey)?;
        let mut stream = ChaCha20Rng::from_seed(*randomness);
        let (encapsulated, ciphertext) = single_shot_seal::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256, _>(
            &OpModeS::Base,
            &recipient,
            info,
            plaintext,
            aad,
            &mut stream,
        )
        .map_err(|_| SealingError::Seal)?;
        let mut sealed = encapsulated.to_bytes().to_vec();
        sealed.extend_from_slice(&ciphertext);
        Ok(sealed)
    }

    /// Reads it from a layout.
    ///
    /// # Errors
    /// Too few bytes left, or no usable key.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::from_bytes(reader.array("sealing key")?)
            .map_err(|_| DecodeError::Invalid { what: "sealing key", why: "not canonical or of small order" })
    }

    /// Writes it to a layout.
    pub fn write(&self, writer: &mut Writer) {
        writer.raw(&self.0);
    }
}

impl fmt::Debug for SealingPublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SealingPublicKey({})", hex::encode(self.0))
    }
}

/// The secret half of a sealing key. Wipes itself; debug output shows nothing.
#[derive(Clone)]
pub struct SealingSecret {
    bytes: Zeroizing<[u8; 32]>,
    public: SealingPublicKey,
}

impl SealingSecret {
    /// Takes the 32 bytes of an X25519 secret.
    ///
    /// # Errors
    /// None known: the public half of a clamped secret is always usable; it is checked all the same.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, SealingError> {
        let bytes = Zeroizing::new(bytes);
        let private = private_key(&bytes)?;
        let public = SealingPublicKey::from_bytes(X25519HkdfSha256::sk_to_pk(&private).to_bytes().into())?;
        Ok(Self { bytes, public })
    }

    /// Draws a new one.
    ///
    /// # Errors
    /// As [`SealingSecret::from_bytes`].
    pub fn random(source: &dyn RandomSource) -> Result<Self, SealingError> {
        Self::from_bytes(source.array())
    }

    /// The bytes, for a key file.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<[u8; 32]> {
        self.bytes.clone()
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &SealingPublicKey {
        &self.public
    }

    /// Opens a message sealed to this key with the same `info` and `aad`.
    ///
    /// # Errors
    /// It is not for this key, `info` and `aad`, or was changed.
    pub fn open(&self, info: &[u8], aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealingError> {
        let (encapsulated, ciphertext) = sealed.split_at_checked(ENCAPSULATED).ok_or(SealingError::Open)?;
        let encapsulated =
            <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated).map_err(|_| SealingError::Open)?;
        single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &private_key(&self.bytes)?,
            &encapsulated,
            info,
            ciphertext,
            aad,
        )
        .map(Zeroizing::new)
        .map_err(|_| SealingError::Open)
    }
}

impl fmt::Debug for SealingSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SealingSecret(..)")
    }
}

fn private_key(bytes: &[u8; 32]) -> Result<<X25519HkdfSha256 as Kem>::PrivateKey, SealingError> {
    // Any 32 bytes are a secret: X25519 clamps them.
    <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(bytes).map_err(|_| SealingError::Open)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secret(byte: u8) -> SealingSecret {
        SealingSecret::from_bytes([byte; 32]).unwrap()
    }

    #[test]
    fn a_message_opens_only_with_its_key_and_context() {
        let sealed = secret(1).public().seal(b"info", b"aad", b"message", &[7; 32]).unwrap();
        assert_eq!(sealed.len(), 7 + SEALING_OVERHEAD);
        assert_eq!(*secret(1).open(b"info", b"aad", &sealed).unwrap(), b"message");
        for failed in [
            secret(2).open(b"info", b"aad", &sealed),
            secret(1).open(b"other", b"aad", &sealed),
            secret(1).open(b"info", b"other", &sealed),
        ] {
            assert_eq!(failed.unwrap_err(), SealingError::Open);
        }
    }

    /// RFC 9180 appendix A.2.1, sequence number 0.
    #[test]
    fn the_standard_vector_opens() {
        let bytes = |text| hex::decode(text).unwrap();
        let secret = bytes("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb");
        let sealed = bytes(concat!(
            "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a",
            "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28"
        ));
        let secret = SealingSecret::from_bytes(secret.try_into().unwrap()).unwrap();
        let opened = secret.open(b"Ode on a Grecian Urn", b"Count-0", &sealed).unwrap();
        assert_eq!(*opened, b"Beauty is truth, truth beauty");
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let sealed = secret(1).public().seal(b"info", b"", b"message", &[7; 32]).unwrap();
        for byte in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[byte] ^= 0x40;
            assert!(secret(1).open(b"info", b"", &changed).is_err(), "byte {byte}");
        }
    }

    #[test]
    fn the_same_randomness_seals_the_same_bytes() {
        let seal = |randomness| secret(1).public().seal(b"info", b"", b"message", &[randomness; 32]).unwrap();
        assert_eq!(seal(7), seal(7));
        assert_ne!(seal(7), seal(8));
    }

    #[test]
    fn keys_of_small_order_or_not_canonical_are_refused() {
        for bytes in SMALL_ORDER {
            assert_eq!(SealingPublicKey::from_bytes(bytes), Err(SealingError::PublicKey));
            // The list is right: the key agreement refuses each of them too.
            assert_eq!(SealingPublicKey(bytes).seal(b"", b"", b"", &[1; 32]), Err(SealingError::Seal));
        }
        for lowest in [0xed, 0xee, 0xff] {
            assert!(SealingPublicKey::from_bytes(below_prime(lowest)).is_err());
        }
        let mut top_bit = *secret(1).public().as_bytes();
        top_bit[31] |= 0x80;
        assert!(SealingPublicKey::from_bytes(top_bit).is_err());
        assert!(SealingPublicKey::from_bytes(below_prime(0xeb)).is_ok());
    }

    #[test]
    fn debug_output_shows_no_secret() {
        assert_eq!(format!("{:?}", secret(9)), "SealingSecret(..)");
    }

    proptest! {
        #[test]
        fn opening_never_panics(sealed in proptest::collection::vec(any::<u8>(), 0..120)) {
            prop_assert!(secret(1).open(b"info", b"", &sealed).is_err());
        }
    }
}
