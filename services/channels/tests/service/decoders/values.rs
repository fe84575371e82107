//! Values of every kind that goes over the wire.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use semblance_channels::client::Content;
use semblance_channels::office::Delivery;
use semblance_channels::wire::{
    Admission, Answer, Body, Charter, Commit, ConsentFact, Creation, DeviceCall, Facts, Ground, HubCall, Item,
    KeyPackageUpload, Offer, Opening, Piece, RejoinInfo, Submission, WelcomePackage,
};
use semblance_core::attestation::LeafProof;
use semblance_core::consent::{Scope, Scopes};
use semblance_core::encode::Writer;
use semblance_core::id::{ChannelId, ConsentId, Digest, OrganisationId, ParticipantId, TransactionId};
use semblance_core::introduction::ConsentOpening;
use semblance_core::record::Record;
use semblance_core::signature::{Signature, SignedBytes, SigningKey, VerifyingKey};
use semblance_core::time::Timestamp;

fn channel() -> impl Strategy<Value = ChannelId> {
    any::<[u8; 16]>().prop_map(ChannelId::from_bytes)
}

fn participant() -> impl Strategy<Value = ParticipantId> {
    any::<[u8; 16]>().prop_map(ParticipantId::from_bytes)
}

fn consent() -> impl Strategy<Value = ConsentId> {
    any::<[u8; 16]>().prop_map(ConsentId::from_bytes)
}

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest::from_bytes)
}

fn transaction() -> impl Strategy<Value = TransactionId> {
    any::<[u8; 32]>().prop_map(TransactionId::from_bytes)
}

fn moment() -> impl Strategy<Value = Timestamp> {
    any::<u64>().prop_map(Timestamp::from_millis)
}

/// Few, because each is a multiplication on the curve.
fn key() -> impl Strategy<Value = VerifyingKey> {
    (0_u8..4).prop_map(|seed| SigningKey::from_seed(&[seed; 32]).verifying_key())
}

fn organisation() -> impl Strategy<Value = OrganisationId> {
    "[a-z][a-z0-9]{0,8}".prop_map(|name| OrganisationId::new(&name).unwrap())
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

fn signed() -> impl Strategy<Value = SignedBytes> {
    let signature = (any::<[u8; 32]>(), any::<[u8; 32]>());
    (bytes(), signature).prop_map(|(bytes, (first, second))| {
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&first);
        signature[32..].copy_from_slice(&second);
        SignedBytes::new(bytes, Signature::from_bytes(signature))
    })
}

pub(super) fn proof() -> impl Strategy<Value = LeafProof> {
    (signed(), option::of(signed())).prop_map(|(attestation, pledge)| LeafProof { attestation, pledge })
}

pub(super) fn charter() -> impl Strategy<Value = Charter> {
    let opening = prop_oneof![signed().prop_map(Opening::Channel), signed().prop_map(Opening::Group)];
    let consents = (consent(), any::<[u8; 32]>()).prop_map(|(consent, salt)| ConsentOpening { consent, salt });
    (opening, vec(consents, 0..4)).prop_map(|(opening, consents)| Charter { opening, consents })
}

fn consent_fact() -> impl Strategy<Value = ConsentFact> {
    let scopes = proptest::sample::subsequence(Scope::ALL.to_vec(), 1..=Scope::ALL.len());
    (organisation(), key(), scopes, moment(), option::of((transaction(), moment()))).prop_map(
        |(hospital, patient_key, scopes, expires, withdrawn)| ConsentFact {
            hospital,
            patient_key,
            scopes: Scopes::new(&scopes).unwrap(),
            expires,
            withdrawn,
        },
    )
}

pub(super) fn facts() -> impl Strategy<Value = Facts> {
    let hospitals = btree_map(organisation(), vec(key(), 0..3), 0..4);
    let consents = btree_map(consent(), consent_fact(), 0..4);
    (hospitals, consents).prop_map(|(hospitals, consents)| Facts { hospitals, consents })
}

pub(super) fn submission() -> impl Strategy<Value = Submission> {
    prop_oneof![
        (bytes(), bytes(), proof()).prop_map(|(group_info, tree, proof)| Submission::Create(Creation {
            group_info,
            tree,
            proof
        })),
        (bytes(), option::of(bytes()), bytes()).prop_map(|(commit, welcome, group_info)| Submission::Commit(Commit {
            commit,
            welcome,
            group_info
        })),
        bytes().prop_map(Submission::Message),
    ]
}

pub(super) fn admission() -> impl Strategy<Value = Admission> {
    (channel(), bytes(), proof()).prop_map(|(channel, key_package, proof)| Admission { channel, key_package, proof })
}

pub(super) fn rejoin_info() -> impl Strategy<Value = RejoinInfo> {
    (bytes(), bytes(), vec(proof(), 0..4), any::<u64>()).prop_map(|(group_info, tree, roster, sequence)| RejoinInfo {
        group_info,
        tree,
        roster,
        sequence,
    })
}

