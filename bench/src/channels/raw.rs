//! openmls alone: the same groups, settings and operations, its state in the same kind of store as a device's, one
//! transaction an operation; no hub, no queues, no proofs.

use anyhow::Context as _;
use openmls::prelude::{
    JoinBuilder, KeyPackage, MlsGroup, MlsMessageBodyIn, ProcessedMessageContent, ProcessedWelcome, RatchetTreeIn,
};
use openmls_rust_crypto::RustCrypto;
use openmls_traits::OpenMlsProvider;
use semblance_channels::limits::ADDS_MAX;
use semblance_channels::mls;
use semblance_channels::provider::{LeafSigner, Provider};
use semblance_channels::store::Store;
use semblance_core::id::{ChannelId, ParticipantId};
use semblance_core::random::SeededSource;
use semblance_core::signature::SigningKey;
use semblance_core::time::Timestamp;
use tempfile::TempDir;
use tls_codec::DeserializeBytes;

use crate::draw::Draw;
use crate::measure::Cost;

use super::group::MakeStore;
use super::town;

const CHANNEL: ChannelId = ChannelId::from_bytes([3; 16]);

/// What one member has.
struct Device<S> {
    store: S,
    crypto: RustCrypto,
    random: SeededSource,
    signing: SigningKey,
}

impl<S: Store> Device<S> {
    /// Does one thing with openmls, in one transaction.
    fn work<R>(
        &mut self,
        work: impl FnOnce(&Provider<'_, S::Rows<'_>>, &LeafSigner<'_>) -> anyhow::Result<R>,
    ) -> anyhow::Result<R> {
        let (crypto, random, signer) = (&self.crypto, &self.random, LeafSigner(&self.signing));
        self.store.transact(|rows| work(&Provider::new(rows, crypto, random), &signer))
    }
}

/// One member that is there.
struct Peer<S> {
    device: Device<S>,
    group: MlsGroup,
}

/// Somebody with a key package.
struct Newcomer<S> {
    device: Device<S>,
    package: KeyPackage,
}

/// What a commit leads to, as bytes.
struct Added {
    commit: Vec<u8>,
    welcome: Vec<u8>,
    tree: Vec<u8>,
}

/// What one more member costs.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) add: Cost,
    pub(crate) join: Cost,
    pub(crate) follow: Cost,
}

/// The members that are there.
pub(crate) struct RawGroup<S> {
    peers: Vec<Peer<S>>,
    size: usize,
    draw: Draw,
    now: Timestamp,
    make: MakeStore<S>,
    made: usize,
    folder: TempDir,
}

impl<S: Store> RawGroup<S> {
    pub(crate) fn found(size: usize, there: usize, make: MakeStore<S>) -> anyhow::Result<Self> {
        let (draw, now, folder) = (Draw::new(1, "raw channels"), town::clock()?, tempfile::tempdir()?);
        let mut raw = Self { peers: Vec::new(), size: 1, draw, now, make, made: 0, folder };
        let hub = SigningKey::from_seed(&raw.draw.bytes()).verifying_key();
        let config = mls::create_config(&hub, now)?;
        let mut device = raw.device()?;
        let credential = mls::credential(ParticipantId::from_bytes([0; 16]), &device.signing.verifying_key());
        let group = device.work(|provider, signer| {
            let id = mls::group_id(CHANNEL);
            Ok(MlsGroup::new_with_group_id(provider, signer, &config, id, credential)?)
        })?;
        raw.peers.push(Peer { device, group });
        while raw.size < size {
            let absent = size.saturating_sub(there).saturating_sub(raw.size - 1);
            let batch = if absent > 0 { absent } else { size - raw.size }.min(ADDS_MAX);
            let newcomers = (0..batch).map(|_| raw.newcomer()).collect::<anyhow::Result<Vec<_>>>()?;
            let packages: Vec<_> = newcomers.iter().map(|one| one.package.clone()).collect();
            let added = raw.add(&packages)?;
            raw.peers.iter_mut().skip(1).try_for_each(|peer| follow(peer, &added.commit))?;
            if absent == 0 {
                let joined = newcomers.into_iter().map(|newcomer| join(newcomer, &added));
                raw.peers.extend(joined.collect::<anyhow::Result<Vec<_>>>()?);
            }
            raw.size += batch;
        }
        Ok(raw)
    }

    fn device(&mut self) -> anyhow::Result<Device<S>> {
        self.made += 1;
        Ok(Device {
            store: (self.make)(self.folder.path(), self.made)?,
            crypto: RustCrypto::default(),
            random: SeededSource::new(self.draw.bytes()),
            signing: SigningKey::from_seed(&self.draw.bytes()),
        })
    }

