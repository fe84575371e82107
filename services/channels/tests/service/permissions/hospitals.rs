//! What hospitals may of a channel's hub, and a hub of its members' homes.

use semblance_channels::node::ChannelService;
use semblance_channels::office::Delivery;
use semblance_channels::testing::{NETWORK, organisation};
use semblance_channels::wire::{Admission, Body, HubCall, Item, Submission};
use semblance_core::attestation::LeafRevocation;
use semblance_core::id::{ChannelId, Digest, ParticipantId};
use semblance_core::record::Record;
use semblance_core::signature::{SignedBytes, Statement};
use semblance_core::time::Clock;

use super::stage::{ELSEWHERE, HOME, Stage, piece, speaker, waiting_at};
use super::{
    ENDED, EXISTS, NOT_AUTHORISED, NOT_MEMBER, UNKNOWN, UNPROVEN, assert_complete, assert_recorded, audit, word,
};
use crate::world::Wall;

/// The hub of every channel here.
const HUB: usize = 1;

/// Which hospital calls, and about whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// A member's home about the member.
    Member,
    /// Its home about somebody who waits to be added.
    Pending,
    /// A hospital about somebody of whom the hub has not heard.
    Unknown,
    /// Its home about somebody whose consent was withdrawn.
    Withdrawn,
    /// Its home about somebody who left.
    Left,
    /// Another hospital of the network about the member.
    Elsewhere,
    /// The member's home about a channel that is not.
    NoChannel,
    /// A member of the network that is no hospital about the member.
    NoHospital,
}

const ALL: [About; 8] = [
    About::Member,
    About::Pending,
    About::Unknown,
    About::Withdrawn,
    About::Left,
    About::Elsewhere,
    About::NoChannel,
    About::NoHospital,
];

/// What the audit calls a call, and what comes of it, in the order of [`ALL`].
///
/// A new call does not compile before it has a row here.
#[rustfmt::skip]
const fn row(call: &HubCall) -> (&'static str, [&'static str; ALL.len()]) {
    const NO: &str = NOT_AUTHORISED;
    const OUT: &str = NOT_MEMBER;
    match call {
        //                                      member        pending   unknown   withdrawn left     elsewhere       no channel  no hospital
        HubCall::HasGroup(_) => ("has-group",  ["flag",       "flag",   "flag",   "flag",   "flag",  "flag",         UNKNOWN,    NO]),
        HubCall::Submit(_, _, Submission::Message(_)) =>
            ("submit",                         ["number",     OUT,      OUT,      ENDED,    ENDED,   OUT,            UNKNOWN,    NO]),
        HubCall::Submit(_, _, Submission::Commit(_)) =>
            ("submit",                         ["number",     OUT,      OUT,      ENDED,    ENDED,   OUT,            UNKNOWN,    NO]),
        HubCall::Submit(_, _, Submission::Create(_)) =>
            ("submit",                         [EXISTS,       EXISTS,   EXISTS,   EXISTS,   EXISTS,  EXISTS,         UNKNOWN,    NO]),
        HubCall::Admit(_) => ("admit",         ["done",       "done",   "done",   UNPROVEN, ENDED,   UNPROVEN,       UNKNOWN,    NO]),
        HubCall::Revoke(_) => ("revoke",       ["done",       "done",   OUT,      "done",   "done",  NOT_AUTHORISED, UNKNOWN,    NO]),
        HubCall::Items(..) => ("items",        ["items",      OUT,      OUT,      ENDED,    ENDED,   OUT,            OUT,        NO]),
        HubCall::Admissions(..) =>
            ("admissions",                     ["admissions", OUT,      OUT,      ENDED,    ENDED,   OUT,            OUT,        NO]),
        HubCall::Rejoin(..) => ("rejoin",      ["rejoin",     "rejoin", OUT,      ENDED,    ENDED,   OUT,            OUT,        NO]),
        HubCall::PutPiece(..) => ("put-piece", ["flag",       OUT,      OUT,      ENDED,    ENDED,   OUT,            OUT,        NO]),
        HubCall::Piece(..) => ("piece",        ["piece",      OUT,      OUT,      ENDED,    ENDED,   OUT,            OUT,        NO]),
        // What is delivered for nobody is passed over: it may have been on its way when their part ended.
        HubCall::Deliver(_) => ("deliver",     ["number",     "number", "number", "number", "number", "number",      "number",   NO]),
    }
}