fn ground() -> impl Strategy<Value = Ground> {
    prop_oneof![
        (consent(), option::of(transaction()))
            .prop_map(|(consent, transaction)| Ground::ConsentEnded { consent, transaction }),
        signed().prop_map(Ground::Revoked),
    ]
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        bytes().prop_map(Body::Commit),
        (bytes(), ground()).prop_map(|(proposal, ground)| Body::Removal { proposal, ground }),
        bytes().prop_map(Body::Message),
        (bytes(), bytes(), vec(proof(), 0..4), bytes()).prop_map(|(welcome, tree, roster, group_info)| {
            Body::Welcome(WelcomePackage { welcome, tree, roster, group_info })
        }),
        Just(Body::Work),
        ground().prop_map(Body::Ended),
    ]
}

fn item() -> impl Strategy<Value = Item> {
    (channel(), any::<u64>(), moment(), digest(), body()).prop_map(|(channel, sequence, at, key, body)| Item {
        channel,
        sequence,
        at,
        key,
        body,
    })
}

pub(super) fn delivery() -> impl Strategy<Value = Delivery> {
    (item(), vec(participant(), 0..4)).prop_map(|(item, to)| Delivery { item, to })
}

fn piece() -> impl Strategy<Value = Piece> {
    (digest(), any::<u64>(), any::<u64>(), bytes()).prop_map(|(digest, size, number, bytes)| Piece {
        digest,
        size,
        number,
        bytes,
    })
}

fn offer() -> impl Strategy<Value = Offer> {
    (charter(), consent(), "\\PC{0,20}", any::<bool>()).prop_map(|(charter, consent, about, joined)| Offer {
        charter,
        consent,
        about,
        joined,
    })
}

pub(super) fn device_call() -> impl Strategy<Value = DeviceCall> {
    let upload = (bytes(), any::<bool>()).prop_map(|(bytes, last_resort)| KeyPackageUpload { bytes, last_resort });
    let join = (channel(), participant(), key());
    prop_oneof![
        Just(DeviceCall::Offers),
        vec(upload, 0..4).prop_map(DeviceCall::Upload),
        Just(DeviceCall::PackagesLeft),
        join.prop_map(|(channel, participant, leaf_key)| DeviceCall::Join { channel, participant, leaf_key }),
        (channel(), submission()).prop_map(|(channel, one)| DeviceCall::Submit(channel, one)),
        (channel(), any::<u64>()).prop_map(|(channel, first)| DeviceCall::Items(channel, first)),
        channel().prop_map(DeviceCall::Admissions),
        channel().prop_map(DeviceCall::Rejoin),
        channel().prop_map(DeviceCall::Leave),
        vec(consent(), 0..4).prop_map(DeviceCall::Facts),
        any::<u64>().prop_map(DeviceCall::Kept),
        (channel(), piece()).prop_map(|(channel, one)| DeviceCall::PutPiece(channel, one)),
        (channel(), digest(), any::<u64>()).prop_map(|(channel, one, at)| DeviceCall::Piece(channel, one, at)),
    ]
}

pub(super) fn hub_call() -> impl Strategy<Value = HubCall> {
    let who = || (channel(), participant());
    prop_oneof![
        channel().prop_map(HubCall::HasGroup),
        (who(), submission()).prop_map(|((channel, who), one)| HubCall::Submit(channel, who, one)),
        admission().prop_map(HubCall::Admit),
        signed().prop_map(HubCall::Revoke),
        (who(), any::<u64>()).prop_map(|((channel, who), first)| HubCall::Items(channel, who, first)),
        who().prop_map(|(channel, who)| HubCall::Admissions(channel, who)),
        who().prop_map(|(channel, who)| HubCall::Rejoin(channel, who)),
        (who(), piece()).prop_map(|((channel, who), one)| HubCall::PutPiece(channel, who, one)),
        (who(), digest(), any::<u64>()).prop_map(|((channel, who), one, at)| HubCall::Piece(channel, who, one, at)),
        vec((any::<u64>(), bytes()), 0..4).prop_map(HubCall::Deliver),
    ]
}

pub(super) fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        Just(Answer::Done),
        any::<u64>().prop_map(Answer::Number),
        any::<bool>().prop_map(Answer::Flag),
        vec(offer(), 0..3).prop_map(Answer::Offers),
        proof().prop_map(Answer::Create),
        vec(item(), 0..3).prop_map(Answer::Items),
        vec(admission(), 0..3).prop_map(Answer::Admissions),
        rejoin_info().prop_map(Answer::Rejoin),
        facts().prop_map(Answer::Facts),
        piece().prop_map(Answer::Piece),
    ]
}

pub(super) fn content() -> impl Strategy<Value = Content> {
    // The key of a file is made by a device and can be had from nowhere else.
    let file = ("\\PC{0,20}", 0_u64..=25 << 20, any::<[u8; 32]>(), any::<[u8; 32]>());
    prop_oneof![
        "\\PC{0,20}".prop_map(|name| Content::Introduce { name }),
        "\\PC{0,200}".prop_map(Content::Text),
        file.prop_map(|(name, size, blob, key)| {
            let mut writer = Writer::record(Content::VERSION);
            writer.u8(3).text(&name).u64(size).raw(&blob).raw(&key);
            Content::decode(&writer.finish()).unwrap()
        }),
    ]
}
