//! The state of MLS groups as rows: a label, the MessagePack bytes of what openmls asks by, and of what it keeps.

use std::cell::RefCell;

use openmls::prelude::GroupId;
use openmls_traits::storage::{CURRENT_VERSION as VERSION, StorageProvider, traits};
use rmp_serde::config::BytesMode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::store::{KeyValue, StoreError};

/// openmls's storage over rows of our own.
///
/// openmls hides what failed behind errors of its own, which read as if somebody had sent nonsense: whoever works with
/// this asks whether the store failed before believing them.
pub struct MlsState<'a, K> {
    rows: &'a K,
    failed: RefCell<Option<StoreError>>,
}

/// One for each kind of thing openmls keeps; the number is part of stored keys and never changes its meaning.
#[derive(Clone, Copy)]
enum Label {
    JoinConfig = 1,
    OwnLeafNodes = 2,
    ProposalRefs = 3,
    Proposal = 4,
    Tree = 5,
    TranscriptHash = 6,
    Context = 7,
    ConfirmationTag = 8,
    GroupState = 9,
    MessageSecrets = 10,
    ResumptionPsks = 11,
    OwnLeafIndex = 12,
    EpochSecrets = 13,
    SignatureKey = 14,
    EncryptionKey = 15,
    EpochKeys = 16,
    KeyPackage = 17,
    Psk = 18,
}

/// What is kept of a group, under its name or a tuple that begins with it.
const GROUP_LABELS: [Label; 14] = [
    Label::JoinConfig,
    Label::OwnLeafNodes,
    Label::ProposalRefs,
    Label::Proposal,
    Label::Tree,
    Label::TranscriptHash,
    Label::Context,
    Label::ConfirmationTag,
    Label::GroupState,
    Label::MessageSecrets,
    Label::ResumptionPsks,
    Label::OwnLeafIndex,
    Label::EpochSecrets,
    Label::EpochKeys,
];

/// Bytes that most values fit in.
const ROOM: usize = 4096;
/// First byte of every key of MLS state.
pub(crate) const MLS_ROWS: u8 = b'm';

impl<'a, K: KeyValue> MlsState<'a, K> {
    pub(crate) const fn new(rows: &'a K) -> Self {
        Self { rows, failed: RefCell::new(None) }
    }

    /// What a step came to: if the store failed meanwhile, that and nothing else. Of state that cannot be read openmls may
    /// speak as it likes: either way the group cannot be gone on with.
    ///
    /// # Errors
    /// The step's, or the store's.
    pub(crate) fn settle<R, E: From<StoreError>>(&self, result: Result<R, E>) -> Result<R, E> {
        self.failed.take().map_or(result, |failure| Err(failure.into()))
    }

    /// Keeps the first failure and lets openmls know that there is one.
    fn watched<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        result.map_err(|error| {
            if error.is_damage() {
                return error;
            }
            let told = StoreError::Damaged(error.to_string());
            self.failed.borrow_mut().get_or_insert(error);
            told
        })
    }

    fn write(&self, label: Label, id: &impl Serialize, value: &impl Serialize) -> Result<(), StoreError> {
        self.watched(key(label, id).and_then(|key| self.rows.put(&key, &encode(value)?)))
    }

    fn read<T: DeserializeOwned>(&self, label: Label, id: &impl Serialize) -> Result<Option<T>, StoreError> {
        let found = self.watched(key(label, id).and_then(|key| self.rows.get(&key)))?;
        let Some(bytes) = found.map(Zeroizing::new) else { return Ok(None) };
        let value = rmp_serde::from_slice(&bytes).map(Some);
        self.watched(value.map_err(|error| StoreError::Damaged(error.to_string())))
    }

    fn forget(&self, label: Label, id: &impl Serialize) -> Result<(), StoreError> {
        self.watched(key(label, id).and_then(|key| self.rows.delete(&key)))
    }

    /// Forgets all that is kept of a group, whether it can be read or not.
    pub(crate) fn forget_group(&self, group: &GroupId) -> Result<(), StoreError> {
        let id = id_bytes(group)?;
        for label in GROUP_LABELS {
            // Alone, or as the first of two or three.
            for tuple in [&[][..], &[0x92], &[0x93]] {
                let prefix = [&[MLS_ROWS, label as u8], tuple, &id].concat();
                for (key, _) in self.rows.scan(&prefix, usize::MAX)? {
                    self.rows.delete(&key)?;
                }
            }
        }
        Ok(())
    }

    fn proposal_refs<R: DeserializeOwned>(&self, group: &impl Serialize) -> Result<Vec<R>, StoreError> {
        Ok(self.read(Label::ProposalRefs, group)?.unwrap_or_default())
    }
}

