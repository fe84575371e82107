//! `semblance epoch`: key periods.

use clap::Subcommand;
use semblance_core::organisation::Role;
use semblance_core::token::EpochNumber;
use serde::Serialize;

use crate::administer::Administrator;
use crate::config::Config;
use crate::output::Output;
use crate::party::Party;
use crate::show::moment;
use crate::system::System;

/// Open, close and list epochs, as a hospital's administrator.
///
/// An epoch is a key period: cases are published into the newest open one, and at most two are open at once.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    node: super::NodeFile,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Open the next epoch with a fresh key, sealed to every hospital.
    Open,
    /// Close an epoch: nothing is published into it or searched in it any more.
    Close {
        /// Its number.
        number: u32,
    },
    /// List all epochs.
    List,
}

#[derive(Serialize)]
struct Row {
    epoch: u32,
    opener: String,
    vocabulary: String,
    opened: String,
    closed: Option<String>,
}

/// Does it on the ledger.
///
/// # Errors
/// The ledger cannot be reached or refuses.
pub fn run(arguments: Arguments, output: &Output) -> anyhow::Result<()> {
    let config = arguments.node.read()?;
    super::block_on(act(config, arguments.action, output))
}

async fn act(config: Config, action: Action, output: &Output) -> anyhow::Result<()> {
    let party = Party::open(config, System::default(), Role::Admin).await?;
    let administrator = Administrator::new(party.ledger(Role::Admin)?, party.network());
    match action {
        Action::Open => {
            let vocabulary = party.vocabulary()?;
            let number = administrator.open_epoch(&vocabulary, party.system.random().as_ref()).await?;
            output.result(&serde_json::json!({ "opened": number.0 }), |_| format!("epoch {number} is open"))
        }
        Action::Close { number } => {
            administrator.close_epoch(EpochNumber(number)).await?;
            output.result(&serde_json::json!({ "closed": number }), |_| format!("epoch {number} is closed"))
        }
        Action::List => {
            let epochs = administrator.epochs().await?;
            let rows: Vec<Row> = epochs
                .iter()
                .map(|epoch| Row {
                    epoch: epoch.number.0,
                    opener: epoch.opener.to_string(),
                    vocabulary: epoch.vocabulary.name().to_owned(),
                    opened: moment(epoch.opened.millis()),
                    closed: epoch.closed.map(|closed| moment(closed.millis())),
                })
                .collect();
            output.result(&rows, |rows| text(rows))
        }
    }
}

fn text(rows: &[Row]) -> String {
    let line = |row: &Row| {
        let end = row.closed.as_deref().map_or_else(|| "open".to_owned(), |closed| format!("closed {closed}"));
        format!("epoch {}: opened {} by {}, vocabulary {}, {end}", row.epoch, row.opened, row.opener, row.vocabulary)
    };
    if rows.is_empty() { "no epoch yet".to_owned() } else { rows.iter().map(line).collect::<Vec<_>>().join("\n") }
}
