//! How openmls is set up: one cipher suite, handshakes in the open, messages encrypted and padded, and the hub as an
//! external sender.

use openmls::messages::group_info::VerifiableGroupInfo;
use openmls::prelude::{
    BasicCredential, Capabilities, Ciphersuite, Credential, CredentialType, CredentialWithKey, ExtensionType,
    ExternalSender, GroupId, KeyPackage, KeyPackageIn, LeafNode, MIXED_PLAINTEXT_WIRE_FORMAT_POLICY,
    MlsGroupCreateConfig, MlsGroupJoinConfig, MlsMessageBodyIn, MlsMessageIn, OpenMlsCrypto, ProtocolMessage,
    ProtocolVersion, PublicGroup, SenderRatchetConfiguration,
};
use openmls::prelude::{Extension, Extensions, GroupContext, Lifetime};
use semblance_core::id::{ChannelId, ParticipantId};
use semblance_core::signature::VerifyingKey;
use semblance_core::time::Timestamp;
use tls_codec::{DeserializeBytes, Serialize, VLBytes};
use x25519_dalek::{PublicKey, StaticSecret};

use crate::limits::{KEY_PACKAGE_BYTES_MAX, KEY_PACKAGE_MILLIS, PADDING, QUEUE_MILLIS};

/// X25519, AES-128-GCM, SHA-256, Ed25519 (RFC 9420 section 17.1, suite 1).
pub const SUITE: Ciphersuite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;

/// How far ratchets are turned for messages that come out of order, and for messages that are lost.
const OUT_OF_ORDER: u32 = 50;
const LOST: u32 = 1000;

/// Epochs of the past whose messages can still be read: none. A hub gives a message its place in the epoch it was made
/// for, and one that comes later could be of somebody who was removed.
const PAST_EPOCHS: usize = 0;

/// Bytes of a confirmation tag of the suite, and of a signature, with the length that stands before it.
const TAG_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 64;
const SIGNATURE_LENGTH: [u8; 2] = [0x40, 0x40];

/// Bytes are not the MLS object they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub struct MlsError {
    /// The object.
    pub what: &'static str,
    /// What is wrong with it.
    pub why: &'static str,
}

/// The MLS group of a channel.
#[must_use]
pub fn group_id(channel: ChannelId) -> GroupId {
    GroupId::from_slice(channel.as_bytes())
}

/// The channel of an MLS group.
#[must_use]
pub fn channel_of(group: &GroupId) -> Option<ChannelId> {
    group.as_slice().try_into().ok().map(ChannelId::from_bytes)
}

/// The credential of a leaf: its pseudonym and nothing else.
#[must_use]
pub fn credential(participant: ParticipantId, key: &VerifyingKey) -> CredentialWithKey {
    CredentialWithKey {
        credential: BasicCredential::new(participant.as_bytes().to_vec()).into(),
        signature_key: key.as_bytes().as_slice().into(),
    }
}

/// The pseudonym of a leaf and the bytes of its key. That they are a key is for those to find out who verify with it.
pub type Identity = (ParticipantId, [u8; 32]);

/// Whose leaf this is.
///
/// # Errors
/// The leaf is not one of ours.
pub fn identity(credential: &Credential, key: &[u8]) -> Result<Identity, MlsError> {
    let error = |why| MlsError { what: "leaf", why };
    let basic = BasicCredential::try_from(credential.clone()).map_err(|_| error("its credential is not basic"))?;
    let participant = basic.identity().try_into().map_err(|_| error("its identity has not 16 bytes"))?;
    let key = key.try_into().map_err(|_| error("its key has not 32 bytes"))?;
    Ok((ParticipantId::from_bytes(participant), key))
}

/// As [`identity`], of a leaf node.
///
/// # Errors
/// The leaf is not one of ours.
pub fn identity_of(leaf: &LeafNode) -> Result<Identity, MlsError> {
    identity(leaf.credential(), leaf.signature_key().as_slice())
}

/// What each leaf says it can do. Last-resort key packages are named, or receivers would refuse their leaves.
#[must_use]
pub fn capabilities() -> Capabilities {
    Capabilities::builder()
        .versions(vec![ProtocolVersion::Mls10])
        .ciphersuites(vec![SUITE])
        .extensions(vec![ExtensionType::LastResort])
        .credentials(vec![CredentialType::Basic])
        .build()
}

/// Whether a leaf says and holds nothing but what ours do, and can be encrypted to: an extension could make it as large as
/// a commit.
#[must_use]
pub fn is_plain(leaf: &LeafNode) -> bool {
    *leaf.capabilities() == capabilities()
        && leaf.extensions().iter().next().is_none()
        && key_of(leaf.encryption_key()).is_ok_and(|key| is_usable(&key))
}

/// The bytes of a key that MLS encrypts to: with it begins whatever holds one (RFC 9420 sections 7.1 and 7.2).
///
/// # Errors
/// There is none.
pub fn key_of(holder: &impl Serialize) -> Result<Vec<u8>, MlsError> {
    let bytes = write(holder)?;
    let (key, _) = VLBytes::tls_deserialize_bytes(&bytes)
        .map_err(|_| MlsError { what: "encryption key", why: "not in its form" })?;
    Ok(key.into())
}

