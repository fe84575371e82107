//! An organisation's own certificate authority, as `init` and `demo` make one.
//!
//! Its keys are drawn by ring inside rcgen and not from a `RandomSource`: rcgen takes no random source for ECDSA keys,
//! and nothing that tests seed depends on them.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use semblance_core::id::OrganisationId;
use semblance_core::time::{Day, Timestamp};
use zeroize::Zeroizing;

use crate::config::TlsFiles;

/// Days an authority's certificate holds: ten years.
const AUTHORITY_DAYS: u64 = 3_653;
/// Days a node's or an administrator's certificate holds: two years.
const CERTIFICATE_DAYS: u64 = 731;

/// What a certificate's holder is in its organisation: the subject's OU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// The organisation's node; serves and calls.
    Node,
    /// Its administrator; only calls.
    Admin,
}

impl Holder {
    const fn unit(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Admin => "admin",
        }
    }

    fn uses(self) -> Vec<ExtendedKeyUsagePurpose> {
        match self {
            Self::Node => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
            Self::Admin => vec![ExtendedKeyUsagePurpose::ClientAuth],
        }
    }
}

/// A new authority: its certificate, its key, and what it takes to issue.
pub(crate) struct Authority {
    organisation: OrganisationId,
    now: Timestamp,
    certificate: Certificate,
    params: CertificateParams,
    key: KeyPair,
}

impl Authority {
    /// Makes one for an organisation.
    ///
    /// # Errors
    /// The key cannot be drawn.
    pub(crate) fn new(organisation: &OrganisationId, now: Timestamp) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(organisation, "authority", &format!("{organisation} authority"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        valid_for(&mut params, now, AUTHORITY_DAYS);
        let certificate = params.self_signed(&key)?;
        Ok(Self { organisation: organisation.clone(), now, certificate, params, key })
    }

    /// The certificate, DER.
    pub(crate) fn der(&self) -> &[u8] {
        self.certificate.der()
    }

    /// The certificate, PEM.
    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// The key, PEM: to be kept apart from the nodes.
    pub(crate) fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.key.serialize_pem())
    }

    /// Issues a certificate for these host names and addresses.
    ///
    /// # Errors
    /// A host name is none, or the key cannot be drawn.
    pub(crate) fn issue(&self, holder: Holder, hosts: &[String]) -> Result<TlsFiles, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(hosts.to_vec())?;
        let unit = holder.unit();
        params.distinguished_name = subject(&self.organisation, unit, &format!("{} {unit}", self.organisation));
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = holder.uses();
        valid_for(&mut params, self.now, CERTIFICATE_DAYS);
        let certificate = params.signed_by(&key, &Issuer::from_params(&self.params, &self.key))?;
        Ok(TlsFiles { certificate: certificate.pem(), key: Zeroizing::new(key.serialize_pem()) })
    }
}

fn subject(organisation: &OrganisationId, unit: &str, name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, organisation.as_str());
    subject.push(DnType::OrganizationalUnitName, unit);
    subject.push(DnType::CommonName, name);
    subject
}

/// From a day ago, for clocks that differ, for so many days.
fn valid_for(params: &mut CertificateParams, now: Timestamp, days: u64) {
    let epoch = date_time_ymd(1970, 1, 1);
    let start = now.millis().saturating_sub(Day::MILLIS);
    params.not_before = epoch + std::time::Duration::from_millis(start);
    params.not_after = epoch + std::time::Duration::from_millis(now.plus(days * Day::MILLIS).millis());
}
