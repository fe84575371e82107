//! Test vectors of the contract, for independent implementations: `tests/vectors` of this crate.
//!
//! `membership.json` is the one statement that the contract defines, `transactions.json` a story of calls, each with
//! argument, response and event, `state.json` every record that the ledger holds at its end, under its key. Each has
//! its bytes and, in plain JSON, what they say. Statements inside are described in the vectors of `core`. After a
//! deliberate change of a layout, which needs a new version number, write the files again with
//! `SEMBLANCE_WRITE_VECTORS=1 cargo test -p semblance-contract vectors`.

#[path = "../../../../core/tests/stored/mod.rs"]
mod stored;

use std::collections::BTreeSet;

use semblance_core::id::RequestId;
use semblance_core::introduction::{Outcome, Side};
use semblance_core::organisation::{OrganisationKind, TlsRoot};
use semblance_core::patient_key::PatientKeyEntry;
use semblance_core::random::SeededSource;
use semblance_core::receipt::seal_receipts;
use semblance_core::record::Record;
use semblance_core::signature::{SignedBytes, Statement};
use semblance_core::time::Day;
use semblance_core::token::EpochNumber;
use serde_json::{Map, Value, json};
use stored::{bytes, stored};

use super::contact::*;
use super::fields;
use super::world::*;
use crate::FUNCTIONS;
use crate::stub::Role;
use crate::wire::{EpochArgument, List, SignedStatement};
use crate::wire::{Fingerprints, Membership, Opaque, PatientKeys, SignedStatements, TRANSIENT_FINGERPRINTS};

#[test]
fn membership() {
    let west = organisation("west", OrganisationKind::Matcher);
    let signed = Membership { network: NETWORK, organisation: west.clone() }.sign(&node("west"));
    let built = json!({
        "domain": Membership::DOMAIN,
        "version": Membership::VERSION,
        "fields": { "network": NETWORK.to_string(), "organisation": fields::organisation(&west) },
        "seed": hex::encode(*node("west").expose_seed()),
        "verifying_key": west.verifying_key.to_string(),
        "bytes": hex::encode(signed.source().bytes()),
        "digest": signed.digest().to_string(),
        "signature": hex::encode(signed.source().signature().as_bytes()),
    });
    let stored = stored("membership", &built);
    let source = SignedBytes::new(bytes(&stored["bytes"]), *signed.source().signature());
    let verified = source.claim::<Membership>(NETWORK).unwrap().verify(&west.verifying_key).unwrap();
    assert_eq!(verified.statement().organisation, west);
}

#[test]
fn transactions_and_state() {
    let mut story = Story { world: World::empty(), calls: Vec::new() };
    tell(&mut story);
    let told: BTreeSet<_> = story.calls.iter().map(|call| call["function"].as_str().unwrap().to_owned()).collect();
    // What writes has an event; the rest are queries, and `register_hospital` is its twin's layout.
    let missing: Vec<_> = FUNCTIONS.iter().map(|(name, _)| *name).filter(|name| !told.contains(*name)).collect();
    assert_eq!((missing[0], missing[1]), ("register_hospital", "version"), "a transaction has no vector");

    let state: Map<String, Value> = story
        .world
        .stub
        .state()
        .iter()
        .map(|(key, value)| (key.clone(), json!({ "fields": fields::record(key, value), "bytes": hex::encode(value) })))
        .collect();
    stored("transactions", &Value::Array(story.calls));
    stored("state", &Value::Object(state));
}

/// A world and what was called in it.
struct Story {
    world: World,
    calls: Vec<Value>,
}

impl Story {
    fn call(&mut self, who: &str, role: Role, function: &str, argument: &impl Record) {
        self.call_with(who, role, function, argument, None);
    }

