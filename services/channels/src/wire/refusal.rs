//! Why a hub or a home refuses; stable words for programs.

semblance_core::coded! {
    /// Why something was refused.
    Refusal, "refusal", {
        /// No such channel here.
        UnknownChannel = 1 "unknown-channel",
        /// The channel has its group already.
        ChannelExists = 2 "channel-exists",
        /// The device takes no part in the channel.
        NotMember = 3 "not-member",
        /// The device's consent has ended, or its hospital revoked it.
        Ended = 4 "ended",
        /// Another commit was first: catch up, then try again.
        WrongEpoch = 5 "wrong-epoch",
        /// Somebody has to be removed before anything else: commit the pending removals.
        MustCommit = 6 "must-commit",
        /// The bytes are not in their form.
        Malformed = 7 "malformed",
        /// The commit or proposal is not a valid one of this group.
        Invalid = 8 "invalid",
        /// A leaf is not proven, or its consent does not allow it.
        Unproven = 9 "unproven",
        /// Larger than the limit.
        TooLarge = 10 "too-large",
        /// More often than the limit: wait a minute.
        TooMany = 11 "too-many",
        /// The hub cannot be reached: the channel can be read, and written to later.
        HubAway = 12 "hub-away",
        /// This node is not the channel's hub, or no longer.
        NotHub = 13 "not-hub",
        /// The channel has as many members as it may have.
        Full = 14 "full",
        /// This caller may not do this.
        NotAuthorised = 15 "not-authorised",
        /// There is no unused key package of the device.
        NoKeyPackage = 16 "no-key-package",
        /// The node failed: try again.
        Failed = 17 "failed",
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    /// Whether the same bytes may be taken later.
    #[must_use]
    pub const fn is_passing(self) -> bool {
        matches!(self, Self::TooMany | Self::HubAway | Self::Failed)
    }
}
