//! Channels as the ledger knows them: that one was opened, by which hub, and on which consents it rests, in salted
//! commitments. Who is in a channel, that somebody spoke, and what a group is about, stands nowhere on the ledger.

use std::fmt;

use crate::coded::coded;
use crate::encode::{DecodeError, Reader, Writer, domain};
use crate::id::{ChannelId, Digest, IntroductionId, NetworkId, OrganisationId};
use crate::introduction::keyed;
use crate::limits::{CHANNEL_CONSENTS_MAX, ORGANISATIONS_MAX, TOPIC_TERMS_MAX};
use crate::organisation::SealingKey;
use crate::record::Record;
use crate::sealing::{SEALING_OVERHEAD, SealingError, SealingKeyId, SealingSecret};
use crate::signature::{Statement, VerifyingKey};
use crate::term::TermId;
use crate::time::Timestamp;

coded! {
    /// Who talks in a channel.
    ChannelKind, "channel kind", {
        /// The two sides of a match: clinicians and patients, as each side agreed.
        Match = 1 "match",
        /// The two patients of a match alone.
        Patients = 2 "patients",
        /// Patients with some of the same symptoms.
        Group = 3 "symptom-group",
    }
}

/// What opens any channel, or moves it to another hub.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Hub {
    /// The channel, which is also its MLS group's id.
    pub channel: ChannelId,
    /// The hospital that orders its messages, and signs.
    pub hub: OrganisationId,
    /// The key with which the hub proposes removals, an external sender of the MLS group (RFC 9420 section 12.1.8.1).
    pub hub_key: VerifyingKey,
    /// 1 at first, one more each time the hub changes: of two hubs the higher one orders.
    pub fence: u32,
    /// [`crate::introduction::ConsentOpening::commitment`]s of the consents it rests on, at least one.
    pub consents: Vec<Digest>,
    /// When, by the signer's clock.
    pub time: Timestamp,
}

impl Hub {
    fn write(&self, writer: &mut Writer) {
        self.channel.write(writer);
        self.hub.write(writer);
        self.hub_key.write(writer);
        writer.u32(self.fence).count(self.consents.len());
        for consent in &self.consents {
            consent.write(writer);
        }
        self.time.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let channel = ChannelId::read(reader)?;
        let hub = OrganisationId::read(reader)?;
        let hub_key = VerifyingKey::read(reader, "hub key")?;
        let fence = reader.u32("fence")?;
        if fence == 0 {
            return Err(DecodeError::Invalid { what: "fence", why: "begins at 1" });
        }
        let consents = match reader.count("consents of a channel", CHANNEL_CONSENTS_MAX)? {
            0 => return Err(DecodeError::Invalid { what: "consents of a channel", why: "there is none" }),
            count => (0..count).map(|_| Digest::read(reader)).collect::<Result<_, _>>()?,
        };
        Ok(Self { channel, hub, hub_key, fence, consents, time: Timestamp::read(reader, "time")? })
    }
}

/// What a hub's node signs to open a channel on an accepted introduction.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChannelOpening {
    /// The network.
    pub network: NetworkId,
    /// Channel, hub and consents.
    pub hub: Hub,
    /// The introduction that both sides agreed to.
    pub introduction: IntroductionId,
    /// Whether only the patients talk.
    pub patients_alone: bool,
}

impl ChannelOpening {
    /// The kind of the channel.
    #[must_use]
    pub const fn kind(&self) -> ChannelKind {
        if self.patients_alone { ChannelKind::Patients } else { ChannelKind::Match }
    }
}

impl Statement for ChannelOpening {
    const DOMAIN: &'static str = domain::CHANNEL;

    fn network(&self) -> NetworkId {
        self.network
    }

    fn write(&self, writer: &mut Writer) {
        self.hub.write(writer);
        self.introduction.write(writer);
        writer.bool(self.patients_alone);
    }

    fn read(network: NetworkId, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            network,
            hub: Hub::read(reader)?,
            introduction: IntroductionId::read(reader)?,
            patients_alone: reader.bool("patients alone")?,
        })
    }
}

/// What a hub's node signs to open a symptom group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GroupOpening {
    /// The network.
    pub network: NetworkId,
    /// Channel, hub and consents.
    pub hub: Hub,
    /// [`Topic::commitment`] of what it is about.
    pub topic: Digest,
    /// [`topics_digest`] of the topic as it is sealed to each hospital.
    pub topics: Digest,
}

impl Statement for GroupOpening {
    const DOMAIN: &'static str = domain::GROUP;

    fn network(&self) -> NetworkId {
        self.network
    }

    fn write(&self, writer: &mut Writer) {
        self.hub.write(writer);
        self.topic.write(writer);
        self.topics.write(writer);
    }

    fn read(network: NetworkId, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let hub = Hub::read(reader)?;
        Ok(Self { network, hub, topic: Digest::read(reader)?, topics: Digest::read(reader)? })
    }
}

/// What a symptom group is about: some HPO terms, ascending. Debug output shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Topic {
    salt: [u8; 32],
    terms: Vec<TermId>,
}

