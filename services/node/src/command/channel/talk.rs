//! What a person does in channels.

use std::io::Read;

use anyhow::Context;
use semblance_channels::client::{Content, Event, Phase};
use semblance_channels::driver::DriverError;
use semblance_channels::limits::TEXT_BYTES_MAX;
use semblance_channels::wire::Refusal;
use semblance_core::id::ChannelId;
use serde::Serialize;

use super::DeviceFolder;
use super::device::OpenDevice;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::show::in_line;

/// Show the channels that the hospital offers to this person, and how far this device is in each.
#[derive(Debug, clap::Args)]
pub(super) struct OffersArguments {
    #[command(flatten)]
    folder: DeviceFolder,
}

/// Act on one channel.
#[derive(Debug, clap::Args)]
pub(super) struct ChannelArguments {
    #[command(flatten)]
    pub(super) folder: DeviceFolder,
    /// The channel.
    #[arg(value_name = "CHANNEL")]
    pub(super) channel: ChannelId,
}

/// Say something in a channel.
#[derive(Debug, clap::Args)]
pub(super) struct SayArguments {
    #[command(flatten)]
    folder: DeviceFolder,
    /// The channel.
    #[arg(value_name = "CHANNEL")]
    channel: ChannelId,
    /// The text; `-` reads it from standard input, where other users of this machine cannot see it.
    #[arg(value_name = "TEXT")]
    text: String,
}

#[derive(Serialize)]
struct OfferRow {
    channel: String,
    kind: &'static str,
    hub: String,
    about: String,
    state: &'static str,
}

const fn word(phase: Option<Phase>) -> &'static str {
    match phase {
        None => "offered",
        Some(Phase::Agreed) => "waiting to be let in",
        Some(Phase::Creating) => "being made",
        Some(Phase::Member) => "member",
        Some(Phase::Rejoining | Phase::Broken) => "joining again",
        Some(Phase::Removed) => "ended",
    }
}

/// What kind of failure a device's is, and what to do.
pub(super) fn told(error: DriverError) -> anyhow::Error {
    match error {
        DriverError::Refused(Refusal::HubAway) => {
            Failure::new(Kind::Unreachable, "hub-away: the node or the channel's hub cannot be reached")
                .hint("try again later")
                .into()
        }
        DriverError::Refused(refusal) => Failure::new(Kind::Refused, refusal.word()).into(),
        DriverError::NoOffer => Failure::new(Kind::Refused, "not-offered: the hospital offers no such channel")
            .hint("see what is offered with `semblance channel offers`")
            .into(),
        other => other.into(),
    }
}

impl OpenDevice {
    /// Takes what waits, does what follows from it, and leaves key packages with the hospital.
    ///
    /// # Errors
    /// The node cannot be reached or refuses, or the device failed. Without new key packages only other channels cannot
    /// let this device in: that is a warning.
    pub(super) async fn sync(&mut self, output: &Output) -> anyhow::Result<Vec<(ChannelId, Event)>> {
        let now = self.system.clock().now();
        let provisioned = self.phone.provision(now).await;
        let happened = self.phone.sync(now).await.map_err(told)?;
        self.tell_troubles(output);
        if let Err(error) = provisioned {
            let error = told(error);
            output.warn(format!("other channels cannot let this device in, no key packages were left: {error:#}"));
        }
        Ok(happened)
    }

    /// Takes what follows from something that was done, and stays done whatever becomes of this.
    pub(super) async fn follow_up(&mut self, output: &Output) {
        let now = self.system.clock().now();
        if let Err(error) = self.phone.sync(now).await.map_err(told) {
            output.warn(format!("what followed could not be fetched: {error:#}"));
        }
        self.tell_troubles(output);
    }

    /// Warns of what went wrong in single channels; the device tries it again by itself.
    pub(super) fn tell_troubles(&mut self, output: &Output) {
        for (channel, error) in self.phone.troubles() {
            output.warn(format!("channel {channel}: {:#}", told(error)));
        }
    }
}

pub(super) fn offers(arguments: &OffersArguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let mut device = OpenDevice::open(&arguments.folder.device)?;
        device.sync(output).await?;
        let mut rows = Vec::new();
        for (terms, offer) in device.phone.offers().await.map_err(told)? {
            rows.push(OfferRow {
                channel: terms.channel.to_string(),
                kind: terms.kind.word(),
                hub: terms.hub.to_string(),
                about: offer.about,
                state: word(device.phone.phase(terms.channel)?),
            });
        }
        output.result(&rows, |rows| {
            let line = |row: &OfferRow| {
                let about = if row.about.is_empty() { String::new() } else { format!(": {}", in_line(&row.about)) };
                format!("{} ({}, hub {}){about} [{}]", row.channel, row.kind, row.hub, row.state)
            };
            if rows.is_empty() {
                "no channel is offered to this person".to_owned()
            } else {
                rows.iter().map(line).collect::<Vec<_>>().join("\n")
            }
        })
    })
}

