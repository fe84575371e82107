//! Which organisation and role is behind a client's certificate, and servers that ask for one.
//!
//! A certificate names its organisation (O) and role (OU) and counts only if it verifies against that organisation's
//! own root, which the ledger holds: no member can speak for another, whatever roots the connection itself accepted.

use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::{CertificateDer, UnixTime};
use semblance_core::id::OrganisationId;
use semblance_core::organisation::Role;
use semblance_core::time::Timestamp;
use sha2::{Digest as _, Sha256};
use tonic::transport::{Certificate, Identity, ServerTlsConfig};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

/// Why a client is not recognised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// It showed no certificate.
    #[error("no client certificate: connect with mutual TLS")]
    NoCertificate,
    /// Its certificate is malformed.
    #[error("the client certificate cannot be read: {0}")]
    Malformed(&'static str),
    /// Its certificate names no role.
    #[error("the client certificate's OU is {found:?}, it must be node or admin")]
    Role {
        /// What it names.
        found: String,
    },
    /// No member has the name.
    #[error("the client certificate is of {0}, which is no member of this network")]
    NoMember(OrganisationId),
    /// It does not verify against its organisation's root.
    #[error("the client certificate does not verify against the root of {organisation}: {reason}")]
    Untrusted {
        /// Whose root.
        organisation: OrganisationId,
        /// What TLS says.
        reason: String,
    },
    /// The root of a member is no certificate.
    #[error("the root certificate of {organisation} cannot be used: {reason}")]
    Root {
        /// Whose root.
        organisation: OrganisationId,
        /// What TLS says.
        reason: String,
    },
}

/// A client that was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its organisation.
    pub organisation: OrganisationId,
    /// Its role.
    pub role: Role,
    /// SHA-256 of its certificate (DER).
    pub certificate: [u8; 32],
}

/// What a client's certificate claims; nothing is verified yet.
#[derive(Debug, Clone)]
pub struct ClaimedPeer<'a> {
    peer: Peer,
    leaf: &'a CertificateDer<'static>,
    intermediates: &'a [CertificateDer<'static>],
}

impl<'a> ClaimedPeer<'a> {
    /// Reads the certificates that a client showed, its own first.
    ///
    /// # Errors
    /// There is none, or it names no organisation and role.
    pub fn read(certificates: &'a [CertificateDer<'static>]) -> Result<Self, PeerError> {
        let Some((leaf, intermediates)) = certificates.split_first() else { return Err(PeerError::NoCertificate) };
        let (rest, parsed) =
            X509Certificate::from_der(leaf).map_err(|_| PeerError::Malformed("it is no X.509 certificate"))?;
        if !rest.is_empty() {
            return Err(PeerError::Malformed("bytes follow it"));
        }
        let subject = parsed.subject();
        let organisation = only(subject.iter_organization(), "it must name exactly one organisation (O)")?;
        let organisation = OrganisationId::new(&organisation)
            .map_err(|_| PeerError::Malformed("its organisation (O) is not the name of one"))?;
        let found = only(subject.iter_organizational_unit(), "it must name exactly one role (OU)")?;
        let role =
            Role::from_word(&found).ok_or_else(|| PeerError::Role { found: found.chars().take(40).collect() })?;
        let certificate = certificate_digest(leaf);
        Ok(Self { peer: Peer { organisation, role, certificate }, leaf, intermediates })
    }

    /// Whose it claims to be, to find the root to verify it with.
    #[must_use]
    pub const fn organisation(&self) -> &OrganisationId {
        &self.peer.organisation
    }

    /// SHA-256 of the certificate (DER) that makes the claim.
    #[must_use]
    pub const fn certificate(&self) -> [u8; 32] {
        self.peer.certificate
    }

    /// Verifies the certificate against its organisation's root (DER) alone.
    ///
    /// # Errors
    /// It does not verify: another issuer, out of date, or not for clients.
    pub fn verify(self, root: &[u8], now: Timestamp) -> Result<Peer, PeerError> {
        let organisation = self.peer.organisation.clone();
        let unusable = |reason: String| PeerError::Root { organisation: organisation.clone(), reason };
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(root)).map_err(|error| unusable(error.to_string()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| unusable(error.to_string()))?;
        let now = UnixTime::since_unix_epoch(Duration::from_millis(now.millis()));
        match verifier.verify_client_cert(self.leaf, self.intermediates, now) {
            Ok(_) => Ok(self.peer),
            Err(error) => Err(PeerError::Untrusted { organisation, reason: error.to_string() }),
        }
    }
}

/// Recognises a client by the certificates it showed; `root` gives the root (DER) of a member.
///
/// # Errors
/// There is no certificate, it is of no member, or it does not verify against that member's root.
pub fn peer_identity(
    certificates: &[CertificateDer<'static>],
    root: impl FnOnce(&OrganisationId) -> Option<Vec<u8>>,
    now: Timestamp,
) -> Result<Peer, PeerError> {
    let claimed = ClaimedPeer::read(certificates)?;
    let Some(root) = root(claimed.organisation()) else {
        return Err(PeerError::NoMember(claimed.organisation().clone()));
    };
    claimed.verify(&root, now)
}

/// SHA-256 of a certificate (DER), as proposals and callers carry it.
#[must_use]
pub fn certificate_digest(certificate: &[u8]) -> [u8; 32] {
    Sha256::digest(certificate).into()
}

/// A server that takes connections from clients of these roots (DER) only. Which of them it is must still be asked
/// with [`peer_identity`], request by request.
#[must_use]
pub fn server_config<'a>(
    certificate_pem: &str,
    key_pem: &str,
    client_roots: impl IntoIterator<Item = &'a [u8]>,
) -> ServerTlsConfig {
    let roots: String = client_roots.into_iter().map(pem).collect();
    ServerTlsConfig::new()
        .identity(Identity::from_pem(certificate_pem, key_pem))
        .client_ca_root(Certificate::from_pem(roots))
}

