//! Requests as a hospital could make them that does not keep to the rules, and what the ledger shows of look-ups.

use semblance_contract::state::{LookupRecord, LookupRow};
use semblance_contract::wire::{Maybe, OfDay, Page, PageRequest, RequestArgument};
use semblance_core::id::{OrganisationId, RequestId};
use semblance_core::lookup::{LookupRequest, LookupSlot};
use semblance_core::query::Query;
use semblance_core::random::RandomSource;
use semblance_core::signature::{SigningKey, Statement};
use semblance_core::time::Clock;
use semblance_matcher::{Answered, IncomingSearch, SearchError};

use crate::network::NETWORK;
use crate::world::World;

/// The last look-up that went out, asked anew: fresh id, next slot, and whatever `change` makes of it.
#[must_use]
pub fn again(world: &World, signer: &SigningKey, change: impl FnOnce(&mut LookupRequest)) -> IncomingSearch {
    let last = world.sent().pop().unwrap();
    let mut request = last.request.claim::<LookupRequest>(NETWORK).unwrap().claims().clone();
    let random: &dyn RandomSource = world.network.random.as_ref();
    request.request = RequestId::random(random);
    let now = world.network.clock.now();
    let [high, low] = random.array::<2>();
    request.slot = LookupSlot::new(now.day(), 40 + (u16::from(high) << 8 | u16::from(low)) % 250).unwrap();
    request.expires = now.plus(60_000);
    change(&mut request);
    IncomingSearch { request: request.sign(signer).into_parts().1, query: last.query, query_salt: last.salt }
}

/// The same with another query, to which the request commits, as a hospital would that made it up.
#[must_use]
pub fn instead(world: &World, signer: &SigningKey, query: &Query) -> IncomingSearch {
    let salt = world.sent().pop().unwrap().salt;
    let commitment = query.commitment(NETWORK, &salt);
    IncomingSearch { query: query.encode(), ..again(world, signer, |request| request.query = commitment) }
}

/// Asks the matcher as a hospital.
///
/// # Errors
/// The matcher refuses.
pub async fn ask(world: &World, hospital: &str, search: IncomingSearch) -> Result<Answered, SearchError> {
    world.search().search(&OrganisationId::new(hospital).unwrap(), search).await
}

/// Today's look-ups, as any member can list them.
pub async fn lookups_of_today(world: &World) -> Vec<LookupRow> {
    let argument = OfDay { day: world.network.clock.now().day(), page: PageRequest::first(500) };
    let reader = &world.network.member("south").id;
    world.network.query::<Page<LookupRow>>(reader, "lookups_of_day", &argument).await.unwrap().rows
}

/// The entry of a look-up on the ledger.
pub async fn entry(world: &World, request: RequestId) -> Option<LookupRecord> {
    let reader = &world.network.member("south").id;
    world.network.query::<Maybe<LookupRecord>>(reader, "lookup", &RequestArgument(request)).await.unwrap().0
}