/// Why terms are no topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a group is about 1 to {TOPIC_TERMS_MAX} symptoms")]
pub struct TopicError;

const TOPIC_BYTES: usize = 1 + 32 + 4 + 4 * TOPIC_TERMS_MAX;
/// Bytes of a sealed topic.
pub const SEALED_TOPIC_BYTES: usize = TOPIC_BYTES + SEALING_OVERHEAD;

impl Topic {
    /// Takes terms in any order; `salt` is random.
    ///
    /// # Errors
    /// No term, or more than [`TOPIC_TERMS_MAX`].
    pub fn new(salt: [u8; 32], mut terms: Vec<TermId>) -> Result<Self, TopicError> {
        terms.sort_unstable();
        terms.dedup();
        if terms.is_empty() || terms.len() > TOPIC_TERMS_MAX {
            return Err(TopicError);
        }
        Ok(Self { salt, terms })
    }

    /// The terms, ascending.
    #[must_use]
    pub fn terms(&self) -> &[TermId] {
        &self.terms
    }

    /// The commitment on the ledger: BLAKE3 keyed with the salt over the statement `semblance/group-topic` version 1
    /// (network), channel, terms.
    #[must_use]
    pub fn commitment(&self, network: NetworkId, channel: ChannelId) -> Digest {
        let mut writer = Writer::statement(domain::GROUP_TOPIC, 1, network);
        channel.write(&mut writer);
        self.write_terms(&mut writer);
        keyed(&self.salt, &writer.finish())
    }

    fn write_terms(&self, writer: &mut Writer) {
        writer.count(self.terms.len());
        for term in &self.terms {
            writer.u32(term.number());
        }
    }

    /// The bytes that are sealed or kept, all topics equally long.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::record(1);
        self.write_terms(writer.raw(&self.salt));
        writer.pad_to(TOPIC_BYTES).finish()
    }

    /// Reads the bytes that were sealed or kept.
    ///
    /// # Errors
    /// Not the exact bytes of a topic.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (_, mut reader) = Reader::record(bytes, "topic", 1)?;
        let salt = reader.array("salt")?;
        let count = reader.count("terms of a topic", TOPIC_TERMS_MAX)?;
        let mut terms = Vec::with_capacity(count);
        for _ in 0..count {
            let term = TermId::new(reader.u32("term")?)
                .map_err(|_| DecodeError::Invalid { what: "term", why: "no HPO term" })?;
            if terms.last().is_some_and(|last| *last >= term) {
                return Err(DecodeError::Invalid { what: "terms of a topic", why: "not ascending" });
            }
            terms.push(term);
        }
        if terms.is_empty() {
            return Err(DecodeError::Invalid { what: "terms of a topic", why: "there is none" });
        }
        reader.finish_padded(TOPIC_BYTES).map(|()| Self { salt, terms })
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Topic(..)")
    }
}

/// A topic sealed to one hospital.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SealedTopic {
    /// Who can open it.
    pub hospital: OrganisationId,
    /// With which of its sealing keys.
    pub key: SealingKeyId,
    /// The HPKE message.
    pub sealed: [u8; SEALED_TOPIC_BYTES],
}

impl SealedTopic {
    /// Seals a topic to a hospital. `randomness` is fresh for every message.
    ///
    /// # Errors
    /// The hospital's key cannot be sealed to.
    pub fn seal(
        topic: &Topic,
        (network, channel): (NetworkId, ChannelId),
        hospital: &OrganisationId,
        recipient: &SealingKey,
        randomness: &[u8; 32],
    ) -> Result<Self, SealingError> {
        let info = topic_info(network, channel, hospital);
        let sealed = recipient.public.seal(&info, &[], &topic.encode(), randomness)?;
        let sealed = sealed.try_into().map_err(|_| SealingError::Seal)?;
        Ok(Self { hospital: hospital.clone(), key: recipient.id, sealed })
    }

    /// Opens it; none if what was sealed is no topic. Compare its commitment with the opening's before use.
    ///
    /// # Errors
    /// Not sealed to this secret for this network, channel and hospital.
    pub fn open(
        &self,
        (network, channel): (NetworkId, ChannelId),
        secret: &SealingSecret,
    ) -> Result<Option<Topic>, SealingError> {
        let plain = secret.open(&topic_info(network, channel, &self.hospital), &[], &self.sealed)?;
        Ok(Topic::decode(&plain).ok())
    }
}

impl Record for SealedTopic {
    const NAME: &'static str = "sealed topic";

    fn write(&self, writer: &mut Writer) {
        self.hospital.write(writer);
        self.key.write(writer);
        writer.raw(&self.sealed);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            hospital: OrganisationId::read(reader)?,
            key: SealingKeyId::read(reader)?,
            sealed: reader.array("sealed topic")?,
        })
    }
}