    fn call_with(&mut self, who: &str, role: Role, function: &str, argument: &impl Record, values: Option<Vec<u8>>) {
        let argument = argument.encode();
        let transient: Vec<_> = values.iter().map(|values| (TRANSIENT_FINGERPRINTS, values.clone())).collect();
        let response = self.world.invoke(who, role, function, argument.clone(), &transient).unwrap();
        let (name, payload) = self.world.writes.event.clone().expect("every transaction of the story takes effect");
        self.calls.push(json!({
            "caller": { "organisation": who, "role": if role == Role::Node { "node" } else { "admin" } },
            "time": crate::stub::Stub::timestamp(&self.world.stub).millis(),
            "function": function,
            "argument": { "fields": fields::argument(function, &argument), "bytes": hex::encode(&argument) },
            "transient": values.map(|values| json!({
                TRANSIENT_FINGERPRINTS: { "fields": fields::fingerprints(&values), "bytes": hex::encode(&values) },
            })),
            "response": { "fields": fields::response(function, &response), "bytes": hex::encode(&response) },
            "event": { "name": name, "fields": fields::event(&name, &payload), "bytes": hex::encode(&payload) },
        }));
    }

    fn publish(&mut self, items: Vec<crate::wire::PublishItem>) {
        let values = items.iter().map(|_| Opaque(private_value(1).encode())).collect();
        let values = Fingerprints::new(values).unwrap().encode();
        self.call_with("north", Role::Node, "publish_cases", &publish_cases(items), Some(values));
    }
}

fn tell(story: &mut Story) {
    use Role::{Admin, Node};
    story.call("north", Admin, "genesis", &genesis());
    let west = newcomer(organisation("west", OrganisationKind::Matcher), &["north", "south", "alpha"]);
    story.call("north", Admin, "register_matcher", &west);
    let rotation = rotation("north", |next| next.tls_root = TlsRoot::new(vec![2]).unwrap()).sign(&node("north"));
    story.call("north", Admin, "rotate_key", &SignedStatement(rotation.into_parts().1));
    story.call("north", Admin, "open_epoch", &open_epoch(1));

    let (patient, other) = (story.world.stranger("north"), story.world.stranger("north"));
    let keys = PatientKeys::new(vec![patient.entry(), other.entry()]).unwrap();
    story.call("north", Node, "register_patient_key", &keys);
    let consents = SignedStatements::new(vec![patient.signed(|_| ()), other.signed(|_| ())]).unwrap();
    story.call("north", Node, "grant_consent", &consents);
    let (first, second, third) = (story.world.handle(), story.world.handle(), story.world.handle());
    // The second item names a handle that is not live: refused, beside one that succeeds.
    story.publish(vec![item(&patient, first, None), item(&other, second, Some(third))]);
    story.publish(vec![item(&patient, second, Some(first)), item(&other, third, None)]);

    let mut entry = patient.entry_of(1, |_| ());
    entry.slots = seal_receipts(NETWORK, &entry.request.digest(), &[], &SeededSource::new([5; 32])).unwrap().slots;
    story.call("alpha", Node, "record_lookups", &List::<_, 50>::new(vec![entry]).unwrap());
    story.call("alpha", Node, "record_denials", &List::<_, 100>::new(vec![denial("alpha", 1)]).unwrap());
    meet(story, patient.request(1).request);

    let heir = Patient { key: node("heir"), ..patient.clone() };
    let mut registration = heir.registration();
    registration.previous = Some(patient.key.verifying_key());
    let entry = PatientKeyEntry::sign(registration, &node("north"), Some(&patient.key));
    story.call("north", Node, "register_patient_key", &PatientKeys::new(vec![entry]).unwrap());
    story.call("south", Node, "withdraw_consent", &heir.signed_withdrawal());
    story.call("south", Node, "purge_case", &handles(&[second]));

    story.call("south", Admin, "open_epoch", &open_epoch(2));
    story.world.stub.set_timestamp(NOW.plus(30 * Day::MILLIS));
    story.call("beta", Node, "expire", &handles(&[third]));
    story.call("north", Admin, "close_epoch", &EpochArgument(EpochNumber(1)));
}

/// Both sides of a look-up agree to talk and open a channel, which moves to the other side; and one opens a group.
fn meet(story: &mut Story, lookup: RequestId) {
    use Role::Node;
    let proposal = proposal(lookup, "north", Side::Asker, "south");
    story.call("north", Node, "propose_introduction", &by("north", proposal));
    story.call("south", Node, "answer_introduction", &by("south", answer("south", Outcome::Accepted)));
    story.call("south", Node, "open_channel", &by("south", opening("south", 1)));
    story.call("north", Node, "open_channel", &by("north", opening("north", 2)));
    story.call("south", Node, "open_group", &open_group(group("south", 1, &["north", "south"])));
}
