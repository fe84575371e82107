//! One call under way: the stub, who calls, and typed reads and writes.

use std::collections::BTreeSet;

use semblance_core::encode::DecodeError;
use semblance_core::id::{NetworkId, OrganisationId};
use semblance_core::organisation::{Network, Organisation};
use semblance_core::record::Record;
use semblance_core::time::Timestamp;

use crate::access::Access;
use crate::event::Event;
use crate::stub::{KeyPolicy, Stub};
use crate::wire::{Outcomes, Page, PageRequest};
use crate::{Code, ContractError, key};

/// A call whose caller is known to be a member that may make it.
pub(crate) struct Call<'a> {
    stub: &'a mut dyn Stub,
    network: Network,
    member: Organisation,
    claimed: BTreeSet<String>,
}

impl<'a> Call<'a> {
    /// Finds the caller among the members and checks that it may make this call.
    pub(crate) fn open(stub: &'a mut dyn Stub, access: Access) -> Result<Self, ContractError> {
        let caller = stub.caller().organisation.clone();
        let network = load(stub, key::NETWORK)?
            .ok_or_else(|| ContractError::new(Code::NoNetwork, "this ledger has no genesis yet"))?;
        let member: Organisation = load(stub, &key::organisation(&caller))?
            .ok_or_else(|| ContractError::new(Code::NotMember, format!("{caller} is no member of this network")))?;
        access.check_kind(member.kind)?;
        Ok(Self { stub, network, member, claimed: BTreeSet::new() })
    }

    pub(crate) fn stub(&mut self) -> &mut dyn Stub {
        self.stub
    }

    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    pub(crate) fn network_id(&self) -> NetworkId {
        self.network.id()
    }

    /// The caller's organisation.
    pub(crate) fn member(&self) -> &Organisation {
        &self.member
    }

    pub(crate) fn caller(&self) -> &OrganisationId {
        &self.stub.caller().organisation
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.stub.timestamp()
    }

    pub(crate) fn load<T: Record>(&mut self, key: &str) -> Result<Option<T>, ContractError> {
        load(self.stub, key)
    }

    /// Says which keys the items of a batch will read, because each read by itself asks the peer.
    pub(crate) fn read_ahead(&mut self, keys: impl IntoIterator<Item = String>) -> Result<(), ContractError> {
        Ok(self.stub.get_ahead(keys.into_iter().collect())?)
    }

    pub(crate) fn exists(&mut self, key: &str) -> Result<bool, ContractError> {
        Ok(self.stub.get(key)?.is_some())
    }

    /// Writes a record under the ledger's ordinary rule.
    pub(crate) fn save<T: Record>(&mut self, key: &str, record: &T) -> Result<(), ContractError> {
        Ok(self.stub.put(key, record.encode())?)
    }

    /// Writes a record that nobody changes later without the endorsement of each of these organisations.
    pub(crate) fn save_guarded<T: Record>(
        &mut self,
        key: &str,
        record: &T,
        guards: Vec<OrganisationId>,
    ) -> Result<(), ContractError> {
        save_guarded(self.stub, key, record, guards)
    }

    /// Writes a record that nobody changes later without its owner's endorsement.
    pub(crate) fn save_owned<T: Record>(
        &mut self,
        key: &str,
        record: &T,
        owner: &OrganisationId,
    ) -> Result<(), ContractError> {
        save_guarded(self.stub, key, record, vec![owner.clone()])
    }

    /// Reserves keys for one item of a batch, because its reads do not see what earlier items write.
    pub(crate) fn claim(&mut self, keys: &[&str]) -> Result<(), ContractError> {
        if let Some(key) = keys.iter().find(|key| self.claimed.contains(**key)) {
            return Err(ContractError::new(
                Code::DuplicateInBatch,
                format!("another item of this batch writes {key}: send this one in the next"),
            ));
        }
        self.claimed.extend(keys.iter().map(|key| (*key).to_owned()));
        Ok(())
    }

    pub(crate) fn emit(&mut self, event: &Event) -> Result<(), ContractError> {
        emit(self.stub, event)
    }

    /// Runs each item by itself: what one is refused for stops no other. Returns what the successful ones gave.
    pub(crate) fn each<I, S>(
        &mut self,
        items: impl IntoIterator<Item = I>,
        mut run: impl FnMut(&mut Self, I) -> Result<S, ContractError>,
    ) -> Result<(Outcomes, Vec<S>), ContractError> {
        let (mut outcomes, mut successes) = (Outcomes::default(), Vec::new());
        for item in items {
            match run(self, item) {
                Ok(success) => {
                    successes.push(success);
                    outcomes.succeeded();
                }
                Err(error) if error.is_fatal() => return Err(error),
                Err(error) => outcomes.refused(&error),
            }
        }
        Ok((outcomes, successes))
    }

    /// Reads one page of the keys under a prefix: the rows, and where the next page starts.
    pub(crate) fn page(&mut self, prefix: &str, request: &PageRequest) -> Result<Rows, ContractError> {
        let start = match request.bookmark() {
            Some(bookmark) if bookmark.starts_with(prefix) => bookmark,
            Some(_) => {
                return Err(ContractError::new(Code::InvalidBookmark, "the bookmark is not one of this query"));
            }
            None => prefix,
        };
        let limit = request.limit();
        let mut rows = self.stub.range(start, &key::end(prefix), limit + 1)?;
        let next = if rows.len() > limit { rows.pop().map(|(key, _)| key) } else { None };
        Ok(Rows { rows, next })
    }
}

/// Raw rows of one page.
pub(crate) struct Rows {
    pub(crate) rows: Vec<(String, Vec<u8>)>,
    pub(crate) next: Option<String>,
}

impl Rows {
    /// Decodes every row.
    pub(crate) fn records<T: Record>(self) -> Result<Page<T>, ContractError> {
        let decode = |(key, value): &(String, Vec<u8>)| decode(key, value);
        let rows = self.rows.iter().map(decode).collect::<Result<_, _>>()?;
        Ok(Page { rows, next: self.next })
    }
}

/// Reads a record.
pub(crate) fn load<T: Record>(stub: &mut dyn Stub, key: &str) -> Result<Option<T>, ContractError> {
    stub.get(key)?.map(|bytes| decode(key, &bytes)).transpose()
}

pub(crate) fn decode<T: Record>(key: &str, bytes: &[u8]) -> Result<T, ContractError> {
    T::decode(bytes).map_err(|error: DecodeError| ContractError::corrupt(key, &error))
}

pub(crate) fn save_guarded<T: Record>(
    stub: &mut dyn Stub,
    key: &str,
    record: &T,
    guards: Vec<OrganisationId>,
) -> Result<(), ContractError> {
    stub.put(key, record.encode())?;
    Ok(stub.set_key_policy(key, &KeyPolicy::AllOf(guards))?)
}

pub(crate) fn emit(stub: &mut dyn Stub, event: &Event) -> Result<(), ContractError> {
    Ok(stub.set_event(event.name(), event.payload())?)
}
