//! How often, and for how long.

use super::{now, three};
use crate::office::OfficeError;
use crate::testing::World;
use crate::wire::Refusal;

#[test]
fn commits_are_counted_at_home_beside_messages() {
    let (mut world, _, [clinician, ..]) = three(81);
    let (device, now) = (world.people[clinician].device, world.now);
    let office = &mut world.hospitals[0].office;
    for _ in 0..60 {
        office.count_commits(device, now).unwrap();
    }
    assert!(matches!(office.count_commits(device, now), Err(OfficeError::Refused(Refusal::TooMany))));
    office.count_spoken(device, now).unwrap();
    office.count_commits(device, now.plus(60_000)).unwrap();
}

#[test]
fn a_leaf_commits_twenty_times_a_minute() {
    let (mut world, channel, [_, colleague, _]) = three(82);
    let mut taken = 0;
    for _ in 0..30 {
        world.people[colleague].client.refresh(channel).unwrap();
        world.submit(colleague, channel);
        if !world.people[colleague].client.outgoing(channel).unwrap().is_empty() {
            break;
        }
        while world.pull(colleague) {}
        taken += 1;
    }
    assert!((17..=20).contains(&taken), "those by which the others came in count, too: {taken}");
    world.now = world.now.plus(61_000);
    world.submit(colleague, channel);
    assert!(world.people[colleague].client.outgoing(channel).unwrap().is_empty(), "a minute later it goes on");
}

#[test]
fn the_audit_is_kept_for_a_year() {
    let mut world = World::new([83; 32], 1, now());
    let (office, now) = (&mut world.hospitals[0].office, world.now);
    office.deny("somebody", "something", None, Refusal::NotMember, now).unwrap();
    office.clean(now.plus(364 * 86_400_000)).unwrap();
    assert_eq!(office.audit(10, now).unwrap().len(), 1);
    office.clean(now.plus(366 * 86_400_000)).unwrap();
    assert!(office.audit(10, now).unwrap().is_empty());
}
