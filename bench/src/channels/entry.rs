//! How members come in, and how large what travels for it is.

use anyhow::Context as _;
use semblance_channels::store::Store;
use semblance_channels::wire::{Body, Item};
use semblance_core::record::Record;
use serde_json::{Map, Value, json};

use super::group::{Group, Member};
use super::raw::Entry;
use crate::measure::Cost;

/// Bytes of what travels.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Bytes {
    pub(crate) message: usize,
    pub(crate) commit: usize,
    pub(crate) welcome: usize,
    pub(crate) tree: usize,
    pub(crate) roster: usize,
}

impl Bytes {
    pub(crate) fn report(self) -> Value {
        let parts = [
            ("message", self.message),
            ("commit", self.commit),
            ("welcome", self.welcome),
            ("tree", self.tree),
            ("roster", self.roster),
        ];
        Value::Object(parts.into_iter().map(|(name, bytes)| (name.to_owned(), json!(bytes))).collect::<Map<_, _>>())
    }

    fn note(&mut self, item: &Item) {
        match &item.body {
            Body::Message(_) => self.message = item.encode().len(),
            Body::Commit(_) => self.commit = item.encode().len(),
            Body::Welcome(package) => {
                self.welcome = package.welcome.len();
                self.tree = package.tree.len();
                self.roster = item.encode().len() - package.welcome.len() - package.tree.len();
            }
            _ => {}
        }
    }
}

/// One more member comes in: a member adds it (commit, the hub's checks, the disk), it joins (every proof checked), and
/// the others follow the commit.
pub(crate) fn enter<S: Store>(group: &mut Group<S>, bytes: &mut Bytes) -> anyhow::Result<Entry> {
    let mut newcomer: Member<S> = group.invited()?;
    let mut members = std::mem::take(&mut group.members);
    // Who was there lately is told of the work that waits; the founder does it here, as in the other group.
    let (founder, others) = members.split_first_mut().context("nobody is there")?;
    founder.driver.look_anew();
    let (added, mut add) = Cost::of(|| group.sync(founder));
    added?;
    let (relayed, cost) = Cost::of(|| group.town.borrow_mut().relay());
    relayed?;
    add += cost;
    for queued in group.waiting(newcomer.papers)? {
        bytes.note(&queued.item);
    }
    if let Some(other) = others.first() {
        for queued in group.waiting(other.papers)? {
            bytes.note(&queued.item);
        }
    }
    let (merged, cost) = Cost::of(|| group.sync(founder));
    merged?;
    add += cost;
    let (joined, join) = Cost::of(|| group.sync(&mut newcomer));
    joined?;
    let mut follow = Cost::default();
    for other in others.iter_mut() {
        let (followed, cost) = Cost::of(|| group.sync(other));
        followed?;
        follow += cost;
    }
    let follow = follow.times(1.0 / others.len().max(1) as f64);
    members.push(newcomer);
    group.members = members;
    group.size += 1;
    anyhow::ensure!(group.count()? == group.size, "the newcomer is not in");
    Ok(Entry { add, join, follow })
}
