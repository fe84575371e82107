//! `semblance introductions`: asking the hospital of a similar case for contact, and answering.

use clap::{Subcommand, ValueEnum};
use semblance_proto::v1;
use semblance_proto::v1::answer_introduction_request::Reply;
use serde::Serialize;

use super::{Connection, failure, filled, pages};
use crate::output::Output;
use crate::show::moment;

/// Rows asked for at once.
const PAGE: u32 = 500;

/// Ask the hospital of a similar case for contact, and answer when another one asks.
///
/// The ledger shows that an introduction was proposed on a look-up and whether it was accepted; which case it is about
/// and who shall talk is sealed to the other hospital.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(ListArguments),
    Propose(ProposeArguments),
    Answer(AnswerArguments),
}

/// List introductions, proposed here or to this hospital, newest first.
#[derive(Debug, clap::Args)]
struct ListArguments {
    #[command(flatten)]
    connection: Connection,
    /// How many at most.
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: usize,
}

/// Ask for contact on a look-up that was asked here, or on a receipt of one that found an own case.
#[derive(Debug, clap::Args)]
struct ProposeArguments {
    #[command(flatten)]
    connection: Connection,
    /// The look-up, by its request's id, as `lookup`, `lookups` and `receipts` show it.
    #[arg(value_name = "REQUEST")]
    lookup: String,
    /// The found case's place in the answer.
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10))]
    rank: u32,
    /// Who takes part on this side.
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = [Party::Clinicians])]
    parties: Vec<Party>,
    /// Why contact is asked for.
    #[arg(long, value_enum, default_value_t = Reason::CompareCases)]
    reason: Reason,
}

/// Accept an introduction that was proposed to this hospital, or decline it.
#[derive(Debug, clap::Args)]
struct AnswerArguments {
    #[command(flatten)]
    connection: Connection,
    /// The introduction, by its id.
    introduction: String,
    /// Accept, and these of this side take part.
    #[arg(long, value_delimiter = ',', value_enum, value_name = "PARTIES", required_unless_present = "decline")]
    accept: Vec<Party>,
    /// Decline, for this reason.
    #[arg(long, value_enum, value_name = "REASON", conflicts_with = "accept")]
    decline: Option<Decline>,
}

/// Who takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Party {
    /// The clinicians who look after the case.
    Clinicians,
    /// The patient, or whoever acts for them.
    Patient,
}

/// Why contact is asked for.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Reason {
    /// To compare the two cases.
    CompareCases,
    /// To ask about the course or the treatment.
    Care,
    /// The families wish to know each other.
    Families,
    /// To plan a study.
    Study,
}

/// Why an introduction is declined.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Decline {
    /// The cases are not alike enough.
    NotSimilar,
    /// The patient does not wish it.
    PatientDeclined,
    /// The consent does not allow contact, or has ended.
    NoConsent,
    /// Another reason, not told.
    Other,
}

#[derive(Serialize)]
struct Row {
    introduction: String,
    outgoing: bool,
    side: String,
    lookup: String,
    rank: u32,
    case: String,
    handle: String,
    hospital: String,
    reason: String,
    own: Vec<&'static str>,
    theirs: Vec<&'static str>,
    state: String,
    code: Option<String>,
    channel: Option<String>,
    expires: String,
    at: String,
}

/// Does it.
///
/// # Errors
/// The node cannot be reached or refuses.
pub fn run(arguments: Arguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        match arguments.action {
            Action::List(arguments) => list(arguments, output).await,
            Action::Propose(arguments) => propose(arguments, output).await,
            Action::Answer(arguments) => answer(arguments, output).await,
        }
    })
}