/// Whether one can encrypt to a key. openmls finds out only when it does: one leaf with a key of another length or of low
/// order would let every commit fail whose path leads by it (RFC 9180 section 7.1.4).
#[must_use]
pub fn is_usable(key: &[u8]) -> bool {
    // Any secret shows whether a key is of low order.
    let any = StaticSecret::from([1; 32]);
    <[u8; 32]>::try_from(key).is_ok_and(|key| any.diffie_hellman(&PublicKey::from(key)).was_contributory())
}

/// The keys that a group's tree encrypts to, of leaves and of parents. No two are equal in a tree that can be joined (RFC
/// 9420 section 7.3).
///
/// # Errors
/// A node is not in its form.
pub fn encryption_keys(group: &PublicGroup) -> Result<Vec<Vec<u8>>, MlsError> {
    let tree = group.treesync();
    let leaves = tree.full_leaves().map(|(_, leaf)| key_of(leaf.encryption_key()));
    leaves.chain(tree.full_parents().map(|(_, parent)| key_of(parent))).collect()
}

/// How long a leaf made now may be used.
#[must_use]
pub fn lifetime(now: Timestamp, millis: u64) -> Lifetime {
    let seconds = now.millis() / 1000;
    Lifetime::init(seconds.saturating_sub(3600), seconds.saturating_add(millis.min(KEY_PACKAGE_MILLIS) / 1000))
}

fn ratchets() -> SenderRatchetConfiguration {
    SenderRatchetConfiguration::new(OUT_OF_ORDER, LOST)
}

/// The hub, as an external sender.
fn hub_sender(hub: &VerifyingKey) -> ExternalSender {
    ExternalSender::new(hub.as_bytes().as_slice().into(), BasicCredential::new(b"hub".to_vec()).into())
}

/// The context extensions of every group: the hub as the only external sender.
///
/// # Errors
/// openmls refuses the extension.
pub fn context_extensions(hub: &VerifyingKey) -> Result<Extensions<GroupContext>, MlsError> {
    Extensions::single(Extension::ExternalSenders(vec![hub_sender(hub)]))
        .map_err(|_| MlsError { what: "group context", why: "external senders are refused" })
}

/// Whether a group's context is exactly what we give every group of this hub.
#[must_use]
pub fn is_of_hub(extensions: &Extensions<GroupContext>, hub: &VerifyingKey) -> bool {
    extensions.iter().count() == 1 && extensions.external_senders() == Some(&vec![hub_sender(hub)])
}

/// How a new group is made.
///
/// # Errors
/// As [`context_extensions`].
pub fn create_config(hub: &VerifyingKey, now: Timestamp) -> Result<MlsGroupCreateConfig, MlsError> {
    Ok(MlsGroupCreateConfig::builder()
        .ciphersuite(SUITE)
        .wire_format_policy(MIXED_PLAINTEXT_WIRE_FORMAT_POLICY)
        .padding_size(PADDING)
        .max_past_epochs(PAST_EPOCHS)
        .sender_ratchet_configuration(ratchets())
        .use_ratchet_tree_extension(false)
        .capabilities(capabilities())
        .lifetime(lifetime(now, KEY_PACKAGE_MILLIS))
        .with_group_context_extensions(context_extensions(hub)?)
        .build())
}

/// How a group is joined.
#[must_use]
pub fn join_config() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(MIXED_PLAINTEXT_WIRE_FORMAT_POLICY)
        .padding_size(PADDING)
        .max_past_epochs(PAST_EPOCHS)
        .sender_ratchet_configuration(ratchets())
        .use_ratchet_tree_extension(false)
        .build()
}

/// Reads one MLS message, all of it.
///
/// # Errors
/// Not one.
pub fn read_message(bytes: &[u8]) -> Result<MlsMessageBodyIn, MlsError> {
    MlsMessageIn::tls_deserialize_exact_bytes(bytes)
        .map(MlsMessageIn::extract)
        .map_err(|_| MlsError { what: "MLS message", why: "not in its form" })
}

/// Reads a message of a group: a commit, a proposal or an encrypted message.
///
/// # Errors
/// Not one, or of another group.
pub fn read_protocol(bytes: &[u8], channel: ChannelId) -> Result<ProtocolMessage, MlsError> {
    let message: ProtocolMessage = match read_message(bytes)? {
        MlsMessageBodyIn::PublicMessage(message) => message.into(),
        MlsMessageBodyIn::PrivateMessage(message) => message.into(),
        _ => return Err(MlsError { what: "MLS message", why: "neither handshake nor message" }),
    };
    if channel_of(message.group_id()) != Some(channel) {
        return Err(MlsError { what: "MLS message", why: "of another group" });
    }
    Ok(message)
}

