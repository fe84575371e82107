//! The network, by the scripts of `deploy/fabric`, and clients of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use semblance_fabric::{
    ClientTls, Connection, Deadlines, Gateway, Identity, Network, PeerEndpoint, Sign, Sources, signer_from_pem,
};
use serde_json::Value;

pub(crate) const CHANNEL: &str = "semblance";
pub(crate) const CHAINCODE: &str = "semblance";
pub(crate) const HOSPITAL: &str = "hospital-1";
pub(crate) const MATCHER: &str = "matcher-1";
pub(crate) const BOTH: [&str; 2] = [HOSPITAL, MATCHER];

/// A network of two members, which is taken down when the test is over, however it ends.
pub(crate) struct Deployed {
    folder: tempfile::TempDir,
    file: Value,
}

/// Where a peer expects its chaincode.
pub(crate) struct ChaincodeServer {
    pub(crate) package_id: String,
    pub(crate) address: String,
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) client_root: String,
}

impl Deployed {
    pub(crate) fn up() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut deployed = Self { folder, file: Value::Null };
        std::fs::create_dir(deployed.directory()).unwrap();
        let consensus = std::env::var("SEMBLANCE_CONSENSUS").unwrap_or_else(|_| "raft".to_owned());
        let mut up = deployed.script("up");
        up.envs([("CONSENSUS", consensus.as_str()), ("HOSPITALS", HOSPITAL), ("MATCHERS", MATCHER)]);
        up.envs([("CHANNEL", CHANNEL), ("CHAINCODE", CHAINCODE), ("CHAINCODE_SERVER", "none")]);
        assert!(up.env("PORT_BASE", free_ports().to_string()).status().unwrap().success(), "it did not come up");
        let text = std::fs::read(deployed.directory().join("network.json")).unwrap();
        deployed.file = serde_json::from_slice(&text).unwrap();
        deployed
    }

    fn directory(&self) -> PathBuf {
        self.folder.path().join("network")
    }

    fn script(&self, name: &str) -> Command {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/fabric");
        let mut command = Command::new(scripts.join(name));
        command.arg(self.directory());
        command
    }

    pub(crate) fn run(&self, name: &str, arguments: &[&str]) {
        let mut command = self.script(name);
        let ran = command.args(arguments).stdout(Stdio::null()).status().unwrap();
        assert!(ran.success(), "{name} {arguments:?} failed");
    }

    pub(crate) fn organisation(&self, id: &str) -> &Value {
        self.file["organisations"].as_array().unwrap().iter().find(|organisation| organisation["id"] == id).unwrap()
    }

    pub(crate) fn peer_name(&self, id: &str) -> String {
        text(&self.organisation(id)["peers"][0]["name"])
    }

    pub(crate) fn package_id(&self) -> String {
        text(&self.file["package_id"])
    }

    pub(crate) fn chaincodes(&self) -> Vec<ChaincodeServer> {
        let of = |id: &&str| {
            let chaincode = &self.organisation(id)["peers"][0]["chaincode"];
            ChaincodeServer {
                package_id: self.package_id(),
                address: text(&chaincode["address"]),
                certificate: file(&chaincode["certificate"]),
                key: file(&chaincode["key"]),
                client_root: file(&chaincode["client_root"]),
            }
        };
        BOTH.iter().map(of).collect()
    }

    /// The certificates that the orderers sign with.
    pub(crate) fn orderers(&self) -> Vec<String> {
        let folders = |path: PathBuf| std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        let organisations = folders(self.directory().join("crypto/ordererOrganizations"));
        let orderers = organisations.flat_map(|organisation| folders(organisation.join("orderers")));
        let certificates = orderers.flat_map(|orderer| folders(orderer.join("msp/signcerts")));
        certificates.map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }

    pub(crate) fn signer(&self, id: &str, who: &str) -> Sign {
        signer_from_pem(&file(&self.organisation(id)[who]["key"])).unwrap()
    }

    /// A gateway through a member's own peer, for its `node` or its `admin`; with another signer if one is given.
    pub(crate) fn gateway(&self, id: &str, who: &str, sign: Option<Sign>) -> Gateway {
        let identity = Identity::new(id, &file(&self.organisation(id)[who]["certificate"]));
        let sign = sign.unwrap_or_else(|| self.signer(id, who));
        Gateway::new(self.connection(id, who), identity, sign, sources())
    }

    /// The hospital's node, which says that it is the matcher's.
    pub(crate) fn impostor(&self) -> Gateway {
        let identity = Identity::new(MATCHER, &file(&self.organisation(HOSPITAL)["node"]["certificate"]));
        Gateway::new(self.connection(HOSPITAL, "node"), identity, self.signer(HOSPITAL, "node"), sources())
    }

    pub(crate) fn network(&self, id: &str, who: &str) -> Network {
        self.gateway(id, who, None).network(CHANNEL)
    }

    fn connection(&self, id: &str, who: &str) -> Connection {
        let organisation = self.organisation(id);
        let (peer, who) = (&organisation["peers"][0], &organisation[who]);
        let peer = PeerEndpoint {
            address: text(&peer["address"]),
            server_name: text(&peer["server_name"]),
            tls_root: file(&organisation["tls_root"]),
        };
        let (certificate, key) = (file(&who["tls_certificate"]), file(&who["tls_key"]).into());
        Connection::open(&peer, &ClientTls { certificate, key }).unwrap()
    }
}

impl Drop for Deployed {
    fn drop(&mut self) {
        let _ = self.script("down").arg("--clean").stdout(Stdio::null()).status();
    }
}

/// The same channel with other deadlines.
pub(crate) fn with_deadlines(network: &Network, deadlines: Deadlines) -> Network {
    network.gateway().with_deadlines(deadlines).network(network.channel())
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

pub(crate) fn file(path: &Value) -> String {
    std::fs::read_to_string(path.as_str().unwrap()).unwrap()
}

/// The real time, which peers compare with their own, and nonces that count on from the process's number.
#[expect(clippy::disallowed_methods, reason = "a real network has real time")]
fn sources() -> Sources {
    static NONCES: AtomicU64 = AtomicU64::new(0);
    let process = u64::from(std::process::id());
    let nonce = move || {
        let mut nonce = [0; 24];
        nonce[..8].copy_from_slice(&process.to_be_bytes());
        nonce[8..16].copy_from_slice(&NONCES.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        nonce
    };
    Sources { now: Arc::new(SystemTime::now), nonce: Arc::new(nonce) }
}

/// The first of a thousand ports of which this process is likely to be the only user.
fn free_ports() -> u16 {
    20_000 + u16::try_from(std::process::id() % 20).unwrap() * 1000
}