pub(super) fn list(arguments: &OffersArguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let mut device = OpenDevice::open(&arguments.folder.device)?;
        let channels = device.phone.client().channels()?;
        let rows: Vec<_> =
            channels.into_iter().map(|(channel, phase)| (channel.to_string(), word(Some(phase)))).collect();
        output.result(&rows, |rows| {
            let line = |(channel, state): &(String, &str)| format!("{channel} [{state}]");
            if rows.is_empty() {
                "this device takes part in no channel".to_owned()
            } else {
                rows.iter().map(line).collect::<Vec<_>>().join("\n")
            }
        })
    })
}

pub(super) fn join(arguments: &ChannelArguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let mut device = OpenDevice::open(&arguments.folder.device)?;
        device.sync(output).await?;
        let now = device.system.clock().now();
        device.phone.join(arguments.channel, now).await.map_err(told)?;
        device.follow_up(output).await;
        let state = word(device.phone.phase(arguments.channel)?);
        output.result(&state, |state| format!("{} [{state}]", arguments.channel))
    })
}

pub(super) fn say(arguments: &SayArguments, output: &Output) -> anyhow::Result<()> {
    let text = if arguments.text == "-" {
        let mut text = String::new();
        std::io::stdin().take(TEXT_BYTES_MAX as u64 + 1).read_to_string(&mut text).context("standard input")?;
        text.trim_end().to_owned()
    } else {
        arguments.text.clone()
    };
    crate::command::block_on(async {
        let mut device = OpenDevice::open(&arguments.folder.device)?;
        device.sync(output).await?;
        let now = device.system.clock().now();
        match device.phone.say(arguments.channel, &Content::Text(text), now).await {
            // What was said is kept on this device before anybody is asked.
            Ok(()) | Err(DriverError::Refused(Refusal::HubAway)) => {}
            Err(error) => return Err(told(error)),
        }
        device.follow_up(output).await;
        let waiting = device.phone.client().waiting(arguments.channel)?;
        output.result(&waiting, |waiting| match waiting {
            0 => "said".to_owned(),
            _ => "it will be said as soon as the channel can take it".to_owned(),
        })
    })
}

pub(super) fn leave(arguments: &ChannelArguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let mut device = OpenDevice::open(&arguments.folder.device)?;
        device.sync(output).await?;
        device.phone.leave(arguments.channel).await.map_err(told)?;
        device.follow_up(output).await;
        output.line(format!("left {}", arguments.channel));
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::path::Path;

    use semblance_core::id::NetworkId;
    use semblance_web::channels::{ALL_TOLD, CODE_HEADER};

    use super::super::device::{DeviceFile, make};
    use super::*;

    /// A device whose node has this address.
    fn device(folder: &Path, address: &str) -> OpenDevice {
        let folder = folder.join("device");
        let (url, network) = (format!("http://{address}"), NetworkId::from_bytes([1; 16]).to_string());
        make(&folder, &DeviceFile { url, network, name: "Ann".to_owned(), own_root: false }, &[1; 32], None).unwrap();
        OpenDevice::open(&folder).unwrap()
    }

    /// A node that refuses every call, while its queues can be listened to.
    fn refuse_calls(listener: &TcpListener) {
        for connection in listener.incoming() {
            let mut connection = BufReader::new(connection.unwrap());
            let mut header = String::new();
            while !header.ends_with("\r\n\r\n") && connection.read_line(&mut header).unwrap() > 0 {}
            let length =
                header.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            connection.read_exact(&mut vec![0; length.unwrap_or_default()]).unwrap();
            let answer = if header.starts_with("GET") {
                format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n: {ALL_TOLD}\n\n")
            } else {
                format!(
                    "HTTP/1.1 429 Too Many\r\nconnection: close\r\n{CODE_HEADER}: full\r\ncontent-length: 0\r\n\r\n"
                )
            };
            connection.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    }

    #[tokio::test]
    async fn a_hospital_that_takes_no_key_packages_keeps_nobody_from_talking() {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || refuse_calls(&listener));
        let mut device = device(folder.path(), &address);
        let now = device.system.clock().now();
        assert!(device.phone.provision(now).await.is_err());
        assert_eq!(device.sync(&Output::new(false)).await.unwrap().len(), 0);
    }

    #[tokio::test]
    async fn a_node_that_cannot_be_reached_is_an_error_that_says_so() {
        let folder = tempfile::tempdir().unwrap();
        // Nobody listens there any more.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let error = device(folder.path(), &address).sync(&Output::new(false)).await.unwrap_err();
        assert_eq!(Failure::of(&error).map(Failure::kind), Some(Kind::Unreachable), "{error:#}");
    }
}
