//! Whether an ordered transaction takes effect: its id is new, its endorsers suffice, nothing it read has changed.
//!
//! The writer asks this before it commits, and verification asks it again of every block.

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
    for (key, version) in &executed.reads.public {
        if view.version(key)? != *version {
            return Ok(Validation::MvccConflict);
        }
    }
    for (key, version) in &executed.reads.private {
        if view.private_version(key)? != *version {
            return Ok(Validation::MvccConflict);
        }
    }
    for range in &executed.reads.ranges {
        let rows = view.range(&range.start, &range.end, range.limit)?;
        if rows_digest(rows.iter().map(|(key, version)| (key.as_str(), *version))) != range.rows {
            return Ok(Validation::PhantomConflict);
        }
    }
    Ok(Validation::Valid)
}

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
    let written: BTreeSet<&String> = executed.writes.public.keys().chain(executed.writes.policies.keys()).collect();
    for key in written {
        // The policy that stood before: a transaction cannot loosen the rule that it is itself under.
        if view.policy(key)?.is_some_and(|policy| !key_satisfied(&policy, &endorsers)) {
            return Ok(false);
        }
    }
    let collections: BTreeSet<&String> = executed.writes.private.keys().map(|(collection, _)| collection).collect();
    for collection in collections {
        if !collection_endorsed(collection, &endorsers, view)? {
            return Ok(false);
        }
    }
    Ok(true)
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
