//! Whether an ordered transaction takes effect: its id is new, its endorsers suffice, nothing it read has changed.
//!
//! The writer asks this before it commits, and verification asks it again of every block, those of Fabric too.

use std::collections::BTreeSet;

use semblance_core::id::{OrganisationId, TransactionId};
use semblance_core::organisation::OrganisationKind;

use super::block::Executed;
use super::effects::rows_digest;
use super::member;
use super::policy::{key_satisfied, ordinary};
use super::private::owner;
use super::store::StoreError;
use super::view::Tables;
use crate::Validation;

/// Validates against the state that all earlier transactions left, those of the same block included.
pub(super) fn validate(id: TransactionId, executed: &Executed, view: Tables<'_>) -> Result<Validation, StoreError> {
    if view.contains(id)? {
        return Ok(Validation::DuplicateTransaction);
    }
    if !endorsed(executed, view)? {
        return Ok(Validation::EndorsementPolicyFailure);
    }
    fresh(executed, view)
}

/// Says whether everything that was read is as it was.
pub(super) fn fresh(executed: &Executed, view: Tables<'_>) -> Result<Validation, StoreError> {
    for (key, version) in &executed.reads.public {
        if view.version(key)? != *version {
            return Ok(Validation::MvccConflict);
        }
    }
    for range in &executed.reads.ranges {
        let rows = view.range(&range.start, &range.end, range.limit)?;
        if rows_digest(rows.iter().map(|(key, version)| (key.as_str(), *version))) != range.rows {
            return Ok(Validation::PhantomConflict);
        }
    }
    for (key, version) in &executed.reads.private {
        if view.private_version(key)? != *version {
            return Ok(Validation::MvccConflict);
        }
    }
    Ok(Validation::Valid)
}

/// The ordinary rule holds for every transaction, whatever other rules its keys have.
fn endorsed(executed: &Executed, view: Tables<'_>) -> Result<bool, StoreError> {
    let endorsers: BTreeSet<&OrganisationId> = executed.endorsers.iter().collect();
    let members = view.members()?;
    if endorsers.len() < ordinary(members) {
        return Ok(false);
    }
    for endorser in &endorsers {
        // Genesis is endorsed by members that it makes.
        if members > 0 && view.version(&member::key(endorser))?.is_none() {
            return Ok(false);
        }
    }
    Ok(guarded(executed, &endorsers, view)?.satisfied)
}

/// The same as peers of Fabric see it: there the chaincode's own rule holds for keys that have none, and for calls that
/// write nothing (Fabric's key-level endorsement). It must be at least our ordinary rule.
pub(super) fn endorsed_on_fabric(
    executed: &Executed,
    chaincodes_rule: bool,
    view: Tables<'_>,
) -> Result<bool, StoreError> {
    let endorsers: BTreeSet<&OrganisationId> = executed.endorsers.iter().collect();
    let guarded = guarded(executed, &endorsers, view)?;
    let ordinarily = chaincodes_rule && endorsers.len() >= ordinary(view.members()?);
    Ok(guarded.satisfied && (guarded.wholly || ordinarily))
}

/// What the rules of keys and collections say.
struct Guarded {
    /// All of them are satisfied.
    satisfied: bool,
    /// Something is written, and nothing without a rule.
    wholly: bool,
}

fn guarded(
    executed: &Executed,
    endorsers: &BTreeSet<&OrganisationId>,
    view: Tables<'_>,
) -> Result<Guarded, StoreError> {
    let written: BTreeSet<&String> = executed.writes.public.keys().chain(executed.writes.policies.keys()).collect();
    let collections: BTreeSet<&String> = executed.writes.private.keys().map(|(collection, _)| collection).collect();
    let mut guarded = Guarded { satisfied: true, wholly: !(written.is_empty() && collections.is_empty()) };
    for key in written {
        // The policy that stood before: a transaction cannot loosen the rule that it is itself under.
        match view.policy(key)? {
            Some(policy) => guarded.satisfied &= key_satisfied(&policy, endorsers),
            None => guarded.wholly = false,
        }
    }
    for collection in collections {
        guarded.satisfied &= collection_endorsed(collection, endorsers, view)?;
    }
    Ok(guarded)
}

/// A collection takes writes that its hospital and at least one matcher endorse.
fn collection_endorsed(
    collection: &str,
    endorsers: &BTreeSet<&OrganisationId>,
    view: Tables<'_>,
) -> Result<bool, StoreError> {
    let Some(owner) = owner(collection) else { return Ok(false) };
    if !endorsers.contains(&owner) {
        return Ok(false);
    }
    for endorser in endorsers {
        if view.member(endorser)?.is_some_and(|member| member.kind == OrganisationKind::Matcher) {
            return Ok(true);
        }
    }
    Ok(false)
}
