//! Only the organisation's own peer gets through.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use semblance_chaincode::ServerTls;
use semblance_chaincode::testing::{Dialing, FakePeer};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use crate::small::{call, with_tls};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_under_another_root_or_without_a_certificate_is_refused() {
    let (own, other) = (Authority::new("own"), Authority::new("other"));
    let (certificate, key) = own.issue();
    let server = with_tls(Some(ServerTls { certificate, key, client_root: own.0.pem() })).await;
    let trusting = || ClientTlsConfig::new().ca_certificate(Certificate::from_pem(own.0.pem()));
    let with = |(certificate, key): (String, String)| trusting().identity(Identity::from_pem(certificate, key));
    for (tls, taken) in [(with(own.issue()), true), (with(other.issue()), false), (trusting(), false)] {
        let dialled = FakePeer::dial(server.address(), Dialing { tls: Some(tls), ..Dialing::default() }).await;
        assert_eq!(dialled.is_ok(), taken);
        if let Ok(peer) = dialled {
            peer.state(|state| state.put("from", b"value"));
            assert_eq!(peer.invoke(&call("copy", 1)).await.unwrap().response().unwrap().payload, b"value");
        }
    }
    let plain = FakePeer::dial(server.address(), Dialing::default()).await;
    assert!(plain.is_err(), "without TLS nobody gets through");
}
