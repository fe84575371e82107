//! From the bytes of a search to a checked one.

use semblance_core::encode::DecodeError;
use semblance_core::id::{NetworkId, OrganisationId};
use semblance_core::limits::{LOOKUP_VALIDITY_MILLIS, PROPOSAL_SKEW_MILLIS, STATEMENT_BYTES_MAX};
use semblance_core::lookup::LookupRequest;
use semblance_core::organisation::Organisation;
use semblance_core::policy::Reach;
use semblance_core::query::Query;
use semblance_core::signature::{Signed, SignedBytes};
use semblance_core::time::Timestamp;

use crate::error::SearchError;
use crate::members::Members;

/// Bytes of an encoded query: 32 groups of eight tokens of nine bytes need fewer.
const QUERY_BYTES_MAX: usize = 4 << 10;
/// How long an answer outlives its request, in milliseconds, so that a retry that was under way still gets it.
pub(crate) const ANSWER_GRACE_MILLIS: u64 = 10 * 60 * 1000;

/// What a hospital sends; nothing in it is checked.
pub struct IncomingSearch {
    /// The exact request and its signature.
    pub request: SignedBytes,
    /// The query, encoded.
    pub query: Vec<u8>,
    /// The salt of the commitment to it.
    pub query_salt: [u8; 32],
}

/// A search whose signature, commitment and form hold.
pub(crate) struct CheckedSearch {
    /// The request.
    pub request: Signed<LookupRequest>,
    /// The hospital that signed it, with its present keys.
    pub hospital: Organisation,
    /// The query.
    pub query: Query,
}

/// What a search is checked against.
pub(crate) struct Checks<'a> {
    /// The network.
    pub network: NetworkId,
    /// This matcher.
    pub matcher: &'a OrganisationId,
    /// Whose certificate the caller showed.
    pub caller: &'a OrganisationId,
    /// The members.
    pub members: &'a Members,
    /// The present moment.
    pub now: Timestamp,
}

impl Checks<'_> {
    /// Verifies the signature first, so that everything after it is the hospital's own doing.
    ///
    /// # Errors
    /// The hospital is no member, the caller is another one, or the signature is not by its present key.
    pub(crate) fn signature(&self, request: SignedBytes) -> Result<(Signed<LookupRequest>, Organisation), SearchError> {
        bounded("signed request", request.bytes().len(), STATEMENT_BYTES_MAX)?;
        let claimed = request.claim::<LookupRequest>(self.network)?;
        let named = claimed.claims().hospital.clone();
        let hospital = self
            .members
            .hospital(&named)
            .ok_or_else(|| SearchError::UnknownHospital { hospital: named.to_string() })?;
        if named != *self.caller {
            return Err(SearchError::NotAuthorised { signed: named.to_string(), caller: self.caller.to_string() });
        }
        Ok((claimed.verify(&hospital.verifying_key)?, hospital))
    }

    /// Whether a stored answer is still given.
    ///
    /// # Errors
    /// The request expired too long ago.
    pub(crate) fn still_answered(&self, request: &LookupRequest) -> Result<(), SearchError> {
        if request.expires.plus(ANSWER_GRACE_MILLIS) < self.now {
            return Err(SearchError::ExpiredRequest);
        }
        Ok(())
    }

    /// Checks recipient, times, commitment and breadth.
    ///
    /// # Errors
    /// One of them does not hold.
    pub(crate) fn content(
        &self,
        request: Signed<LookupRequest>,
        hospital: Organisation,
        query: &[u8],
        query_salt: &[u8; 32],
    ) -> Result<CheckedSearch, SearchError> {
        let statement = request.statement();
        if statement.matcher != *self.matcher {
            let (named, this) = (statement.matcher.to_string(), self.matcher.to_string());
            return Err(SearchError::WrongRecipient { named, this });
        }
        if statement.expires < self.now {
            return Err(SearchError::ExpiredRequest);
        }
        if statement.expires > self.now.plus(LOOKUP_VALIDITY_MILLIS + PROPOSAL_SKEW_MILLIS) {
            return Err(SearchError::ExpiresTooLate);
        }
        // Clocks may differ by as much as the ledger allows, so around midnight two days are right.
        let earliest = Timestamp::from_millis(self.now.millis().saturating_sub(PROPOSAL_SKEW_MILLIS)).day();
        if !(earliest..=self.now.plus(PROPOSAL_SKEW_MILLIS).day()).contains(&statement.slot.day()) {
            return Err(SearchError::Backdated);
        }
        bounded("query", query.len(), QUERY_BYTES_MAX)?;
        let query = Query::decode(query)?;
        if query.commitment(self.network, query_salt) != statement.query {
            return Err(SearchError::QueryMismatch);
        }
        if query.epoch() != statement.epoch {
            return Err(SearchError::WrongEpoch(statement.epoch.0));
        }
        let reach = Reach::of(query.groups().len());
        if !reach.allows(query.breadth()) || reach.is_short() != statement.short {
            return Err(SearchError::TooFewTerms);
        }
        Ok(CheckedSearch { request, hospital, query })
    }
}

fn bounded(what: &'static str, length: usize, limit: usize) -> Result<(), DecodeError> {
    if length > limit { Err(DecodeError::TooLong { what, length, limit }) } else { Ok(()) }
}
