//! A device of openmls, set up and stored as in channels. Each step is a transaction and begins with what is stored.

use std::fmt::Display;

use openmls::prelude::{
    KeyPackage, LeafNodeIndex, LeafNodeParameters, MlsGroup, MlsMessageBodyIn, MlsMessageIn, MlsMessageOut,
    OpenMlsProvider, ProcessedMessageContent, RatchetTreeIn, Sender, StagedWelcome,
};
use openmls_rust_crypto::RustCrypto;
use semblance_channels::mls;
use semblance_channels::provider::{LeafSigner, Provider};
use semblance_channels::store::{SqliteRows, SqliteStore, Store, StoreError};
use semblance_core::id::{ChannelId, ParticipantId};
use semblance_core::random::SeededSource;
use semblance_core::signature::{SigningKey, VerifyingKey};
use tls_codec::Deserialize;

use crate::device::{Change, Device, Heard, Made, State, now};

const KEY_PACKAGE_MILLIS: u64 = 30 * 86_400_000;

/// The device.
pub(crate) struct Ours {
    participant: ParticipantId,
    signing: SigningKey,
    store: SqliteStore,
    crypto: RustCrypto,
    random: SeededSource,
    channel: Option<ChannelId>,
}

type Rows<'a> = SqliteRows<'a>;

impl Ours {
    pub(crate) fn new(number: u8) -> Self {
        Self {
            participant: ParticipantId::from_bytes([number; 16]),
            signing: SigningKey::from_seed(&[number; 32]),
            store: SqliteStore::in_memory().unwrap(),
            crypto: RustCrypto::default(),
            random: SeededSource::new([number; 32]),
            channel: None,
        }
    }

    fn step<R>(&mut self, step: impl FnOnce(&Provider<'_, Rows<'_>>, &SigningKey) -> R) -> R {
        let (crypto, random, signing) = (&self.crypto, &self.random, &self.signing);
        let change = |rows: &Rows<'_>| Ok::<_, StoreError>(step(&Provider::new(rows, crypto, random), signing));
        self.store.transact(change).unwrap()
    }

    fn with_group<R>(&mut self, step: impl FnOnce(&mut MlsGroup, &Provider<'_, Rows<'_>>, &SigningKey) -> R) -> R {
        let id = mls::group_id(self.channel.unwrap());
        self.step(|provider, signing| {
            let mut group = MlsGroup::load(provider.storage(), &id).unwrap().unwrap();
            step(&mut group, provider, signing)
        })
    }
}

impl Device for Ours {
    fn participant(&self) -> ParticipantId {
        self.participant
    }

    fn create(&mut self, channel: ChannelId, hub: &VerifyingKey) {
        let credential = mls::credential(self.participant, &self.signing.verifying_key());
        let config = mls::create_config(hub, now()).unwrap();
        self.channel = Some(channel);
        self.step(|provider, signing| {
            let id = mls::group_id(channel);
            MlsGroup::new_with_group_id(provider, &LeafSigner(signing), &config, id, credential).unwrap();
        });
    }

    fn key_package(&mut self, last_resort: bool) -> Vec<u8> {
        let credential = mls::credential(self.participant, &self.signing.verifying_key());
        self.step(|provider, signing| {
            let builder = KeyPackage::builder()
                .key_package_lifetime(mls::lifetime(now(), KEY_PACKAGE_MILLIS))
                .leaf_node_capabilities(mls::capabilities());
            let builder = if last_resort { builder.mark_as_last_resort() } else { builder };
            let bundle = builder.build(mls::SUITE, provider, &LeafSigner(signing), credential).unwrap();
            mls::write(bundle.key_package()).unwrap()
        })
    }

    fn join(&mut self, welcome: &[u8], tree: &[u8]) -> Result<(), String> {
        let MlsMessageBodyIn::Welcome(welcome) = mls::read_message(welcome).unwrap() else { panic!("no Welcome") };
        let tree = RatchetTreeIn::tls_deserialize_exact(tree).unwrap();
        let id = self.step(|provider, _| -> Result<_, String> {
            let join = StagedWelcome::build_from_welcome(provider, &mls::join_config(), welcome).map_err(text)?;
            let staged = join.with_ratchet_tree(tree).replace_old_group().build().map_err(text)?;
            Ok(staged.into_group(provider).map_err(text)?.group_id().clone())
        })?;
        self.channel = mls::channel_of(&id);
        Ok(())
    }