/// A certificate (DER) as PEM.
#[must_use]
pub fn pem(certificate: &[u8]) -> String {
    let text = data_encoding::BASE64.encode(certificate);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        // Base64 is ASCII: every place is between characters.
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

fn only<'a>(
    mut values: impl Iterator<Item = &'a x509_parser::x509::AttributeTypeAndValue<'a>>,
    wrong: &'static str,
) -> Result<String, PeerError> {
    match (values.next(), values.next()) {
        (Some(value), None) => value.as_str().map(str::to_owned).map_err(|_| PeerError::Malformed(wrong)),
        _ => Err(PeerError::Malformed(wrong)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

    use super::*;

    /// 2030-01-01.
    const NOW: Timestamp = Timestamp::from_millis(1_893_456_000_000);

    struct Authority {
        params: CertificateParams,
        key: KeyPair,
        root: Vec<u8>,
    }

    fn authority() -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap().der().to_vec();
        Authority { params, key, root }
    }

    impl Authority {
        fn issue(&self, names: &[(DnType, &str)], until: i32) -> Vec<CertificateDer<'static>> {
            let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
            params.distinguished_name = rcgen::DistinguishedName::new();
            for (kind, name) in names {
                params.distinguished_name.push(kind.clone(), *name);
            }
            params.not_before = date_time_ymd(2029, 1, 1);
            params.not_after = date_time_ymd(until, 1, 1);
            let key = KeyPair::generate().unwrap();
            vec![params.signed_by(&key, &Issuer::from_params(&self.params, &self.key)).unwrap().der().clone()]
        }

        fn node(&self) -> Vec<CertificateDer<'static>> {
            self.issue(&[(DnType::OrganizationName, "north"), (DnType::OrganizationalUnitName, "node")], 2031)
        }
    }

    #[test]
    fn a_member_is_recognised_by_its_own_root() {
        let (north, south) = (authority(), authority());
        let node = north.node();
        let peer = peer_identity(&node, |_| Some(north.root.clone()), NOW).unwrap();
        assert_eq!((peer.organisation.as_str(), peer.role), ("north", Role::Node));
        assert_eq!(peer.certificate, certificate_digest(&node[0]));
        let admin = [(DnType::OrganizationName, "north"), (DnType::OrganizationalUnitName, "admin")];
        let admin = north.issue(&admin, 2031);
        assert_eq!(peer_identity(&admin, |_| Some(north.root.clone()), NOW).unwrap().role, Role::Admin);

        let refused = |certificates: &[_], root: Option<&Authority>, now| {
            peer_identity(certificates, |_| root.map(|authority| authority.root.clone()), now).unwrap_err()
        };
        assert!(matches!(refused(&node, Some(&south), NOW), PeerError::Untrusted { .. }));
        assert!(matches!(refused(&node, None, NOW), PeerError::NoMember(_)));
        assert!(matches!(refused(&[], Some(&north), NOW), PeerError::NoCertificate));
        for year in [-2_i64, 2] {
            let other = Timestamp::from_millis(NOW.millis().saturating_add_signed(year * 366 * 86_400_000));
            assert!(matches!(refused(&node, Some(&north), other), PeerError::Untrusted { .. }));
        }
        let root = peer_identity(&node, |_| Some(b"no certificate".to_vec()), NOW);
        assert!(matches!(root, Err(PeerError::Root { .. })));
    }

    #[test]
    fn odd_names_are_refused() {
        let north = authority();
        let [organisation, unit] = [DnType::OrganizationName, DnType::OrganizationalUnitName];
        for names in [
            &[(organisation.clone(), "north")][..],
            &[(unit.clone(), "node")],
            &[(organisation.clone(), "North Hospital"), (unit.clone(), "node")],
            &[(organisation.clone(), "north"), (unit.clone(), "root")],
        ] {
            assert!(ClaimedPeer::read(&north.issue(names, 2031)).is_err(), "{names:?}");
        }
    }

    #[test]
    fn pem_is_what_others_write() {
        let north = authority();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap();
        assert_eq!(pem(certificate.der()).replace(['\r', '\n'], ""), certificate.pem().replace(['\r', '\n'], ""));
        assert!(pem(&north.root).lines().all(|line| line.len() <= 64));
    }

    proptest! {
        #[test]
        fn reading_certificates_never_panics(
            noise in proptest::collection::vec(any::<u8>(), 0..200),
            edits in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
        ) {
            thread_local! { static NODE: CertificateDer<'static> = authority().node().remove(0); }
            prop_assert!(ClaimedPeer::read(&[CertificateDer::from(noise)]).is_err());
            let mut bytes = NODE.with(|node| node.to_vec());
            for (index, byte) in edits {
                let place = index.index(bytes.len());
                bytes[place] = byte;
            }
            let _ = ClaimedPeer::read(&[CertificateDer::from(bytes)]);
        }
    }
}
