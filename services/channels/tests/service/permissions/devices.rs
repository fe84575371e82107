//! What devices may.

use semblance_channels::office::Token;
use semblance_channels::wire::{Answer, DeviceCall, Refusal, Submission};
use semblance_core::id::ParticipantId;
use semblance_core::signature::SigningKey;

use super::stage::{HOME, Stage, piece};
use super::{EXISTS, NOT_AUTHORISED, NOT_MEMBER, assert_complete, assert_recorded, audit, word};

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// Made the group.
    Creator,
    /// Was added.
    Member,
    /// Waits to be added.
    Pending,
    /// Agreed, and the hub does not know it.
    Unknown,
    /// Was a member until the consent was withdrawn.
    Withdrawn,
    /// Was a member and left.
    Left,
    /// Has no part in the channel.
    Stranger,
    /// Is a member whose token was taken away.
    Revoked,
    /// Shows a token that is nobody's.
    Nobody,
}

const CALLERS: [Caller; 9] = [
    Caller::Creator,
    Caller::Member,
    Caller::Pending,
    Caller::Unknown,
    Caller::Withdrawn,
    Caller::Left,
    Caller::Stranger,
    Caller::Revoked,
    Caller::Nobody,
];

/// What the audit calls a call, and what comes of it, in the order of [`CALLERS`].
///
/// A new call does not compile before it has a row here.
#[rustfmt::skip]
const fn row(call: &DeviceCall) -> (&'static str, [&'static str; CALLERS.len()]) {
    const NO: &str = NOT_AUTHORISED;
    const OUT: &str = NOT_MEMBER;
    match call {
        //                                                creator       member        pending   unknown  withdrawn left     stranger  revoked nobody
        DeviceCall::Offers => ("offers",                 ["offers",     "offers",     "offers", "offers", "offers", "offers", "offers", NO, NO]),
        DeviceCall::Upload(_) => ("upload",              ["done",       "done",       "done",   "done",   "done",   "done",   "done",   NO, NO]),
        DeviceCall::PackagesLeft => ("packages-left",    ["number",     "number",     "number", "number", "number", "number", "number", NO, NO]),
        DeviceCall::Join { .. } => ("join",              ["done",       "done",       "done",   "done",   NO,       "done",   NO,       NO, NO]),
        DeviceCall::Submit(_, Submission::Message(_)) =>
            ("submit",                                   ["number",     "number",     OUT,      OUT,      OUT,      OUT,      OUT,      NO, NO]),
        DeviceCall::Submit(_, Submission::Commit(_)) =>
            ("submit",                                   [NO,           "number",     OUT,      OUT,      OUT,      OUT,      OUT,      NO, NO]),
        DeviceCall::Submit(_, Submission::Create(_)) =>
            ("submit",                                   [EXISTS,       EXISTS,       EXISTS,   EXISTS,   OUT,      OUT,      OUT,      NO, NO]),
        DeviceCall::Items(..) => ("items",               ["items",      "items",      OUT,      OUT,      OUT,      OUT,      OUT,      NO, NO]),
        DeviceCall::Admissions(_) => ("admissions",      ["admissions", "admissions", OUT,      OUT,      OUT,      OUT,      OUT,      NO, NO]),
        DeviceCall::Rejoin(_) => ("rejoin",              ["rejoin",     "rejoin",     "rejoin", OUT,      OUT,      OUT,      OUT,      NO, NO]),
        DeviceCall::Leave(_) => ("leave",                ["done",       "done",       "done",   OUT,      OUT,      OUT,      OUT,      NO, NO]),
        DeviceCall::Facts(_) => ("facts",                ["facts",      "facts",      "facts",  "facts",  "facts",  "facts",  "facts",  NO, NO]),
        DeviceCall::Kept(_) => ("kept",                  ["done",       "done",       "done",   "done",   "done",   "done",   "done",   NO, NO]),
        DeviceCall::PutPiece(..) => ("put-piece",        ["flag",       "flag",       OUT,      OUT,      OUT,      OUT,      OUT,      NO, NO]),
        DeviceCall::Piece(..) => ("piece",               ["piece",      "piece",      OUT,      OUT,      OUT,      OUT,      OUT,      NO, NO]),
    }
}

