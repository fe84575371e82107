//! Stories of channels, told in memory.

mod attachments;
mod flaky;
mod forged;
mod hub;
mod line;
mod lost;
mod office;
mod packages;
mod proofs;
mod rates;
mod talk;
mod withdrawal;

use std::time::SystemTime;

use semblance_core::attestation::PersonRole;
use semblance_core::id::ChannelId;
use semblance_core::time::Timestamp;

use crate::testing::World;
use crate::wire::Charter;

/// openmls reads the system's clock when it checks a key package; the world begins at the same moment.
#[expect(clippy::disallowed_methods, reason = "openmls checks lifetimes against this clock")]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(since.as_millis() as u64)
}

/// Two clinicians of two hospitals and the patient of the second, in a channel whose hub is the second.
pub(crate) fn three(seed: u8) -> (World, ChannelId, [usize; 3]) {
    let (world, channel, people, _) = three_and_charter(seed);
    (world, channel, people)
}

/// The same, and what others are to agree to.
pub(crate) fn three_and_charter(seed: u8) -> (World, ChannelId, [usize; 3], Charter) {
    let mut world = World::new([seed; 32], 2, now());
    let (asker, found) = (world.consent(0), world.consent(1));
    let charter = world.open_match(1, &[asker, found]);
    let clinician = world.person(0, asker, PersonRole::Clinician, 3);
    let colleague = world.person(1, found, PersonRole::Clinician, 3);
    let patient = world.person(1, found, PersonRole::Patient, 3);
    let channel = world.create(colleague, &charter);
    world.submit(colleague, channel);
    for person in [clinician, patient] {
        world.agree(person, &charter);
        world.admit(person, channel).unwrap();
    }
    assert!(world.settle(channel, 20), "everybody is in");
    (world, channel, [clinician, colleague, patient], charter)
}
