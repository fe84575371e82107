//! Taking the hub's answer to what was handed in.

use semblance_core::id::{ChannelId, Digest};

use super::records::{Outgoing, Phase};
use super::{Client, ClientError};
use crate::mls;
use crate::store::Store;
use crate::wire::{Commit, Refusal, Submission};

impl<S: Store> Client<S> {
    /// Takes the hub's answer to a submission.
    ///
    /// # Errors
    /// The store failed.
    pub fn answered(
        &mut self,
        channel: ChannelId,
        key: Digest,
        answer: Result<(), Refusal>,
    ) -> Result<(), ClientError> {
        let Some(outgoing) = self.look(channel, |rows| Ok(rows.find_outgoing(key)?))? else {
            return Ok(());
        };
        if let Err(refusal) = answer
            && self.is_behind(channel, refusal, &outgoing.submission)?
        {
            // What led to the hub's epoch, or the removal that it speaks of, comes or has been lost: the hub knows.
            self.note_missing(channel, None)?;
        }
        match (answer, outgoing.submission.clone()) {
            (Ok(()), Submission::Create(_)) => self.created(channel, key),
            (Ok(()), _) => self.without_group(channel, |desk| {
                Ok(desk.rows.set_outgoing(key, &Outgoing { taken: true, ..outgoing })?)
            }),
            (Err(refusal), _) if refusal.is_passing() => Ok(()),
            (Err(refusal), Submission::Message(_)) => self.message_refused(channel, key, &outgoing, refusal),
            (Err(refusal), Submission::Commit(_) | Submission::Create(_)) => self.change_refused(channel, key, refusal),
        }
    }

    /// Whether a refusal tells that the hub's order has gone on without this device.
    fn is_behind(
        &mut self,
        channel: ChannelId,
        refusal: Refusal,
        submission: &Submission,
    ) -> Result<bool, ClientError> {
        let (Submission::Message(bytes) | Submission::Commit(Commit { commit: bytes, .. })) = submission else {
            return Ok(false);
        };
        let row = self.look(channel, |rows| rows.channel())?;
        let latest = mls::read_protocol(bytes, channel).is_ok_and(|message| message.epoch().as_u64() >= row.epoch);
        Ok(match refusal {
            Refusal::WrongEpoch => latest,
            Refusal::MustCommit if row.phase == Phase::Member => {
                latest && self.with_group(channel, |group, _| Ok(!group.has_pending_proposals()))?
            }
            _ => false,
        })
    }

    /// What could be encrypted anew for another epoch stays; what will never be taken goes.
    fn message_refused(
        &mut self,
        channel: ChannelId,
        key: Digest,
        outgoing: &Outgoing,
        refusal: Refusal,
    ) -> Result<(), ClientError> {
        let again = matches!(refusal, Refusal::WrongEpoch | Refusal::MustCommit | Refusal::NotHub);
        self.without_group(channel, |desk| {
            if let (false, Some(said)) = (again, outgoing.said) {
                desk.rows.remove_waiting(said)?;
            }
            Ok(desk.rows.remove_outgoing(key)?)
        })
    }
}
