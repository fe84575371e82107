//! Attachments: encrypted on the device with a key of their own, which travels inside the message.
//!
//! HPKE's cipher, ChaCha20-Poly1305 (RFC 8439), with a fresh key for each file and therefore a fixed nonce; the file is
//! padded so that its size tells little.

use openmls_traits::crypto::OpenMlsCrypto;
use openmls_traits::types::AeadType;
use semblance_core::id::{ChannelId, Digest};
use semblance_core::random::RandomSource;
use semblance_core::time::Timestamp;
use zeroize::Zeroizing;

use super::{Driver, DriverError, Line};
use crate::client::{Attachment, AttachmentKey, Content};
use crate::limits::{ATTACHMENT_BYTES_MAX, PIECE_BYTES};
use crate::store::Store;
use crate::wire::{Answer, DeviceCall, Piece, Refusal};

const NONCE: [u8; 12] = [0; 12];

impl<S: Store, L: Line> Driver<S, L> {
    /// Encrypts a file, leaves it at the hub and tells the channel where it is.
    ///
    /// # Errors
    /// It is too large, or the hub refuses.
    pub async fn attach(
        &mut self,
        channel: ChannelId,
        (name, bytes): (&str, &[u8]),
        random: &dyn RandomSource,
        now: Timestamp,
    ) -> Result<(), DriverError> {
        if bytes.len() as u64 > ATTACHMENT_BYTES_MAX {
            return Err(Refusal::TooLarge.into());
        }
        let key = Zeroizing::new(random.array::<32>());
        let sealed = seal(&key, bytes)?;
        let digest = Digest::of(&sealed);
        for (number, piece) in (0..).zip(sealed.chunks(PIECE_BYTES)) {
            let piece = Piece { digest, size: sealed.len() as u64, number, bytes: piece.to_vec() };
            self.line.call(DeviceCall::PutPiece(channel, piece)).await?;
        }
        let attachment =
            Attachment { name: name.to_owned(), size: bytes.len() as u64, blob: digest, key: AttachmentKey(*key) };
        self.say(channel, &Content::File(attachment), now).await
    }

    /// Fetches a file and decrypts it.
    ///
    /// # Errors
    /// It is no longer there, or was changed.
    pub async fn fetch(
        &mut self,
        channel: ChannelId,
        attachment: &Attachment,
    ) -> Result<Zeroizing<Vec<u8>>, DriverError> {
        let (mut sealed, mut number) = (Vec::new(), 0);
        loop {
            let call = DeviceCall::Piece(channel, attachment.blob, number);
            let Answer::Piece(piece) = self.line.call(call).await? else { return Err(DriverError::Answer) };
            sealed.extend_from_slice(&piece.bytes);
            number += 1;
            if sealed.len() as u64 >= piece.size || piece.bytes.is_empty() {
                break;
            }
            if sealed.len() as u64 > 2 * ATTACHMENT_BYTES_MAX {
                return Err(DriverError::Attachment);
            }
        }
        if Digest::of(&sealed) != attachment.blob {
            return Err(DriverError::Attachment);
        }
        open(&attachment.key, &sealed, attachment.size)
    }
}

fn seal(key: &[u8; 32], bytes: &[u8]) -> Result<Vec<u8>, DriverError> {
    let mut plain = Zeroizing::new(bytes.to_vec());
    plain.resize(padded(bytes.len()), 0);
    let crypto = openmls_rust_crypto::RustCrypto::default();
    crypto
        .aead_encrypt(AeadType::ChaCha20Poly1305, key, &plain, &NONCE, b"semblance/attachment/v1")
        .map_err(|_| DriverError::Attachment)
}

fn open(key: &AttachmentKey, sealed: &[u8], size: u64) -> Result<Zeroizing<Vec<u8>>, DriverError> {
    let crypto = openmls_rust_crypto::RustCrypto::default();
    let plain = crypto.aead_decrypt(AeadType::ChaCha20Poly1305, &key.0, sealed, &NONCE, b"semblance/attachment/v1");
    let mut plain = Zeroizing::new(plain.map_err(|_| DriverError::Attachment)?);
    let size = usize::try_from(size).map_err(|_| DriverError::Attachment)?;
    if plain.len() < size || plain.iter().skip(size).any(|byte| *byte != 0) {
        return Err(DriverError::Attachment);
    }
    plain.truncate(size);
    Ok(plain)
}

/// The size to which a file is padded: an eighth of its magnitude at most is added, and at least a kibibyte is there,
/// so that few sizes are told apart.
fn padded(size: usize) -> usize {
    let size = size.max(1024);
    let step = (size.next_power_of_two() / 16).max(1);
    size.div_ceil(step) * step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_opens_with_its_key_alone_and_its_size_is_coarse() {
        let sealed = seal(&[1; 32], b"a scan").unwrap();
        assert_eq!(sealed.len(), 1024 + 16);
        let key = AttachmentKey([1; 32]);
        assert_eq!(open(&key, &sealed, 6).unwrap().as_slice(), b"a scan");
        assert!(open(&AttachmentKey([2; 32]), &sealed, 6).is_err());
        assert!(open(&key, &sealed, 5).is_err(), "what lies behind the size is padding");
        let mut changed = sealed;
        changed[100] ^= 1;
        assert!(open(&key, &changed, 6).is_err());
    }

    #[test]
    fn padding_adds_an_eighth_at_most() {
        for size in [1, 1023, 1024, 1025, 5000, 1 << 20, (25 << 20) - 1, 25 << 20] {
            let padded = padded(size);
            assert!(padded >= size && padded <= size.max(1024) + size.max(1024) / 8 + 1, "{size}: {padded}");
        }
    }
}
