//! The network itself, by the scripts of `deploy/fabric`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use semblance_ledger::fabric::network_file::NetworkFile;

/// A network on this machine.
pub(crate) struct Deployed {
    folder: tempfile::TempDir,
    pub(crate) file: NetworkFile,
}

impl Deployed {
    /// Brings it up, without a chaincode server: those run in this process.
    pub(crate) fn up(consensus: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("network");
        std::fs::create_dir(&directory).unwrap();
        let up = script("up", &directory)
            .env("CONSENSUS", consensus)
            .env("CHAINCODE_SERVER", "none")
            .env("PEERS", "hospital-1=2")
            .env("PORT_BASE", free_ports().to_string())
            .status();
        assert!(up.unwrap().success(), "the network did not come up");
        let file = NetworkFile::read(&directory).unwrap();
        Self { folder, file }
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.folder.path().join("network")
    }

    /// Runs a script on it.
    pub(crate) fn run(&self, name: &str, arguments: &[&str]) {
        let mut command = script(name, &self.directory());
        let ran = command.args(arguments).env("CHAINCODE_SERVER", "none").stdout(Stdio::null()).status().unwrap();
        assert!(ran.success(), "{name} {arguments:?} failed");
    }

    /// The same without holding up what goes on meanwhile.
    pub(crate) async fn run_aside(&'static self, name: &'static str, arguments: &[&str]) {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let run = move || self.run(name, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        tokio::task::spawn_blocking(run).await.unwrap();
    }

    /// The names of all peers and orderers.
    pub(crate) fn processes(&self) -> Vec<String> {
        let peers = self.file.organisations.iter().flat_map(|organisation| &organisation.peers);
        let orderers = self.file.orderers.iter().map(|orderer| orderer.name.clone());
        peers.map(|peer| peer.name.clone()).chain(orderers).collect()
    }

    /// Takes it down and removes it.
    pub(crate) fn down(&self) {
        self.run("down", &["--clean"]);
    }
}

fn script(name: &str, directory: &Path) -> Command {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/fabric");
    let mut command = Command::new(scripts.join(name));
    command.arg(directory);
    command
}

/// The first of a thousand ports of which this process is likely to be the only user.
fn free_ports() -> u16 {
    let place = u16::try_from(std::process::id() % 20).unwrap();
    20_000 + place * 1000
}
