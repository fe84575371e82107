//! A person's device on which mls-rs runs, and the least of a client around it: it takes what its hospital's office
//! holds for it and submits to the hub, as ours do, and checks nothing, because others must not rely on it.

use std::collections::BTreeSet;

use semblance_channels::client::Content;
use semblance_channels::limits::KEY_PACKAGE_MILLIS;
use semblance_channels::office::{DeviceId, Speaker};
use semblance_channels::testing::{NETWORK, World};
use semblance_channels::wire::{Admission, Body, Commit, Item, KeyPackageUpload, Note, Refusal, Submission};
use semblance_core::attestation::{LeafAttestation, LeafProof, PersonRole};
use semblance_core::id::{ChannelId, ConsentId, Digest, ParticipantId};
use semblance_core::record::Record;
use semblance_core::signature::{Statement, VerifyingKey};

use crate::device::{Change, Device, Heard, Made};
use crate::theirs::Theirs;

/// The device.
pub(crate) struct Foreign {
    pub(crate) mls: Theirs,
    hospital: usize,
    /// The hospital that is the channel's hub.
    hub: usize,
    device: DeviceId,
    channel: ChannelId,
    consent: ConsentId,
    kept: u64,
    own: BTreeSet<Digest>,
    /// Its own external commit, until it comes by.
    awaited: Option<Digest>,
    /// What it read.
    pub(crate) texts: Vec<(ParticipantId, String)>,
    /// Whether it was asked to commit.
    pub(crate) has_work: bool,
    /// Whether it was told that it takes no further part.
    pub(crate) ended: bool,
}

impl Foreign {
    /// A clinician's device: registered at its hospital, with a key package there, and handed to the hub.
    pub(crate) fn admitted(
        world: &mut World,
        (hospital, hub): (usize, usize),
        consent: ConsentId,
        channel: ChannelId,
    ) -> Self {
        let mut mls = Theirs::new(77);
        let now = world.now;
        let office = &mut world.hospitals[hospital].office;
        let (device, _) = office.register_device("a foreign device", PersonRole::Clinician, now).unwrap();
        for last_resort in [false, true] {
            let upload = KeyPackageUpload { bytes: mls.key_package(last_resort), last_resort };
            office.upload(device, &[upload], now).unwrap();
        }
        let (own, texts) = (BTreeSet::new(), Vec::new());
        let (kept, awaited, has_work, ended) = (0, None, false, false);
        let foreign = Self { mls, hospital, hub, device, channel, consent, kept, own, awaited, texts, has_work, ended };
        let hub_id = world.hospitals[hub].id.clone();
        let (id, key) = (world.hospitals[hospital].id.clone(), foreign.mls.key());
        let proof = foreign.prove(world, foreign.mls.participant(), key);
        let office = &mut world.hospitals[hospital].office;
        let next = office.next_package(device, channel, now).unwrap();
        assert_eq!((next.participant, next.leaf_key), (foreign.mls.participant(), key));
        let admission = office.hand_out(device, channel, &hub_id, &next, proof, now).unwrap();
        world.hospitals[hub].office.admit(&id, &admission, &world.facts, now).unwrap();
        foreign
    }

    /// Its hospital's word on a leaf.
    pub(crate) fn prove(&self, world: &World, participant: ParticipantId, leaf_key: VerifyingKey) -> LeafProof {
        let hospital = &world.hospitals[self.hospital];
        let attestation = LeafAttestation {
            network: NETWORK,
            channel: self.channel,
            hospital: hospital.id.clone(),
            participant,
            leaf_key,
            role: PersonRole::Clinician,
            consent: self.consent,
            expires: world.now.plus(KEY_PACKAGE_MILLIS),
        };
        LeafProof { attestation: attestation.sign(&hospital.signing).into_parts().1, pledge: None }
    }

    fn speaker(&self, world: &mut World) -> Speaker {
        let (speaker, _) = world.hospitals[self.hospital].office.speaker(self.device, self.channel, world.now).unwrap();
        speaker
    }

    /// Takes what its hospital holds for it. Whether there was anything.
    pub(crate) fn pull(&mut self, world: &mut World) -> bool {
        let office = &mut world.hospitals[self.hospital].office;
        let queued = office.queue(self.device, self.kept, 64, world.now).unwrap();
        for waiting in &queued {
            self.receive(&waiting.item);
            self.kept = waiting.position;
        }
        office.keep_until(self.device, self.kept);
        !queued.is_empty()
    }