/// Each call once, as it would be made by somebody who may; a submission in each of its kinds.
fn calls(stage: &mut Stage) -> Vec<DeviceCall> {
    let channel = stage.channel;
    let leaf_key = SigningKey::from_seed(&[1; 32]).verifying_key();
    let mut calls = vec![
        DeviceCall::Offers,
        DeviceCall::Upload(vec![stage.upload()]),
        DeviceCall::PackagesLeft,
        DeviceCall::Items(channel, 1),
        DeviceCall::Admissions(channel),
        DeviceCall::Rejoin(channel),
        DeviceCall::Facts(vec![stage.consent]),
        DeviceCall::Kept(0),
        DeviceCall::PutPiece(channel, piece(b"another one")),
        DeviceCall::Piece(channel, stage.kept.digest, 0),
        DeviceCall::Join { channel, participant: ParticipantId::from_bytes([9; 16]), leaf_key },
        DeviceCall::Leave(channel),
    ];
    calls.extend(stage.submissions.iter().map(|one| DeviceCall::Submit(channel, one.clone())));
    assert_complete(&calls);
    calls
}

/// Whether others' answers change once this was done.
const fn changes(call: &DeviceCall) -> bool {
    matches!(call, DeviceCall::Join { .. } | DeviceCall::Submit(..) | DeviceCall::Leave(_))
}

/// A stage on which somebody has the standing of a caller; their token and name.
async fn stage_for(caller: Caller, seed: u8, hub: usize) -> (Stage, Token, String) {
    let stage = Stage::new(seed, hub).await;
    match caller {
        Caller::Withdrawn => stage.town.withdraw(stage.consent).await,
        Caller::Left => stage.leave().await,
        Caller::Revoked => stage.revoke(),
        _ => {}
    }
    let somebody = match caller {
        Caller::Creator => &stage.creator,
        Caller::Pending => &stage.pending,
        Caller::Unknown => &stage.unknown,
        Caller::Stranger => &stage.stranger,
        Caller::Member | Caller::Withdrawn | Caller::Left | Caller::Revoked | Caller::Nobody => &stage.member,
    };
    let token = if caller == Caller::Nobody { Token([0x5a; 32]) } else { somebody.token.clone() };
    let actor = match caller {
        Caller::Revoked | Caller::Nobody => "stranger".to_owned(),
        _ => format!("device of {}", somebody.device.person),
    };
    (stage, token, actor)
}

async fn ask(stage: &Stage, token: Token, call: DeviceCall) -> Result<Answer, Refusal> {
    let service = &stage.town.services[HOME];
    let device = service.authenticate(token).await?;
    service.ask(&device, call).await
}

async fn play(hub: usize) {
    let mut seed = 0;
    for (column, caller) in CALLERS.into_iter().enumerate() {
        let (mut stage, mut token, mut actor) = stage_for(caller, seed, hub).await;
        let mut stale = false;
        for number in 0..calls(&mut stage).len() {
            if stale {
                seed += 1;
                (stage, token, actor) = stage_for(caller, seed, hub).await;
            }
            let call = calls(&mut stage).swap_remove(number);
            let (action, expected) = row(&call);
            let service = &stage.town.services[HOME];
            let before = audit(service).await.len();
            let (leaves, changes) = (matches!(call, DeviceCall::Leave(_)), changes(&call));
            let answer = ask(&stage, token.clone(), call).await;
            assert_eq!(word(&answer), expected[column], "{caller:?} calls {action} ({number}), hub {hub}: {answer:?}");
            let nobody = actor == "stranger";
            // The first of a flood of strangers is recorded at once, the others with their number later.
            // A part ends at home when its device leaves, whatever the hub says.
            stale = nobody || leaves || (changes && answer.is_ok());
            let action = if nobody { "authenticate" } else { action };
            assert_recorded(service, before, (&actor, action), &answer).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_may_what_the_table_says_where_their_own_node_is_the_hub() {
    play(HOME).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_may_what_the_table_says_where_another_hospitals_node_is_the_hub() {
    play(1).await;
}
