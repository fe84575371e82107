//! People who agreed talk, and see the same in the same order.

use super::three;
use crate::client::Phase;

#[test]
fn two_clinicians_and_a_patient_talk() {
    let (mut world, channel, people) = three(1);
    for (person, text) in people.into_iter().zip(["good morning", "hello", "may I ask something?"]) {
        world.say(person, channel, text).unwrap();
    }
    assert!(world.settle(channel, 20));
    let first = world.texts(people[0], channel);
    assert_eq!(first.len(), 3);
    for person in people {
        assert_eq!(world.phase(person, channel), Some(Phase::Member));
        assert_eq!(world.texts(person, channel), first, "one order for everybody");
        assert_eq!(world.people[person].client.members(channel).unwrap().len(), 3);
    }
    let mut epochs = people.map(|person| world.people[person].client.authenticator(channel).unwrap());
    epochs.sort();
    assert!(epochs[0] == epochs[2], "one epoch, one authenticator");
}