async fn list(arguments: ListArguments, output: &Output) -> anyhow::Result<()> {
    let mut client = arguments.connection.client().await?;
    let (rows, more) = pages(arguments.limit, async |skip| {
        let answered = client.list_introductions(v1::ListIntroductionsRequest { skip, limit: PAGE }).await?;
        Ok(answered.into_inner().introductions.into_iter().map(row).collect())
    })
    .await?;
    output.result(&rows, |rows| match rows.as_slice() {
        [] => "no introductions".to_owned(),
        rows => rows.iter().map(text).collect::<Vec<_>>().join("\n"),
    })?;
    if more {
        output.warn("there are more introductions: ask for them with a larger --limit");
    }
    Ok(())
}

async fn propose(arguments: ProposeArguments, output: &Output) -> anyhow::Result<()> {
    let reason = match arguments.reason {
        Reason::CompareCases => v1::IntroductionReason::CompareCases,
        Reason::Care => v1::IntroductionReason::Care,
        Reason::Families => v1::IntroductionReason::Families,
        Reason::Study => v1::IntroductionReason::Study,
    };
    let request = v1::IntroduceRequest {
        lookup: arguments.lookup,
        rank: arguments.rank,
        parties: Some(message(&arguments.parties)),
        reason: reason.into(),
    };
    let answered = arguments.connection.client().await?.introduce(request).await;
    let introduction = answered.map_err(|status| failure(&status))?.into_inner().introduction;
    output.result(&row(introduction.unwrap_or_default()), text)
}

async fn answer(arguments: AnswerArguments, output: &Output) -> anyhow::Result<()> {
    let reply = match arguments.decline {
        None => Reply::Accept(message(&arguments.accept)),
        Some(Decline::NotSimilar) => Reply::Decline(v1::DeclineReason::NotSimilar.into()),
        Some(Decline::PatientDeclined) => Reply::Decline(v1::DeclineReason::PatientDeclined.into()),
        Some(Decline::NoConsent) => Reply::Decline(v1::DeclineReason::NoConsent.into()),
        Some(Decline::Other) => Reply::Decline(v1::DeclineReason::Other.into()),
    };
    let request = v1::AnswerIntroductionRequest { introduction: arguments.introduction, reply: Some(reply) };
    let answered = arguments.connection.client().await?.answer_introduction(request).await;
    let introduction = answered.map_err(|status| failure(&status))?.into_inner().introduction;
    output.result(&row(introduction.unwrap_or_default()), text)
}

fn message(parties: &[Party]) -> v1::Parties {
    v1::Parties { clinicians: parties.contains(&Party::Clinicians), patient: parties.contains(&Party::Patient) }
}

fn row(found: v1::IntroductionSummary) -> Row {
    Row {
        introduction: found.introduction,
        outgoing: found.outgoing,
        side: found.side,
        lookup: found.lookup,
        rank: found.rank,
        case: found.case,
        handle: found.handle,
        hospital: found.hospital,
        reason: found.reason,
        own: words(found.own),
        theirs: words(found.theirs),
        state: found.state,
        code: filled(found.code),
        channel: filled(found.channel),
        expires: moment(found.expires),
        at: moment(found.at),
    }
}

fn words(parties: Option<v1::Parties>) -> Vec<&'static str> {
    let parties = parties.unwrap_or_default();
    let named = [(parties.clinicians, "clinicians"), (parties.patient, "patient")];
    named.into_iter().filter_map(|(takes_part, word)| takes_part.then_some(word)).collect()
}

fn text(row: &Row) -> String {
    let asks = if row.outgoing { format!("asked {}", row.hospital) } else { format!("asked by {}", row.hospital) };
    let side = |side: &[&str]| if side.is_empty() { "nobody yet".to_owned() } else { side.join(" and ") };
    let code = row.code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default();
    let channel = row.channel.as_deref().map(|channel| format!(", channel {channel}")).unwrap_or_default();
    format!(
        "{}: introduction {}: {}, {asks} to talk (reason: {}), here: {}, there: {}; {}{code}{channel}, until {}",
        row.at,
        row.introduction,
        row.case,
        row.reason,
        side(&row.own),
        side(&row.theirs),
        row.state,
        row.expires
    )
}
