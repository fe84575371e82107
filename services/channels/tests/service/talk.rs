//! People on two nodes talk; a patient withdraws; a file is passed on.

use std::time::Duration;

use semblance_channels::client::{Client, Content, Phase};
use semblance_channels::driver::Driver;
use semblance_channels::store::MemoryStore;
use semblance_channels::testing::ServiceLine;
use semblance_core::attestation::PersonRole;
use semblance_core::id::ChannelId;
use semblance_core::random::SeededSource;
use semblance_core::time::Clock;

use super::world::{Phone, Town, Wall};

/// Lets devices work until a condition holds; a minute is far more than it takes.
pub(super) async fn until(devices: &mut [&mut Phone], holds: impl Fn(&mut [&mut Phone]) -> bool) {
    for _ in 0..3000 {
        for device in devices.iter_mut() {
            device.sync(Wall.now()).await.unwrap();
        }
        if holds(devices) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("what was waited for did not come");
}

fn texts(device: &mut Phone, channel: ChannelId) -> Vec<String> {
    let messages = device.client().messages(channel, 0, usize::MAX).unwrap();
    let text = |content| if let Some(Content::Text(text)) = content { Some(text) } else { None };
    messages.into_iter().filter_map(|message| text(message.content)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn clinicians_and_a_patient_of_two_hospitals_talk_until_she_withdraws() {
    let mut town = Town::new(1, 2);
    let (asker, found) = (town.consent(0), town.consent(1));
    let charter = town.open(1, &[asker, found]).await;
    let mut clinician = town.device(0, "dr-north", PersonRole::Clinician, (&charter, asker)).await;
    let mut patient = town.device(1, "case-7", PersonRole::Patient, (&charter, found)).await;
    let channel = clinician.offers().await.unwrap()[0].0.channel;
    clinician.join(channel, Wall.now()).await.unwrap();
    patient.join(channel, Wall.now()).await.unwrap();
    let members = |devices: &mut [&mut Phone]| {
        devices.iter_mut().all(|device| device.phase(channel).unwrap() == Some(Phase::Member))
    };
    until(&mut [&mut clinician, &mut patient], members).await;
    let say = |text: &str| Content::Text(text.to_owned());
    clinician.say(channel, &say("good morning"), Wall.now()).await.unwrap();
    patient.say(channel, &say("hello"), Wall.now()).await.unwrap();
    let both = |devices: &mut [&mut Phone]| devices.iter_mut().all(|device| texts(device, channel).len() == 2);
    until(&mut [&mut clinician, &mut patient], both).await;
    assert_eq!(texts(&mut clinician, channel), texts(&mut patient, channel), "one order");
    let names = clinician.client().members(channel).unwrap();
    assert!(names.iter().any(|member| member.name.as_deref() == Some("case-7 of 1")), "a name came first");

    town.withdraw(found).await;
    clinician.say(channel, &say("are you there?"), Wall.now()).await.unwrap();
    let gone = |devices: &mut [&mut Phone]| {
        texts(devices[0], channel).len() == 3 && devices[1].phase(channel).unwrap() == Some(Phase::Removed)
    };
    until(&mut [&mut clinician, &mut patient], gone).await;
    assert_eq!(texts(&mut patient, channel).len(), 2, "nothing reached her after she withdrew");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_passed_on_encrypted() {
    let mut town = Town::new(2, 2);
    let (asker, found) = (town.consent(0), town.consent(1));
    let charter = town.open(0, &[asker, found]).await;
    let mut north = town.device(0, "dr-north", PersonRole::Clinician, (&charter, asker)).await;
    let mut south = town.device(1, "dr-south", PersonRole::Clinician, (&charter, found)).await;
    let channel = north.offers().await.unwrap()[0].0.channel;
    north.join(channel, Wall.now()).await.unwrap();
    south.join(channel, Wall.now()).await.unwrap();
    let scan: Vec<u8> = (0..3_000_000_u32).map(|byte| byte as u8).collect();
    let random = SeededSource::new([9; 32]);
    until(&mut [&mut north, &mut south], |devices| devices[1].phase(channel).unwrap() == Some(Phase::Member)).await;
    north.attach(channel, ("scan.dcm", &scan), &random, Wall.now()).await.unwrap();
    let file = |device: &mut Phone| {
        let messages = device.client().messages(channel, 0, usize::MAX).unwrap();
        messages.into_iter().find_map(|one| if let Some(Content::File(file)) = one.content { Some(file) } else { None })
    };
    until(&mut [&mut north, &mut south], |devices| file(devices[1]).is_some()).await;
    let attachment = file(&mut south).unwrap();
    assert_eq!(attachment.name, "scan.dcm");
    assert_eq!(south.fetch(channel, &attachment).await.unwrap().as_slice(), scan);
}

/// A client that nobody let in gets nothing.
#[tokio::test(flavor = "multi_thread")]
async fn somebody_to_whom_it_is_not_offered_does_not_get_in() {
    let mut town = Town::new(3, 2);
    let (asker, found) = (town.consent(0), town.consent(1));
    let charter = town.open(1, &[asker, found]).await;
    let mut stranger = town.device(0, "dr-north", PersonRole::Clinician, (&charter, asker)).await;
    let channel = stranger.offers().await.unwrap()[0].0.channel;
    let token = town.services[0].register("dr-other".to_owned(), PersonRole::Clinician).await.unwrap();
    let device = town.services[0].authenticate(token).await.unwrap();
    let client = Client::new(
        MemoryStore::default(),
        semblance_channels::testing::NETWORK,
        std::sync::Arc::new(SeededSource::new([8; 32])),
    );
    let line = ServiceLine::of(town.services[0].clone(), device);
    let mut other = Driver::new(client, line, semblance_channels::testing::NETWORK, "other".to_owned());
    assert!(other.join(channel, Wall.now()).await.is_err());
    stranger.join(channel, Wall.now()).await.unwrap();
}