/// As [`read_protocol`], of a commit or a proposal, which the hub has to read and which therefore is not encrypted.
///
/// # Errors
/// It is encrypted, or as with [`read_protocol`].
pub fn read_handshake(bytes: &[u8], channel: ChannelId) -> Result<ProtocolMessage, MlsError> {
    match read_protocol(bytes, channel)? {
        message @ ProtocolMessage::PublicMessage(_) => Ok(message),
        ProtocolMessage::PrivateMessage(_) => Err(MlsError { what: "handshake message", why: "it is encrypted" }),
    }
}

/// Reads and checks a key package: signatures, suite, capabilities, a lifetime that is neither too long nor over.
///
/// # Errors
/// It is not one of ours, or is not to be used now.
pub fn read_key_package(bytes: &[u8], crypto: &impl OpenMlsCrypto, now: Timestamp) -> Result<KeyPackage, MlsError> {
    let error = |why| MlsError { what: "key package", why };
    if bytes.len() > KEY_PACKAGE_BYTES_MAX {
        return Err(error("too large"));
    }
    let unchecked = KeyPackageIn::tls_deserialize_exact_bytes(bytes).map_err(|_| error("not in its form"))?;
    let package = unchecked.validate(crypto, ProtocolVersion::Mls10).map_err(|_| error("does not verify"))?;
    check_package(&package, now)?;
    Ok(package)
}

/// What openmls leaves to us about a key package.
///
/// # Errors
/// It is not one of ours, or is not to be used now.
pub fn check_package(package: &KeyPackage, now: Timestamp) -> Result<(), MlsError> {
    let error = |why| MlsError { what: "key package", why };
    if package.ciphersuite() != SUITE {
        return Err(error("of another cipher suite"));
    }
    let lifetime = package.life_time();
    // openmls offers this check and never makes it.
    if !lifetime.has_acceptable_range() {
        return Err(error("lives too long"));
    }
    if lifetime.not_after() <= now.millis() / 1000 {
        return Err(error("has expired"));
    }
    if !is_plain(package.leaf_node()) || !is_usable(&key_of(package.hpke_init_key())?) {
        return Err(error("with other capabilities, more extensions or worse keys than ours"));
    }
    let (_, key) = identity_of(package.leaf_node())?;
    VerifyingKey::from_bytes(&key).map(drop).map_err(|_| MlsError { what: "leaf", why: "its key is no Ed25519 key" })
}

/// Whether a key package may be added now. Members may sleep for as long as a queue holds, and openmls looks at its lifetime
/// again when they follow: one that ran out meanwhile would break them.
#[must_use]
pub fn outlasts_queues(package: &KeyPackage, now: Timestamp) -> bool {
    package.life_time().not_after() > now.plus(QUEUE_MILLIS).millis() / 1000
}

/// The keys that a key package brings, none of which may be in a tree that takes it: the leaf's and the one to join by.
///
/// # Errors
/// One is not in its form.
pub fn keys_of(package: &KeyPackage) -> Result<[Vec<u8>; 2], MlsError> {
    Ok([key_of(package.leaf_node().encryption_key())?, key_of(package.hpke_init_key())?])
}

/// Whether a GroupInfo holds what is needed to join by oneself and nothing else: a ratchet tree in it would be taken for
/// the group's.
#[must_use]
pub fn is_to_join_by(info: &VerifiableGroupInfo) -> bool {
    let key = info.extensions().external_pub().map(|found| key_of(found.external_pub()));
    info.extensions().iter().count() == 1 && key.is_some_and(|key| key.is_ok_and(|key| is_usable(&key)))
}

/// Whether a group is in the state that a GroupInfo speaks of: the tag is made with the epoch's secrets, which no other
/// group has.
#[must_use]
pub fn is_at(group: &PublicGroup, info: &[u8]) -> bool {
    let Ok(MlsMessageBodyIn::GroupInfo(read)) = read_message(info) else { return false };
    let tag = end_of_group_info(info).map(|(tag, _)| tag);
    let kept = write(group.confirmation_tag());
    read.group_context() == group.group_context() && tag.is_some_and(|tag| kept.is_ok_and(|kept| kept.ends_with(&tag)))
}

/// The confirmation tag and the signer's leaf in the bytes of a GroupInfo message of our suite, which end with them and
/// the signature (RFC 9420 section 12.4.3). openmls keeps both to itself.
#[must_use]
pub fn end_of_group_info(bytes: &[u8]) -> Option<([u8; TAG_BYTES], u32)> {
    let rest = bytes.strip_suffix(bytes.last_chunk::<SIGNATURE_BYTES>()?)?;
    let (rest, signer) = rest.strip_suffix(&SIGNATURE_LENGTH)?.split_last_chunk()?;
    let (rest, tag) = rest.split_last_chunk()?;
    (rest.last() == Some(&(TAG_BYTES as u8))).then_some((*tag, u32::from_be_bytes(*signer)))
}

/// Writes an MLS object.
///
/// # Errors
/// It is too large for its own form.
pub fn write(object: &impl Serialize) -> Result<Vec<u8>, MlsError> {
    object.tls_serialize_detached().map_err(|_| MlsError { what: "MLS object", why: "too large for its form" })
}
