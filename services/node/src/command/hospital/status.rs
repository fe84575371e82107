//! `semblance status`: where the hospital's node stands.

use semblance_proto::v1;
use serde::Serialize;

use super::{Connection, failure};
use crate::output::Output;

/// Say where the hospital's node stands: cases, what waits for the ledger, blocks read, and which sealing keys it needs.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
}

#[derive(Serialize)]
struct Report {
    hospital: String,
    cases: u64,
    waiting: u64,
    followed: u64,
    /// None where the node cannot say, as while the ledger does not answer.
    sealing_keys: Option<Vec<SealingKey>>,
}

#[derive(Serialize)]
struct SealingKey {
    /// Its number on the ledger.
    key: u32,
    /// Its public half, in hexadecimal.
    public: String,
    /// Why it must be kept; without a reason it may be destroyed.
    #[serde(skip_serializing_if = "String::is_empty")]
    needed: String,
}

impl Report {
    fn text(&self) -> String {
        let Self { hospital, cases, waiting, followed, sealing_keys } = self;
        let mut lines = vec![format!(
            "{hospital}: {cases} cases, {waiting} operations wait for the ledger, {followed} blocks read"
        )];
        lines.extend(sealing_keys.iter().flatten().map(SealingKey::text));
        lines.join("\n")
    }
}

impl SealingKey {
    fn text(&self) -> String {
        let start = self.public.get(..16).unwrap_or(&self.public);
        let why = match self.needed.as_str() {
            "" => "no longer needed: remove it from the configuration and destroy it",
            "present" => "in use",
            "not-announced" => "not on the ledger yet: keep it",
            "blocks-to-read" => "keep it: receipts sealed to it may still come",
            "open-epoch" => "keep it: an open epoch's key is sealed to it",
            other => other,
        };
        format!("sealing key {} ({start}…): {why}", self.key)
    }
}

/// Asks.
///
/// # Errors
/// The node cannot be reached.
pub fn run(arguments: Arguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let mut client = arguments.connection.client().await?;
        let status = client.get_status(v1::GetStatusRequest {}).await.map_err(|status| failure(&status))?.into_inner();
        let v1::GetStatusResponse { hospital, cases, waiting, followed } = status;
        let keys = client.list_sealing_keys(v1::ListSealingKeysRequest {}).await;
        if let Err(status) = &keys {
            output.warn(format!("which sealing keys are needed cannot be said: {}", failure(status)));
        }
        let key = |v1::SealingKeyStatus { key, public, needed }| SealingKey { key, public, needed };
        let sealing_keys = keys.ok().map(|keys| keys.into_inner().keys.into_iter().map(key).collect());
        output.result(&Report { hospital, cases, waiting, followed, sealing_keys }, Report::text)
    })
}
