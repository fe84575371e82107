//! Files that are passed on in channels.

use std::path::{Path, PathBuf};

use semblance_channels::client::Content;
use semblance_channels::limits::{ATTACHMENT_BYTES_MAX, NAME_BYTES_MAX};
use semblance_core::id::ChannelId;

use super::DeviceFolder;
use super::device::OpenDevice;
use super::talk::told;
use crate::failure::Failure;
use crate::folder;
use crate::output::Output;
use crate::show::in_line;

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

pub(super) fn attach(arguments: &AttachArguments, output: &Output) -> anyhow::Result<()> {
    let (name, bytes) = to_pass_on(&arguments.file)?;
    crate::command::block_on(async {
        let mut device = OpenDevice::open(&arguments.folder.device)?;
        device.sync(output).await?;
        let (now, random) = (device.system.clock().now(), device.system.random());
        let attached = device.phone.attach(arguments.channel, (&name, &bytes), random.as_ref(), now).await;
        attached.map_err(told)?;
        device.follow_up(output).await;
        output.line(format!("passed on {}", in_line(&name)));
        Ok(())
    })
}

/// A file's name and content, if a message can carry the one and the hub the other: found out before anything is sent.
fn to_pass_on(file: &Path) -> anyhow::Result<(String, Vec<u8>)> {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        let what =
            format!("{}: a file's name has 1 to {NAME_BYTES_MAX} bytes, this one {}", file.display(), name.len());
        return Err(Failure::usage(what).hint("pass on a copy with a shorter name").into());
    }
    Ok((name, folder::read(file, ATTACHMENT_BYTES_MAX)?))
}

pub(super) fn fetch(arguments: &FetchArguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let mut device = OpenDevice::open(&arguments.folder.device)?;
        device.sync(output).await?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_message_can_carry_is_refused_before_it_is_sent() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, size: u64| {
            let path = folder.path().join(name);
            std::fs::File::create(&path).unwrap().set_len(size).unwrap();
            path
        };
        let usage = |path: &Path| {
            let error = to_pass_on(path).unwrap_err();
            Failure::of(&error).and_then(Failure::next_step).map(str::to_owned)
        };
        let (name, bytes) = to_pass_on(&write("scan.txt", 3)).unwrap();
        assert_eq!((name.as_str(), bytes.len()), ("scan.txt", 3));
        assert!(to_pass_on(&write(&"n".repeat(NAME_BYTES_MAX), 1)).is_ok());
        assert!(usage(&write(&"n".repeat(NAME_BYTES_MAX + 1), 1)).is_some(), "the name is too long");
        assert!(usage(&write("large", ATTACHMENT_BYTES_MAX + 1)).is_some(), "the file is too large");
        assert!(usage(Path::new("..")).is_some(), "no file");
    }
}
