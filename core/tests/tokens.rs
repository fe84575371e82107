//! Test vectors from epoch key to fingerprint and query, for independent implementations: `vectors/tokens.json`.
//!
//! Terms stand as HPO ids and bytes in hexadecimal. `terms` goes from the epoch key to each token; `dummies` draws from
//! a small table of annotation counts; `fingerprint` pads the case with these dummies; `queries` asks about it, close
//! and wide (relatives from the built-in vocabulary whose digest is given). The layouts are described where they are
//! written: `token`, `dummies`, `fingerprint` and `query` of the crate. After a deliberate change, which needs a new
//! version number, write the file again with `SEMBLANCE_WRITE_VECTORS=1 cargo test -p semblance-core --test tokens`.
#![expect(clippy::unwrap_used, reason = "a test: a missing or malformed vector must fail it")]

mod stored;

use std::collections::BTreeSet;

use hmac::{Hmac, Mac};
use semblance_core::dummies::{CaseSecret, Frequencies, Purpose, draw};
use semblance_core::fingerprint::{FingerprintPlan, PrivateValue};
use semblance_core::id::NetworkId;
use semblance_core::observed::ObservedTerms;
use semblance_core::query::{Query, QueryPlan};
use semblance_core::term::TermId;
use semblance_core::token::{EpochNumber, Seed, key_check, seed_input};
use semblance_core::vocabulary::Vocabulary;
use serde_json::{Value, json};
use sha2::Sha256;
use stored::{bytes, stored};

const EPOCH: EpochNumber = EpochNumber(7);
const EPOCH_KEY: [u8; 32] = [0x42; 32];
const SECRET: [u8; 32] = [0x5e; 32];
const SALT: [u8; 32] = [0x61; 32];
const NETWORK: NetworkId = NetworkId::from_bytes([0x11; 16]);

/// Seizure, microcephaly, global developmental delay, hypotonia, ataxia.
const OBSERVED: [u32; 5] = [252, 1250, 1251, 1252, 1263];
/// HPO numbers and made-up annotation counts; one of the case's own terms is among them.
const COUNTS: [(u32, u32); 10] = [
    (218, 340),
    (365, 512),
    (407, 301),
    (505, 77),
    (1250, 900),
    (1249, 640),
    (1508, 250),
    (1629, 128),
    (2650, 199),
    (4322, 411),
];

fn term(number: u32) -> TermId {
    TermId::new(number).unwrap()
}

fn hmac(epoch_key: &[u8; 32], input: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(epoch_key).unwrap();
    mac.update(input);
    mac.finalize().into_bytes().into()
}

fn seeds(terms: &[TermId]) -> Vec<Seed> {
    terms.iter().map(|term| Seed::from_bytes(hmac(&EPOCH_KEY, &seed_input(EPOCH, *term)))).collect()
}

fn ids(terms: &[TermId]) -> Vec<String> {
    terms.iter().map(ToString::to_string).collect()
}

fn query(plan: &QueryPlan) -> Value {
    let query = plan.build(EPOCH, &seeds(plan.terms()), 10).unwrap();
    let groups = plan.groups().map(|(own, relatives)| json!({"own": own.to_string(), "relatives": ids(relatives)}));
    json!({
        "groups": groups.collect::<Vec<_>>(),
        "k": query.k(),
        "encoded": hex::encode(query.encode()),
        "commitment": query.commitment(NETWORK, &SALT).to_string(),
    })
}

fn built() -> Value {
    let vocabulary = Vocabulary::built_in();
    let observed = ObservedTerms::new(&vocabulary, &OBSERVED.map(term)).unwrap();
    let frequencies = Frequencies::from_counts(COUNTS.map(|(number, count)| (term(number), count)));
    let secret = CaseSecret::from_bytes(SECRET);
    let own: BTreeSet<TermId> = observed.terms().iter().copied().collect();
    let drawn = |purpose| ids(&draw(&frequencies, &secret, purpose, &own, 3).unwrap());
    let plan = FingerprintPlan::new(&observed, &secret, &frequencies).unwrap();
    let fingerprint = plan.build(&seeds(plan.terms())).unwrap();
    let private = PrivateValue::with_salt(fingerprint.clone(), SALT);
    let wide = QueryPlan::wide(&observed, &vocabulary, &secret, &Frequencies::of(&vocabulary)).unwrap();
    let tokens = plan.terms().iter().zip(seeds(plan.terms())).map(|(term, seed)| {
        let input = seed_input(EPOCH, *term);
        let hmac = hmac(&EPOCH_KEY, &input);
        json!({
            "term": term.to_string(),
            "seed_input": hex::encode(input),
            "seed": hex::encode(hmac),
            "token": format!("{:016x}", seed.token().0),
        })
    });
    json!({
        "epoch": EPOCH.0,
        "epoch_key": hex::encode(EPOCH_KEY),
        "key_check": key_check(&EPOCH_KEY, EPOCH).to_string(),
        "observed": ids(observed.terms()),
        "case_secret": hex::encode(SECRET),
        "terms": tokens.collect::<Vec<_>>(),
        "dummies": {
            "counts": COUNTS.map(|(number, count)| json!({"term": term(number).to_string(), "count": count})),
            "padding": drawn(Purpose::Padding),
            "relatives_of_HP:0001250": drawn(Purpose::Relatives(term(1250))),
        },
        "fingerprint": {
            "terms": ids(plan.terms()),
            "encoded": hex::encode(fingerprint.encode()),
            "salt": hex::encode(SALT),
            "private_value": hex::encode(private.encode()),
            "sha256": private.sha256().to_string(),
        },
        "queries": {
            "network": hex::encode(NETWORK.as_bytes()),
            "salt": hex::encode(SALT),
            "vocabulary": vocabulary.digest().to_string(),
            "close": query(&QueryPlan::close(&observed)),
            "wide": query(&wide),
        },
    })
}

#[test]
fn tokens() {
    let stored = stored("tokens", &built());
    let private = bytes(&stored["fingerprint"]["private_value"]);
    assert_eq!(PrivateValue::decode(&private).unwrap().encode(), private);
    for breadth in ["close", "wide"] {
        let encoded = bytes(&stored["queries"][breadth]["encoded"]);
        assert_eq!(Query::decode(&encoded).unwrap().encode(), encoded);
    }
}
