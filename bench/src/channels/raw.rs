//! openmls alone: the same groups, settings and operations, its own storage in memory, no hub, no disk, no proofs.

use anyhow::Context as _;
use openmls::prelude::{
    JoinBuilder, KeyPackage, MlsGroup, MlsMessageBodyIn, ProcessedMessageContent, ProcessedWelcome, RatchetTreeIn,
};
use openmls_rust_crypto::OpenMlsRustCrypto;
use openmls_traits::OpenMlsProvider;
use semblance_channels::limits::ADDS_MAX;
use semblance_channels::mls;
use semblance_channels::provider::LeafSigner;
use semblance_core::id::{ChannelId, ParticipantId};
use semblance_core::signature::SigningKey;
use semblance_core::time::Timestamp;
use tls_codec::DeserializeBytes;

use crate::draw::Draw;
use crate::measure::Cost;

use super::town;

const CHANNEL: ChannelId = ChannelId::from_bytes([3; 16]);

/// One member that is there.
struct Peer {
    provider: OpenMlsRustCrypto,
    signing: SigningKey,
    group: MlsGroup,
}

/// Somebody with a key package.
struct Newcomer {
    provider: OpenMlsRustCrypto,
    signing: SigningKey,
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
pub(crate) struct RawGroup {
    peers: Vec<Peer>,
    size: usize,
    draw: Draw,
    now: Timestamp,
}

impl RawGroup {
    pub(crate) fn found(size: usize, there: usize) -> anyhow::Result<Self> {
        let (mut draw, now) = (Draw::new(1, "raw channels"), town::clock()?);
        let hub = SigningKey::from_seed(&draw.bytes()).verifying_key();
        let (provider, signing) = (OpenMlsRustCrypto::default(), SigningKey::from_seed(&draw.bytes()));
        let config = mls::create_config(&hub, now)?;
        let credential = mls::credential(ParticipantId::from_bytes([0; 16]), &signing.verifying_key());
        let id = mls::group_id(CHANNEL);
        let group = MlsGroup::new_with_group_id(&provider, &LeafSigner(&signing), &config, id, credential)?;
        let mut raw = Self { peers: vec![Peer { provider, signing, group }], size: 1, draw, now };
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

    fn newcomer(&mut self) -> anyhow::Result<Newcomer> {
        let (provider, signing) = (OpenMlsRustCrypto::default(), SigningKey::from_seed(&self.draw.bytes()));
        let participant = self.draw.bytes().first_chunk().map(|bytes| ParticipantId::from_bytes(*bytes));
        let credential = mls::credential(participant.context("sixteen bytes")?, &signing.verifying_key());
        let bundle = KeyPackage::builder()
            .key_package_lifetime(mls::lifetime(self.now, town::LIFE))
            .leaf_node_capabilities(mls::capabilities())
            .build(mls::SUITE, &provider, &LeafSigner(&signing), credential)?;
        Ok(Newcomer { package: bundle.key_package().clone(), provider, signing })
    }

    fn add(&mut self, packages: &[KeyPackage]) -> anyhow::Result<Added> {
        let founder = self.peers.first_mut().context("nobody is there")?;
        let bundle = founder
            .group
            .commit_builder()
            .force_self_update(false)
            .propose_adds(packages.iter().cloned())
            .load_psks(founder.provider.storage())?
            .create_group_info(true)
            .build(founder.provider.rand(), founder.provider.crypto(), &LeafSigner(&founder.signing), |_| true)?
            .stage_commit(&founder.provider)?;
        let (commit, welcome, info) = bundle.into_messages();
        mls::write(&info.context("no GroupInfo")?)?;
        founder.group.merge_pending_commit(&founder.provider)?;
        Ok(Added {
            commit: mls::write(&commit)?,
            welcome: mls::write(&welcome.context("no Welcome")?)?,
            tree: mls::write(&founder.group.export_ratchet_tree())?,
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
        let peer = self.peers.get_mut(sender).context("no such member")?;
        let (bytes, mut cost) = Cost::of(|| -> anyhow::Result<_> {
            let message = peer.group.create_message(&peer.provider, &LeafSigner(&peer.signing), plain)?;
            Ok(mls::write(&message)?)
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

fn read(peer: &mut Peer, bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let message = mls::read_protocol(bytes, CHANNEL)?;
    match peer.group.process_message(&peer.provider, message)?.into_content() {
        ProcessedMessageContent::ApplicationMessage(plain) => Ok(plain.into_bytes()),
        _ => anyhow::bail!("not a message"),
    }
}

fn follow(peer: &mut Peer, commit: &[u8]) -> anyhow::Result<()> {
    let message = mls::read_protocol(commit, CHANNEL)?;
    match peer.group.process_message(&peer.provider, message)?.into_content() {
        ProcessedMessageContent::StagedCommitMessage(staged) => {
            Ok(peer.group.merge_staged_commit(&peer.provider, *staged)?)
        }
        _ => anyhow::bail!("not a commit"),
    }
}

fn join(newcomer: Newcomer, added: &Added) -> anyhow::Result<Peer> {
    let Newcomer { provider, signing, .. } = newcomer;
    let MlsMessageBodyIn::Welcome(welcome) = mls::read_message(&added.welcome)? else {
        anyhow::bail!("not a Welcome");
    };
    let tree = RatchetTreeIn::tls_deserialize_exact_bytes(&added.tree)?;
    let processed = ProcessedWelcome::new_from_welcome(&provider, &mls::join_config(), welcome)?;
    let staged = JoinBuilder::new(&provider, processed).with_ratchet_tree(tree).skip_lifetime_validation().build()?;
    let group = staged.into_group(&provider)?;
    Ok(Peer { provider, signing, group })
}
