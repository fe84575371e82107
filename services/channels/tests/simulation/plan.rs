//! What happens in one simulation, as plain values: a failing one is printed, cut down and kept as a test.

/// A world and what happens in it.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) hospitals: usize,
    /// The hospital of each consent.
    pub(crate) consents: Vec<usize>,
    pub(crate) devices: Vec<DevicePlan>,
    pub(crate) channels: Vec<ChannelPlan>,
    /// Whether offices keep their databases in files, and are opened from them again.
    pub(crate) on_disk: bool,
    pub(crate) operations: Vec<Operation>,
}

#[derive(Debug, Clone)]
pub(crate) struct DevicePlan {
    /// The consent it takes part on; its hospital is that of the consent.
    pub(crate) consent: usize,
    pub(crate) patient: bool,
    pub(crate) packages: usize,
    pub(crate) last_resort: bool,
    /// Whether its key packages expire within seconds.
    pub(crate) short: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct ChannelPlan {
    pub(crate) hub: usize,
    pub(crate) group: bool,
    /// The device that makes it.
    pub(crate) first: usize,
}

#[derive(Debug, Clone)]
pub(crate) enum Operation {
    Say {
        device: usize,
        channel: usize,
    },
    /// Makes the next step and hands it in.
    Advance {
        device: usize,
        channel: usize,
        fault: Fault,
    },
    /// Makes the next step and keeps it.
    Prepare {
        device: usize,
        channel: usize,
    },
    Submit {
        device: usize,
        channel: usize,
        fault: Fault,
    },
    Refresh {
        device: usize,
        channel: usize,
        fault: Fault,
    },
    Pull {
        device: usize,
        way: Pulling,
    },
    Relay {
        hospital: usize,
        way: Relaying,
    },
    /// What was under way between hospitals arrives, in some order.
    Arrive {
        order: u32,
    },
    Admit {
        device: usize,
        channel: usize,
        fault: Fault,
    },
    Stock {
        device: usize,
        packages: usize,
        last_resort: bool,
    },
    /// On the ledger; a hospital learns of it when it follows.
    Withdraw {
        consent: usize,
    },
    Expire {
        consent: usize,
    },
    Follow {
        hospital: usize,
        fault: Fault,
    },
    Leave {
        device: usize,
        channel: usize,
        fault: Fault,
    },
    /// Goes down, or comes up.
    Switch {
        hospital: usize,
    },
    Rejoin {
        device: usize,
        channel: usize,
        fault: Fault,
    },
    Forge {
        device: usize,
        channel: usize,
        forgery: Forgery,
        at: u32,
    },
    /// The office's program ends and starts.
    Reopen {
        hospital: usize,
    },
    /// The device's program ends and starts.
    Restart {
        device: usize,
    },
    Press {
        hospital: usize,
    },
    /// Thirty days' cleaning, at once.
    Clean {
        hospital: usize,
    },
    Wait {
        seconds: u64,
    },
}

/// What goes wrong on the way to an office and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    RequestLost,
    /// The office did it, and the device never hears.
    AnswerLost,
    Twice,
    /// The office's program dies after so many steps of its database.
    Crash {
        after: u32,
    },
    CrashAtCommit,
    /// The device's last transaction is lost before anything of it was sent.
    Forgets,
    /// The device falls back by a transaction that the hub has seen the outcome of: a disk that lied.
    FallsBack,
}

/// How a device takes what waits for it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pulling {
    All,
    Some {
        count: usize,
    },
    /// Also what it kept before and the home has not forgotten.
    Again,
    Shuffled {
        order: u32,
    },
    /// The home never hears that it was kept.
    Unacknowledged,
    /// The device dies in the last transaction but so many.
    Forgets {
        after: usize,
    },
}

/// How deliveries go from one hospital to the others.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Relaying {
    All,
    Some {
        count: usize,
    },
    AnswerLost,
    /// A copy is under way for long.
    Late,
    Crash {
        after: u32,
    },
    CrashAtCommit,
}

/// What somebody tries who should not.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Forgery {
    FlippedMessage,
    FlippedCommit,
    FlippedWelcome,
    FlippedInfo,
    /// A member that no hospital vouches for.
    Invented,
    /// A removed device comes back with the keys it had.
    Removed,
    /// What was made for another channel.
    OtherChannel,
    /// What another device submitted before.
    Replayed,
    /// Somebody who takes no part.
    Stranger,
    /// One member hands in another's commit.
    Spoofed,
}
