//! Fabric through its official client: a ledger that others wrote, so that our chaincode is not checked by our client
//! alone, and so that our client has a competitor.
//!
//! A program in Node (`deploy/fabric/official-client`) makes the calls; it takes and gives a line of JSON for each.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use data_encoding::BASE64;
use semblance_contract::stub::QUERY;
use semblance_core::id::OrganisationId;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot};

use crate::{Call, Committed, EventStream, Ledger, LedgerError};

/// Calls that wait to be written to the program.
const QUEUE: usize = 1024;

/// Where the program lies, and whether it can run here.
#[derive(Debug, Clone)]
pub struct OfficialProgram(PathBuf);

impl OfficialProgram {
    /// Looks for the program and for what it needs.
    ///
    /// # Errors
    /// What is missing, in words.
    pub fn find(folder: &Path) -> Result<Self, String> {
        let program = folder.join("client.mjs");
        if !program.is_file() {
            return Err(format!("{} is missing", program.display()));
        }
        if !folder.join("node_modules/@hyperledger/fabric-gateway").is_dir() {
            return Err(format!("the official client is not installed: run `npm ci` in {}", folder.display()));
        }
        match std::process::Command::new("node").arg("--version").output() {
            Ok(output) if output.status.success() => Ok(Self(program)),
            _ => Err("node is not installed".to_owned()),
        }
    }
}

#[derive(Serialize)]
struct Request<'a> {
    id: u64,
    kind: &'static str,
    function: &'a str,
    arguments: Vec<String>,
    transient: BTreeMap<&'a str, String>,
    endorsers: Vec<String>,
}

#[derive(Deserialize)]
struct Answer {
    id: u64,
    ok: bool,
    #[serde(default)]
    result: String,
    #[serde(default)]
    block: Option<String>,
    #[serde(default)]
    transaction: Option<String>,
    #[serde(default)]
    error: String,
    #[serde(default)]
    details: Vec<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    #[serde(default)]
    message: String,
}

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Answer>>>>;

/// The channel as the official client sees it.
pub struct OfficialLedger {
    organisation: OrganisationId,
    next: AtomicU64,
    waiting: Waiting,
    requests: mpsc::Sender<String>,
    _program: Child,
}

impl OfficialLedger {
    /// Starts the program for an organisation's node, and waits until it is connected. Without a chaincode's name it is
    /// the network's own.
    ///
    /// # Errors
    /// It does not start, or says why it cannot go on.
    pub async fn start(
        program: &OfficialProgram,
        network: &Path,
        chaincode: Option<&str>,
        organisation: &OrganisationId,
        clients: usize,
    ) -> Result<Self, LedgerError> {
        let mut child = Command::new("node")
            .arg(&program.0)
            .arg(network)
            .args([organisation.as_str(), "run", &clients.to_string()])
            .args(chaincode)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| gone(&error.to_string()))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(gone("it has no input or output"));
        };
        let mut lines = BufReader::new(output).lines();
        match lines.next_line().await {
            Ok(Some(line)) if line.contains("ready") => {}
            Ok(line) => return Err(gone(&line.unwrap_or_else(|| "it ended at once".to_owned()))),
            Err(error) => return Err(gone(&error.to_string())),
        }
        let (requests, queue) = mpsc::channel(QUEUE);
        let waiting = Waiting::default();
        tokio::spawn(write(input, queue));
        tokio::spawn(read(lines, waiting.clone()));
        Ok(Self { organisation: organisation.clone(), next: AtomicU64::new(1), waiting, requests, _program: child })
    }

    async fn ask(&self, kind: &'static str, call: &Call) -> Result<Answer, LedgerError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let encode = |bytes: &Vec<u8>| BASE64.encode(bytes);
        let request = Request {
            id,
            kind,
            function: &call.function,
            arguments: call.arguments.iter().map(encode).collect(),
            transient: call.transient.iter().map(|(name, value)| (name.as_str(), encode(value))).collect(),
            endorsers: call.endorsers.iter().map(ToString::to_string).collect(),
        };
        let line = serde_json::to_string(&request).map_err(|error| LedgerError::Malformed(error.to_string()))?;
        let (sender, receiver) = oneshot::channel();
        if let Ok(mut waiting) = self.waiting.lock() {
            waiting.insert(id, sender);
        }
        self.requests.send(line).await.map_err(|_| gone("it has ended"))?;
        let answer = receiver.await.map_err(|_| gone("it has ended"))?;
        if answer.ok {
            return Ok(answer);
        }
        Err(refused(&answer))
    }
}

async fn write(mut input: ChildStdin, mut queue: mpsc::Receiver<String>) {
    while let Some(mut line) = queue.recv().await {
        line.push('\n');
        if input.write_all(line.as_bytes()).await.is_err() || input.flush().await.is_err() {
            return;
        }
    }
}

/// Hands answers to those who wait; at the end nobody waits any longer.
async fn read(mut lines: Lines<BufReader<ChildStdout>>, waiting: Waiting) {
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(answer) = serde_json::from_str::<Answer>(&line) else { continue };
        let sender = waiting.lock().ok().and_then(|mut waiting| waiting.remove(&answer.id));
        if let Some(sender) = sender {
            let _ = sender.send(answer);
        }
    }
    if let Ok(mut waiting) = waiting.lock() {
        waiting.clear();
    }
}

fn gone(why: &str) -> LedgerError {
    LedgerError::Unavailable(format!("the official client: {why}"))
}

/// The contract's refusal is in what the peers say: "chaincode response 409, code: message".
fn refused(answer: &Answer) -> LedgerError {
    let texts = answer.details.iter().map(|detail| detail.message.as_str()).chain([answer.error.as_str()]);
    let refusal = texts.filter_map(|text| text.split_once("chaincode response 409, ")).next();
    match refusal.and_then(|(_, refusal)| refusal.split_once(": ")) {
        Some((code, message)) => LedgerError::Refused { code: code.to_owned(), message: message.to_owned() },
        None => gone(&answer.error),
    }
}

fn result(answer: &Answer) -> Result<Vec<u8>, LedgerError> {
    BASE64.decode(answer.result.as_bytes()).map_err(|error| LedgerError::Malformed(error.to_string()))
}

#[async_trait]
impl Ledger for OfficialLedger {
    fn organisation(&self) -> &OrganisationId {
        &self.organisation
    }

    async fn submit(&self, call: Call) -> Result<Committed, LedgerError> {
        let answer = self.ask("submit", &call).await?;
        let malformed = || LedgerError::Malformed("a commit has a transaction and a block".to_owned());
        let transaction = answer.transaction.as_ref().and_then(|id| id.parse().ok()).ok_or_else(malformed)?;
        let block = answer.block.as_ref().and_then(|block| block.parse().ok()).ok_or_else(malformed)?;
        Ok(Committed { transaction, block, response: result(&answer)? })
    }

    async fn evaluate(&self, mut call: Call) -> Result<Vec<u8>, LedgerError> {
        call.transient.insert(QUERY.to_owned(), vec![1]);
        if call.endorsers.is_empty() {
            call.endorsers.push(self.organisation.clone());
        }
        result(&self.ask("evaluate", &call).await?)
    }

    async fn height(&self) -> Result<u64, LedgerError> {
        Err(gone("it is not asked for the height"))
    }

    async fn blocks(&self, _from: u64) -> Result<EventStream, LedgerError> {
        Err(gone("it does not follow"))
    }
}
