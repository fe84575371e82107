//! A channel with somebody in every standing towards it: who made it, a member, one who waits, one who came too late.

use semblance_channels::client::{Content, Phase};
use semblance_channels::limits::KEY_PACKAGE_MILLIS;
use semblance_channels::office::{Device, Speaker, Token};
use semblance_channels::wire::{Admission, Answer, Charter, DeviceCall, Facts, KeyPackageUpload, Piece, Submission};
use semblance_core::attestation::{LeafAttestation, LeafProof, PersonRole};
use semblance_core::id::{ChannelId, ConsentId, Digest, ParticipantId};
use semblance_core::signature::Statement;
use semblance_core::time::Clock;

use crate::talk::until;
use crate::world::{Phone, Town, Wall};

/// The hospital whose people call.
pub(super) const HOME: usize = 0;
/// A hospital that has nobody in the channel.
pub(super) const ELSEWHERE: usize = 2;

/// A person's device.
pub(super) struct Somebody {
    pub(super) token: Token,
    pub(super) device: Device,
    pub(super) phone: Phone,
}

/// A channel and the people around it, all of one hospital.
pub(super) struct Stage {
    pub(super) town: Town,
    pub(super) channel: ChannelId,
    /// What the member rests on, and nobody else.
    pub(super) consent: ConsentId,
    /// Made the group.
    pub(super) creator: Somebody,
    /// Is in the group.
    pub(super) member: Somebody,
    /// Was handed to the hub, and added by nobody yet.
    pub(super) pending: Somebody,
    /// Asked first, and was to make the group; another one's was there before.
    pub(super) unknown: Somebody,
    /// Has no part in it.
    pub(super) stranger: Somebody,
    /// The member's next message, its next commit, and the group that came too late.
    pub(super) submissions: [Submission; 3],
    /// How the member was handed to the hub.
    pub(super) admission: Admission,
    /// A piece that lies at the hub.
    pub(super) kept: Piece,
    /// The member's pseudonym.
    pub(super) participant: ParticipantId,
}

pub(super) fn piece(bytes: &[u8]) -> Piece {
    Piece { digest: Digest::of(bytes), size: bytes.len() as u64, number: 0, bytes: bytes.to_vec() }
}

async fn somebody(town: &Town, person: &str, part: Option<(&Charter, ConsentId)>) -> Somebody {
    if let Some(part) = part {
        town.offer(HOME, person, part);
    }
    let (token, device) = town.register(HOME, person, PersonRole::Clinician).await;
    let mut phone = town.phone(HOME, device.clone());
    phone.provision(Wall.now()).await.unwrap();
    Somebody { token, device, phone }
}

async fn facts(town: &Town, device: &Device, consents: &[ConsentId]) -> Facts {
    let answer = town.services[HOME].ask(device, DeviceCall::Facts(consents.to_vec())).await;
    let Ok(Answer::Facts(facts)) = answer else { panic!("facts are told: {answer:?}") };
    facts
}

impl Stage {
    pub(super) async fn new(seed: u8, hub: usize) -> Self {
        let mut town = Town::new(seed, 3);
        let (asker, found, consent) = (town.consent(HOME), town.consent(1), town.consent(HOME));
        let charter = town.open(hub, &[asker, found, consent]).await;
        let channel = charter.trusted(semblance_channels::testing::NETWORK).unwrap().channel;

        let mut unknown = somebody(&town, "unknown", Some((&charter, asker))).await;
        let known = facts(&town, &unknown.device, &[asker, found, consent]).await;
        let late = agree_alone(&town, &mut unknown, &charter, &known).await;

        let mut creator = somebody(&town, "creator", Some((&charter, asker))).await;
        creator.phone.join(channel, Wall.now()).await.unwrap();
        let mut member = somebody(&town, "member", Some((&charter, consent))).await;
        member.phone.join(channel, Wall.now()).await.unwrap();
        let admission = waiting_at(&town, hub, channel, &creator.device);
        until(&mut [&mut creator.phone, &mut member.phone], |phones| {
            phones.iter_mut().all(|phone| {
                phone.phase(channel).unwrap() == Some(Phase::Member) && phone.client().waiting(channel).unwrap() == 0
            })
        })
        .await;
        let mut pending = somebody(&town, "pending", Some((&charter, asker))).await;
        pending.phone.join(channel, Wall.now()).await.unwrap();
        let stranger = somebody(&town, "stranger", None).await;

        let [message, commit] = prepare(&mut member.phone, channel, &known);
        let kept = piece(b"kept at the hub");
        let put = town.services[HOME].ask(&creator.device, DeviceCall::PutPiece(channel, kept.clone())).await;
        assert_eq!(put, Ok(Answer::Flag(true)));
        let participant = speaker(&town, channel, &member.device).participant;
        let submissions = [message, commit, late];
        Self {
            town,
            channel,
            consent,
            creator,
            member,
            pending,
            unknown,
            stranger,
            submissions,
            admission,
            kept,
            participant,
        }
    }

