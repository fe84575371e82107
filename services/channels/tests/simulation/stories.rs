//! What seeds have found, cut down to what matters; each was a fault once.

use crate::plan::{ChannelPlan, DevicePlan, Fault, Forgery, Operation, Plan, Pulling, Relaying};
use crate::run;
use Operation::{Admit, Advance, Clean, Follow, Forge, Leave, Prepare, Pull, Rejoin, Relay, Say, Submit, Withdraw};

/// Device 0 is of the hub's hospital and makes the channel; device 1 is of another hospital, device 2 of the hub's.
fn story(operations: Vec<Operation>) -> Plan {
    let device = |consent| DevicePlan { consent, patient: consent == 1, packages: 3, last_resort: true, short: false };
    Plan {
        seed: 0,
        hospitals: 2,
        consents: vec![0, 1, 0],
        devices: vec![device(0), device(1), device(2)],
        channels: vec![ChannelPlan { hub: 0, group: true, first: 0 }],
        on_disk: false,
        operations,
    }
}

fn holds(operations: Vec<Operation>) {
    let failures = run(&story(operations)).err();
    assert_eq!(failures, None);
}

const fn advance(device: usize) -> Operation {
    Advance { device, channel: 0, fault: Fault::None }
}

const fn pull(device: usize) -> Operation {
    Pull { device, way: Pulling::All }
}

const fn admit(device: usize) -> Operation {
    Admit { device, channel: 0, fault: Fault::None }
}

const fn say(device: usize) -> Operation {
    Say { device, channel: 0 }
}

const fn follow(hospital: usize) -> Operation {
    Follow { hospital, fault: Fault::None }
}

const RELAY: Operation = Relay { hospital: 0, way: Relaying::All };

/// Everybody is in, and then this happens.
fn with_all_in(then: Vec<Operation>) -> Vec<Operation> {
    let mut operations = vec![advance(0), admit(1), admit(2), advance(0), pull(0), RELAY, pull(1), pull(2)];
    operations.extend(then);
    operations
}

#[test]
fn what_one_says_comes_as_it_was_said() {
    holds(with_all_in((0..70).map(|_| say(1)).collect()));
}

#[test]
fn the_cleaning_does_not_forget_what_could_be_taken_twice() {
    let falls_back = Advance { device: 1, channel: 0, fault: Fault::FallsBack };
    let submit = Submit { device: 1, channel: 0, fault: Fault::None };
    let prepare = Prepare { device: 1, channel: 0 };
    holds(with_all_in(vec![say(1), prepare, falls_back, Clean { hospital: 0 }, submit]));
}

#[test]
fn a_device_that_was_set_back_uses_no_keys_twice() {
    let falls_back = Advance { device: 1, channel: 0, fault: Fault::FallsBack };
    holds(with_all_in(vec![say(1), falls_back, RELAY, pull(1), say(1), say(1)]));
}

#[test]
fn a_device_that_forgot_its_joining_again_has_not_left() {
    let rejoin = Rejoin { device: 1, channel: 0, fault: Fault::FallsBack };
    holds(with_all_in(vec![rejoin, RELAY, pull(1), say(0)]));
}

#[test]
fn who_cannot_use_a_welcome_joins_by_itself() {
    for at in [1, 80, 301] {
        let forge = Forge { device: 0, channel: 0, forgery: Forgery::FlippedWelcome, at };
        holds(vec![advance(0), admit(1), forge, pull(0), RELAY, pull(1), say(0)]);
    }
}

#[test]
fn a_group_info_that_does_not_verify_is_not_taken() {
    for at in [1, 141, 207] {
        let forge = Forge { device: 0, channel: 0, forgery: Forgery::FlippedInfo, at };
        holds(vec![advance(0), admit(1), forge]);
    }
}

#[test]
fn a_commit_with_another_tag_than_its_group_info_does_not_end_the_channel() {
    for at in [3, 81, 101] {
        let forge = Forge { device: 1, channel: 0, forgery: Forgery::FlippedCommit, at };
        holds(with_all_in(vec![forge, RELAY, pull(0), pull(1), pull(2), say(0)]));
    }
}

#[test]
fn an_old_end_given_again_does_not_end_a_new_part() {
    let leave = Leave { device: 1, channel: 0, fault: Fault::None };
    let unacknowledged = Pull { device: 1, way: Pulling::Unacknowledged };
    let again = Pull { device: 1, way: Pulling::Again };
    let before = vec![leave, RELAY, unacknowledged.clone(), admit(1), pull(0), advance(0), pull(0), advance(0)];
    let back = before.into_iter().chain([RELAY, unacknowledged, again, say(0)]).collect();
    holds(with_all_in(back));
}

#[test]
fn nobody_makes_a_group_on_a_consent_that_has_ended() {
    // The hub knows of the end, the device's own hospital does not.
    let mut plan = story(vec![Withdraw { consent: 1 }, follow(0), advance(1)]);
    plan.channels[0].first = 1;
    assert_eq!(run(&plan).err(), None);
}

#[test]
fn what_waits_at_the_hub_does_not_leave_after_the_end() {
    holds(with_all_in(vec![say(0), advance(0), Withdraw { consent: 1 }, follow(0), RELAY, pull(1)]));
}

#[test]
fn what_waits_at_home_is_not_given_out_after_the_hub_said_that_it_is_over() {
    holds(with_all_in(vec![say(0), advance(0), RELAY, Withdraw { consent: 1 }, follow(0), RELAY, pull(1)]));
}

#[test]
fn who_was_away_too_long_to_be_told_hears_at_the_door_that_it_is_over() {
    holds(with_all_in(vec![Withdraw { consent: 1 }, follow(1), Clean { hospital: 1 }]));
}

#[test]
fn who_joined_again_and_was_away_too_long_to_see_it_fetches_its_own_commit() {
    let rejoin = Rejoin { device: 1, channel: 0, fault: Fault::None };
    holds(with_all_in(vec![rejoin, RELAY, Clean { hospital: 1 }, Clean { hospital: 0 }]));
    let rejoin = Rejoin { device: 2, channel: 0, fault: Fault::None };
    holds(with_all_in(vec![rejoin, Clean { hospital: 0 }]));
}

#[test]
fn who_was_away_too_long_to_see_what_it_handed_in_goes_on() {
    let refresh = Operation::Refresh { device: 2, channel: 0, fault: Fault::None };
    holds(with_all_in(vec![refresh, Clean { hospital: 0 }, say(2)]));
    holds(with_all_in(vec![say(2), advance(2), Clean { hospital: 0 }, say(2)]));
}
