//! Opens a symptom group for an own case, with this hospital as its hub.

use semblance_contract::wire::OpenGroup;
use semblance_core::channel::{ChannelKind, GroupOpening, SealedTopic, Topic, topics_digest};
use semblance_core::consent::Scope;
use semblance_core::id::{ChannelId, OrganisationId};
use semblance_core::introduction::ConsentOpening;
use semblance_core::organisation::{OrganisationKind, SealingKey};
use semblance_core::record::Record;
use semblance_core::signature::Statement;
use semblance_core::term::TermId;
use zeroize::Zeroizing;

use super::offer::SHARED_MIN;
use crate::channel::Charter;
use crate::error::{Denied, HospitalError};
use crate::grant::live_consent_for;
use crate::import::Known;
use crate::introduction::unsealable;
use crate::service::{HospitalService, known};
use crate::store::audit;
use crate::store::case::{self, LocalCaseId};
use crate::store::channel::{self, ChannelState, StoredChannel};
use crate::store::outbox::{self, Kind};

type Refusal = (Denied, &'static str);

impl HospitalService {
    /// Opens a group about some symptoms for an own case whose patient agreed to join groups. Each hospital of the
    /// network is told the symptoms, sealed; nobody else is, and nobody is told for whom it was opened.
    ///
    /// # Errors
    /// No such case, no consent to join groups, symptoms that are no topic or that the case does not have, a hospital
    /// that nothing can be sealed to, or the store failed. While the ledger cannot be reached the opening waits.
    pub async fn open_group(
        &self,
        actor: &str,
        case: &LocalCaseId,
        terms: &[TermId],
    ) -> Result<Charter, HospitalError> {
        let opened = match self.topic(terms) {
            Ok(topic) => match self.recipients().await? {
                Ok(recipients) => {
                    let (service, name, case) = (self.clone(), actor.to_owned(), case.clone());
                    let sign =
                        move |tx: &rusqlite::Transaction<'_>| service.sign_group(tx, &name, &case, &topic, &recipients);
                    self.store().run(sign).await?
                }
                Err(refusal) => Err(refusal),
            },
            Err(refusal) => Err(refusal),
        };
        match opened {
            Ok(group) => {
                self.send().await?;
                self.charter(actor, group).await
            }
            Err((code, message)) => self.refuse_quietly(actor, "open-group", case.as_str(), code, message).await,
        }
    }

    /// The symptoms, each as the vocabulary has it now.
    fn topic(&self, terms: &[TermId]) -> Result<Topic, Refusal> {
        let mut current = Vec::with_capacity(terms.len());
        for term in terms {
            current.push(match known(&self.inner.vocabulary, *term) {
                Known::Symptom => *term,
                Known::Replaced(by) => by,
                Known::NoSymptom | Known::Retired | Known::Unknown => {
                    return Err((Denied::UnknownTerm, "one of them is no symptom of this node's vocabulary"));
                }
            });
        }
        let topic = Topic::new(self.inner.random.array(), current);
        let topic = topic.ok().filter(|topic| topic.terms().len() >= SHARED_MIN);
        topic.ok_or((Denied::InvalidTopic, "a group is about 2 to 16 symptoms"))
    }

    /// All hospitals of the network with their sealing keys, in order of name.
    async fn recipients(&self) -> Result<Result<Vec<(OrganisationId, SealingKey)>, Refusal>, HospitalError> {
        let mut recipients = Vec::new();
        for member in self.inner.chain.members().await? {
            if member.kind != OrganisationKind::Hospital {
                continue;
            }
            let Ok(member) = self.member(&member.id).await? else {
                return Ok(Err((Denied::UnknownHospital, "the ledger's record of a hospital cannot be used")));
            };
            recipients.push((member.record().id.clone(), member.record().sealing_key));
        }
        recipients.sort_by(|(one, _), (next, _)| one.cmp(next));
        Ok(Ok(recipients))
    }

    fn sign_group(
        &self,
        tx: &rusqlite::Transaction<'_>,
        actor: &str,
        id: &LocalCaseId,
        topic: &Topic,
        recipients: &[(OrganisationId, SealingKey)],
    ) -> Result<Result<ChannelId, Refusal>, HospitalError> {
        let (now, network, random) = (self.now(), self.inner.network, self.inner.random.as_ref());
        let Some(case) = case::get(tx, id)? else {
            return Ok(Err((Denied::UnknownCase, "this hospital has no such case")));
        };
        let consent = match live_consent_for(tx, id, Scope::JoinGroups, network, now)? {
            Ok(consent) => consent.consent,
            Err(code) => return Ok(Err((code, "a group is opened with a live consent to join groups"))),
        };
        if !self.suits(&case, topic.terms()) {
            return Ok(Err((
                Denied::InvalidTopic,
                "the case has fewer than half of these symptoms, or fewer than two",
            )));
        }
        let (group, seed) = (ChannelId::random(random), Zeroizing::new(random.array()));
        let topics = self.seal_topic(topic, group, recipients)?;
        let consents = vec![ConsentOpening { consent, salt: random.array() }];
        let opening = GroupOpening {
            network,
            hub: self.new_hub(group, &seed, &consents),
            topic: topic.commitment(network, group),
            topics: topics_digest(network, &topics),
        };
        let (opening, source) = opening.sign(&self.inner.signing).into_parts();
        let payload = OpenGroup { opening: source.clone(), topics }.encode();
        outbox::add(tx, Kind::OpenGroup, &group.to_string(), &payload, now)?;
        channel::put(
            tx,
            &StoredChannel {
                channel: group,
                kind: ChannelKind::Group,
                introduction: None,
                local_id: Some(id.clone()),
                hub: opening.hub.hub,
                fence: opening.hub.fence,
                opening: source,
                consents,
                seed: Some(seed),
                topic: Some(topic.clone()),
                state: ChannelState::Queued,
                code: None,
                at: now,
            },
        )?;
        audit::add(tx, now, actor, "open-group", id.as_str(), "ok")?;
        Ok(Ok(group))
    }

    fn seal_topic(
        &self,
        topic: &Topic,
        group: ChannelId,
        recipients: &[(OrganisationId, SealingKey)],
    ) -> Result<Vec<SealedTopic>, HospitalError> {
        let seal = |(hospital, key): &(OrganisationId, SealingKey)| {
            SealedTopic::seal(topic, (self.inner.network, group), hospital, key, &self.inner.random.array())
        };
        recipients.iter().map(seal).collect::<Result<_, _>>().map_err(unsealable)
    }
}
