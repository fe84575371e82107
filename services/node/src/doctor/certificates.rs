//! Certificates and their keys: dates, and that they belong together.

use std::path::Path;

use anyhow::Context;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use semblance_core::organisation::Role;
use semblance_core::time::{Day, Timestamp};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::Findings;
use crate::config::LedgerKind;
use crate::party::Party;
use crate::show;

/// So long before its end a certificate is told of.
const SOON: u64 = 30 * Day::MILLIS;

/// What to do about a certificate of the own authority.
const RENEW: &str = "renew it: `semblance member rotate --tls` and docs/src/operating.md";
/// What to do about one of Fabric's.
const RENEW_ON_FABRIC: &str = "renew it as docs/src/fabric/certificates.md says";

pub(super) fn check(party: &Party, findings: &mut Findings<'_>) {
    let content = party.config.content();
    for (role, section) in [(Role::Node, Some(&content.tls)), (Role::Admin, content.admin.as_ref())] {
        let Some(section) = section else { continue };
        let path = party.config.path(&section.certificate_file);
        match party.credentials(role) {
            Ok((files, _)) => {
                dates(party.system.clock().now(), &path, files.certificate.as_bytes(), RENEW, findings);
                pair(&path, files.certificate.as_bytes(), files.key.as_bytes(), findings);
            }
            Err(error) => findings.wrong(format!("{error:#}"), RENEW),
        }
    }
    if party.kind() == LedgerKind::Fabric {
        fabric(party, findings);
    }
}

/// Those that Fabric knows this organisation by. An administrator's may lie on another machine.
fn fabric(party: &Party, findings: &mut Findings<'_>) {
    let hint = "docs/src/fabric/network.md says what the description of a Fabric network holds";
    let network = match party.fabric_network() {
        Ok(network) => network,
        Err(error) => return findings.wrong(format!("{error:#}"), hint),
    };
    let organisation = match network.organisation(&party.organisation) {
        Ok(organisation) => organisation,
        Err(error) => return findings.wrong(error.to_string(), hint),
    };
    let (node, admin) = (&organisation.node, &organisation.admin);
    let mut pairs = vec![(&node.certificate, &node.key), (&node.tls_certificate, &node.tls_key)];
    if admin.key.exists() {
        pairs.extend([(&admin.certificate, &admin.key), (&admin.tls_certificate, &admin.tls_key)]);
    }
    let now = party.system.clock().now();
    for (certificate, key) in pairs {
        match (std::fs::read(certificate), std::fs::read(key).map(zeroize::Zeroizing::new)) {
            (Ok(bytes), Ok(key)) => {
                dates(now, certificate, &bytes, RENEW_ON_FABRIC, findings);
                pair(certificate, &bytes, &key, findings);
            }
            (Err(error), _) => findings.wrong(format!("{}: {error}", certificate.display()), hint),
            (_, Err(error)) => findings.wrong(format!("{}: {error}", key.display()), hint),
        }
    }
    match std::fs::read(&organisation.tls_root) {
        Ok(bytes) => dates(now, &organisation.tls_root, &bytes, RENEW_ON_FABRIC, findings),
        Err(error) => findings.wrong(format!("{}: {error}", organisation.tls_root.display()), hint),
    }
}

fn dates(now: Timestamp, path: &Path, pem: &[u8], renew: &str, findings: &mut Findings<'_>) {
    let (begins, ends) = match validity(pem) {
        Ok(validity) => validity,
        Err(error) => return findings.wrong(format!("{}: {error:#}", path.display()), renew),
    };
    let (path, until) = (path.display(), show::moment(ends.millis()));
    if now < begins {
        let from = show::moment(begins.millis());
        findings.wrong(format!("{path} holds from {from} on only"), "set this machine's clock, or wait");
    } else if now >= ends {
        findings.wrong(format!("{path} has held until {until}"), renew);
    } else if now.plus(SOON) >= ends {
        findings.warning(format!("{path} holds until {until} only"), renew);
    } else {
        findings.good(format!("{path} holds until {until}"));
    }
}

fn validity(pem: &[u8]) -> anyhow::Result<(Timestamp, Timestamp)> {
    let der = CertificateDer::from_pem_slice(pem).map_err(|error| anyhow::anyhow!("no certificate in PEM: {error}"))?;
    let (_, certificate) = X509Certificate::from_der(&der).context("no certificate")?;
    let moment = |seconds: i64| Timestamp::from_millis(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000));
    let validity = certificate.validity();
    Ok((moment(validity.not_before.timestamp()), moment(validity.not_after.timestamp())))
}

/// A certificate and the key beside it.
fn pair(path: &Path, certificate: &[u8], key: &[u8], findings: &mut Findings<'_>) {
    let read = || {
        let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(key)?;
        anyhow::Ok(CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider())?)
    };
    if let Err(error) = read() {
        let to_do = "put the key there that the certificate was made for";
        findings.wrong(format!("{} and its key do not belong together: {error}", path.display()), to_do);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{Check, State};

    fn issued(days: std::ops::Range<i64>) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(vec![]).unwrap();
        let day = |day| rcgen::date_time_ymd(2026, 1, 1) + std::time::Duration::from_secs(day as u64 * 86_400);
        (parameters.not_before, parameters.not_after) = (day(days.start), day(days.end));
        (parameters.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    fn found(check: impl FnOnce(&mut Findings<'_>)) -> Vec<Check> {
        let mut checks = Vec::new();
        check(&mut Findings { about: "certificates", checks: &mut checks });
        checks
    }

    #[test]
    fn a_certificate_is_told_of_before_it_ends() {
        let (certificate, _) = issued(10..110);
        let day = |day: u64| Timestamp::from_millis(1_767_225_600_000 + day * Day::MILLIS);
        for (now, state) in [
            (day(9), State::Wrong),
            (day(11), State::Good),
            (day(79), State::Good),
            (day(81), State::Warning),
            (day(111), State::Wrong),
        ] {
            let checks = found(|findings| dates(now, Path::new("it"), certificate.as_bytes(), RENEW, findings));
            assert_eq!(checks[0].state, state, "{:?}", checks[0]);
        }
        let checks = found(|findings| dates(day(1), Path::new("it"), b"no certificate", RENEW, findings));
        assert_eq!(checks[0].state, State::Wrong);
    }

    #[test]
    fn a_key_of_another_certificate_is_found() {
        let ((one, key), (_, other)) = (issued(0..10), issued(0..10));
        assert!(found(|findings| pair(Path::new("it"), one.as_bytes(), key.as_bytes(), findings)).is_empty());
        for wrong in [other.as_bytes(), b"no key"] {
            let checks = found(|findings| pair(Path::new("it"), one.as_bytes(), wrong, findings));
            assert_eq!(checks[0].state, State::Wrong);
        }
    }
}
