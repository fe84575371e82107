//! Who signs, and with what.

use std::fmt;
use std::sync::Arc;

use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::DecodePrivateKey;
use prost::Message;
use sha2::{Digest, Sha256};

use crate::proto::msp::SerializedIdentity;

/// Signs a SHA-256 digest: ECDSA, DER, with the lower of the two possible `s`. An HSM fits.
pub type Sign = Arc<dyn Fn(&[u8; 32]) -> Result<Vec<u8>, SignError> + Send + Sync>;

/// Why nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot sign: {0}")]
pub struct SignError(pub String);

/// A member's certificate, as it travels with everything that is signed.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    msp_id: String,
    serialized: Vec<u8>,
}

impl Identity {
    /// Takes a member's name and a certificate in PEM.
    #[must_use]
    pub fn new(msp_id: &str, certificate: &str) -> Self {
        let identity = SerializedIdentity { mspid: msp_id.to_owned(), id_bytes: certificate.as_bytes().to_vec() };
        Self { msp_id: msp_id.to_owned(), serialized: identity.encode_to_vec() }
    }

    /// The member's name (MSP id).
    #[must_use]
    pub fn msp_id(&self) -> &str {
        &self.msp_id
    }

    /// The bytes of the `SerializedIdentity`.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.serialized
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Identity").field("msp_id", &self.msp_id).finish_non_exhaustive()
    }
}

/// Signs with a P-256 key in memory, which wipes itself.
///
/// # Errors
/// Not a PKCS #8 key of P-256 in PEM.
pub fn signer_from_pem(key: &str) -> Result<Sign, SignError> {
    let key = SigningKey::from_pkcs8_pem(key)
        .map_err(|_| SignError("the key is no PKCS #8 key of P-256 in PEM".to_owned()))?;
    Ok(Arc::new(move |digest| {
        let signature: Signature = key.sign_prehash(digest).map_err(|error| SignError(error.to_string()))?;
        // Fabric takes the lower s alone, so that nobody can write a second signature beside ours.
        Ok(signature.normalize_s().unwrap_or(signature).to_der().as_bytes().to_vec())
    }))
}

/// What is signed of these bytes.
pub(crate) fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::VerifyingKey;
    use p256::ecdsa::signature::hazmat::PrehashVerifier;
    use p256::pkcs8::{EncodePrivateKey, LineEnding};

    use super::*;

    #[test]
    fn signatures_verify_and_have_the_lower_s() {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let sign = signer_from_pem(&key.to_pkcs8_pem(LineEnding::LF).unwrap()).unwrap();
        for number in 0..50_u8 {
            let digest = digest(&[number]);
            let signature = Signature::from_der(&sign(&digest).unwrap()).unwrap();
            assert_eq!(signature.normalize_s(), None, "already the lower one");
            VerifyingKey::from(&key).verify_prehash(&digest, &signature).unwrap();
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_telling_it() {
        let error = signer_from_pem("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----").err().unwrap();
        assert!(!error.to_string().contains("c2Vj"), "{error}");
    }
}
