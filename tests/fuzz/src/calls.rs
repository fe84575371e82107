//! Decoders of what devices, homes and hubs tell each other in channels. The tests of channels call these over the
//! corpus; no other crate knows channels.

use semblance_channels::client::Content;
use semblance_channels::mls::{end_of_group_info, read_message, read_protocol};
use semblance_channels::office::Delivery;
use semblance_channels::wire::{
    Admission, Answer, Body, Charter, DeviceCall, Facts, HubCall, Item, Note, Refusal, RejoinInfo, Submission,
};
use semblance_core::id::{ChannelId, NetworkId};
use semblance_core::record::Record;

/// The network of the corpus.
pub const CHANNELS_NETWORK: NetworkId = NetworkId::from_bytes([7; 16]);

/// Takes bytes as they come.
pub type Decode = fn(&[u8]);

/// Every decoder of channels by the name of its fuzz target.
pub const ALL_OF_CHANNELS: &[(&str, Decode)] = &[
    ("channel_answer", channel_answer),
    ("channel_call", channel_call),
    ("channel_charter", channel_charter),
    ("channel_content", channel_content),
    ("channel_item", channel_item),
    ("channel_mls", channel_mls),
    ("channel_relay", channel_relay),
    ("channel_submission", channel_submission),
];

fn strict<T: Record>(bytes: &[u8]) -> Option<T> {
    let record = T::decode(bytes).ok()?;
    assert_eq!(record.encode(), bytes, "{} has one encoding", T::NAME);
    Some(record)
}

/// What a node answers, and the word it refuses with.
pub fn channel_answer(bytes: &[u8]) {
    strict::<Answer>(bytes);
    if let Some(refusal) = std::str::from_utf8(bytes).ok().and_then(Refusal::from_word) {
        assert_eq!(refusal.word().as_bytes(), bytes);
    }
}

/// What a device asks.
pub fn channel_call(bytes: &[u8]) {
    strict::<DeviceCall>(bytes);
}

/// What a channel rests on, and what the ledger says about it.
pub fn channel_charter(bytes: &[u8]) {
    let facts = strict::<Facts>(bytes).unwrap_or_default();
    let Some(charter) = strict::<Charter>(bytes) else { return };
    let _ = charter.trusted(CHANNELS_NETWORK);
    assert!(charter.verify(CHANNELS_NETWORK, &facts).is_err(), "nobody who is known signed it");
}

/// What was encrypted by another member.
pub fn channel_content(bytes: &[u8]) {
    if let Some(content) = strict::<Content>(bytes) {
        assert!(format!("{content:?}").len() < 20, "no text in debug output");
        let _ = content.fits();
    }
}

/// What a hub delivers.
pub fn channel_item(bytes: &[u8]) {
    strict::<Delivery>(bytes);
    strict::<Body>(bytes);
    if let Some(item) = strict::<Item>(bytes) {
        assert_eq!(
            item.body.is_ordered(),
            matches!(item.body, Body::Commit(_) | Body::Removal { .. } | Body::Message(_))
        );
    }
}

/// MLS objects, of which openmls sees the bytes first.
pub fn channel_mls(bytes: &[u8]) {
    let channel = ChannelId::from_bytes([5; 16]);
    if read_protocol(bytes, channel).is_ok() {
        assert!(read_message(bytes).is_ok());
    }
    let _ = end_of_group_info(bytes);
}

/// What another hospital's node asks, and the deliveries in it.
pub fn channel_relay(bytes: &[u8]) {
    if let Some(HubCall::Deliver(deliveries)) = strict::<HubCall>(bytes) {
        deliveries.iter().for_each(|(_, delivery)| drop(strict::<Delivery>(delivery)));
    }
}

/// What a device hands to a hub, by way of its home.
pub fn channel_submission(bytes: &[u8]) {
    strict::<Note>(bytes);
    strict::<RejoinInfo>(bytes);
    if let Some(submission) = strict::<Submission>(bytes) {
        let _ = submission.key();
    }
    if let Some(admission) = strict::<Admission>(bytes) {
        let _ = admission.participant(CHANNELS_NETWORK);
    }
}
