//! Consent ends, and with it the part that rested on it.

use super::three;
use crate::client::Phase;

#[test]
fn a_patient_who_withdraws_hears_nothing_more() {
    let (mut world, channel, [clinician, colleague, patient]) = three(2);
    world.say(clinician, channel, "before").unwrap();
    assert!(world.settle(channel, 20));
    let consent = world.people[patient].consent;
    let stolen = world.people[patient].client.store().clone();
    world.withdraw(consent);
    world.say(clinician, channel, "after").unwrap();
    assert!(world.settle(channel, 30));
    assert_eq!(world.texts(patient, channel), ["before"]);
    for person in [patient, colleague] {
        assert_eq!(world.phase(person, channel), Some(Phase::Removed), "both rested on the same consent");
    }
    assert_eq!(world.texts(clinician, channel), ["before", "after"]);
    assert_eq!(world.people[clinician].client.members(channel).unwrap().len(), 1);
    assert!(stolen.rows().count() > 0);
}
