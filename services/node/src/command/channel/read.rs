//! What was said in channels, and what happens there.

use std::time::Duration;

use semblance_channels::client::{Content, Event, Message};
use semblance_channels::driver::DriverError;
use semblance_core::id::ChannelId;
use serde::Serialize;

use super::DeviceFolder;
use super::device::OpenDevice;
use super::talk::told;
use super::who::{Speaker, Who};
use crate::output::Output;
use crate::show::{in_line, moment, shown};

/// How long a node that cannot answer is left alone.
const PAUSE: Duration = Duration::from_secs(2);

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

#[derive(Serialize)]
struct MessageRow {
    number: u64,
    at: String,
    from: String,
    #[serde(flatten)]
    speaker: Speaker,
    text: Option<String>,
    file: Option<String>,
}

pub(super) fn read(arguments: &ReadArguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let mut device = OpenDevice::open(&arguments.folder.device)?;
        match device.sync(output).await {
            Ok(_) => {}
            // What is here already can be read when the node is away.
            Err(error) => output.warn(format!("nothing new could be fetched: {error:#}")),
        }
        let messages = device.phone.client().messages(arguments.channel, arguments.after, usize::MAX)?;
        let who = Who::of(&mut device, arguments.channel, messages.iter().map(|message| message.from))?;
        let rows: Vec<_> = messages.into_iter().filter_map(|message| row(&who, message)).collect();
        output.result(&rows, |rows| rows.iter().map(text).collect::<Vec<_>>().join("\n"))
    })
}

/// A message as it is shown; none for one that says nothing to people.
fn row(who: &Who, message: Message) -> Option<MessageRow> {
    let (text, file) = match message.content {
        Some(Content::Introduce { .. }) => return None,
        Some(Content::Text(text)) => (Some(text), None),
        Some(Content::File(file)) => (None, Some(format!("{} ({} bytes)", file.name, file.size))),
        None => (None, None),
    };
    let speaker = who.speaker(message.from);
    let from = speaker.name().to_owned();
    Some(MessageRow { number: message.sequence, at: moment(message.at.millis()), from, speaker, text, file })
}

fn text(row: &MessageRow) -> String {
    let said = match (&row.text, &row.file) {
        (Some(text), _) => shown(text),
        (None, Some(file)) => format!("[file: {}]", in_line(file)),
        (None, None) => "[cannot be read on this device]".to_owned(),
    };
    format!("{:>4}  {}  {}: {said}", row.number, row.at, row.speaker.shown())
}

pub(super) fn watch(arguments: &WatchArguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let mut device = OpenDevice::open(&arguments.folder.device)?;
        let stopped = crate::stop::on_signal()?;
        let waited = device.sync(output).await?;
        tell(&mut device, output, waited)?;
        let mut away = false;
        while !stopped.is_cancelled() {
            let now = device.system.clock().now();
            match device.phone.wait(now).await {
                Ok(events) => {
                    away = false;
                    tell(&mut device, output, events)?;
                }
                Err(error @ DriverError::Refused(refusal)) if refusal.is_passing() => {
                    // Once, until it answers again.
                    if !std::mem::replace(&mut away, true) {
                        output.warn(format!("nothing new can be fetched for now: {:#}", told(error)));
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(told(error)),
            }
        }
        Ok(())
    })
}

fn tell(device: &mut OpenDevice, output: &Output, events: Vec<(ChannelId, Event)>) -> anyhow::Result<()> {
    for (channel, event) in events {
        if let Some(what) = happened(device, channel, event)? {
            output.line(format!("{channel}  {what}"));
        }
    }
    Ok(())
}

/// What happened, for people; none for what is nothing to them.
fn happened(device: &mut OpenDevice, channel: ChannelId, event: Event) -> anyhow::Result<Option<String>> {
    Ok(match event {
        Event::Message(message) => {
            let who = Who::of(device, channel, [message.from])?;
            row(&who, message).as_ref().map(text)
        }
        Event::Joined => Some("this device is in the channel".to_owned()),
        Event::Added(who) => Some(format!("{} joined", who.len())),
        Event::Removed(who) => Some(format!("{} left", who.len())),
        Event::RemovalPending(..) => {
            Some("somebody's part has ended; nothing is said until they are removed".to_owned())
        }
        Event::Left | Event::Ended(_) => Some("this device takes no further part".to_owned()),
        Event::Broken => Some("this device could not follow and joins again".to_owned()),
        Event::Work => None,
    })
}

#[cfg(test)]
mod tests {
    use semblance_core::time::Timestamp;

    use super::*;
    use crate::command::channel::who::tests::{member, participant};

    #[test]
    fn a_text_forges_no_line_and_a_row_for_programs_says_who_speaks() {
        let who = Who::new(vec![member(1, Some("Ann"), false)], []);
        let said = "Hi\r\u{1b}[2K\n   2  1970-01-01 00:00:00 UTC  Ann (clinician of north): yes";
        let content = Some(Content::Text(said.to_owned()));
        let message = Message { sequence: 1, at: Timestamp::from_millis(0), from: participant(1), content };
        let row = row(&who, message).unwrap();
        assert_eq!(
            text(&row),
            "   1  1970-01-01 00:00:00 UTC  Ann (clinician of north): Hi\\u{d}\\u{1b}[2K\n      |    2  1970-01-01 00:00:00 UTC  Ann (clinician of north): yes"
        );
        let json = serde_json::to_value(&row).unwrap();
        assert_eq!((&json["from"], &json["text"]), (&"Ann".into(), &said.into()));
        assert_eq!((&json["hospital"], &json["role"]), (&"north".into(), &"clinician".into()));
        assert_eq!(json["participant"], participant(1).to_string());
    }
}
