//! What a hospital's operators do: register people's devices and revoke them, read what was refused.

use std::path::PathBuf;

use semblance_core::id::NetworkId;
use semblance_core::organisation::Role;
use semblance_proto::v1;
use semblance_proto::v1::channel_admin_client::ChannelAdminClient;
use serde::Serialize;
use tonic::transport::Channel;

use super::device::{self, DeviceFile};
use crate::command::hospital::{Connection, failure};
use crate::output::Output;
use crate::show::moment;

/// Register a device of one of this hospital's people, and make its folder.
///
/// The hospital has made sure who the person is. Give the folder to nobody else: it holds the device's token and, later,
/// its keys.
#[derive(Debug, clap::Args)]
pub(super) struct RegisterArguments {
    #[command(flatten)]
    connection: Connection,
    /// The hospital's own name for the person: the clinician's name, as with `lookup --clinician`, or the patient's
    /// local case id.
    #[arg(long, value_name = "NAME")]
    person: String,
    /// As whom the person takes part.
    #[arg(long, value_parser = ["clinician", "patient"])]
    role: String,
    /// How the person is called in channels; told to their members alone.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Where devices reach the node: https://host:port.
    #[arg(long, value_name = "URL")]
    url: String,
    /// The certificate that vouches for the node's, where the machine's own do not, PEM.
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// The folder to make.
    #[arg(long, value_name = "FOLDER", default_value = "device")]
    out: PathBuf,
}

/// Show the devices that were registered for a person, the newest first.
#[derive(Debug, clap::Args)]
pub(super) struct DevicesArguments {
    #[command(flatten)]
    connection: Connection,
    /// The hospital's own name for the person, as when the device was registered.
    #[arg(long, value_name = "NAME")]
    person: String,
}

/// Revoke a device that is lost, stolen or no longer used.
///
/// It is served no more from this moment on. The hubs of its channels are told, now or as soon as they can be reached, and
/// it is removed there: what is said from then on it cannot read. What it has already it keeps.
#[derive(Debug, clap::Args)]
pub(super) struct RevokeArguments {
    #[command(flatten)]
    connection: Connection,
    /// The device, as `semblance channel devices` shows it.
    #[arg(value_name = "DEVICE", value_parser = device_name)]
    device: [u8; 16],
}

/// Show what this node did and refused about channels, the newest first. What was said is nowhere in it.
#[derive(Debug, clap::Args)]
pub(super) struct AuditArguments {
    #[command(flatten)]
    connection: Connection,
    /// How many at most.
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: u32,
}

#[derive(Serialize)]
struct Registered {
    folder: PathBuf,
}

#[derive(Serialize)]
struct DeviceRow {
    device: String,
    role: String,
    active: bool,
    registered: String,
}

#[derive(Serialize)]
struct Revoked {
    device: String,
}

#[derive(Serialize)]
struct Row {
    at: String,
    actor: String,
    action: String,
    code: String,
}

fn device_name(text: &str) -> Result<[u8; 16], String> {
    let mut device = [0; 16];
    hex::decode_to_slice(text, &mut device).map_err(|_| {
        "a device has 32 hexadecimal digits; see them with `semblance channel devices --person NAME`".to_owned()
    })?;
    Ok(device)
}

async fn client(connection: &Connection) -> anyhow::Result<ChannelAdminClient<Channel>> {
    let party = connection.party().await?;
    let (files, _) = party.credentials(Role::Admin)?;
    let channel = party.trust.channel(&files, &party.organisation, &connection.address_of(&party))?;
    Ok(ChannelAdminClient::new(channel))
}

pub(super) fn register(arguments: &RegisterArguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let mut client = client(&arguments.connection).await?;
        let request = v1::RegisterDeviceRequest { person: arguments.person.clone(), role: arguments.role.clone() };
        let registered = client.register_device(request).await.map_err(|status| failure(&status))?.into_inner();
        let network: [u8; 16] =
            registered.network.try_into().map_err(|_| anyhow::anyhow!("the node answered with no network's id"))?;
        let file = DeviceFile {
            url: arguments.url.clone(),
            network: NetworkId::from_bytes(network).to_string(),
            name: arguments.name.clone(),
            own_root: arguments.root.is_some(),
        };
        device::make(&arguments.out, &file, &registered.token, arguments.root.as_deref())?;
        output.result(&Registered { folder: arguments.out.clone() }, |made| {
            let folder = made.folder.display();
            format!("made the device {folder}; see what it is offered: semblance channel offers --device {folder}")
        })
    })
}

pub(super) fn devices(arguments: &DevicesArguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let mut client = client(&arguments.connection).await?;
        let request = v1::ListDevicesRequest { person: arguments.person.clone() };
        let listed = client.list_devices(request).await.map_err(|status| failure(&status))?.into_inner();
        let row = |one: v1::RegisteredDevice| DeviceRow {
            device: hex::encode(one.device),
            role: one.role,
            active: one.active,
            registered: moment(one.at),
        };
        let rows: Vec<_> = listed.devices.into_iter().map(row).collect();
        output.result(&rows, |rows| {
            let line = |row: &DeviceRow| {
                let state = if row.active { "" } else { ", revoked" };
                format!("{}: {}, registered {}{state}", row.device, row.role, row.registered)
            };
            if rows.is_empty() {
                "no device was registered for a person of this name".to_owned()
            } else {
                rows.iter().map(line).collect::<Vec<_>>().join("\n")
            }
        })
    })
}

pub(super) fn revoke(arguments: &RevokeArguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let mut client = client(&arguments.connection).await?;
        let request = v1::RevokeDeviceRequest { device: arguments.device.to_vec() };
        client.revoke_device(request).await.map_err(|status| failure(&status))?;
        output.result(&Revoked { device: hex::encode(arguments.device) }, |revoked| {
            format!("revoked the device {}; the hubs of its channels are told", revoked.device)
        })
    })
}

pub(super) fn audit(arguments: &AuditArguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let mut client = client(&arguments.connection).await?;
        let request = v1::ChannelAuditRequest { limit: arguments.limit };
        let rows = client.channel_audit(request).await.map_err(|status| failure(&status))?.into_inner().rows;
        let rows: Vec<_> = rows
            .into_iter()
            .map(|row| Row { at: moment(row.at), actor: row.actor, action: row.action, code: row.code })
            .collect();
        output.result(&rows, |rows| {
            let line = |row: &Row| format!("{}: {}: {}: {}", row.at, row.actor, row.action, row.code);
            if rows.is_empty() {
                "nothing was done or refused about channels".to_owned()
            } else {
                rows.iter().map(line).collect::<Vec<_>>().join("\n")
            }
        })
    })
}
