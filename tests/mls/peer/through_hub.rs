//! The same through the office of a hospital that is the channel's hub, which checks everything, and with our clients
//! as the other members, who check it again.

use semblance_channels::client::Phase;
use semblance_channels::testing::World;
use semblance_channels::wire::{Note, Refusal, Submission};
use semblance_core::attestation::PersonRole;
use semblance_core::id::ChannelId;
use semblance_core::record::Record;

use crate::device::{Change, Device, now};
use crate::foreign::{Foreign, submission};

/// A channel of two hospitals, of which the second is the hub: people with our client, and a foreign device.
struct Scene {
    world: World,
    channel: ChannelId,
    /// At the first hospital, like the foreign device and on the same consent.
    clinician: usize,
    /// At the hub.
    colleague: usize,
    foreign: Foreign,
}

impl Scene {
    fn new(seed: u8) -> Self {
        let mut world = World::new([seed; 32], 2, now());
        let (asker, found) = (world.consent(0), world.consent(1));
        let charter = world.open_match(1, &[asker, found]);
        let clinician = world.person(0, asker, PersonRole::Clinician, 3);
        let colleague = world.person(1, found, PersonRole::Clinician, 3);
        let channel = world.create(colleague, &charter);
        world.submit(colleague, channel);
        world.agree(clinician, &charter);
        world.admit(clinician, channel).unwrap();
        assert!(world.settle(channel, 20));
        let foreign = Foreign::admitted(&mut world, (0, 1), asker, channel);
        let mut scene = Self { world, channel, clinician, colleague, foreign };
        scene.settle();
        scene.agree();
        scene
    }

    fn settle(&mut self) {
        self.foreign.settle(&mut self.world);
    }

    /// Everybody who is in the channel is in the same epoch of the same group.
    fn agree(&mut self) {
        let state = self.foreign.mls.state();
        for person in 0..self.world.people.len() {
            if self.world.phase(person, self.channel) == Some(Phase::Member) {
                let seen = self.world.people[person].client.authenticator(self.channel).unwrap();
                assert_eq!(seen, (state.epoch, state.authenticator.clone()), "person {person}");
            }
        }
    }

    /// The foreign device and one of ours say something that both read.
    fn talk(&mut self, person: usize, words: &str) {
        let (theirs, ours) = (format!("{words}, said by theirs"), format!("{words}, said by ours"));
        assert_eq!(self.foreign.say(&mut self.world, &theirs), Ok(()));
        self.world.say(person, self.channel, &ours).unwrap();
        self.settle();
        assert!(self.world.texts(person, self.channel).contains(&theirs));
        assert!(self.foreign.texts.iter().any(|(_, text)| *text == ours));
    }
}

#[test]
fn it_is_let_in_and_talks_with_everybody() {
    let mut scene = Scene::new(1);
    for person in [scene.clinician, scene.colleague] {
        scene.talk(person, "good morning");
        let members = scene.world.people[person].client.members(scene.channel).unwrap();
        assert_eq!(members.len(), 3);
        let foreign = scene.foreign.mls.participant();
        assert!(members.iter().any(|member| member.leaf.participant == foreign));
    }
}

#[test]
fn either_renews_its_keys() {
    let mut scene = Scene::new(2);
    for _ in 0..3 {
        assert_eq!(scene.foreign.commit(&mut scene.world, &[]), Ok(()));
        scene.settle();
        scene.agree();
        let Scene { world, colleague, channel, .. } = &mut scene;
        assert!(world.people[*colleague].client.refresh(*channel).unwrap());
        scene.settle();
        scene.agree();
        scene.talk(scene.clinician, "still here");
    }
}

#[test]
fn it_adds_who_waits_and_ours_believe_the_welcome() {
    let mut scene = Scene::new(3);
    let world = &mut scene.world;
    let consent = world.people[scene.colleague].consent;
    let patient = world.person(1, consent, PersonRole::Patient, 3);
    let charter = world.hospitals[1].office.charter(scene.channel, world.now).unwrap();
    world.agree(patient, &charter);
    world.admit(patient, scene.channel).unwrap();
    scene.foreign.work(&mut scene.world);
    scene.settle();
    scene.agree();
    assert_eq!(scene.world.phase(patient, scene.channel), Some(Phase::Member));
    scene.talk(patient, "may I ask something?");
}

#[test]
fn it_obeys_when_consent_ends() {
    let mut scene = Scene::new(4);
    let ended = scene.world.people[scene.colleague].consent;
    scene.world.withdraw(ended);
    assert_eq!(scene.foreign.say(&mut scene.world, "not knowing yet"), Err(Refusal::MustCommit));
    assert_eq!(scene.foreign.commit(&mut scene.world, &[]), Err(Refusal::MustCommit), "a commit that leaves it out");
    scene.world.relay(1);
    while scene.foreign.pull(&mut scene.world) {}
    assert!(scene.foreign.has_work);
    assert!(scene.foreign.mls.say(b"as if nothing were").is_err(), "nothing is said before the removal");
    scene.foreign.work(&mut scene.world);
    scene.settle();
    scene.agree();
    assert_eq!(scene.world.phase(scene.colleague, scene.channel), Some(Phase::Removed));
    scene.talk(scene.clinician, "we are alone");
    assert!(!scene.world.texts(scene.colleague, scene.channel).iter().any(|text| text.starts_with("we are alone")));
}

