//! Who may what: every call of a device and of a hospital, by everybody who could make it. Each denial is recorded.

mod devices;
mod hospitals;
mod stage;

use std::collections::BTreeSet;

use semblance_channels::node::ChannelService;
use semblance_channels::wire::{Answer, Refusal};
use semblance_core::encode::DecodeError;
use semblance_core::record::Record;

/// A refusal's words in the tables.
const ENDED: &str = "ended";
const EXISTS: &str = "channel-exists";
const NOT_AUTHORISED: &str = "not-authorised";
const NOT_MEMBER: &str = "not-member";
const UNKNOWN: &str = "unknown-channel";
const UNPROVEN: &str = "unproven";

/// What came of a call, in one word.
const fn word(answer: &Result<Answer, Refusal>) -> &'static str {
    match answer {
        Ok(Answer::Done) => "done",
        Ok(Answer::Number(_)) => "number",
        Ok(Answer::Flag(_)) => "flag",
        Ok(Answer::Offers(_)) => "offers",
        Ok(Answer::Create(_)) => "create",
        Ok(Answer::Items(_)) => "items",
        Ok(Answer::Admissions(_)) => "admissions",
        Ok(Answer::Rejoin(_)) => "rejoin",
        Ok(Answer::Facts(_)) => "facts",
        Ok(Answer::Piece(_)) => "piece",
        Err(refusal) => refusal.word(),
    }
}

/// The codes of a kind of call that its decoder knows.
fn known_codes<T: Record>() -> BTreeSet<u8> {
    let unknown = |code| {
        let why = T::decode(&[T::VERSION, code]).err();
        matches!(why, Some(DecodeError::Invalid { why: "unknown code", .. }))
    };
    (0..=u8::MAX).filter(|code| !unknown(*code)).collect()
}

/// Makes sure that a table has a row for each code.
pub(crate) fn assert_complete<T: Record>(calls: &[T]) {
    let asked: BTreeSet<u8> = calls.iter().map(|call| call.encode()[1]).collect();
    assert_eq!(asked, known_codes::<T>(), "every call has a row");
}

/// Who, what, and the outcome's word, the newest first.
type Lines = Vec<(String, String, String)>;

/// What a node's audit says.
async fn audit(service: &ChannelService) -> Lines {
    let rows = service.audit(usize::MAX >> 1).await.unwrap();
    rows.into_iter().map(|(_, actor, action, code)| (actor, action, code)).collect()
}

/// Makes sure that a denial, and nothing but a denial, was recorded since the audit had so many lines.
async fn assert_recorded(
    service: &ChannelService,
    before: usize,
    (actor, action): (&str, &str),
    answer: &Result<Answer, Refusal>,
) {
    let lines = audit(service).await;
    let new = &lines[..lines.len() - before];
    let denials: Vec<_> = new.iter().filter(|(_, _, code)| code != "ok").collect();
    let own = denials.iter().filter(|(who, what, _)| who == actor && what == action).collect::<Vec<_>>();
    match answer {
        // That somebody else was first is no denial.
        Err(refusal) if *refusal != Refusal::ChannelExists => {
            assert_eq!(own.len(), 1, "{actor} was refused {action}: {}, the audit says {new:?}", refusal.word());
            assert_eq!(own[0].2, refusal.word(), "{actor}, {action}");
        }
        _ => assert!(denials.is_empty(), "{actor} was not refused {action}, the audit says {new:?}"),
    }
}