    /// The member leaves.
    pub(super) async fn leave(&self) {
        let left = self.town.services[HOME].ask(&self.member.device, DeviceCall::Leave(self.channel)).await;
        assert_eq!(left, Ok(Answer::Done));
        // Its home hears of it from the hub.
        for _ in 0..3000 {
            let open = self.town.offices[HOME].lock().unwrap().channels_of(self.member.device.device, Wall.now());
            if open.unwrap().is_empty() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("the hub does not tell the home that its device left");
    }

    /// The hospital takes the member's token away.
    pub(super) fn revoke(&self) {
        self.town.offices[HOME].lock().unwrap().revoke_device(self.member.device.device, Wall.now()).unwrap();
    }

    /// A key package that nobody has seen, and how the home would hand it over.
    pub(super) fn fresh_admission(&mut self) -> Admission {
        let made = self.stranger.phone.client().key_packages(1, false, KEY_PACKAGE_MILLIS, Wall.now()).unwrap();
        let attestation = LeafAttestation {
            network: semblance_channels::testing::NETWORK,
            channel: self.channel,
            hospital: self.town.services[HOME].organisation().clone(),
            participant: made[0].participant,
            leaf_key: made[0].leaf_key,
            role: PersonRole::Clinician,
            consent: self.consent,
            expires: Wall.now().plus(86_400_000),
        };
        let attestation = attestation.sign(self.town.signing(HOME)).into_parts().1;
        let proof = LeafProof { attestation, pledge: None };
        Admission { channel: self.channel, key_package: made[0].bytes.clone(), proof }
    }

    pub(super) fn upload(&mut self) -> KeyPackageUpload {
        let made = self.stranger.phone.client().key_packages(1, false, KEY_PACKAGE_MILLIS, Wall.now()).unwrap();
        KeyPackageUpload { bytes: made[0].bytes.clone(), last_resort: false }
    }
}

/// As whom a device speaks, as its home knows it.
pub(super) fn speaker(town: &Town, channel: ChannelId, device: &Device) -> Speaker {
    town.offices[HOME].lock().unwrap().speaker(device.device, channel, Wall.now()).unwrap().0
}

/// The one who waits at the hub.
pub(super) fn waiting_at(town: &Town, hub: usize, channel: ChannelId, asker: &Device) -> Admission {
    let speaker = speaker(town, channel, asker);
    let mut waiting = town.offices[hub].lock().unwrap().admissions(channel, &speaker, Wall.now()).unwrap();
    assert_eq!(waiting.len(), 1);
    waiting.remove(0)
}

/// Somebody asks to be let in before there is a group, makes one, and hands it in too late.
async fn agree_alone(town: &Town, somebody: &mut Somebody, charter: &Charter, facts: &Facts) -> Submission {
    let client = somebody.phone.client();
    let channel = client.agree(charter, facts).unwrap().channel;
    let (participant, leaf_key) = client.leaf(channel).unwrap();
    let join = DeviceCall::Join { channel, participant, leaf_key };
    let answer = town.services[HOME].ask(&somebody.device, join).await;
    let Ok(Answer::Create(proof)) = answer else { panic!("whoever comes first makes the group: {answer:?}") };
    client.create(channel, proof, facts, Wall.now()).unwrap();
    client.outgoing(channel).unwrap().remove(0).1
}

/// The next message and the next commit of a member, neither of which anybody has seen.
fn prepare(phone: &mut Phone, channel: ChannelId, facts: &Facts) -> [Submission; 2] {
    let client = phone.client();
    client.say(channel, &Content::Text("good morning".to_owned())).unwrap();
    assert!(client.advance(channel, &[], facts, Wall.now()).unwrap());
    assert!(client.refresh(channel).unwrap());
    let outgoing: Vec<_> = client.outgoing(channel).unwrap().into_iter().map(|(_, one)| one).collect();
    let of = |kind: fn(&Submission) -> bool| outgoing.iter().find(|one| kind(one)).unwrap().clone();
    assert_eq!(outgoing.len(), 2);
    [of(|one| matches!(one, Submission::Message(_))), of(|one| matches!(one, Submission::Commit(_)))]
}