fn encode(value: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let mut bytes = Wiped(Zeroizing::new(Vec::with_capacity(ROOM)));
    // With names, so that a version of openmls that adds a field can still read what an earlier one wrote; keys and
    // the like as bytes, not as lists of numbers.
    let mut serializer = rmp_serde::Serializer::new(&mut bytes).with_struct_map().with_bytes(BytesMode::ForceIterables);
    value.serialize(&mut serializer).map_err(|error| StoreError::Encode(error.to_string()))?;
    Ok(bytes.0)
}

/// Bytes that leave no copy behind where they need more room.
struct Wiped(Zeroizing<Vec<u8>>);

impl Wiped {
    #[cold]
    fn grow(&mut self, needed: usize) {
        let mut roomier = Zeroizing::new(Vec::with_capacity(2 * needed));
        roomier.extend_from_slice(&self.0);
        self.0 = roomier;
    }
}

// The serializer writes a few bytes at a time.
impl std::io::Write for Wiped {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            self.grow(needed);
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn key(label: Label, id: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    let mut key = vec![MLS_ROWS, label as u8];
    key.extend_from_slice(&id_bytes(id)?);
    Ok(key)
}

/// As it always was: a key that is written in another way is not found any more.
fn id_bytes(id: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    rmp_serde::to_vec_named(id).map_err(|error| StoreError::Encode(error.to_string()))
}

/// One value under one id: the three methods, with the type parameters in the order in which openmls has them.
macro_rules! writes {
    ($($name:ident<$first:ident, $second:ident>(id: $id:ident, value: $value:ident) = $label:ident;)*) => {$(
        fn $name<$first: traits::$first<VERSION>, $second: traits::$second<VERSION>>(
            &self,
            id: &$id,
            value: &$value,
        ) -> Result<(), StoreError> {
            self.write(Label::$label, id, value)
        }
    )*};
}

macro_rules! reads {
    ($($name:ident<$first:ident, $second:ident>(id: $id:ident) -> $value:ident = $label:ident;)*) => {$(
        fn $name<$first: traits::$first<VERSION>, $second: traits::$second<VERSION>>(
            &self,
            id: &$id,
        ) -> Result<Option<$value>, StoreError> {
            self.read(Label::$label, id)
        }
    )*};
}

macro_rules! deletes {
    ($($name:ident<$id:ident> = $label:ident;)*) => {$(
        fn $name<$id: traits::$id<VERSION>>(&self, id: &$id) -> Result<(), StoreError> {
            self.forget(Label::$label, id)
        }
    )*};
}

impl<K: KeyValue> StorageProvider<VERSION> for MlsState<'_, K> {
    type Error = StoreError;

    writes! {
        write_mls_join_config<GroupId, MlsGroupJoinConfig>(id: GroupId, value: MlsGroupJoinConfig) = JoinConfig;
        write_tree<GroupId, TreeSync>(id: GroupId, value: TreeSync) = Tree;
        write_interim_transcript_hash<GroupId, InterimTranscriptHash>(id: GroupId, value: InterimTranscriptHash) = TranscriptHash;
        write_context<GroupId, GroupContext>(id: GroupId, value: GroupContext) = Context;
        write_confirmation_tag<GroupId, ConfirmationTag>(id: GroupId, value: ConfirmationTag) = ConfirmationTag;
        write_group_state<GroupState, GroupId>(id: GroupId, value: GroupState) = GroupState;
        write_message_secrets<GroupId, MessageSecrets>(id: GroupId, value: MessageSecrets) = MessageSecrets;
        write_resumption_psk_store<GroupId, ResumptionPskStore>(id: GroupId, value: ResumptionPskStore) = ResumptionPsks;
        write_own_leaf_index<GroupId, LeafNodeIndex>(id: GroupId, value: LeafNodeIndex) = OwnLeafIndex;
        write_group_epoch_secrets<GroupId, GroupEpochSecrets>(id: GroupId, value: GroupEpochSecrets) = EpochSecrets;
        write_signature_key_pair<SignaturePublicKey, SignatureKeyPair>(id: SignaturePublicKey, value: SignatureKeyPair) = SignatureKey;
        write_encryption_key_pair<EncryptionKey, HpkeKeyPair>(id: EncryptionKey, value: HpkeKeyPair) = EncryptionKey;
        write_key_package<HashReference, KeyPackage>(id: HashReference, value: KeyPackage) = KeyPackage;
        write_psk<PskId, PskBundle>(id: PskId, value: PskBundle) = Psk;
    }

