//! Ends: a consent that ended, a device that left or was lost. Nothing is delivered to it from that moment on, and the
//! hub proposes its removal until a member commits it.

use std::collections::BTreeSet;

use openmls::prelude::{ExternalProposal, ProcessedMessageContent, PublicGroup, SenderExtensionIndex};
use openmls_traits::OpenMlsProvider;
use rusqlite::{OptionalExtension, params};
use semblance_core::attestation::LeafRevocation;
use semblance_core::encode::{Reader, Writer};
use semblance_core::id::{ChannelId, ConsentId, Digest, OrganisationId, TransactionId};
use semblance_core::record::Record;
use semblance_core::signature::SignedBytes;
use semblance_core::time::Timestamp;

use super::channel::{damaged, millis, signed};
use super::leaf::{HubLeaf, LeafState};
use super::tree::index_of;
use super::{Desk, Office, OfficeError};
use crate::check::Scene;
use crate::mls;
use crate::provider::{LeafSigner, MlsState, Provider};
use crate::store::SqliteRows;
use crate::wire::{Body, Facts, Ground, Refusal};

/// How often members are asked to commit before they are asked less and less often.
const PRESSES: u32 = 12;
/// The first pause then, in milliseconds; each further one is twice as long, up to ten minutes.
const PAUSE: u64 = 5_000;
const DOUBLINGS: u32 = 7;

impl Office {
    /// Ends everything that rests on a consent, here and in the queues of this hospital's devices: it was withdrawn by
    /// this transaction, or has expired.
    ///
    /// # Errors
    /// The database failed.
    pub fn end_consent(
        &mut self,
        consent: ConsentId,
        transaction: Option<TransactionId>,
        now: Timestamp,
    ) -> Result<(), OfficeError> {
        self.step(now, |desk| desk.end_consent(consent, transaction))
    }

    /// Ends one device's part in a channel, on its own hospital's signed word.
    ///
    /// # Errors
    /// The word is not the hospital's, or the device takes no part.
    pub fn revoke(
        &mut self,
        from: &OrganisationId,
        revocation: &SignedBytes,
        facts: &Facts,
        now: Timestamp,
    ) -> Result<(), OfficeError> {
        self.step(now, |desk| {
            let claim = revocation.clone().claim::<LeafRevocation>(desk.network).map_err(|_| Refusal::Malformed)?;
            let (channel, participant) = (claim.claims().channel, claim.claims().participant);
            let terms = desk.channel(channel)?.terms;
            let leaf = desk.leaf(channel, participant)?.ok_or(Refusal::NotMember)?;
            let attested = leaf.proof.claims(desk.network).map_err(damaged)?;
            let ground = Ground::Revoked(revocation.clone());
            let scene = Scene { network: desk.network, terms: &terms, facts, at: now };
            if leaf.hospital != *from || scene.check_ground(&attested, &ground).is_err() {
                return Err(Refusal::NotAuthorised.into());
            }
            if matches!(leaf.state, LeafState::Pending | LeafState::Member) {
                desk.end_leaf(channel, &leaf, &ground)?;
            }
            Ok(())
        })
    }

    /// Asks members again to commit for those who wait; to be called every few seconds. Where nothing moves they are asked
    /// less and less often.
    ///
    /// # Errors
    /// The database failed.
    pub fn press(&mut self, now: Timestamp) -> Result<(), OfficeError> {
        self.step(now, |desk| {
            let mut statement =
                desk.db.prepare_cached("SELECT DISTINCT channel FROM leaves WHERE state IN ('pending', 'cut')")?;
            let channels = statement.query_map([], |row| Ok(ChannelId::from_bytes(row.get(0)?)))?;
            for channel in channels.collect::<Result<Vec<_>, _>>()? {
                if desk.is_due(channel)? {
                    desk.ask_for_work(channel)?;
                }
            }
            Ok(())
        })
    }