/// A hospital's word that a device of its own takes no further part.
fn revocation(stage: &Stage, hospital: usize, channel: ChannelId, participant: ParticipantId) -> SignedBytes {
    let revocation = LeafRevocation {
        network: NETWORK,
        channel,
        hospital: stage.town.services[hospital].organisation().clone(),
        participant,
        time: Wall.now(),
    };
    revocation.sign(stage.town.signing(hospital)).into_parts().1
}

fn delivery(channel: ChannelId, to: ParticipantId) -> Vec<u8> {
    let body = Body::Message(b"forged".to_vec());
    let item = Item { channel, sequence: 1, at: Wall.now(), key: Digest::of(b"forged"), body };
    Delivery { item, to: vec![to] }.encode()
}

/// Each call once; a submission in each of its kinds.
fn calls(stage: &mut Stage, about: About) -> Vec<HubCall> {
    let channel = if about == About::NoChannel { ChannelId::from_bytes([0xee; 16]) } else { stage.channel };
    let fresh = stage.fresh_admission();
    let (admission, participant) = match about {
        About::Pending => {
            let waiting = waiting_at(&stage.town, HUB, channel, &stage.creator.device);
            (waiting, speaker(&stage.town, channel, &stage.pending.device).participant)
        }
        About::Unknown => {
            let participant = fresh.participant(NETWORK).unwrap();
            (fresh, participant)
        }
        _ => (stage.admission.clone(), stage.participant),
    };
    let mut calls = vec![
        HubCall::HasGroup(channel),
        HubCall::Items(channel, participant, 1),
        HubCall::Admissions(channel, participant),
        HubCall::Rejoin(channel, participant),
        HubCall::PutPiece(channel, participant, piece(b"another one")),
        HubCall::Piece(channel, participant, stage.kept.digest, 0),
        HubCall::Deliver(vec![(1, delivery(channel, participant))]),
        HubCall::Admit(Admission { channel, ..admission }),
        HubCall::Revoke(revocation(stage, HOME, channel, participant)),
    ];
    calls.extend(stage.submissions.iter().map(|one| HubCall::Submit(channel, participant, one.clone())));
    assert_complete(&calls);
    calls
}

/// Whether others' answers change once this was done.
const fn changes(call: &HubCall) -> bool {
    matches!(call, HubCall::Admit(_) | HubCall::Revoke(_) | HubCall::Submit(..))
}

