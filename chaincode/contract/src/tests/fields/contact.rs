//! Introductions, channels and symptom groups.

use semblance_core::channel::SealedTopic;
use serde_json::{Value, json};

use super::{all, read, signed};
use crate::state::{
    ChannelRecord, IntroductionAnswerRecord, IntroductionChannel, IntroductionRecord, ProposedIntroduction,
};
use crate::wire::{OpenGroup, SignedStatement};

pub(super) fn record(family: &str, bytes: &[u8]) -> Value {
    match family {
        "introduction" => {
            let record: IntroductionRecord = read(bytes);
            json!({ "recorded": record.recorded.millis(), "proposal": signed(&record.proposal) })
        }
        "introduction-of" => json!({ "introduction": read::<ProposedIntroduction>(bytes).0.to_string() }),
        "introduction-answer" => {
            let record: IntroductionAnswerRecord = read(bytes);
            json!({ "recorded": record.recorded.millis(), "answer": signed(&record.answer) })
        }
        "introduction-channel" => json!({ "channel": read::<IntroductionChannel>(bytes).0.to_string() }),
        "channel" => {
            let record: ChannelRecord = read(bytes);
            let (recorded, kind) = (record.recorded.millis(), record.kind.word());
            json!({ "recorded": recorded, "kind": kind, "opening": signed(&record.opening) })
        }
        "group-topic" => topic(&read(bytes)),
        _ => panic!("records under {family}/ have no vector"),
    }
}

pub(super) fn argument(function: &str, bytes: &[u8]) -> Value {
    match function {
        "propose_introduction" | "answer_introduction" | "open_channel" => signed(&read::<SignedStatement>(bytes).0),
        "open_group" => {
            let argument: OpenGroup = read(bytes);
            json!({ "opening": signed(&argument.opening), "topics": all(&argument.topics, topic) })
        }
        _ => panic!("the argument of {function} has no vector"),
    }
}

fn topic(topic: &SealedTopic) -> Value {
    json!({ "hospital": topic.hospital.as_str(), "key": topic.key.0, "sealed": hex::encode(topic.sealed) })
}