    reads! {
        mls_group_join_config<GroupId, MlsGroupJoinConfig>(id: GroupId) -> MlsGroupJoinConfig = JoinConfig;
        tree<GroupId, TreeSync>(id: GroupId) -> TreeSync = Tree;
        group_context<GroupId, GroupContext>(id: GroupId) -> GroupContext = Context;
        interim_transcript_hash<GroupId, InterimTranscriptHash>(id: GroupId) -> InterimTranscriptHash = TranscriptHash;
        confirmation_tag<GroupId, ConfirmationTag>(id: GroupId) -> ConfirmationTag = ConfirmationTag;
        group_state<GroupState, GroupId>(id: GroupId) -> GroupState = GroupState;
        message_secrets<GroupId, MessageSecrets>(id: GroupId) -> MessageSecrets = MessageSecrets;
        resumption_psk_store<GroupId, ResumptionPskStore>(id: GroupId) -> ResumptionPskStore = ResumptionPsks;
        own_leaf_index<GroupId, LeafNodeIndex>(id: GroupId) -> LeafNodeIndex = OwnLeafIndex;
        group_epoch_secrets<GroupId, GroupEpochSecrets>(id: GroupId) -> GroupEpochSecrets = EpochSecrets;
        signature_key_pair<SignaturePublicKey, SignatureKeyPair>(id: SignaturePublicKey) -> SignatureKeyPair = SignatureKey;
        encryption_key_pair<HpkeKeyPair, EncryptionKey>(id: EncryptionKey) -> HpkeKeyPair = EncryptionKey;
        key_package<HashReference, KeyPackage>(id: HashReference) -> KeyPackage = KeyPackage;
        psk<PskBundle, PskId>(id: PskId) -> PskBundle = Psk;
    }

    deletes! {
        delete_own_leaf_nodes<GroupId> = OwnLeafNodes;
        delete_group_config<GroupId> = JoinConfig;
        delete_tree<GroupId> = Tree;
        delete_confirmation_tag<GroupId> = ConfirmationTag;
        delete_group_state<GroupId> = GroupState;
        delete_context<GroupId> = Context;
        delete_interim_transcript_hash<GroupId> = TranscriptHash;
        delete_message_secrets<GroupId> = MessageSecrets;
        delete_all_resumption_psk_secrets<GroupId> = ResumptionPsks;
        delete_own_leaf_index<GroupId> = OwnLeafIndex;
        delete_group_epoch_secrets<GroupId> = EpochSecrets;
        delete_signature_key_pair<SignaturePublicKey> = SignatureKey;
        delete_encryption_key_pair<EncryptionKey> = EncryptionKey;
        delete_key_package<HashReference> = KeyPackage;
        delete_psk<PskId> = Psk;
    }

    fn append_own_leaf_node<GroupId: traits::GroupId<VERSION>, LeafNode: traits::LeafNode<VERSION>>(
        &self,
        group: &GroupId,
        leaf: &LeafNode,
    ) -> Result<(), StoreError> {
        let mut leaves: Vec<Zeroizing<Vec<u8>>> = self.raw_leaves(group)?;
        leaves.push(self.watched(encode(leaf))?);
        let leaves: Vec<&[u8]> = leaves.iter().map(|leaf| leaf.as_slice()).collect();
        self.write(Label::OwnLeafNodes, group, &leaves)
    }

    fn own_leaf_nodes<GroupId: traits::GroupId<VERSION>, LeafNode: traits::LeafNode<VERSION>>(
        &self,
        group: &GroupId,
    ) -> Result<Vec<LeafNode>, StoreError> {
        let damaged = |error: rmp_serde::decode::Error| StoreError::Damaged(error.to_string());
        let leaves = self.raw_leaves(group)?;
        self.watched(leaves.iter().map(|leaf| rmp_serde::from_slice(leaf).map_err(damaged)).collect())
    }

    fn queue_proposal<
        GroupId: traits::GroupId<VERSION>,
        ProposalRef: traits::ProposalRef<VERSION>,
        QueuedProposal: traits::QueuedProposal<VERSION>,
    >(
        &self,
        group: &GroupId,
        reference: &ProposalRef,
        proposal: &QueuedProposal,
    ) -> Result<(), StoreError> {
        self.write(Label::Proposal, &(group, reference), proposal)?;
        let mut references: Vec<ProposalRef> = self.proposal_refs(group)?;
        let bytes = self.watched(encode(reference))?;
        for known in &references {
            if self.watched(encode(known))? == bytes {
                return Ok(());
            }
        }
        let copy = rmp_serde::from_slice(&bytes).map_err(|error| StoreError::Damaged(error.to_string()));
        references.push(self.watched(copy)?);
        self.write(Label::ProposalRefs, group, &references)
    }

    fn queued_proposal_refs<GroupId: traits::GroupId<VERSION>, ProposalRef: traits::ProposalRef<VERSION>>(
        &self,
        group: &GroupId,
    ) -> Result<Vec<ProposalRef>, StoreError> {
        self.proposal_refs(group)
    }