async fn stage_for(about: About, seed: u8) -> Stage {
    let stage = Stage::new(seed, HUB).await;
    match about {
        About::Withdrawn => stage.town.withdraw(stage.consent).await,
        About::Left => stage.leave().await,
        _ => {}
    }
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn hospitals_may_what_the_table_says() {
    let mut seed = 0;
    for (column, about) in ALL.into_iter().enumerate() {
        let mut stage = stage_for(about, seed).await;
        let mut stale = false;
        for number in 0..calls(&mut stage, about).len() {
            if stale {
                seed += 1;
                stage = stage_for(about, seed).await;
            }
            let call = calls(&mut stage, about).swap_remove(number);
            let (action, expected) = row(&call);
            let caller = match about {
                About::NoHospital => organisation("matcher"),
                About::Elsewhere => stage.town.services[ELSEWHERE].organisation().clone(),
                _ => stage.town.services[HOME].organisation().clone(),
            };
            let hub = &stage.town.services[HUB];
            let before = audit(hub).await.len();
            stale = changes(&call);
            let answer = hub.serve(&caller, call).await;
            assert_eq!(word(&answer), expected[column], "{about:?}: {action} ({number}): {answer:?}");
            stale &= answer.is_ok();
            assert_recorded(hub, before, (caller.as_str(), action), &answer).await;
        }
    }
}

/// A hospital's own signed word ends the part of nobody but its own devices.
#[tokio::test(flavor = "multi_thread")]
async fn a_hospital_cannot_revoke_anothers_member_by_its_own_word() {
    let stage = Stage::new(210, HUB).await;
    let (hub, elsewhere) = (&stage.town.services[HUB], stage.town.services[ELSEWHERE].organisation().clone());
    let before = audit(hub).await.len();
    let own = revocation(&stage, ELSEWHERE, stage.channel, stage.participant);
    let answer = hub.serve(&elsewhere, HubCall::Revoke(own)).await;
    assert_eq!(word(&answer), NOT_AUTHORISED);
    assert_recorded(hub, before, (elsewhere.as_str(), "revoke"), &answer).await;
    let home = stage.town.services[HOME].organisation().clone();
    let items = hub.serve(&home, HubCall::Items(stage.channel, stage.participant, 1)).await;
    assert_eq!(word(&items), "items", "the member is still in");
}

/// A proof holds for one channel: it cannot be handed over for another one.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_let_into_one_channel_is_not_let_into_another() {
    let mut stage = Stage::new(211, HUB).await;
    let consents = [stage.consent];
    let other = stage.town.open(HUB, &consents).await.trusted(NETWORK).unwrap().channel;
    let (hub, home) = (&stage.town.services[HUB], stage.town.services[HOME].organisation().clone());
    let before = audit(hub).await.len();
    let answer = hub.serve(&home, HubCall::Admit(Admission { channel: other, ..stage.admission.clone() })).await;
    assert_eq!(word(&answer), UNPROVEN);
    assert_recorded(hub, before, (home.as_str(), "admit"), &answer).await;
}

async fn forged(stage: &Stage, home: &ChannelService) -> bool {
    let queued = home.queue(&stage.member.device, 0, 1000).await.unwrap();
    queued.iter().any(|one| one.item.key == Digest::of(b"forged"))
}

/// What reaches a device comes from its channel's hub and from no other hospital.
#[tokio::test(flavor = "multi_thread")]
async fn a_hospital_that_is_not_the_hub_delivers_nothing() {
    let stage = Stage::new(212, HUB).await;
    let home = &stage.town.services[HOME];
    let deliver = || HubCall::Deliver(vec![(1 << 60, delivery(stage.channel, stage.participant))]);
    let elsewhere = stage.town.services[ELSEWHERE].organisation().clone();
    home.serve(&elsewhere, deliver()).await.unwrap();
    assert!(!forged(&stage, home).await, "nothing came by another hospital");
    let hub = stage.town.services[HUB].organisation().clone();
    home.serve(&hub, deliver()).await.unwrap();
    assert!(forged(&stage, home).await, "the hub's own deliveries come");
}

/// Bytes that are no delivery are refused as a whole, and nothing before them is taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_cannot_be_read_is_refused_and_recorded() {
    let stage = Stage::new(213, HUB).await;
    let (home, hub) = (&stage.town.services[HOME], stage.town.services[HUB].organisation().clone());
    let before = audit(home).await.len();
    let deliveries = vec![(1 << 60, delivery(stage.channel, stage.participant)), ((1 << 60) + 1, vec![0xff])];
    let answer = home.serve(&hub, HubCall::Deliver(deliveries)).await;
    assert_eq!(word(&answer), "malformed");
    assert_recorded(home, before, (hub.as_str(), "deliver"), &answer).await;
    assert!(!forged(&stage, home).await);
}