    fn rejoin(&mut self, group_info: &[u8], tree: &[u8], note: &[u8]) -> Result<Made, String> {
        let MlsMessageBodyIn::GroupInfo(info) = mls::read_message(group_info).unwrap() else { panic!("no GroupInfo") };
        let tree = RatchetTreeIn::tls_deserialize_exact(tree).unwrap();
        let credential = mls::credential(self.participant, &self.signing.verifying_key());
        let channel = mls::channel_of(info.group_context().group_id()).unwrap();
        self.channel = Some(channel);
        self.step(|provider, signing| {
            if let Some(mut old) = MlsGroup::load(provider.storage(), &mls::group_id(channel)).unwrap() {
                old.delete(provider.storage()).unwrap();
            }
            let (_, bundle) = MlsGroup::external_commit_builder()
                .with_ratchet_tree(tree)
                .with_config(mls::join_config())
                .with_aad(note.to_vec())
                .build_group(provider, info, credential)
                .map_err(text)?
                .leaf_node_parameters(LeafNodeParameters::builder().with_capabilities(mls::capabilities()).build())
                .load_psks(provider.storage())
                .map_err(text)?
                .create_group_info(true)
                .build(provider.rand(), provider.crypto(), &LeafSigner(signing), |_| true)
                .map_err(text)?
                .finalize(provider)
                .map_err(text)?;
            Ok(made(bundle.into_messages()))
        })
    }

    fn commit(&mut self, change: &Change) -> Result<Made, String> {
        self.with_group(|group, provider, signing| {
            let packages: Result<Vec<_>, _> =
                change.adds.iter().map(|bytes| mls::read_key_package(bytes, provider.crypto(), now())).collect();
            group.set_aad(change.note.clone());
            let bundle = group
                .commit_builder()
                .consume_proposal_store(true)
                .force_self_update(change.adds.is_empty())
                .propose_adds(packages.map_err(text)?)
                .propose_removals(change.removes.iter().map(|index| LeafNodeIndex::new(*index)))
                .load_psks(provider.storage())
                .map_err(text)?
                .create_group_info(true)
                .build(provider.rand(), provider.crypto(), &LeafSigner(signing), |_| true)
                .map_err(text)?
                .stage_commit(provider)
                .map_err(text)?;
            Ok(made(bundle.into_messages()))
        })
    }

    fn discard(&mut self) {
        self.with_group(|group, provider, _| group.clear_pending_commit(provider.storage()).unwrap());
    }

    fn say(&mut self, words: &[u8]) -> Result<Vec<u8>, String> {
        self.with_group(|group, provider, signing| {
            let message = group.create_message(provider, &LeafSigner(signing), words).map_err(text)?;
            Ok(mls::write(&message).unwrap())
        })
    }

    fn hear(&mut self, message: &[u8]) -> Result<Heard, String> {
        let message =
            MlsMessageIn::tls_deserialize_exact(message).unwrap().try_into_protocol_message().map_err(text)?;
        self.with_group(|group, provider, _| {
            let processed = group.process_message(provider, message).map_err(text)?;
            let (sender, note) = (processed.sender().clone(), processed.aad().to_vec());
            match processed.into_content() {
                ProcessedMessageContent::ApplicationMessage(said) => {
                    let Sender::Member(index) = sender else { return Err("not said by a member".to_owned()) };
                    let leaf = group.public_group().leaf(index).ok_or("said by a member that is gone")?;
                    Ok(Heard::Said(mls::identity_of(leaf).map_err(text)?.0, said.into_bytes()))
                }
                ProcessedMessageContent::ProposalMessage(proposal) => {
                    group.store_pending_proposal(provider.storage(), *proposal).map_err(text)?;
                    Ok(Heard::Proposed)
                }
                ProcessedMessageContent::OwnPendingCommit => {
                    group.merge_pending_commit(provider).map_err(text)?;
                    Ok(Heard::Committed(note))
                }
                ProcessedMessageContent::StagedCommitMessage(staged) => {
                    let removed = staged.self_removed();
                    group.merge_staged_commit(provider, *staged).map_err(text)?;
                    Ok(if removed { Heard::Removed } else { Heard::Committed(note) })
                }
                other => Err(format!("unexpected: {other:?}")),
            }
        })
    }

    fn tree(&mut self) -> Vec<u8> {
        self.with_group(|group, _, _| mls::write(&group.export_ratchet_tree()).unwrap())
    }

    fn state(&mut self) -> State {
        self.with_group(|group, _, _| {
            let member = |member: openmls::prelude::Member| {
                let identity = mls::identity(&member.credential, &member.signature_key).unwrap();
                (member.index.u32(), identity.0)
            };
            State {
                epoch: group.epoch().as_u64(),
                authenticator: group.epoch_authenticator().as_slice().to_vec(),
                members: group.members().map(member).collect(),
                context: mls::write(group.public_group().group_context()).unwrap(),
            }
        })
    }
}

fn made((commit, welcome, info): (MlsMessageOut, Option<MlsMessageOut>, Option<MlsMessageOut>)) -> Made {
    let write = |message: MlsMessageOut| mls::write(&message).unwrap();
    Made { commit: write(commit), welcome: welcome.map(write), group_info: write(info.unwrap()) }
}

fn text(error: impl Display) -> String {
    error.to_string()
}
