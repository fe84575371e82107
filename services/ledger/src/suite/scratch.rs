//! A contract with nothing but the ledger's own operations, to test what they mean.

use semblance_contract::stub::{KeyPolicy, Stub, fingerprint_collection};
use semblance_contract::{Code, Contract, ContractError};
use semblance_core::id::OrganisationId;
use semblance_core::organisation::Organisation;
use semblance_core::record::Record;

use super::Party;
use crate::Call;

/// The contract. Every function takes texts.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScratchContract;

/// A call of the scratch contract.
#[must_use]
pub fn call(function: &str, arguments: &[&str]) -> Call {
    Call {
        function: function.to_owned(),
        arguments: arguments.iter().map(|argument| argument.as_bytes().to_vec()).collect(),
        ..Call::default()
    }
}

/// A call that these organisations shall endorse.
#[must_use]
pub fn endorsed(function: &str, arguments: &[&str], endorsers: &[&str]) -> Call {
    let endorsers = endorsers.iter().map(|name| super::organisation(name)).collect();
    Call { endorsers, ..call(function, arguments) }
}

/// The genesis that makes these parties members.
#[must_use]
pub fn genesis(parties: &[Party]) -> Call {
    let arguments = parties.iter().map(|party| party.record().encode()).collect();
    Call { function: "genesis".to_owned(), arguments, ..Call::default() }
}

/// The name of a hospital's collection.
#[must_use]
pub fn collection(hospital: &str) -> String {
    fingerprint_collection(&super::organisation(hospital))
}

impl Contract for ScratchContract {
    fn invoke(&self, stub: &mut dyn Stub, function: &str, arguments: &[Vec<u8>]) -> Result<Vec<u8>, ContractError> {
        match function {
            "genesis" | "register" => return register(stub, arguments),
            _ => {}
        }
        let texts: Vec<&str> = arguments.iter().filter_map(|argument| std::str::from_utf8(argument).ok()).collect();
        match (function, texts.as_slice()) {
            ("get", [key]) => Ok(stub.get(key)?.unwrap_or_default()),
            ("put", [key, value]) => Ok(stub.put(key, value.as_bytes().to_vec()).map(|()| Vec::new())?),
            ("delete", [key]) => Ok(stub.delete(key).map(|()| Vec::new())?),
            ("put_and_get", [key, value]) => {
                stub.put(key, value.as_bytes().to_vec())?;
                Ok(stub.get(key)?.unwrap_or_default())
            }
            ("put_and_fail", [key, value]) => {
                stub.put(key, value.as_bytes().to_vec())?;
                stub.set_event("never", Vec::new())?;
                Err(ContractError::new(Code::SlotUsed, "refused after writing"))
            }
            ("append", [key, suffix]) => {
                let mut value = stub.get(key)?.unwrap_or_default();
                value.extend_from_slice(suffix.as_bytes());
                stub.set_event("appended", suffix.as_bytes().to_vec())?;
                stub.put(key, value.clone())?;
                Ok(value)
            }
            ("list", [start, end]) => {
                let rows = stub.range(start, end, 1000)?;
                Ok(rows.into_iter().map(|(key, _)| key).collect::<Vec<_>>().join(" ").into_bytes())
            }
            ("count_and_add", [prefix, key]) => {
                let rows = stub.range(&format!("{prefix}/"), &format!("{prefix}0"), 1000)?;
                let count = rows.len().to_string();
                stub.put(&format!("{prefix}/{key}"), count.clone().into_bytes())?;
                Ok(count.into_bytes())
            }
            ("own", [key, owner]) => {
                let owner = OrganisationId::new(owner)
                    .map_err(|error| ContractError::new(Code::InvalidArgument, error.to_string()))?;
                stub.put(key, b"owned".to_vec())?;
                Ok(stub.set_key_policy(key, &KeyPolicy::AllOf(vec![owner])).map(|()| Vec::new())?)
            }
            ("event", [name]) => Ok(stub.set_event(name, b"payload".to_vec()).map(|()| Vec::new())?),
            ("two_events", []) => {
                stub.set_event("one", Vec::new())?;
                Ok(stub.set_event("two", Vec::new()).map(|()| Vec::new())?)
            }
            ("put_many", [prefix, count]) => {
                for number in 0..count.parse::<u32>().unwrap_or_default().min(1000) {
                    stub.put(&format!("{prefix}/{number:04}"), vec![b'v'; 200])?;
                }
                Ok(Vec::new())
            }
            ("time", []) => Ok(stub.timestamp().millis().to_string().into_bytes()),
            _ => private(stub, function, &texts),
        }
    }
}

fn private(stub: &mut dyn Stub, function: &str, texts: &[&str]) -> Result<Vec<u8>, ContractError> {
    match (function, texts) {
        ("put_private", [collection, key]) => {
            // Executed again without its private input, it still writes something in the same place.
            let value = stub.transient("value").unwrap_or(b"lost").to_vec();
            Ok(stub.put_private(collection, key, value).map(|()| Vec::new())?)
        }
        ("get_private", [collection, key]) => Ok(stub.get_private(collection, key)?.unwrap_or_default()),
        ("private_hash", [collection, key]) => {
            Ok(stub.private_hash(collection, key)?.map(|hash| hash.to_vec()).unwrap_or_default())
        }
        ("purge_private", [collection, key]) => Ok(stub.purge_private(collection, key).map(|()| Vec::new())?),
        _ => Err(ContractError::new(Code::UnknownFunction, format!("{function:.40} with {} arguments", texts.len()))),
    }
}

fn register(stub: &mut dyn Stub, records: &[Vec<u8>]) -> Result<Vec<u8>, ContractError> {
    for record in records {
        let organisation = Organisation::decode(record)?;
        stub.put(&format!("organisation/{}", organisation.id), record.clone())?;
    }
    Ok(Vec::new())
}

/// A dishonest peer's contract: whatever is called, it writes what the attacker wants.
#[derive(Debug, Clone)]
pub struct ForgingContract {
    /// The key it writes.
    pub key: String,
    /// What it writes there.
    pub value: Vec<u8>,
}

impl Contract for ForgingContract {
    fn invoke(&self, stub: &mut dyn Stub, _: &str, _: &[Vec<u8>]) -> Result<Vec<u8>, ContractError> {
        stub.put(&self.key, self.value.clone())?;
        Ok(Vec::new())
    }
}
