//! `semblance channel`: channels from the command line, over the same calls as a browser.

mod device;
mod file;
pub(crate) mod line;
mod open;
mod operate;
mod read;
mod talk;
mod who;

use std::path::PathBuf;

use clap::Subcommand;

use crate::output::Output;

/// Talk in channels, end to end encrypted, from this machine.
///
/// A device is a folder that `register` makes: it holds the keys of one person's device and what was said to it. Whoever
/// can read the folder can read the channels.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Register(operate::RegisterArguments),
    Devices(operate::DevicesArguments),
    Revoke(operate::RevokeArguments),
    Audit(operate::AuditArguments),
    Open(open::OpenArguments),
    Group(open::GroupArguments),
    Opened(open::OpenedArguments),
    Offered(open::OfferedArguments),
    Assign(open::AssignArguments),
    Offers(talk::OffersArguments),
    Join(talk::ChannelArguments),
    List(talk::OffersArguments),
    Members(talk::ChannelArguments),
    Say(talk::SayArguments),
    Read(read::ReadArguments),
    Watch(read::WatchArguments),
    Attach(file::AttachArguments),
    Fetch(file::FetchArguments),
    Leave(talk::ChannelArguments),
}

/// The folder of the device that acts.
#[derive(Debug, clap::Args)]
pub(crate) struct DeviceFolder {
    /// The folder of this device, as `semblance channel register` made it.
    #[arg(long, value_name = "FOLDER", default_value = "device")]
    pub(super) device: PathBuf,
}

/// Does it.
///
/// # Errors
/// The node cannot be reached, or refuses.
pub fn run(arguments: Arguments, output: &Output) -> anyhow::Result<()> {
    match arguments.action {
        Action::Register(arguments) => operate::register(&arguments, output),
        Action::Devices(arguments) => operate::devices(&arguments, output),
        Action::Revoke(arguments) => operate::revoke(&arguments, output),
        Action::Audit(arguments) => operate::audit(&arguments, output),
        Action::Open(arguments) => open::open(arguments, output),
        Action::Group(arguments) => open::group(arguments, output),
        Action::Opened(arguments) => open::opened(&arguments, output),
        Action::Offered(arguments) => open::offered(arguments, output),
        Action::Assign(arguments) => open::assign(arguments, output),
        Action::Offers(arguments) => talk::offers(&arguments, output),
        Action::Join(arguments) => talk::join(&arguments, output),
        Action::List(arguments) => talk::list(&arguments, output),
        Action::Members(arguments) => who::members(&arguments, output),
        Action::Say(arguments) => talk::say(&arguments, output),
        Action::Read(arguments) => read::read(&arguments, output),
        Action::Watch(arguments) => read::watch(&arguments, output),
        Action::Attach(arguments) => file::attach(&arguments, output),
        Action::Fetch(arguments) => file::fetch(&arguments, output),
        Action::Leave(arguments) => talk::leave(&arguments, output),
    }
}
