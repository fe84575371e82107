//! Executes a recorded transaction again and compares.
//!
//! A valid transaction read what was current when it was committed, or it would not be valid: so the contract, run on
//! the state before it, must read, write, return and tell exactly what was recorded, and with it every signature that
//! the contract verifies is verified again, with the key that was valid then.

use semblance_contract::Contract;
use semblance_core::id::{NetworkId, OrganisationId, TransactionId};
use semblance_core::limits::PROPOSAL_SKEW_MILLIS;
use semblance_core::proposal::{ProposalParts, SignedProposal, UnverifiedProposal};
use semblance_core::time::Timestamp;

use super::block::{Executed, RecordedTransaction};
use super::effects::Version;
use super::member;
use super::policy::ORDINARY;
use super::private_input::PrivateInput;
use super::replay::Replay;
use super::simulate::{Done, Execution, founding_member};
use super::stub::Mode;
use super::view::Tables;

/// Where the only transaction stands that makes the member that submits it.
const GENESIS: Version = Version { block: 0, position: 0 };

/// Verifies the proposal with the key that its organisation had when it was endorsed.
pub(super) fn proposal(
    replay: &Replay,
    version: Version,
    recorded: &RecordedTransaction,
    network: NetworkId,
) -> Result<SignedProposal, String> {
    let unverified = UnverifiedProposal::decode(recorded.proposal.clone(), recorded.signature, network)
        .map_err(|error| format!("proposal: {error}"))?;
    let organisation = unverified.claims().organisation.clone();
    let read = recorded.executed.reads.public.get(&member::key(&organisation)).copied().flatten();
    let key = match read {
        Some(read) => replay.key_at(&organisation, read),
        None if version == GENESIS => {
            let founder =
                founding_member(&recorded.executed.writes, &organisation).map_err(|error| error.to_string())?;
            Some(founder.verifying_key)
        }
        None => None,
    };
    let key = key.ok_or_else(|| format!("{organisation} had no key when it was submitted"))?;
    unverified.verify(&key).map_err(|error| format!("proposal: {error}"))
}

/// Checks what holds for valid and invalid transactions alike: who endorsed, and when it was proposed.
pub(super) fn envelope(
    proposal: &ProposalParts,
    endorsers: &[OrganisationId],
    block_time: Timestamp,
) -> Result<(), String> {
    let named = &proposal.endorsers;
    if !named.is_empty() && named != endorsers {
        return Err("it was endorsed by others than its proposal names".into());
    }
    if !endorsers.is_sorted_by(|left, right| left < right) {
        return Err("its endorsers do not stand once each and in order".into());
    }
    // Where none is named the ledger chooses the submitter and no more others than the ordinary rule wants; that there
    // are enough, and all of them members, is part of its validity.
    let chosen = endorsers.contains(&proposal.organisation) && endorsers.len() <= ORDINARY;
    if named.is_empty() && !chosen {
        return Err("its proposal names no endorsers, and others than its submitter and one more endorsed it".into());
    }
    // Blocks are stamped after their transactions were proposed. A proposal's time may lie far before its block's,
    // because after a wrong clock was set right the blocks' time stands still and does not go back.
    if proposal.timestamp > block_time.plus(PROPOSAL_SKEW_MILLIS) {
        return Err("its proposal's time is more than five minutes after its block's".into());
    }
    Ok(())
}

/// What is executed again.
pub(crate) struct Repetition<'a> {
    /// The transaction's id, and what it asked.
    pub(crate) call: (TransactionId, &'a ProposalParts),
    /// What its endorsers said came of it.
    pub(crate) executed: &'a Executed,
    /// Whether what it read is compared as well: ledgers of another kind record less of it.
    pub(crate) reads: bool,
}

/// Runs the contract on the state before a valid transaction. `file` is asked for private values that are still
/// there.
pub(super) fn execute(
    replay: &Replay,
    repetition: &Repetition<'_>,
    contract: &dyn Contract,
    file: Option<Tables<'_>>,
) -> Result<(), String> {
    let Repetition { call: (id, parts), executed, reads } = *repetition;
    let input = PrivateInput::find(executed, parts, file)?;
    let submitter = member::key(&parts.organisation);
    let submitter_version = replay.tables().version(&submitter).map_err(|error| error.to_string())?;
    for endorser in &executed.endorsers {
        let call = (id, &input.parts);
        let execution = Execution { call, transient: &input.transient, endorser, mode: Mode::Submit };
        let mut done = execution
            .run(contract, replay.tables())
            .map_err(|error| format!("executed again, the contract refuses it: {error}"))?;
        // The proposal was verified with the submitter's key.
        done.effects.reads.public.insert(submitter.clone(), submitter_version);
        input.restore(&mut done.effects, executed);
        compare(&done, executed, &input, reads)?;
        if !done.endorser_mattered {
            return Ok(());
        }
    }
    Ok(())
}

/// The first transaction's endorsers are among the members that it makes.
pub(super) fn founders(version: Version, executed: &Executed) -> Result<(), String> {
    if version != GENESIS {
        return Ok(());
    }
    executed.endorsers.iter().try_for_each(|endorser| {
        founding_member(&executed.writes, endorser).map(|_| ()).map_err(|error| error.to_string())
    })
}

fn compare(done: &Done, recorded: &Executed, input: &PrivateInput, reads: bool) -> Result<(), String> {
    let (again, before) = (&done.effects.writes, &recorded.writes);
    let parts = [
        ("reads", !reads || done.effects.reads == recorded.reads),
        ("writes", again.public == before.public && again.policies == before.policies),
        ("private writes", again.private == before.private),
        ("event", done.effects.event == recorded.event),
        ("response", input.same_response(&done.response, &recorded.response)),
    ];
    let others: Vec<&str> = parts.iter().filter(|(_, same)| !same).map(|(part, _)| *part).collect();
    if others.is_empty() {
        return Ok(());
    }
    Err(format!("executed again, the contract comes to another result: {}", others.join(", ")))
}
