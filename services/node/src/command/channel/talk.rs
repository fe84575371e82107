//! What a person does in channels.

use std::io::Read;
use std::path::PathBuf;

use anyhow::Context;
use semblance_channels::client::{Content, Event, Message, Phase};
use semblance_channels::driver::DriverError;
use semblance_channels::limits::{ATTACHMENT_BYTES_MAX, TEXT_BYTES_MAX};
use semblance_channels::wire::Refusal;
use semblance_core::id::ChannelId;
use serde::Serialize;

use super::DeviceFolder;
use super::device::OpenDevice;
use crate::failure::{Failure, Kind};
use crate::folder;
use crate::output::Output;
use crate::show::moment;

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
    folder: DeviceFolder,
    /// The channel.
    #[arg(value_name = "CHANNEL")]
    channel: ChannelId,
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

/// Show what was said in a channel.
#[derive(Debug, clap::Args)]
pub(super) struct ReadArguments {
    #[command(flatten)]
    folder: DeviceFolder,
    /// The channel.
    #[arg(value_name = "CHANNEL")]
    channel: ChannelId,
    /// After this number alone.
    #[arg(long, value_name = "N", default_value_t = 0)]
    after: u64,
}

/// Show what happens in all channels as it happens, until interrupted.
#[derive(Debug, clap::Args)]
pub(super) struct WatchArguments {
    #[command(flatten)]
    folder: DeviceFolder,
}

/// Pass a file on, encrypted, at most 25 MiB.
#[derive(Debug, clap::Args)]
pub(super) struct AttachArguments {
    #[command(flatten)]
    folder: DeviceFolder,
    /// The channel.
    #[arg(value_name = "CHANNEL")]
    channel: ChannelId,
    /// The file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Fetch a file that was passed on.
#[derive(Debug, clap::Args)]
pub(super) struct FetchArguments {
    #[command(flatten)]
    folder: DeviceFolder,
    /// The channel.
    #[arg(value_name = "CHANNEL")]
    channel: ChannelId,
    /// The number of the message that passed it on, as `read` shows it.
    #[arg(value_name = "N")]
    sequence: u64,
    /// Where to write it; an existing file is never overwritten.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Serialize)]
struct OfferRow {
    channel: String,
    kind: &'static str,
    hub: String,
    about: String,
    state: &'static str,
}

#[derive(Serialize)]
struct MemberRow {
    participant: String,
    name: Option<String>,
    hospital: String,
    role: &'static str,
    own: bool,
}

#[derive(Serialize)]
struct MessageRow {
    number: u64,
    at: String,
    from: String,
    text: Option<String>,
    file: Option<String>,
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
fn told(error: DriverError) -> anyhow::Error {
    match error {
        DriverError::Refused(Refusal::HubAway) => {
            Failure::new(Kind::Unreachable, "hub-away: the node or the channel's hub cannot be reached")
                .hint("try again later; what was said is kept and sent then")
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
    async fn sync(&mut self) -> anyhow::Result<Vec<(ChannelId, Event)>> {
        let now = self.system.clock().now();
        self.phone.provision(now).await.map_err(told)?;
        self.phone.sync(now).await.map_err(told)
    }
}

pub(super) fn offers(arguments: &OffersArguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let mut device = OpenDevice::open(&arguments.folder.device)?;
        device.sync().await?;
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
                let about = if row.about.is_empty() { String::new() } else { format!(": {}", row.about) };
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
        device.sync().await?;
        let now = device.system.clock().now();
        device.phone.join(arguments.channel, now).await.map_err(told)?;
        device.sync().await?;
        let state = word(device.phone.phase(arguments.channel)?);
        output.result(&state, |state| format!("{} [{state}]", arguments.channel))
    })
}

pub(super) fn members(arguments: &ChannelArguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let mut device = OpenDevice::open(&arguments.folder.device)?;
        device.sync().await?;
        let members = device.phone.client().members(arguments.channel)?;
        let rows: Vec<_> = members
            .into_iter()
            .map(|member| MemberRow {
                participant: member.leaf.participant.to_string(),
                name: member.name,
                hospital: member.leaf.hospital.to_string(),
                role: member.leaf.role.word(),
                own: member.own,
            })
            .collect();
        output.result(&rows, |rows| {
            let line = |row: &MemberRow| {
                let own = if row.own { ", this device" } else { "" };
                format!("{} ({} of {}{own})", row.name.as_deref().unwrap_or("no name yet"), row.role, row.hospital)
            };
            rows.iter().map(line).collect::<Vec<_>>().join("\n")
        })
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
        device.sync().await?;
        let now = device.system.clock().now();
        device.phone.say(arguments.channel, &Content::Text(text), now).await.map_err(told)?;
        device.sync().await?;
        let waiting = device.phone.client().waiting(arguments.channel)?;
        output.result(&waiting, |waiting| match waiting {
            0 => "said".to_owned(),
            _ => "it will be said as soon as the channel can take it".to_owned(),
        })
    })
}

pub(super) fn read(arguments: &ReadArguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let mut device = OpenDevice::open(&arguments.folder.device)?;
        match device.sync().await {
            Ok(_) => {}
            // What is here already can be read when the node is away.
            Err(error) => output.warn(format!("nothing new could be fetched: {error:#}")),
        }
        let messages = device.phone.client().messages(arguments.channel, arguments.after, usize::MAX)?;
        let mut rows = Vec::new();
        for message in messages {
            rows.extend(row(&mut device, arguments.channel, message)?);
        }
        output.result(&rows, |rows| rows.iter().map(text).collect::<Vec<_>>().join("\n"))
    })
}