    fn newcomer(&mut self) -> anyhow::Result<Newcomer<S>> {
        let mut device = self.device()?;
        let participant = self.draw.bytes().first_chunk().map(|bytes| ParticipantId::from_bytes(*bytes));
        let credential = mls::credential(participant.context("sixteen bytes")?, &device.signing.verifying_key());
        let builder = KeyPackage::builder()
            .key_package_lifetime(mls::lifetime(self.now, town::LIFE))
            .leaf_node_capabilities(mls::capabilities());
        let bundle = device.work(|provider, signer| Ok(builder.build(mls::SUITE, provider, signer, credential)?))?;
        Ok(Newcomer { package: bundle.key_package().clone(), device })
    }

    fn add(&mut self, packages: &[KeyPackage]) -> anyhow::Result<Added> {
        let Peer { device, group } = self.peers.first_mut().context("nobody is there")?;
        device.work(|provider, signer| {
            let bundle = group
                .commit_builder()
                .force_self_update(false)
                .propose_adds(packages.iter().cloned())
                .load_psks(provider.storage())?
                .create_group_info(true)
                .build(provider.rand(), provider.crypto(), signer, |_| true)?
                .stage_commit(provider)?;
            let (commit, welcome, info) = bundle.into_messages();
            mls::write(&info.context("no GroupInfo")?)?;
            group.merge_pending_commit(provider)?;
            Ok(Added {
                commit: mls::write(&commit)?,
                welcome: mls::write(&welcome.context("no Welcome")?)?,
                tree: mls::write(&group.export_ratchet_tree())?,
            })
        })
    }

    /// One more comes in: a commit, a join, and another member that follows.
    pub(crate) fn enter(&mut self) -> anyhow::Result<Entry> {
        let newcomer = self.newcomer()?;
        let packages = [newcomer.package.clone()];
        let (added, add) = Cost::of(|| self.add(&packages));
        let added = added?;
        let (joined, join) = Cost::of(|| join(newcomer, &added));
        let (mut first, mut others) = (Cost::default(), 0_u32);
        for peer in self.peers.iter_mut().skip(1) {
            let (followed, cost) = Cost::of(|| follow(peer, &added.commit));
            followed?;
            first += cost;
            others += 1;
        }
        self.peers.push(joined?);
        self.size += 1;
        Ok(Entry { add, join, follow: first.times(1.0 / f64::from(others.max(1))) })
    }

    /// A member says something and all others read it: what it costs over the whole group.
    pub(crate) fn talk(&mut self, sender: usize, plain: &[u8]) -> anyhow::Result<Cost> {
        let there = self.peers.len();
        let sender = sender % there;
        let Peer { device, group } = self.peers.get_mut(sender).context("no such member")?;
        let (bytes, mut cost) = Cost::of(|| {
            device.work(|provider, signer| Ok(mls::write(&group.create_message(provider, signer, plain)?)?))
        });
        let bytes = bytes?;
        let mut reading = Cost::default();
        for (_, peer) in self.peers.iter_mut().enumerate().filter(|(place, _)| *place != sender) {
            let (read, one) = Cost::of(|| read(peer, &bytes));
            anyhow::ensure!(read? == plain, "something else is read than was said");
            reading += one;
        }
        cost += reading.times((self.size - 1) as f64 / (there - 1).max(1) as f64);
        Ok(cost)
    }
}

fn read<S: Store>(peer: &mut Peer<S>, bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let message = mls::read_protocol(bytes, CHANNEL)?;
    let processed = peer.device.work(|provider, _| Ok(peer.group.process_message(provider, message)?))?;
    match processed.into_content() {
        ProcessedMessageContent::ApplicationMessage(plain) => Ok(plain.into_bytes()),
        _ => anyhow::bail!("not a message"),
    }
}

fn follow<S: Store>(peer: &mut Peer<S>, commit: &[u8]) -> anyhow::Result<()> {
    let message = mls::read_protocol(commit, CHANNEL)?;
    peer.device.work(|provider, _| match peer.group.process_message(provider, message)?.into_content() {
        ProcessedMessageContent::StagedCommitMessage(staged) => {
            Ok(peer.group.merge_staged_commit(provider, *staged)?)
        }
        _ => anyhow::bail!("not a commit"),
    })
}

fn join<S: Store>(newcomer: Newcomer<S>, added: &Added) -> anyhow::Result<Peer<S>> {
    let mut device = newcomer.device;
    let MlsMessageBodyIn::Welcome(welcome) = mls::read_message(&added.welcome)? else {
        anyhow::bail!("not a Welcome");
    };
    let tree = RatchetTreeIn::tls_deserialize_exact_bytes(&added.tree)?;
    let group = device.work(|provider, _| {
        let processed = ProcessedWelcome::new_from_welcome(provider, &mls::join_config(), welcome)?;
        let staged =
            JoinBuilder::new(provider, processed).with_ratchet_tree(tree).skip_lifetime_validation().build()?;
        Ok(staged.into_group(provider)?)
    })?;
    Ok(Peer { device, group })
}