    fn receive(&mut self, item: &Item) {
        match &item.body {
            Body::Welcome(package) => self.mls.join(&package.welcome, &package.tree).unwrap(),
            Body::Work => self.has_work = true,
            Body::Ended(_) => self.ended = true,
            Body::Commit(_) if self.awaited == Some(item.key) => self.awaited = None,
            _ if self.awaited.is_some() => {}
            Body::Commit(commit) => {
                let heard = self.mls.hear(commit);
                assert!(matches!(heard, Ok(Heard::Committed(_))), "a commit is followed: {heard:?}");
            }
            Body::Removal { proposal, .. } => assert_eq!(self.mls.hear(proposal), Ok(Heard::Proposed)),
            Body::Message(message) if !self.own.contains(&item.key) => {
                let Ok(Heard::Said(from, plain)) = self.mls.hear(message) else { panic!("a message is read") };
                if let Ok(Content::Text(text)) = Content::decode(&plain) {
                    self.texts.push((from, text));
                }
            }
            Body::Message(_) => {}
        }
    }

    /// Hands something to the hub.
    pub(crate) fn submit(&mut self, world: &mut World, submission: Submission) -> Result<(), Refusal> {
        self.own.insert(submission.key());
        let submissions = vec![(self.channel, self.speaker(world), submission)];
        let office = &mut world.hospitals[self.hub].office;
        let answer = office.submit(submissions, &world.facts, world.now).unwrap().pop().unwrap();
        answer.map(|_| ()).map_err(|error| error.refusal())
    }

    /// Says something.
    pub(crate) fn say(&mut self, world: &mut World, text: &str) -> Result<(), Refusal> {
        let message = self.mls.say(&Record::encode(&Content::Text(text.to_owned()))).unwrap();
        self.submit(world, Submission::Message(message))
    }

    /// Those whom the hub waits to have added.
    pub(crate) fn admissions(&self, world: &mut World) -> Vec<Admission> {
        let speaker = self.speaker(world);
        world.hospitals[self.hub].office.admissions(self.channel, &speaker, world.now).unwrap()
    }

    /// Commits everything pending, and adds these.
    pub(crate) fn commit(&mut self, world: &mut World, admissions: &[Admission]) -> Result<(), Refusal> {
        let note = Note { proofs: admissions.iter().map(|admission| admission.proof.clone()).collect() };
        let adds = admissions.iter().map(|admission| admission.key_package.clone()).collect();
        self.commit_change(world, &Change { adds, removes: Vec::new(), note: note.encode() })
    }

    /// Commits a change whatever it is.
    pub(crate) fn commit_change(&mut self, world: &mut World, change: &Change) -> Result<(), Refusal> {
        let made = self.mls.commit(change).unwrap();
        let answer = self.submit(world, submission(made));
        if answer.is_err() {
            self.mls.discard();
        }
        answer
    }

    /// Does what it was asked to.
    pub(crate) fn work(&mut self, world: &mut World) {
        let admissions = self.admissions(world);
        self.commit(world, &admissions).unwrap();
        self.has_work = false;
    }

    /// Joins again by itself, with all keys of the group gone.
    pub(crate) fn rejoin(&mut self, world: &mut World) -> Result<(), Refusal> {
        let speaker = self.speaker(world);
        let info = world.hospitals[self.hub].office.rejoin_info(self.channel, &speaker, world.now).unwrap();
        let proof = self.prove(world, self.mls.participant(), self.mls.key());
        let note = Note { proofs: vec![proof] }.encode();
        let made = self.mls.rejoin(&info.group_info, &info.tree, &note).unwrap();
        let submission = submission(made);
        self.awaited = Some(submission.key());
        self.submit(world, submission)
    }

    /// Carries everything until nothing moves, in which this device does no more than listen.
    pub(crate) fn settle(&mut self, world: &mut World) {
        for _ in 0..20 {
            assert!(world.settle(self.channel, 20), "nothing moves any more");
            if !self.pull(world) {
                return;
            }
        }
        panic!("something moves for ever");
    }
}

/// What is submitted of a commit.
pub(crate) fn submission(made: Made) -> Submission {
    Submission::Commit(Commit { commit: made.commit, welcome: made.welcome, group_info: made.group_info })
}
