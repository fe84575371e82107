//! What can go wrong at a test's peer.

use std::time::Duration;

use crate::PeerDetail;

/// What goes wrong, once, at the next opportunity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The next call is answered so much later.
    Slow(Duration),
    /// The next call's answer begins and does not go on.
    Stall,
    /// The next endorsement fails, and peers say why.
    Endorsers(Vec<PeerDetail>),
    /// The next endorsement is of another transaction than was asked for.
    OtherTransaction,
    /// The next endorsement is of other arguments than were asked for.
    OtherArguments,
    /// The next transaction holds the private input, too, for everybody to see.
    Leak,
    /// The next query's answer is larger than any message may be.
    Oversized,
    /// The next submission is taken, but not confirmed.
    Unconfirmed,
    /// The next submission is confirmed and lost, as with a leader that dies before it has told the others.
    Lost,
    /// The next submission is taken, but orderers say so much against it.
    Orderers(Vec<PeerDetail>),
    /// The next submission is taken and never answered.
    Unanswered,
    /// The next submission is confirmed, and ordered into one block with the one after it.
    Together,
    /// The next transaction is found to be invalid, with this code.
    Code(u8),
    /// The next stream breaks after so many answers.
    Break(usize),
    /// The next stream ends after so many answers as if all had been said.
    HangUp(usize),
    /// The next stream of events starts at the first block whatever is asked, and says everything twice.
    Replay,
    /// The next stream of events tells of another chaincode's.
    OtherChaincode,
    /// The next stream of blocks leaves this one out.
    LeaveOut(u64),
    /// The next stream of blocks says this one twice.
    Repeat(u64),
}
