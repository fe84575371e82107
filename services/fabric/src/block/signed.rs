//! Who signed, and whether it is so.

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};
use prost::Message;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::proto::msp::SerializedIdentity;

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The certificate cannot be read or is not of P-256.
    #[error("the signer's certificate cannot be used: {0}")]
    Certificate(&'static str),
    /// The signature is not by the certificate's key.
    #[error("the signature is not by its certificate's key")]
    Signature,
    /// The transaction's id is not made of its nonce and creator.
    #[error("the transaction's id is not that of its nonce and creator")]
    Id,
    /// None of the member's roots issued the certificate.
    #[error("the certificate was not issued by {0}")]
    Issuer(String),
    /// The configuration names no such member.
    #[error("{0:?} is no member of the channel")]
    Stranger(String),
    /// The certificate is for another role.
    #[error("the certificate's organisational unit is not `{0}`")]
    Role(&'static str),
    /// Too few orderers signed.
    #[error("{valid} of the {wanted} orderers that must have signed the block did")]
    Orderers {
        /// How many did.
        valid: usize,
        /// How many must.
        wanted: usize,
    },
}

/// A member's identity as something carries it; nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Creator {
    /// The member's name; empty where the identity is malformed.
    pub msp_id: String,
    /// The certificate, in PEM.
    pub pem: Vec<u8>,
    /// The `SerializedIdentity` itself.
    pub bytes: Vec<u8>,
}

impl Creator {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let identity = SerializedIdentity::decode(bytes).unwrap_or_default();
        Self { msp_id: identity.mspid, pem: identity.id_bytes, bytes: bytes.to_vec() }
    }

    /// Its certificate.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn certificate(&self) -> Result<Certificate, SignatureError> {
        Certificate::from_pem(&self.pem)
    }
}

/// A certificate that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    key: VerifyingKey,
    units: Vec<String>,
}

impl Certificate {
    /// Reads a certificate of a P-256 key.
    ///
    /// # Errors
    /// It is none.
    pub fn from_pem(pem: &[u8]) -> Result<Self, SignatureError> {
        let der = CertificateDer::from_pem_slice(pem).map_err(|_| SignatureError::Certificate("it is no PEM"))?;
        let (_, certificate) =
            X509Certificate::from_der(&der).map_err(|_| SignatureError::Certificate("it is no X.509"))?;
        let point = &certificate.public_key().subject_public_key.data;
        let key =
            VerifyingKey::from_sec1_bytes(point).map_err(|_| SignatureError::Certificate("its key is not of P-256"))?;
        let units = certificate.subject().iter_organizational_unit();
        let units = units.filter_map(|unit| unit.as_str().ok().map(str::to_owned)).collect();
        Ok(Self { der: der.to_vec(), key, units })
    }

    /// Its bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The organisational units it names; Fabric puts roles there.
    #[must_use]
    pub fn units(&self) -> &[String] {
        &self.units
    }

    /// Checks a signature over these bytes, as Fabric does: of the two that any key's holder can make of one, it takes
    /// that with the lower `s`.
    ///
    /// # Errors
    /// It is not by this certificate's key.
    pub fn verify(&self, bytes: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let signature = Signature::from_der(signature).map_err(|_| SignatureError::Signature)?;
        if signature.normalize_s().is_some() {
            return Err(SignatureError::Signature);
        }
        self.verifies(bytes, &signature)
    }

    fn verifies(&self, bytes: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        self.key.verify_prehash(&Sha256::digest(bytes), signature).map_err(|_| SignatureError::Signature)
    }

    /// Checks that one of these authorities issued it. Its dates are not looked at: what it signed was signed then.
    ///
    /// # Errors
    /// None did.
    pub fn issued_by(&self, member: &str, roots: &[Self]) -> Result<(), SignatureError> {
        let (_, own) =
            X509Certificate::from_der(&self.der).map_err(|_| SignatureError::Certificate("it is no X.509"))?;
        // An authority may write either `s`.
        let signature = Signature::from_der(&own.signature_value.data).map_err(|_| SignatureError::Signature)?;
        let issued = roots.iter().any(|root| {
            X509Certificate::from_der(&root.der).is_ok_and(|(_, issuer)| {
                issuer.subject().as_raw() == own.issuer().as_raw()
                    && root.verifies(own.tbs_certificate.as_ref(), &signature).is_ok()
            })
        });
        if issued { Ok(()) } else { Err(SignatureError::Issuer(member.to_owned())) }
    }
}
