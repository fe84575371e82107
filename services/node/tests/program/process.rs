//! Runs the program as people do: processes, files, exit codes. No waiting but for what a process says.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use semblance_core::id::OrganisationId;
use semblance_node::config::Config;
use semblance_node::network::read_genesis;
use semblance_node::tls::Trust;
use serde_json::Value;

/// How long a server may take until it is ready, and a command until it ends, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_semblance"));
    command.env_remove("SEMBLANCE_LOG").stdin(Stdio::null());
    command
}

/// What a command said and how it ended.
pub(crate) struct Said {
    /// The exit code.
    pub(crate) code: i32,
    /// The JSON document on standard output; null when there was none.
    pub(crate) json: Value,
    /// Standard error.
    pub(crate) errors: String,
}

impl Said {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            json: serde_json::from_slice(&output.stdout).unwrap_or(Value::Null),
            errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The document of a command that must have succeeded.
    pub(crate) fn good(self) -> Value {
        assert_eq!(self.code, 0, "{}", self.errors);
        assert!(!self.json.is_null(), "no JSON document on standard output: {}", self.errors);
        self.json
    }
}

/// Runs a command to its end, with `--json`.
pub(crate) fn run(arguments: &[&str]) -> Said {
    let child = program().arg("--json").args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (sender, ended) = mpsc::channel();
    let id = child.id();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let output = ended.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{arguments:?} (process {id}) does not end"));
    Said::of(output.unwrap())
}

/// A node that serves.
pub(crate) struct Node {
    child: Child,
    /// Its configuration.
    pub(crate) config: PathBuf,
    /// What it said when it was ready.
    pub(crate) ready: Value,
}

impl Node {
    /// Starts a node and waits until it says that it is ready.
    pub(crate) fn start(config: &Path) -> Self {
        let mut command = program();
        command.args(["--json", "serve", "--config"]).arg(config).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let line = lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{} is not ready", config.display()));
        let ready = serde_json::from_str(&line).unwrap();
        Self { child, config: config.to_path_buf(), ready }
    }

    /// Runs one of this node's commands.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        let config = self.config.to_str().unwrap();
        run(&[arguments, &["--config", config]].concat())
    }

    /// What the standard health service says, asked with this node's own certificate.
    pub(crate) fn health(&self) -> &'static str {
        let config = Config::read(&self.config).unwrap();
        let genesis = read_genesis(&config.path(&config.content().node.genesis)).unwrap();
        let files = config.content().tls.read(config.folder()).unwrap();
        let own = OrganisationId::new(&config.content().node.organisation).unwrap();
        let address = format!("https://{}", self.ready["address"].as_str().unwrap());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let answer = runtime.block_on(async {
            let channel = Trust::of(&genesis).channel(&files, &own, &address).unwrap();
            let request = tonic_health::pb::HealthCheckRequest { service: String::new() };
            tonic_health::pb::health_client::HealthClient::new(channel).check(request).await.unwrap()
        });
        answer.into_inner().status().as_str_name()
    }

    /// Waits until this hospital has opened so many receipts: it follows the ledger at its own pace.
    pub(crate) fn receipts_of(&self, count: usize) -> Vec<Value> {
        let start = std::time::Instant::now();
        loop {
            let receipts = self.run(&["receipts"]).good().as_array().unwrap().clone();
            if receipts.len() >= count {
                return receipts;
            }
            assert!(start.elapsed() < PATIENCE, "{} of {count} receipts", receipts.len());
        }
    }

    /// Asks it to stop, and gives its exit code.
    pub(crate) fn stop(mut self) -> i32 {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