    /// The consents that this hub's channels and this hospital's devices rest on.
    ///
    /// # Errors
    /// The database failed.
    pub fn consents(&mut self, now: Timestamp) -> Result<BTreeSet<ConsentId>, OfficeError> {
        self.look(now, |desk| {
            let mut statement = desk.db.prepare_cached(
                "SELECT consent FROM leaves WHERE state IN ('pending', 'member')
                 UNION SELECT consent FROM own_leaves WHERE state = 'open'",
            )?;
            let rows = statement.query_map([], |row| Ok(ConsentId::from_bytes(row.get(0)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The consents about which facts are needed before anything is submitted to a channel.
    ///
    /// # Errors
    /// The database failed.
    pub fn consents_at_stake(
        &mut self,
        channel: ChannelId,
        now: Timestamp,
    ) -> Result<BTreeSet<ConsentId>, OfficeError> {
        self.look(now, |desk| desk.consents_at_stake(channel))
    }
}

impl Desk<'_> {
    pub(super) fn end_consent(
        &mut self,
        consent: ConsentId,
        transaction: Option<TransactionId>,
    ) -> Result<(), OfficeError> {
        let ground = Ground::ConsentEnded { consent, transaction };
        self.end_own_leaves(consent, &ground)?;
        for (channel, leaf) in self.leaves_on(consent)? {
            self.end_leaf(channel, &leaf, &ground)?;
        }
        if transaction.is_some() { self.cite(consent, &ground) } else { Ok(()) }
    }

    /// Whether members of a channel are to be asked again to commit; counts that they are.
    fn is_due(&self, channel: ChannelId) -> Result<bool, OfficeError> {
        let (sequence, now) = (signed(self.channel(channel)?.sequence), millis(self.now));
        let sql = "SELECT times, next FROM pressed WHERE channel = ?1 AND sequence = ?2";
        let asked: Option<(u32, i64)> = self
            .db
            .prepare_cached(sql)?
            .query_row(params![channel.as_bytes(), sequence], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (times, next) = asked.unwrap_or((0, now));
        // A clock that was set back does not keep them waiting for longer than the longest pause.
        if now < next && next.saturating_sub(now) <= signed(PAUSE << DOUBLINGS) {
            return Ok(false);
        }
        let pause = times.checked_sub(PRESSES).map_or(0, |over| PAUSE << over.min(DOUBLINGS));
        self.db
            .prepare_cached("INSERT OR REPLACE INTO pressed (channel, sequence, times, next) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![
                channel.as_bytes(),
                sequence,
                times.saturating_add(1),
                now.saturating_add(signed(pause))
            ])?;
        Ok(true)
    }

    /// Removals that were proposed before it was read by what the consent was withdrawn are proposed on this ground from
    /// now on: members look for themselves whether it is there.
    fn cite(&mut self, consent: ConsentId, ground: &Ground) -> Result<(), OfficeError> {
        let (bytes, lesser) = (written(ground), written(&Ground::ConsentEnded { consent, transaction: None }));
        let mut statement = self.db.prepare_cached(
            "UPDATE leaves SET ground = ?3 WHERE consent = ?1 AND ground = ?2 AND state = 'cut' RETURNING channel",
        )?;
        let rows = statement
            .query_map(params![consent.as_bytes(), lesser, bytes], |row| Ok(ChannelId::from_bytes(row.get(0)?)))?;
        for channel in rows.collect::<Result<BTreeSet<_>, _>>()? {
            let mut group = self.take_group(channel)?;
            self.propose_removals(channel, &mut group)?;
            self.keep(channel, group);
            self.ask_for_work(channel)?;
        }
        Ok(())
    }

    fn end_leaf(&mut self, channel: ChannelId, leaf: &HubLeaf, ground: &Ground) -> Result<(), OfficeError> {
        let bytes = written(ground);
        let member = leaf.state == LeafState::Member;
        let state = if member { LeafState::Cut } else { LeafState::Gone };
        self.set_leaf_state(channel, leaf.participant, state, Some(&bytes))?;
        self.withdraw_deliveries(&leaf.hospital, channel, leaf.participant)?;
        let to = vec![(leaf.hospital.clone(), leaf.participant)];
        self.deliver_apart(channel, self.channel(channel)?.sequence, Body::Ended(ground.clone()), to)?;
        if member {
            let mut group = self.take_group(channel)?;
            self.propose_removal(channel, &mut group, leaf.participant, ground)?;
            self.keep(channel, group);
            self.ask_for_work(channel)?;
        }
        Ok(())
    }

    /// Proposes again, in a new epoch, whatever removal a commit left over.
    pub(super) fn propose_removals(&mut self, channel: ChannelId, group: &mut PublicGroup) -> Result<(), OfficeError> {
        for leaf in self.leaves(channel, &[LeafState::Cut])? {
            let bytes = leaf.ground.ok_or_else(|| damaged("a cut leaf without a ground"))?;
            let ground = Ground::read(&mut Reader::new(&bytes)).map_err(damaged)?;
            self.propose_removal(channel, group, leaf.participant, &ground)?;
        }
        Ok(())
    }

    fn propose_removal(
        &mut self,
        channel: ChannelId,
        group: &mut PublicGroup,
        participant: semblance_core::id::ParticipantId,
        ground: &Ground,
    ) -> Result<(), OfficeError> {
        let Some(index) = index_of(group, participant) else {
            // It was never in the tree, or is no longer: there is nothing to remove.
            return self.set_leaf_state(channel, participant, LeafState::Gone, None);
        };
        let signing = self.channel(channel)?.signing();
        let rows = SqliteRows::of(self.db);
        let (id, epoch) = (group.group_id().clone(), group.group_context().epoch());
        let first = SenderExtensionIndex::new(0);
        let proposal = ExternalProposal::new_remove::<Provider<'_, SqliteRows<'_>>>(
            index,
            id,
            epoch,
            &LeafSigner(&signing),
            first,
        );
        let bytes = mls::write(&proposal.map_err(damaged)?).map_err(damaged)?;
        let key = Digest::of(&bytes);
        let body = Body::Removal { proposal: bytes.clone(), ground: ground.clone() };
        // In one epoch the same removal has the same bytes: it stays where it is, on the ground that holds now.
        let known = self
            .db
            .prepare_cached("UPDATE items SET body = ?3 WHERE channel = ?1 AND key = ?2")?
            .execute(params![channel.as_bytes(), key.as_bytes(), body.encode()])?;
        if known > 0 {
            return Ok(());
        }
        let message = mls::read_protocol(&bytes, channel).map_err(damaged)?;
        let processed = group.process_message(self.crypto, message).map_err(damaged)?;
        let ProcessedMessageContent::ProposalMessage(queued) = processed.into_content() else {
            return Err(damaged("a removal that is no proposal").into());
        };
        let provider = Provider::new(&rows, self.crypto, self.random);
        let added = group.add_proposal::<MlsState<'_, SqliteRows<'_>>>(provider.storage(), *queued);
        provider.settle(added.map_err(OfficeError::from))?;
        let sequence = self.place(channel, key, None, &body)?;
        self.deliver_ordered(channel, sequence)
    }
}

/// A ground as it is stored.
fn written(ground: &Ground) -> Vec<u8> {
    let mut writer = Writer::default();
    ground.write(&mut writer);
    writer.finish()
}
