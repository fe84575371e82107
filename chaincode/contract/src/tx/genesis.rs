//! `genesis`: what the network is and who its first members are. Once, by the administrator of one of them.
//!
//! Every member should endorse it, so that none finds itself with keys it did not name.

use semblance_core::organisation::Genesis;

use crate::access::Access;
use crate::call::{emit, save_owned};
use crate::event::Event;
use crate::stub::Stub;
use crate::wire::Empty;
use crate::{Code, ContractError, key};

pub(crate) const ACCESS: Access = Access::ADMIN;

pub(crate) fn run(stub: &mut dyn Stub, genesis: &Genesis) -> Result<Empty, ContractError> {
    let caller = stub.caller().organisation.clone();
    if !genesis.organisations().iter().any(|organisation| organisation.id == caller) {
        return Err(ContractError::new(Code::NotMember, format!("{caller} is not among the members it names")));
    }
    if let Some(rotated) = genesis.organisations().iter().find(|organisation| organisation.rotations != 0) {
        let message = format!("{} joins with keys that were never rotated: set rotations to 0", rotated.id);
        return Err(ContractError::new(Code::WrongSequence, message));
    }
    if stub.get(key::NETWORK)?.is_some() {
        return Err(ContractError::new(Code::NetworkExists, "this ledger has its genesis already"));
    }
    stub.put(key::NETWORK, semblance_core::record::Record::encode(genesis.network()))?;
    for organisation in genesis.organisations() {
        save_owned(stub, &key::organisation(&organisation.id), organisation, &organisation.id)?;
    }
    let members = genesis.organisations().iter().map(|organisation| organisation.id.clone()).collect();
    emit(stub, &Event::NetworkCreated(members))?;
    Ok(Empty)
}
