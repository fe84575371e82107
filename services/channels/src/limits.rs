//! Every limit on a size, a count or a time of channels.

/// Members of one channel, devices counted one by one.
pub const MEMBERS_MAX: usize = 1024;
/// Members of one channel that rest on one consent: a patient's devices, and those of the clinicians of the case.
pub const LEAVES_OF_CONSENT_MAX: usize = 32;
/// Devices of one hospital that wait to be added to one channel.
pub const WAITING_OF_HOSPITAL_MAX: usize = 64;
/// Bytes of one encrypted message.
pub const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// Characters of a message's text, so that it fits once encoded, padded and encrypted.
pub const TEXT_BYTES_MAX: usize = 60 << 10;
/// Characters of a display name.
pub const NAME_BYTES_MAX: usize = 200;
/// Bytes of a commit with what it notes on the leaves it adds.
pub const COMMIT_BYTES_MAX: usize = 1 << 20;
/// Bytes of a Welcome, a GroupInfo or a ratchet tree.
pub const TREE_BYTES_MAX: usize = 2 << 20;
/// Bytes of a key package.
pub const KEY_PACKAGE_BYTES_MAX: usize = 4 << 10;
/// Leaves that one commit adds.
pub const ADDS_MAX: usize = 64;
/// Messages of one device in a minute.
pub const MESSAGES_A_MINUTE: u32 = 60;
/// Bytes of an attachment, encrypted.
pub const ATTACHMENT_BYTES_MAX: u64 = 25 << 20;
/// Bytes of one piece of an attachment, all but the last.
pub const PIECE_BYTES: usize = 512 << 10;
/// Attachments of one channel, in bytes, within the time that they are kept.
pub const CHANNEL_ATTACHMENTS_MAX: u64 = 1 << 30;
/// One-time key packages that a device keeps in its hospital's directory.
pub const KEY_PACKAGES_WANTED: usize = 30;
/// Key packages that a directory takes from one device.
pub const KEY_PACKAGES_MAX: usize = 50;
/// How long a key package may be used, in milliseconds.
pub const KEY_PACKAGE_MILLIS: u64 = 84 * 86_400_000;
/// How long a queue keeps what a device has not fetched, and a hub what it delivered, in milliseconds.
pub const QUEUE_MILLIS: u64 = 30 * 86_400_000;
/// How long before an item a consent may have ended without the item being refused: a hub hears of a withdrawal within
/// this time, in milliseconds.
pub const WITHDRAWAL_MILLIS: u64 = 60_000;
/// How far a hub's clock may be ahead, in milliseconds.
pub const CLOCK_SKEW_MILLIS: u64 = 5 * 60_000;
/// Bytes to whose multiple messages are padded.
pub const PADDING: usize = 256;
/// Items in one answer to a device that catches up.
pub const ITEMS_MAX: usize = 256;
/// Bytes of items in one answer, unless the first alone is larger.
pub const ANSWER_BYTES: usize = 1 << 20;
/// Bytes of one call or answer between devices and nodes, or between nodes.
pub const CALL_BYTES_MAX: usize = 8 << 20;
/// How long a device waits to be added before it comes in by itself, in milliseconds.
pub const WELCOME_MILLIS: u64 = 60_000;
/// How long a device waits before it joins again once more, in milliseconds.
pub const REJOIN_MILLIS: u64 = 10_000;
/// How long what the ledger says about a channel's members is taken from memory, in milliseconds; far less than
/// [`WITHDRAWAL_MILLIS`].
pub const FACTS_FRESH_MILLIS: u64 = 5_000;
/// How often a device looks after a channel in which nothing but messages has come, in milliseconds.
pub const LOOK_MILLIS: u64 = 60_000;
