//! What a hospital does so that its people may talk: opens channels and groups, says who looks after which case.

use semblance_proto::v1;
use serde::Serialize;

use crate::command::hospital::{Connection, failure, filled, pages};
use crate::output::Output;
use crate::show::moment;

/// Rows asked for at once.
const PAGE: u32 = 500;

/// Open the channel of an introduction that both hospitals agreed to, with this hospital as its hub.
///
/// By custom the hospital that accepted opens it. Those who take part then see it among their device's offers.
#[derive(Debug, clap::Args)]
pub(super) struct OpenArguments {
    #[command(flatten)]
    connection: Connection,
    /// The introduction, by its id as in `semblance introductions list`.
    introduction: String,
}

/// Open a group about some symptoms of an own case, with this hospital as its hub.
///
/// The patient has agreed to join groups. Each hospital is told the symptoms, sealed, and offers the group to its own
/// patients with such symptoms who agreed to join groups; nobody is told for whom it was opened.
#[derive(Debug, clap::Args)]
pub(super) struct GroupArguments {
    #[command(flatten)]
    connection: Connection,
    /// The own case, by local id.
    case: String,
    /// What the group is about: 2 to 16 HPO ids, as HP:0001250.
    #[arg(required = true, value_name = "SYMPTOM")]
    symptoms: Vec<String>,
}

/// List the channels of this hospital's cases and the network's symptom groups, newest first.
#[derive(Debug, clap::Args)]
pub(super) struct OpenedArguments {
    #[command(flatten)]
    connection: Connection,
    /// How many at most.
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: usize,
}

/// Show to whom of this hospital's own patients a symptom group is offered, and about how many have these symptoms.
#[derive(Debug, clap::Args)]
pub(super) struct OfferedArguments {
    #[command(flatten)]
    connection: Connection,
    /// The group, by its channel's id.
    channel: String,
}

/// Assign a clinician to a case, so that they may take part in its channels.
///
/// Who looked up cases similar to it with `semblance lookup` is assigned already.
#[derive(Debug, clap::Args)]
pub(super) struct AssignArguments {
    #[command(flatten)]
    connection: Connection,
    /// The own case, by local id.
    case: String,
    /// The clinician, as the hospital knows them.
    clinician: String,
}

#[derive(Serialize)]
struct Opened {
    channel: String,
    kind: String,
    hub: String,
    fence: u32,
}

#[derive(Serialize)]
struct Row {
    channel: String,
    kind: String,
    hub: String,
    introduction: Option<String>,
    case: Option<String>,
    topic: Vec<Symptom>,
    state: String,
    code: Option<String>,
    at: String,
}

#[derive(Serialize)]
struct Symptom {
    id: String,
    label: String,
}

#[derive(Serialize)]
struct Offered {
    channel: String,
    band: String,
    cases: Vec<String>,
}

#[derive(Serialize)]
struct Assigned {
    case: String,
    clinician: String,
}

pub(super) fn open(arguments: OpenArguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let request = v1::OpenChannelRequest { introduction: arguments.introduction };
        let answered = arguments.connection.client().await?.open_channel(request).await;
        tell_opened(answered.map_err(|status| failure(&status))?.into_inner().channel, output)
    })
}

pub(super) fn group(arguments: GroupArguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let request = v1::OpenGroupRequest { case: arguments.case, symptoms: arguments.symptoms };
        let answered = arguments.connection.client().await?.open_group(request).await;
        tell_opened(answered.map_err(|status| failure(&status))?.into_inner().channel, output)
    })
}

fn tell_opened(channel: Option<v1::OpenedChannel>, output: &Output) -> anyhow::Result<()> {
    let found = channel.unwrap_or_default();
    let opened = Opened { channel: found.channel, kind: found.kind, hub: found.hub, fence: found.fence };
    output.result(&opened, |opened| {
        format!("channel {} ({}) is open, its hub is {}", opened.channel, opened.kind, opened.hub)
    })
}

pub(super) fn opened(arguments: &OpenedArguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let mut client = arguments.connection.client().await?;
        let (rows, more) = pages(arguments.limit, async |skip| {
            let answered = client.list_channels(v1::ListChannelsRequest { skip, limit: PAGE }).await?;
            Ok(answered.into_inner().channels.into_iter().map(row).collect())
        })
        .await?;
        output.result(&rows, |rows| match rows.as_slice() {
            [] => "no channels".to_owned(),
            rows => rows.iter().map(text).collect::<Vec<_>>().join("\n"),
        })?;
        if more {
            output.warn("there are more channels: ask for them with a larger --limit");
        }
        Ok(())
    })
}

pub(super) fn offered(arguments: OfferedArguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let request = v1::ListGroupOffersRequest { channel: arguments.channel };
        let answered = arguments.connection.client().await?.list_group_offers(request).await;
        let found = answered.map_err(|status| failure(&status))?.into_inner();
        let offered = Offered { channel: found.channel, band: found.band, cases: found.cases };
        output.result(&offered, |offered| {
            let cases = if offered.cases.is_empty() { "nobody here".to_owned() } else { offered.cases.join(", ") };
            format!("group {}: size {}; offered here to {cases}", offered.channel, offered.band)
        })
    })
}

pub(super) fn assign(arguments: AssignArguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let AssignArguments { connection, case, clinician } = arguments;
        let request = v1::AssignClinicianRequest { case: case.clone(), clinician: clinician.clone() };
        connection.client().await?.assign_clinician(request).await.map_err(|status| failure(&status))?;
        output.result(&Assigned { case, clinician }, |assigned| {
            format!("{} looks after {} and may take part in its channels", assigned.clinician, assigned.case)
        })
    })
}

fn row(found: v1::ChannelSummary) -> Row {
    let symptom = |symptom: v1::Symptom| Symptom { id: symptom.id, label: symptom.label };
    Row {
        channel: found.channel,
        kind: found.kind,
        hub: found.hub,
        introduction: filled(found.introduction),
        case: filled(found.case),
        topic: found.topic.into_iter().map(symptom).collect(),
        state: found.state,
        code: filled(found.code),
        at: moment(found.at),
    }
}

fn text(row: &Row) -> String {
    let about: Vec<_> = row.topic.iter().map(|symptom| format!("{} ({})", symptom.label, symptom.id)).collect();
    let about = if about.is_empty() { String::new() } else { format!(", about {}", about.join(", ")) };
    let named = |word: &str, value: &Option<String>| {
        value.as_ref().map_or_else(String::new, |value| format!(", {word} {value}"))
    };
    format!(
        "{}: channel {} ({}), hub {}{}{}{about}; {}{}",
        row.at,
        row.channel,
        row.kind,
        row.hub,
        named("introduction", &row.introduction),
        named("case", &row.case),
        row.state,
        row.code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default(),
    )
}
