//! A device of mls-rs.

use std::fmt::Display;
use std::time::Duration;

use mls_rs::client_builder::PaddingMode;
use mls_rs::client_builder::{BaseConfig, WithCryptoProvider, WithIdentityProvider, WithMlsRules};
use mls_rs::extension::ExtensionType;
use mls_rs::extension::built_in::ExternalSendersExt;
use mls_rs::extension::recommended::LastResortKeyPackageExt;
use mls_rs::group::{CommitEffect, ExportedTree, ReceivedMessage};
use mls_rs::identity::SigningIdentity;
use mls_rs::identity::basic::{BasicCredential, BasicIdentityProvider};
use mls_rs::mls_rs_codec::MlsEncode;
use mls_rs::mls_rules::{CommitOptions, DefaultMlsRules, EncryptionOptions};
use mls_rs::time::MlsTime;
use mls_rs::{CipherSuite, Client, ExtensionList, Group, MlsMessage};
use mls_rs_crypto_rustcrypto::RustCryptoProvider;
use semblance_core::id::{ChannelId, ParticipantId};
use semblance_core::signature::{SigningKey, VerifyingKey};

use crate::device::{Change, Device, Heard, Made, State, now};

type Config = WithMlsRules<
    DefaultMlsRules,
    WithIdentityProvider<BasicIdentityProvider, WithCryptoProvider<RustCryptoProvider, BaseConfig>>,
>;

const SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;
/// What makes a bare key package an MLS message: version 1, wire format mls_key_package (RFC 9420 section 6).
const KEY_PACKAGE_FRAME: [u8; 4] = [0, 1, 0, 5];

/// The device.
pub(crate) struct Theirs {
    participant: ParticipantId,
    key: VerifyingKey,
    client: Client<Config>,
    group: Option<Group<Config>>,
}

impl Theirs {
    pub(crate) fn new(number: u8) -> Self {
        let participant = ParticipantId::from_bytes([number; 16]);
        let seed = [number; 32];
        let public = SigningKey::from_seed(&seed).verifying_key();
        let secret: Vec<u8> = seed.iter().chain(public.as_bytes()).copied().collect();
        let rules = DefaultMlsRules::new()
            .with_commit_options(
                CommitOptions::new()
                    .with_ratchet_tree_extension(false)
                    .with_always_out_of_band_ratchet_tree(true)
                    .with_allow_external_commit(true),
            )
            .with_encryption_options(EncryptionOptions::new(false, PaddingMode::StepFunction));
        let client = Client::builder()
            .crypto_provider(RustCryptoProvider::with_enabled_cipher_suites(vec![SUITE]))
            .identity_provider(BasicIdentityProvider::new())
            .mls_rules(rules)
            .extension_type(ExtensionType::LAST_RESORT_KEY_PACKAGE)
            .key_package_lifetime(Duration::from_secs(80 * 86_400))
            .signing_identity(identity(participant.as_bytes(), &public), secret.into(), SUITE)
            .build();
        Self { participant, key: public, client, group: None }
    }

    /// Its leaf's key.
    pub(crate) const fn key(&self) -> VerifyingKey {
        self.key
    }

    fn group(&mut self) -> &mut Group<Config> {
        self.group.as_mut().unwrap()
    }
}

impl Device for Theirs {
    fn participant(&self) -> ParticipantId {
        self.participant
    }

    fn create(&mut self, channel: ChannelId, hub: &VerifyingKey) {
        let mut extensions = ExtensionList::new();
        extensions.set_from(ExternalSendersExt::new(vec![identity(b"hub", hub)])).unwrap();
        let id = channel.as_bytes().to_vec();
        self.group =
            Some(self.client.create_group_with_id(id, extensions, ExtensionList::new(), Some(time())).unwrap());
    }

    fn key_package(&mut self, last_resort: bool) -> Vec<u8> {
        let mut extensions = ExtensionList::new();
        if last_resort {
            extensions.set_from(LastResortKeyPackageExt).unwrap();
        }
        let message = self.client.generate_key_package_message(extensions, ExtensionList::new(), Some(time())).unwrap();
        message.into_key_package().unwrap().mls_encode_to_vec().unwrap()
    }

    fn join(&mut self, welcome: &[u8], tree: &[u8]) -> Result<(), String> {
        let tree = ExportedTree::from_bytes(tree).map_err(text)?;
        let welcome = MlsMessage::from_bytes(welcome).map_err(text)?;
        let (group, _) = self.client.join_group(Some(tree), &welcome, Some(time())).map_err(text)?;
        self.group = Some(group);
        Ok(())
    }