    fn queued_proposals<
        GroupId: traits::GroupId<VERSION>,
        ProposalRef: traits::ProposalRef<VERSION>,
        QueuedProposal: traits::QueuedProposal<VERSION>,
    >(
        &self,
        group: &GroupId,
    ) -> Result<Vec<(ProposalRef, QueuedProposal)>, StoreError> {
        let mut proposals = Vec::new();
        for reference in self.proposal_refs::<ProposalRef>(group)? {
            let proposal = self.read(Label::Proposal, &(group, &reference))?;
            let proposal = proposal.ok_or_else(|| StoreError::Damaged("a queued proposal is missing".to_owned()));
            proposals.push((reference, self.watched(proposal)?));
        }
        Ok(proposals)
    }

    fn remove_proposal<GroupId: traits::GroupId<VERSION>, ProposalRef: traits::ProposalRef<VERSION>>(
        &self,
        group: &GroupId,
        reference: &ProposalRef,
    ) -> Result<(), StoreError> {
        self.forget(Label::Proposal, &(group, reference))?;
        let (bytes, mut kept) = (self.watched(encode(reference))?, Vec::new());
        for known in self.proposal_refs::<ProposalRef>(group)? {
            if self.watched(encode(&known))? != bytes {
                kept.push(known);
            }
        }
        self.write(Label::ProposalRefs, group, &kept)
    }

    fn clear_proposal_queue<GroupId: traits::GroupId<VERSION>, ProposalRef: traits::ProposalRef<VERSION>>(
        &self,
        group: &GroupId,
    ) -> Result<(), StoreError> {
        for reference in self.proposal_refs::<ProposalRef>(group)? {
            self.forget(Label::Proposal, &(group, &reference))?;
        }
        self.forget(Label::ProposalRefs, group)
    }

    fn write_encryption_epoch_key_pairs<
        GroupId: traits::GroupId<VERSION>,
        EpochKey: traits::EpochKey<VERSION>,
        HpkeKeyPair: traits::HpkeKeyPair<VERSION>,
    >(
        &self,
        group: &GroupId,
        epoch: &EpochKey,
        leaf_index: u32,
        key_pairs: &[HpkeKeyPair],
    ) -> Result<(), StoreError> {
        self.write(Label::EpochKeys, &(group, epoch, leaf_index), &key_pairs)
    }

    fn encryption_epoch_key_pairs<
        GroupId: traits::GroupId<VERSION>,
        EpochKey: traits::EpochKey<VERSION>,
        HpkeKeyPair: traits::HpkeKeyPair<VERSION>,
    >(
        &self,
        group: &GroupId,
        epoch: &EpochKey,
        leaf_index: u32,
    ) -> Result<Vec<HpkeKeyPair>, StoreError> {
        Ok(self.read(Label::EpochKeys, &(group, epoch, leaf_index))?.unwrap_or_default())
    }

    fn delete_encryption_epoch_key_pairs<GroupId: traits::GroupId<VERSION>, EpochKey: traits::EpochKey<VERSION>>(
        &self,
        group: &GroupId,
        epoch: &EpochKey,
        leaf_index: u32,
    ) -> Result<(), StoreError> {
        self.forget(Label::EpochKeys, &(group, epoch, leaf_index))
    }
}

impl<K: KeyValue> MlsState<'_, K> {
    fn raw_leaves(&self, group: &impl Serialize) -> Result<Vec<Zeroizing<Vec<u8>>>, StoreError> {
        let leaves: Vec<Vec<u8>> = self.read(Label::OwnLeafNodes, group)?.unwrap_or_default();
        Ok(leaves.into_iter().map(Zeroizing::new).collect())
    }
}

#[cfg(test)]
mod tests {
    use openmls::prelude::GroupId;

    use super::*;

    /// What is stored is found by these bytes for ever.
    #[test]
    fn keys_stay_as_they_were_written() {
        let key = key(Label::Tree, &GroupId::from_slice(&[1, 200])).unwrap();
        assert_eq!(key, [b"m\x05\x81\xa5value\x81\xa3vec\x92\x01\xcc\xc8".as_slice()].concat());
    }

    #[test]
    fn values_are_read_as_bytes_and_as_the_lists_that_were_written_before() {
        let group = GroupId::from_slice(&[200; 9]);
        let before = rmp_serde::to_vec_named(&group).unwrap();
        let now = encode(&group).unwrap();
        assert!(now.len() < before.len());
        for bytes in [before.as_slice(), now.as_slice()] {
            assert_eq!(rmp_serde::from_slice::<GroupId>(bytes).unwrap(), group);
        }
    }

    #[test]
    fn a_long_value_is_written_whole() {
        let value: Vec<u32> = (0..5000).collect();
        assert_eq!(rmp_serde::from_slice::<Vec<u32>>(&encode(&value).unwrap()).unwrap(), value);
    }
}