fn row(device: &mut OpenDevice, channel: ChannelId, message: Message) -> anyhow::Result<Option<MessageRow>> {
    let (text, file) = match message.content {
        Some(Content::Introduce { .. }) => return Ok(None),
        Some(Content::Text(text)) => (Some(text), None),
        Some(Content::File(file)) => (None, Some(format!("{} ({} bytes)", file.name, file.size))),
        None => (None, None),
    };
    let from = device.phone.client().name(channel, message.from)?.unwrap_or_else(|| "no name yet".to_owned());
    Ok(Some(MessageRow { number: message.sequence, at: moment(message.at.millis()), from, text, file }))
}

fn text(row: &MessageRow) -> String {
    let said = match (&row.text, &row.file) {
        (Some(text), _) => text.clone(),
        (None, Some(file)) => format!("[file: {file}]"),
        (None, None) => "[cannot be read on this device]".to_owned(),
    };
    format!("{:>4}  {}  {}: {said}", row.number, row.at, row.from)
}

pub(super) fn watch(arguments: &WatchArguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let mut device = OpenDevice::open(&arguments.folder.device)?;
        let stopped = crate::stop::on_signal()?;
        device.sync().await?;
        while !stopped.is_cancelled() {
            let now = device.system.clock().now();
            match device.phone.wait(now).await {
                Ok(events) => {
                    for (channel, event) in events {
                        tell(&mut device, output, channel, event)?;
                    }
                }
                Err(DriverError::Refused(Refusal::HubAway)) => {
                    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
                }
                Err(error) => return Err(told(error)),
            }
        }
        Ok(())
    })
}

fn tell(device: &mut OpenDevice, output: &Output, channel: ChannelId, event: Event) -> anyhow::Result<()> {
    let what = match event {
        Event::Message(message) => match row(device, channel, message)? {
            Some(row) => text(&row),
            None => return Ok(()),
        },
        Event::Joined => "this device is in the channel".to_owned(),
        Event::Added(who) => format!("{} joined", who.len()),
        Event::Removed(who) => format!("{} left", who.len()),
        Event::RemovalPending(..) => "somebody's part has ended; nothing is said until they are removed".to_owned(),
        Event::Left | Event::Ended(_) => "this device takes no further part".to_owned(),
        Event::Broken => "this device could not follow and joins again".to_owned(),
        Event::Work => return Ok(()),
    };
    output.line(format!("{channel}  {what}"));
    Ok(())
}

pub(super) fn attach(arguments: &AttachArguments, output: &Output) -> anyhow::Result<()> {
    let bytes = folder::read(&arguments.file, ATTACHMENT_BYTES_MAX)?;
    let name = arguments.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    crate::command::block_on(async {
        let mut device = OpenDevice::open(&arguments.folder.device)?;
        device.sync().await?;
        let (now, random) = (device.system.clock().now(), device.system.random());
        let attached = device.phone.attach(arguments.channel, (&name, &bytes), random.as_ref(), now).await;
        attached.map_err(told)?;
        device.sync().await?;
        output.line(format!("passed on {name}"));
        Ok(())
    })
}

pub(super) fn fetch(arguments: &FetchArguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let mut device = OpenDevice::open(&arguments.folder.device)?;
        device.sync().await?;
        let messages = device.phone.client().messages(arguments.channel, arguments.sequence.saturating_sub(1), 1)?;
        let found = messages.into_iter().find(|message| message.sequence == arguments.sequence);
        let Some(Content::File(file)) = found.and_then(|message| message.content) else {
            let what = format!("message {} of the channel passes no file on", arguments.sequence);
            return Err(Failure::usage(what).hint("see the numbers with `semblance channel read`").into());
        };
        let bytes = device.phone.fetch(arguments.channel, &file).await.map_err(told)?;
        super::device::write(&arguments.out, &bytes)?;
        output.line(format!("wrote {} bytes to {}", bytes.len(), arguments.out.display()));
        Ok(())
    })
}

pub(super) fn leave(arguments: &ChannelArguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let mut device = OpenDevice::open(&arguments.folder.device)?;
        device.sync().await?;
        device.phone.leave(arguments.channel).await.map_err(told)?;
        device.sync().await?;
        output.line(format!("left {}", arguments.channel));
        Ok(())
    })
}