/// The info of a topic's HPKE message: the statement `semblance/group-topic-seal` version 1 (network), channel,
/// hospital.
fn topic_info(network: NetworkId, channel: ChannelId, hospital: &OrganisationId) -> Vec<u8> {
    let mut writer = Writer::statement(domain::GROUP_TOPIC_SEAL, 1, network);
    channel.write(&mut writer);
    hospital.write(&mut writer);
    writer.finish()
}

/// The digest over a topic as it is sealed to each hospital: BLAKE3 over the statement `semblance/group-topics`
/// version 1 (network), the list.
#[must_use]
pub fn topics_digest(network: NetworkId, topics: &[SealedTopic]) -> Digest {
    let mut writer = Writer::statement(domain::GROUP_TOPICS, 1, network);
    write_topics(&mut writer, topics);
    Digest::of(&writer.finish())
}

/// Writes a list of sealed topics to a layout.
pub fn write_topics(writer: &mut Writer, topics: &[SealedTopic]) {
    writer.count(topics.len());
    for topic in topics {
        topic.write(writer);
    }
}

/// Reads a list of sealed topics, at most one for each possible member.
///
/// # Errors
/// Not such a list.
pub fn read_topics(reader: &mut Reader<'_>) -> Result<Vec<SealedTopic>, DecodeError> {
    let count = reader.count("sealed topics", ORGANISATIONS_MAX)?;
    (0..count).map(|_| SealedTopic::read(reader)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::assert_strict;
    use crate::signature::SigningKey;

    const NETWORK: NetworkId = NetworkId::from_bytes([7; 16]);
    const CHANNEL: ChannelId = ChannelId::from_bytes([1; 16]);

    fn hub() -> Hub {
        Hub {
            channel: CHANNEL,
            hub: OrganisationId::new("north").unwrap(),
            hub_key: SigningKey::from_seed(&[2; 32]).verifying_key(),
            fence: 1,
            consents: vec![Digest::from_bytes([3; 32])],
            time: Timestamp::from_millis(4),
        }
    }

    fn topic(terms: &[u32]) -> Topic {
        Topic::new([5; 32], terms.iter().map(|term| TermId::new(*term).unwrap()).collect()).unwrap()
    }

    #[test]
    fn the_decoders_are_strict() {
        let introduction = IntroductionId::from_bytes([6; 16]);
        let opening = ChannelOpening { network: NETWORK, hub: hub(), introduction, patients_alone: true };
        assert_strict(&opening.encode(), |bytes| ChannelOpening::decode(bytes, NETWORK), Statement::encode);
        let digest = Digest::from_bytes([8; 32]);
        let group = GroupOpening { network: NETWORK, hub: hub(), topic: digest, topics: digest };
        assert_strict(&group.encode(), |bytes| GroupOpening::decode(bytes, NETWORK), Statement::encode);
        assert_strict(&topic(&[1250, 3]).encode(), Topic::decode, Topic::encode);
    }

    #[test]
    fn a_channel_rests_on_a_consent_and_has_a_fence() {
        let decode = |hub| {
            let introduction = IntroductionId::from_bytes([6; 16]);
            let opening = ChannelOpening { network: NETWORK, hub, introduction, patients_alone: false };
            ChannelOpening::decode(&opening.encode(), NETWORK)
        };
        assert!(decode(hub()).is_ok());
        assert!(decode(Hub { fence: 0, ..hub() }).is_err());
        assert!(decode(Hub { consents: Vec::new(), ..hub() }).is_err());
        assert!(decode(Hub { consents: vec![Digest::from_bytes([0; 32]); 9], ..hub() }).is_err());
    }

    #[test]
    fn a_topic_opens_for_its_hospital_and_channel() {
        let secret = SealingSecret::from_bytes([9; 32]).unwrap();
        let key = SealingKey { id: SealingKeyId(1), public: *secret.public() };
        let hospital = OrganisationId::new("south").unwrap();
        let sealed = SealedTopic::seal(&topic(&[3, 1250]), (NETWORK, CHANNEL), &hospital, &key, &[1; 32]).unwrap();
        assert_eq!(sealed.open((NETWORK, CHANNEL), &secret).unwrap(), Some(topic(&[1250, 3])));
        let elsewhere = ChannelId::from_bytes([2; 16]);
        assert!(sealed.open((NETWORK, elsewhere), &secret).is_err());
        assert_strict(&Record::encode(&sealed), SealedTopic::decode, Record::encode);
        let renamed = SealedTopic { hospital: OrganisationId::new("east").unwrap(), ..sealed };
        assert!(renamed.open((NETWORK, CHANNEL), &secret).is_err());
    }

    #[test]
    fn a_topic_has_some_terms_and_tells_nothing_in_debug() {
        assert_eq!(Topic::new([0; 32], Vec::new()), Err(TopicError));
        let many = (1..=17).map(|term| TermId::new(term).unwrap()).collect();
        assert_eq!(Topic::new([0; 32], many), Err(TopicError));
        assert_eq!(format!("{:?}", topic(&[3])), "Topic(..)");
        assert_ne!(topic(&[3]).commitment(NETWORK, CHANNEL), topic(&[4]).commitment(NETWORK, CHANNEL));
    }
}
