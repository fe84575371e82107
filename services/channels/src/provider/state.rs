//! The state of MLS groups as rows.

use std::cell::RefCell;

use openmls::prelude::GroupId;
use openmls_traits::storage::{CURRENT_VERSION as VERSION, StorageProvider, traits};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::layout::{Label, encode, key, prefixes_of};
use crate::store::{KeyValue, StoreError};

/// openmls's storage over rows of our own.
///
/// openmls hides what failed behind errors of its own, which read as if somebody had sent nonsense: whoever works with
/// this asks whether the store failed before believing them.
pub struct MlsState<'a, K> {
    rows: &'a K,
    failed: RefCell<Option<StoreError>>,
}

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
        for prefix in prefixes_of(group)? {
            for (key, _) in self.rows.scan(&prefix, usize::MAX)? {
                self.rows.delete(&key)?;
            }
        }
        Ok(())
    }

    fn proposal_refs<R: DeserializeOwned>(&self, group: &impl Serialize) -> Result<Vec<R>, StoreError> {
        Ok(self.read(Label::ProposalRefs, group)?.unwrap_or_default())
    }
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
