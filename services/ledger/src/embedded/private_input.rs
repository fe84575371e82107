//! The private input of recorded calls, as far as it is still there, to execute them again.
//!
//! No block holds private input. Of `publish_cases` the values of the cases that were published stand in the file until
//! they are purged, and are used. The contract asks of a value only that it is one, and that it has the hash its item
//! names; so where a value is gone, another one stands in for it, with its own hash in the item, and afterwards the
//! item's hash is put back into what the contract wrote. All that remains unchecked is that a purged value was one.

use std::collections::{BTreeMap, BTreeSet};

use semblance_contract::event::Event;
use semblance_contract::stub::fingerprint_collection;
use semblance_contract::wire::{
    Fingerprints, List, Opaque, Outcomes, PublishCases, PublishItem, Refusal, TRANSIENT_FINGERPRINTS,
};
use semblance_contract::{Code, key};
use semblance_core::case::PublishedCase;
use semblance_core::encode::DecodeError;
use semblance_core::fingerprint::{Fingerprint, PrivateValue};
use semblance_core::proposal::{ProposalParts, Transient, transient_hash};
use semblance_core::record::Record;
use semblance_core::token::Token;

use super::block::Executed;
use super::private::{hashed, sha256};
use super::stub::Effects;
use super::view::Tables;

/// A recorded call with input that it can be executed with.
pub(super) struct PrivateInput {
    pub(super) parts: ProposalParts,
    pub(super) transient: Transient,
    lost: Lost,
}

/// What is not there any more.
enum Lost {
    Nothing,
    /// Values of cases: the hashes of those that stand in, with the hashes that the items name; and the items that were
    /// refused because their values were none.
    Values {
        hashes: BTreeMap<[u8; 32], [u8; 32]>,
        refused: BTreeSet<usize>,
    },
    /// Input of a contract that is not known here.
    Everything,
}

impl PrivateInput {
    /// Finds what there is in the ledger's file, if it has one.
    pub(super) fn find(recorded: &Executed, parts: &ProposalParts, file: Option<Tables<'_>>) -> Result<Self, String> {
        let none = transient_hash(&Transient::new()).map_err(|error| error.to_string())?;
        let known = |lost| Self { parts: parts.clone(), transient: Transient::new(), lost };
        match (parts.function.as_str(), parts.arguments.as_slice()) {
            _ if parts.transient == none => Ok(known(Lost::Nothing)),
            ("publish_cases", [argument]) => publication(recorded, parts, argument, file),
            _ => Ok(known(Lost::Everything)),
        }
    }

    /// Makes what the contract did with this input comparable with what was recorded.
    pub(super) fn restore(&self, effects: &mut Effects, recorded: &Executed) {
        match &self.lost {
            Lost::Nothing => {}
            Lost::Values { hashes, .. } => restore_hashes(effects, hashes),
            Lost::Everything => {
                for (key, hash) in &mut effects.writes.private {
                    let written = recorded.writes.private.get(key).copied().flatten();
                    *hash = hash.map(|hash| written.unwrap_or(hash));
                }
            }
        }
    }

    /// Whether the contract returned what was recorded. What is wrong with a value that is none is told in many words,
    /// and of those only the code can be compared.
    pub(super) fn same_response(&self, response: &[u8], recorded: &[u8]) -> bool {
        let Lost::Values { refused, .. } = &self.lost else { return response == recorded };
        let (Ok(response), Ok(recorded)) = (Outcomes::decode(response), Outcomes::decode(recorded)) else {
            return false;
        };
        let word = |outcome: &Result<(), Refusal>| outcome.as_ref().err().map(|refusal| refusal.word().to_owned());
        let mut pairs = response.items().iter().zip(recorded.items()).enumerate();
        response.items().len() == recorded.items().len()
            && pairs.all(
                |(place, (one, other))| {
                    if refused.contains(&place) { word(one) == word(other) } else { one == other }
                },
            )
    }
}

fn publication(
    recorded: &Executed,
    parts: &ProposalParts,
    argument: &[u8],
    file: Option<Tables<'_>>,
) -> Result<PrivateInput, String> {
    let text = |error: DecodeError| error.to_string();
    let PublishCases { matcher, items } = PublishCases::decode(argument).map_err(text)?;
    let outcomes = Outcomes::decode(&recorded.response).map_err(text)?;
    let mut items = items.into_items();
    if outcomes.items().len() != items.len() {
        return Err("it does not have one outcome for each case".into());
    }
    let (mut values, mut hashes, mut refused) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
    let collection = fingerprint_collection(&parts.organisation);
    for (place, (item, outcome)) in items.iter_mut().zip(outcomes.items()).enumerate() {
        let value = match outcome.as_ref().err().and_then(|refusal| refusal.code()) {
            Some(Code::FingerprintInvalid) => {
                refused.insert(place);
                Vec::new()
            }
            Some(Code::FingerprintHash) => stand_in(place)?,
            _ => match kept(item, &collection, file)? {
                Some(value) => value,
                None => {
                    let value = stand_in(place)?;
                    hashes.insert(sha256(&value), item.private_hash);
                    item.private_hash = sha256(&value);
                    value
                }
            },
        };
        values.push(Opaque(value));
    }
    let values = Fingerprints::new(values).map_err(text)?;
    let items = List::new(items).map_err(text)?;
    Ok(PrivateInput {
        parts: ProposalParts { arguments: vec![PublishCases { matcher, items }.encode()], ..parts.clone() },
        transient: [(TRANSIENT_FINGERPRINTS.to_owned(), values.encode())].into(),
        lost: Lost::Values { hashes, refused },
    })
}

/// The value of a case, if the file has it.
fn kept(item: &PublishItem, collection: &str, file: Option<Tables<'_>>) -> Result<Option<Vec<u8>>, String> {
    let Some(file) = file else { return Ok(None) };
    let value = file.private_value(&hashed(collection, &item.handle.to_string())).map_err(|error| error.to_string())?;
    Ok(value.filter(|value| sha256(value) == item.private_hash))
}

/// A private value that differs from those of all other places.
fn stand_in(place: usize) -> Result<Vec<u8>, String> {
    let tokens = (0..8).map(Token).collect();
    let fingerprint = Fingerprint::new(tokens).map_err(|error| error.to_string())?;
    let mut salt = [0; 32];
    for (byte, number) in salt.iter_mut().zip(place.to_be_bytes()) {
        *byte = number;
    }
    Ok(PrivateValue::with_salt(fingerprint, salt).encode())
}

/// Puts the items' own hashes back wherever the contract writes the hash of a value.
fn restore_hashes(effects: &mut Effects, hashes: &BTreeMap<[u8; 32], [u8; 32]>) {
    let own = |hash: &mut [u8; 32]| *hash = *hashes.get(hash).unwrap_or(hash);
    effects.writes.private.values_mut().flatten().for_each(own);
    let cases = effects.writes.public.iter_mut().filter(|(name, _)| name.starts_with(key::CASES));
    for value in cases.filter_map(|(_, value)| value.as_mut()) {
        if let Ok(mut case) = PublishedCase::decode(value) {
            own(&mut case.private_hash);
            *value = case.encode();
        }
    }
    let Some((name, payload)) = &mut effects.event else { return };
    if let Ok(Some(Event::CasesPublished(mut cases))) = Event::decode(name, payload) {
        cases.iter_mut().for_each(|case| own(&mut case.private_hash));
        *payload = Event::CasesPublished(cases).payload();
    }
}