    fn rejoin(&mut self, group_info: &[u8], tree: &[u8], note: &[u8]) -> Result<Made, String> {
        let tree = ExportedTree::from_bytes(tree).map_err(text)?;
        let is_own = |member: &mls_rs::group::Member| participant(&member.signing_identity) == self.participant;
        let old = tree.roster().members_iter().find(is_own).map(|member| member.index);
        let builder = self.client.external_commit_builder().map_err(text)?;
        let builder = builder.with_tree_data(tree).with_authenticated_data(note.to_vec()).commit_time(time());
        let builder = match old {
            Some(index) => builder.with_removal(index),
            None => builder,
        };
        let (group, commit) = builder.build(MlsMessage::from_bytes(group_info).map_err(text)?).map_err(text)?;
        let group_info = group.group_info_message_allowing_ext_commit(false).map_err(text)?;
        self.group = Some(group);
        Ok(Made { commit: bytes(&commit), welcome: None, group_info: bytes(&group_info) })
    }

    fn commit(&mut self, change: &Change) -> Result<Made, String> {
        let mut builder = self.group().commit_builder().authenticated_data(change.note.clone()).commit_time(time());
        for package in &change.adds {
            let framed = [&KEY_PACKAGE_FRAME, package.as_slice()].concat();
            builder = builder.add_member(MlsMessage::from_bytes(&framed).map_err(text)?).map_err(text)?;
        }
        for index in &change.removes {
            builder = builder.remove_member(*index).map_err(text)?;
        }
        let made = builder.build().map_err(text)?;
        Ok(Made {
            commit: bytes(&made.commit_message),
            welcome: made.welcome_messages.first().map(bytes),
            group_info: bytes(made.external_commit_group_info.as_ref().unwrap()),
        })
    }

    fn discard(&mut self) {
        self.group().clear_pending_commit();
    }

    fn say(&mut self, words: &[u8]) -> Result<Vec<u8>, String> {
        self.group().encrypt_application_message(words, Vec::new()).map(|message| bytes(&message)).map_err(text)
    }

    fn hear(&mut self, message: &[u8]) -> Result<Heard, String> {
        let message = MlsMessage::from_bytes(message).map_err(text)?;
        match self.group().process_incoming_message_with_time(message, time()).map_err(text)? {
            ReceivedMessage::ApplicationMessage(said) => {
                let member = self.group().member_at_index(said.sender_index).ok_or("said by a member that is gone")?;
                Ok(Heard::Said(participant(&member.signing_identity), said.data().to_vec()))
            }
            ReceivedMessage::Proposal(_) => Ok(Heard::Proposed),
            ReceivedMessage::Commit(commit) => match commit.effect {
                CommitEffect::NewEpoch(_) => Ok(Heard::Committed(commit.authenticated_data)),
                CommitEffect::Removed { .. } => Ok(Heard::Removed),
                CommitEffect::ReInit(_) => Err("the group is to be made anew".to_owned()),
            },
            other => Err(format!("unexpected: {other:?}")),
        }
    }

    fn tree(&mut self) -> Vec<u8> {
        self.group().export_tree().to_bytes().unwrap()
    }

    fn state(&mut self) -> State {
        let group = self.group();
        State {
            epoch: group.current_epoch(),
            authenticator: group.epoch_authenticator().unwrap().as_bytes().to_vec(),
            members: group
                .roster()
                .members_iter()
                .map(|member| (member.index, participant(&member.signing_identity)))
                .collect(),
            context: group.context().mls_encode_to_vec().unwrap(),
        }
    }
}

fn identity(name: &[u8], key: &VerifyingKey) -> SigningIdentity {
    SigningIdentity::new(BasicCredential::new(name.to_vec()).into_credential(), key.as_bytes().to_vec().into())
}

fn participant(identity: &SigningIdentity) -> ParticipantId {
    let basic = identity.credential.as_basic().unwrap();
    ParticipantId::from_bytes(basic.identifier.as_slice().try_into().unwrap())
}

fn time() -> MlsTime {
    MlsTime::from(now().millis() / 1000)
}

fn bytes(message: &MlsMessage) -> Vec<u8> {
    message.to_bytes().unwrap()
}

fn text(error: impl Display) -> String {
    error.to_string()
}
