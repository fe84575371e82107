//! A patient withdraws: her device is cut off, and the others go on with new keys.

use std::time::Instant;

use anyhow::Context;
use semblance_contract::event::Event;
use semblance_core::id::ChannelId;
use semblance_core::organisation::Role;
use semblance_hospital::WithdrawalReport;
use semblance_ledger::LedgerError;
use semblance_ledger::client::{Block, LedgerClient};
use tokio_stream::{Stream, StreamExt};

use super::device::{Device, each, until};
use super::told::{Parting, Said, WentOn};
use super::{OF_GROUP, OF_MATCH, Stage, Talk, read};
use crate::demo::ask;
use crate::demo::secrecy;

/// What is said after the withdrawal: in the channel of the match, in the group.
pub(super) const LATER: [&str; 2] = [
    "A note to myself: they have left, and what they told me stays with me.",
    "Shall we meet on Thursday, the two of us?",
];

impl Talk {
    /// Lets the patient of the found case withdraw while her device listens, and the others speak afterwards.
    ///
    /// # Errors
    /// Something failed, or did not come about in time.
    pub(in crate::demo) async fn withdraw(
        mut self,
        stage: &Stage<'_>,
    ) -> anyhow::Result<(Self, Parting, WithdrawalReport)> {
        let channels = [self.channel_of_match, self.channel_of_group];
        let epochs = [self.cast.clinician.epoch(channels[0])?, self.cast.own_patient.epoch(channels[1])?];
        // From before the withdrawal on, or it might be missed.
        let ledger = LedgerClient::new(stage.meeting.asker.party.ledger(Role::Node)?);
        let blocks = ledger.events(ledger.height().await?).await?;
        let mut patient = self.cast.patient;
        let listening = tokio::task::spawn_blocking(move || (patient.until_ended(&channels), patient));
        let (report, on_ledger) = tokio::try_join!(ask::withdraw(stage.meeting), on_ledger(stage, blocks))?;
        let (cut_off, patient) = listening.await.context("the device failed")?;
        self.cast.patient = patient;
        let seconds = cut_off?.saturating_duration_since(on_ledger).as_secs_f64();

        let went_on = self.go_on(channels, epochs).await?;
        let cast = &mut self.cast;
        until(&mut [&mut cast.colleague], "the clinician of the same consent is cut off too", |device| {
            Ok(!device.is_member(channels[0])?)
        })
        .await?;
        // Whatever might still come for her has had its time: the others have read it.
        each(&mut [&mut cast.patient], Device::sync).await?;
        let [earlier, later] = [[OF_MATCH[0], OF_GROUP[0]], LATER].map(|texts| {
            let texts = texts.map(str::to_owned);
            secrecy::search(std::slice::from_ref(&cast.patient.folder), &texts).map(|search| search.found.len())
        });
        let parting = Parting {
            who: cast.patient.owner.person.name.clone(),
            also: vec![cast.colleague.owner.person.name.clone()],
            seconds: (seconds * 1000.0).round() / 1000.0,
            files_with_earlier: earlier?,
            files_with_later: later?,
            went_on,
        };
        Ok((self, parting, report))
    }

    /// Those who are left get new keys and speak, in each channel.
    async fn go_on(&mut self, [of_match, of_group]: [ChannelId; 2], epochs: [u64; 2]) -> anyhow::Result<Vec<WentOn>> {
        let cast = &mut self.cast;
        let mut left = vec![&mut cast.own_patient];
        left.extend(&mut cast.guest);
        Ok(vec![
            go_on("match's channel", of_match, &mut [&mut cast.clinician], epochs[0], LATER[0]).await?,
            go_on("symptom group", of_group, &mut left, epochs[1], LATER[1]).await?,
        ])
    }
}

/// When the withdrawal of the found case stands on the ledger.
async fn on_ledger(
    stage: &Stage<'_>,
    mut blocks: impl Stream<Item = Result<Block, LedgerError>> + Unpin,
) -> anyhow::Result<Instant> {
    while let Some(block) = blocks.next().await {
        let withdrawn = |event: &Event| match event {
            Event::ConsentWithdrawn(_, cases) => {
                cases.iter().any(|case| case.handle.to_string() == stage.meeting.found.handle)
            }
            _ => false,
        };
        if block?.events.iter().any(|(_, event)| withdrawn(event)) {
            return Ok(Instant::now());
        }
    }
    anyhow::bail!("the ledger ended before the withdrawal stood on it")
}

async fn go_on(
    kind: &'static str,
    channel: ChannelId,
    devices: &mut [&mut Device],
    epoch_before: u64,
    text: &'static str,
) -> anyhow::Result<WentOn> {
    let left = devices.len();
    until(devices, "those who are left have new keys", |device| {
        Ok(device.epoch(channel)? > epoch_before && device.members(channel)? == left)
    })
    .await?;
    let [speaker, ..] = devices else { anyhow::bail!("nobody is left in the {kind}") };
    let by = speaker.owner.person.name.clone();
    each(&mut [&mut **speaker], |device| device.say(channel, text)).await?;
    let said = read(channel, devices, vec![Said { by, text: text.to_owned(), read_by: Vec::new() }]).await?;
    let [first, ..] = devices else { anyhow::bail!("nobody is left in the {kind}") };
    let epoch = first.epoch(channel)?;
    let people = devices.iter().map(|device| device.owner.person.clone()).collect();
    let said = said.into_iter().next().context("nothing was said")?;
    Ok(WentOn { kind, epoch_before, epoch, people, said })
}