#[test]
fn it_hears_nothing_more_when_its_own_consent_ends() {
    let mut scene = Scene::new(5);
    scene.talk(scene.colleague, "before");
    let ended = scene.world.people[scene.clinician].consent;
    scene.world.withdraw(ended);
    scene.world.say(scene.colleague, scene.channel, "after").unwrap();
    scene.settle();
    assert!(scene.foreign.ended);
    assert!(!scene.foreign.texts.iter().any(|(_, text)| text == "after"));
    let members = scene.world.people[scene.colleague].client.members(scene.channel).unwrap();
    assert_eq!(members.len(), 1, "both who rested on the consent are gone");
}

#[test]
fn it_joins_again_by_itself() {
    let mut scene = Scene::new(6);
    for round in 0..3 {
        scene.world.say(scene.colleague, scene.channel, "not to be read any more").unwrap();
        assert!(scene.world.settle(scene.channel, 20));
        assert_eq!(scene.foreign.rejoin(&mut scene.world), Ok(()), "round {round}");
        scene.settle();
        scene.agree();
        scene.talk(scene.clinician, "here again");
    }
    assert!(!scene.foreign.texts.iter().any(|(_, text)| text.starts_with("not to be read")));
}

#[test]
fn ours_joins_a_group_again_whose_newest_commit_is_foreign() {
    let mut scene = Scene::new(7);
    assert_eq!(scene.foreign.commit(&mut scene.world, &[]), Ok(()));
    assert!(scene.world.rejoin(scene.clinician, scene.channel));
    scene.settle();
    scene.agree();
    scene.talk(scene.clinician, "here again");
}

#[test]
fn it_tries_again_when_another_commit_was_first() {
    let mut scene = Scene::new(8);
    let late = scene.foreign.mls.commit(&Change { note: Note::default().encode(), ..Change::default() }).unwrap();
    let Scene { world, colleague, channel, .. } = &mut scene;
    assert!(world.people[*colleague].client.refresh(*channel).unwrap());
    world.submit(*colleague, *channel);
    assert_eq!(scene.foreign.submit(&mut scene.world, submission(late)), Err(Refusal::WrongEpoch));
    scene.foreign.mls.discard();
    scene.settle();
    assert_eq!(scene.foreign.commit(&mut scene.world, &[]), Ok(()));
    scene.settle();
    scene.agree();
}

#[test]
fn what_the_rules_do_not_allow_is_refused_although_mls_would_allow_it() {
    let mut scene = Scene::new(9);
    let Scene { world, foreign, .. } = &mut scene;
    let before = foreign.mls.state();
    let colleague = *before.members.keys().next().unwrap();
    let note = || Note::default().encode();
    let remove = Change { removes: vec![colleague], note: note(), ..Change::default() };
    assert_eq!(foreign.commit_change(world, &remove), Err(Refusal::Invalid), "removing a member");
    let mut stranger = crate::theirs::Theirs::new(78);
    let package = stranger.key_package(false);
    let add = Change { adds: vec![package.clone()], note: note(), ..Change::default() };
    assert_eq!(foreign.commit_change(world, &add), Err(Refusal::Unproven), "adding without a proof");
    let proof = foreign.prove(world, stranger.participant(), stranger.key());
    let add = Change { adds: vec![package], note: Note { proofs: vec![proof] }.encode(), ..Change::default() };
    assert_eq!(foreign.commit_change(world, &add), Err(Refusal::Unproven), "adding whom no hospital handed over");
    let proof = foreign.prove(world, stranger.participant(), stranger.key());
    let surplus = Change { note: Note { proofs: vec![proof] }.encode(), ..Change::default() };
    assert_eq!(foreign.commit_change(world, &surplus), Err(Refusal::Unproven), "a proof of nobody who comes in");
    let mut made = foreign.mls.commit(&Change { note: note(), ..Change::default() }).unwrap();
    let other = crate::room::Room::of(&[crate::room::Make::Theirs, crate::room::Make::Ours]);
    made.group_info = other.newest.0;
    assert_eq!(foreign.submit(world, submission(made)), Err(Refusal::Invalid), "another group's GroupInfo");
    foreign.mls.discard();
    let bare = foreign.mls.commit(&Change::default()).unwrap();
    assert_eq!(foreign.submit(world, submission(bare)), Err(Refusal::Malformed), "a commit without a note");
    foreign.mls.discard();
    let message = Submission::Message(vec![0; 9]);
    assert_eq!(foreign.submit(world, message), Err(Refusal::Malformed), "no MLS message");
    assert_eq!(foreign.mls.state(), before);
    scene.talk(scene.colleague, "as if nothing had been");
    scene.agree();
}
