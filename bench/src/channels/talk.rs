//! What is said and how soon it is read.

use anyhow::Context as _;
use semblance_channels::client::{Content, Event};
use semblance_channels::store::Store;
use semblance_core::id::ChannelId;

use super::group::Group;
use crate::measure::Cost;
use crate::samples::Samples;

/// What everybody says.
pub(crate) const TEXT: &str =
    "We saw the same in a boy of seven; it came after a fever, and the second scan showed what the first had not.";

/// How many texts were read.
pub(crate) fn texts(events: &[(ChannelId, Event)]) -> usize {
    let text =
        |event: &Event| matches!(event, Event::Message(message) if matches!(message.content, Some(Content::Text(_))));
    events.iter().filter(|(_, event)| text(event)).count()
}

/// What messages took.
#[derive(Default)]
pub(crate) struct Talk {
    /// From saying to having read, for each of those who read: encryption, hub, relay, own queue and decryption. Other
    /// devices' work is not in it, since each has a processor of its own.
    pub(crate) way: Samples,
    /// A message's cost over the whole group, disk and queues and acknowledgements included.
    pub(crate) whole: Vec<Cost>,
}

impl Talk {
    /// The median cost of one message.
    pub(crate) fn median(&self) -> Cost {
        median(&self.whole)
    }
}

/// The medians of wall and CPU.
pub(crate) fn median(costs: &[Cost]) -> Cost {
    let of = |part: fn(&Cost) -> f64| {
        let mut values: Vec<f64> = costs.iter().map(part).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    Cost { wall: of(|cost| cost.wall), cpu: of(|cost| cost.cpu) }
}

/// So many rounds, in each of which so many members say something at the same time.
pub(crate) fn talk<S: Store>(group: &mut Group<S>, rounds: usize, at_once: usize) -> anyhow::Result<Talk> {
    let mut talk = Talk::default();
    for round in 0..rounds {
        let mut members = std::mem::take(&mut group.members);
        let there = members.len();
        // Nobody says more than they may in a minute.
        (0..at_once.div_ceil(there)).for_each(|_| group.pause());
        let speakers: Vec<usize> = (0..at_once).map(|number| (round * at_once + number) % there).collect();
        let (sent, mut shared) = Cost::of(|| -> anyhow::Result<()> {
            if at_once == 1 {
                let speaker = members.get_mut(round % there).context("nobody is there")?;
                return group.say(speaker, TEXT);
            }
            group.town.borrow_mut().held = Some(Vec::new());
            for speaker in &speakers {
                group.say(members.get_mut(*speaker).context("nobody is there")?, TEXT)?;
            }
            Ok(())
        });
        sent?;
        group.members = members;
        let (relayed, cost) = Cost::of(|| -> anyhow::Result<()> {
            if at_once > 1 {
                group.take_held()?;
            }
            group.town.borrow_mut().relay()
        });
        relayed?;
        shared += cost;
        let mut reading = Cost::default();
        let mut members = std::mem::take(&mut group.members);
        for (place, member) in members.iter_mut().enumerate() {
            let (read, cost) = Cost::of(|| group.sync(member));
            let read = read?;
            anyhow::ensure!(read == at_once, "member {place} read {read} of {at_once} messages in round {round}");
            reading += cost;
            if !speakers.contains(&place) {
                talk.way.push(shared.wall + cost.wall);
            }
        }
        group.members = members;
        shared += reading.times(group.size as f64 / there as f64);
        talk.whole.push(shared.times(1.0 / at_once as f64));
    }
    Ok(talk)
}
