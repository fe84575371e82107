//! Which of the own patients a symptom group is offered to.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use semblance_core::channel::Topic;
use semblance_core::consent::Scope;
use semblance_core::id::ChannelId;
use semblance_core::term::TermId;

use super::SizeBand;
use crate::error::{Denied, HospitalError};
use crate::grant::live_consent_for;
use crate::service::HospitalService;
use crate::step::CHUNK;
use crate::store::StoreError;
use crate::store::case::{self, LocalCaseId, StoredCase};

/// A group is about at least so many symptoms, and who is offered it shares at least so many.
pub(super) const SHARED_MIN: usize = 2;

/// How long the size of a group is taken from memory, in milliseconds.
const SIZE_FRESH: u64 = 10 * 60_000;

/// To whom of this hospital's patients a group is offered. It never leaves the hospital.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOffers {
    /// The group.
    pub channel: ChannelId,
    /// About how many they are.
    pub band: SizeBand,
    /// Their cases.
    pub cases: Vec<LocalCaseId>,
}

impl HospitalService {
    /// The own cases that a symptom group is offered to: with a live consent to join groups, and at least half of the
    /// group's symptoms, or kinds of them.
    ///
    /// # Errors
    /// No such group, or the store failed.
    pub async fn offers(&self, actor: &str, group: ChannelId) -> Result<GroupOffers, HospitalError> {
        let Some(topic) = self.standing_channel(actor, "offers", group).await?.topic else {
            let message = "this channel is no symptom group";
            return self.refuse_quietly(actor, "offers", &group.to_string(), Denied::UnknownChannel, message).await;
        };
        let service = self.clone();
        let cases = self.store().run(move |tx| service.suited_cases(tx, &topic)).await?;
        Ok(GroupOffers { channel: group, band: SizeBand::of(cases.len() as u64), cases })
    }

    /// About how many of this hospital's patients a group is offered to, as it was found within the last minutes: all cases
    /// are looked at for it.
    pub(crate) fn size_of(
        &self,
        tx: &rusqlite::Transaction<'_>,
        group: ChannelId,
        topic: &Topic,
    ) -> Result<SizeBand, StoreError> {
        let (now, sizes) = (self.now(), &self.inner.sizes);
        let known = sizes.lock().unwrap_or_else(PoisonError::into_inner).get(&group).copied();
        if let Some((_, size)) = known.filter(|(at, _)| now.distance(*at) < SIZE_FRESH) {
            return Ok(size);
        }
        let size = SizeBand::of(self.suited_cases(tx, topic)?.len() as u64);
        sizes.lock().unwrap_or_else(PoisonError::into_inner).insert(group, (now, size));
        Ok(size)
    }

    fn suited_cases(&self, tx: &rusqlite::Transaction<'_>, topic: &Topic) -> Result<Vec<LocalCaseId>, StoreError> {
        let (mut suited, mut after, now) = (Vec::new(), String::new(), self.now());
        loop {
            let page = case::page(tx, &after, CHUNK)?;
            let Some(last) = page.last() else { return Ok(suited) };
            last.content.local_id.as_str().clone_into(&mut after);
            for case in page.iter().filter(|case| self.suits(case, topic.terms())) {
                let id = &case.content.local_id;
                if live_consent_for(tx, id, Scope::JoinGroups, self.inner.network, now)?.is_ok() {
                    suited.push(id.clone());
                }
            }
        }
    }

    /// Whether a case has enough of a topic's symptoms; a more particular symptom counts as the general one.
    pub(crate) fn suits(&self, case: &StoredCase, topic: &[TermId]) -> bool {
        let observed = case.content.observed();
        let general: BTreeSet<TermId> =
            observed.iter().flat_map(|term| self.inner.vocabulary.ancestors(*term)).copied().collect();
        let shared = topic.iter().filter(|term| general.contains(term)).count();
        shared >= topic.len().div_ceil(2).max(SHARED_MIN)
    }
}
