//! Organisations of a test: an authority each, and whom it certified. Their keys are fresh, and seeded by nobody.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use zeroize::Zeroizing;

use crate::block::{Certificate, Creator};
use crate::identity::digest;
use crate::{ClientTls, Identity, Sign, signer_from_pem};

/// An organisation with its authority.
pub struct TestOrganisation {
    msp_id: String,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl TestOrganisation {
    /// Founds one.
    #[must_use]
    pub fn new(msp_id: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.distinguished_name.push(DnType::CommonName, format!("ca of {msp_id}"));
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { msp_id: msp_id.to_owned(), authority }
    }

    /// The authority's certificate, in PEM.
    #[must_use]
    pub fn root(&self) -> String {
        self.authority.pem()
    }

    /// Certifies somebody in a role (NodeOU), for signatures and for connections to or from this machine alike.
    #[must_use]
    pub fn identity(&self, role: &str) -> TestIdentity {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::OrganizationalUnitName, role);
        params.distinguished_name.push(DnType::CommonName, format!("{role} of {}", self.msp_id));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap().pem();
        let key = Zeroizing::new(key.serialize_pem());
        TestIdentity { msp_id: self.msp_id.clone(), certificate, key }
    }
}

/// Somebody with a certificate.
#[derive(Clone)]
pub struct TestIdentity {
    msp_id: String,
    certificate: String,
    key: Zeroizing<String>,
}

impl TestIdentity {
    /// As it travels.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity::new(&self.msp_id, &self.certificate)
    }

    /// Signs with its key.
    #[must_use]
    pub fn signer(&self) -> Sign {
        signer_from_pem(&self.key).unwrap()
    }

    /// What its connections show.
    #[must_use]
    pub fn tls(&self) -> ClientTls {
        ClientTls { certificate: self.certificate.clone(), key: self.key.clone() }
    }

    pub(super) fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.signer()(&digest(bytes)).unwrap()
    }
}

/// Whether the creator of these bytes signed them.
pub(super) fn signed(creator: &[u8], bytes: &[u8], signature: &[u8]) -> bool {
    let certificate = Creator::read(creator).certificate();
    certificate.and_then(|certificate: Certificate| certificate.verify(bytes, signature)).is_ok()
}
