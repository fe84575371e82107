//! What happens to the first match, from the introduction to the withdrawal.

use super::told::{Group, Met, Overheard, Parting};
use super::{Stage, Talk};
use crate::demo::story::{Asked, Withdrawn};
use crate::demo::{Stopwatch, ask};

/// What came of it; nothing where nobody was found.
#[derive(Default)]
pub(in crate::demo) struct Acts {
    pub(in crate::demo) channel: Option<Met>,
    pub(in crate::demo) group: Option<Group>,
    pub(in crate::demo) withdrawal: Option<Withdrawn>,
    pub(in crate::demo) parting: Option<Parting>,
    pub(in crate::demo) asked_again: Option<Asked>,
    pub(in crate::demo) overheard: Option<Overheard>,
}

impl Acts {
    /// Lets people talk and the patient of the found case withdraw, which is noted before.
    ///
    /// # Errors
    /// Something failed, or did not come about in time.
    pub(in crate::demo) async fn play(
        stage: &Stage<'_>,
        watch: &mut Stopwatch,
        note: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let talk = Talk::begin(stage).await?;
        watch.lap("channels");
        note()?;
        let (talk, parting, report) = talk.withdraw(stage).await?;
        let (withdrawal, asked_again) = ask::again(stage.meeting, &report, stage.clinician).await?;
        watch.lap("withdrawal");
        let overheard = talk.overheard(stage)?;
        Ok(Self {
            channel: Some(talk.met),
            group: Some(talk.group),
            withdrawal: Some(withdrawal),
            parting: Some(parting),
            asked_again: Some(asked_again),
            overheard: Some(overheard),
        })
    }
}
