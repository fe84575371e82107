//! What a driver does with a node, or a hub behind it, that answers what it likes.

use futures::executor::block_on;
use semblance_core::id::{ChannelId, Digest};
use semblance_core::record::Record;
use semblance_core::time::Timestamp;

use super::three;
use crate::client::{Client, Phase};
use crate::driver::{Driver, DriverError, Line};
use crate::store::MemoryStore;
use crate::testing::NETWORK;
use crate::wire::{Answer, Body, DeviceCall, Facts, Item, Refusal};

/// Answers every question about missing items with the same.
struct Liar {
    facts: Facts,
    items: Vec<Item>,
    asked: usize,
}

impl Line for Liar {
    async fn call(&mut self, call: DeviceCall) -> Result<Answer, Refusal> {
        match call {
            DeviceCall::Facts(_) => Ok(Answer::Facts(self.facts.clone())),
            DeviceCall::Items(..) => {
                self.asked += 1;
                Ok(Answer::Items(self.items.clone()))
            }
            DeviceCall::Admissions(_) => Ok(Answer::Admissions(Vec::new())),
            DeviceCall::Submit(..) => Err(Refusal::WrongEpoch),
            _ => Err(Refusal::Failed),
        }
    }

    async fn listen(&mut self, _after: u64, _wait: bool) -> Result<Vec<(u64, Item)>, Refusal> {
        Ok(Vec::new())
    }
}

fn item(channel: ChannelId, sequence: u64, body: Body) -> Item {
    let key = match &body {
        Body::Message(bytes) => Digest::of(bytes),
        other => Digest::of(&other.encode()),
    };
    Item { channel, sequence, at: Timestamp::from_millis(1), key, body }
}

/// A member of a channel misses something and asks its hub, which answers so.
fn ask(seed: u8, answer: impl FnOnce(ChannelId, u64) -> Vec<Item>) -> (Vec<String>, usize, Phase) {
    let (mut world, channel, [clinician, ..]) = three(seed);
    let empty = Client::new(MemoryStore::default(), NETWORK, world.random.clone());
    let mut client = std::mem::replace(&mut world.people[clinician].client, empty);
    client.set_missing(channel, true).unwrap();
    let next = client.next(channel).unwrap();
    let line = Liar { facts: world.facts.clone(), items: answer(channel, next), asked: 0 };
    let mut driver = Driver::new(client, line, NETWORK, "somebody".to_owned());
    block_on(driver.sync(world.now)).unwrap();
    let troubles = driver.troubles().into_iter().map(|(_, trouble)| trouble.to_string()).collect();
    (troubles, driver.line().asked, driver.phase(channel).unwrap().unwrap())
}

#[test]
fn a_hub_has_no_say_in_another_channel() {
    let other = ChannelId::from_bytes([9; 16]);
    let (troubles, _, phase) = ask(91, |channel, next| {
        let message = |channel, next| item(channel, next, Body::Message(vec![1]));
        vec![message(channel, next), message(other, next + 1)]
    });
    assert_eq!((troubles, phase), (vec![DriverError::Answer.to_string()], Phase::Member));
}

#[test]
fn a_hub_that_answers_with_calls_for_work_or_gaps_is_not_asked_for_ever() {
    let (troubles, asked, _) = ask(92, |channel, next| vec![item(channel, next, Body::Work)]);
    assert_eq!((troubles.len(), asked), (1, 1));
    let (troubles, asked, _) =
        ask(93, |channel, next| [next, next + 2].map(|next| item(channel, next, Body::Message(vec![1]))).to_vec());
    assert_eq!((troubles.len(), asked), (1, 1));
}
