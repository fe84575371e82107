//! Test vectors of ranking, for independent implementations: `vectors/scores.json`.
//!
//! Every number is an integer; fixed point has 16 fractional bits. `idf`, `length_factor` and `gain` are single steps
//! with what they round; `shown` adds up groups of own worth and best gain. The examples score six cases, named by their
//! place in the order of publication, for one close and one wide query: of each case the best gain in every group, in
//! the query's order, then sum, factor and score; `ranking` is the order of the answer. After a deliberate change,
//! which needs a new profile, write the file again with `SEMBLANCE_WRITE_VECTORS=1 cargo test -p semblance-core --test
//! scores`.
#![expect(clippy::unwrap_used, reason = "a test: a missing or malformed vector must fail it")]

mod stored;

use std::collections::BTreeSet;

use semblance_core::query::{Breadth, Group, Query, Weight};
use semblance_core::score::{Collection, Shown, gain, order, score};
use semblance_core::token::{EpochNumber, Token};
use serde_json::{Value, json};
use stored::{bytes, stored};

/// Live cases and how many of them carry a token.
const IDFS: [(u32, u32); 12] = [
    (0, 0),
    (1, 0),
    (1, 1),
    (5, 5),
    // A frequency beyond the cases counts as all of them.
    (5, 9),
    (1_000, 1),
    (1_000, 500),
    (1_000_000, 0),
    (1_000_000, 1_000),
    // The smallest worth is one.
    (1_000_000, 1_000_000),
    (u32::MAX, 0),
    (u32::MAX, u32::MAX),
];

/// Live cases and all their tokens, an empty collection and one at its average length among them.
const COLLECTIONS: [(u32, u64); 5] =
    [(0, 0), (3, 48), (10, 130), (1_000_000, 14_000_000), (u32::MAX, 40 * u32::MAX as u64)];

/// Groups of own worth and best gain; more than the own worth is not reached.
const SHOWN: [&[(u32, u32)]; 6] =
    [&[], &[(100, 250), (200, 0)], &[(1_000, 667)], &[(1_000, 666)], &[(1_000, 333)], &[(1_000, 332)]];

/// The first token of the group's relatives; own tokens are 1 to 5.
const fn relative(group: u64, number: u64) -> u64 {
    100 * group + number
}

/// The tokens that matter of each case, and how many it has; the rest are nobody else's.
const CASES: [(&[u64], u64); 6] = [
    (&[1, 2, 3], 16),
    (&[1, 2, 3, 4, 5], 8),
    // Equal to the next in all that counts: the earlier publication comes first.
    (&[1, 2, 4], 8),
    (&[1, 2, 4], 8),
    // A group counts once, with its best.
    (&[1, relative(2, 1), relative(3, 1), relative(3, 2)], 8),
    (&[], 24),
];

fn cases() -> Vec<BTreeSet<u64>> {
    let filled = |(place, (tokens, length)): (usize, &(&[u64], u64))| {
        let others = (1..).map(|number| 10_000 * (place as u64 + 1) + number);
        tokens.iter().copied().chain(others).take(usize::try_from(*length).unwrap()).collect()
    };
    CASES.iter().enumerate().map(filled).collect()
}

fn token(number: u64) -> String {
    format!("{number:016x}")
}

fn breadth_word(breadth: Breadth) -> &'static str {
    match breadth {
        Breadth::Close => "close",
        Breadth::Wide => "wide",
    }
}

fn example(breadth: Breadth) -> Value {
    let cases = cases();
    let collection = Collection {
        cases: u32::try_from(cases.len()).unwrap(),
        tokens: cases.iter().map(|tokens| tokens.len() as u64).sum(),
    };
    let group = |own: u64| {
        let relatives = (1..=breadth.relatives() as u64).map(|number| Token(relative(own, number))).collect();
        Group { own: Token(own), relatives }
    };
    let query = Query::new(EpochNumber(1), breadth, (1..=5).map(group).collect(), 10).unwrap();
    let idf = |token: Token| {
        collection.idf(u32::try_from(cases.iter().filter(|case| case.contains(&token.0)).count()).unwrap())
    };
    let mut scored = Vec::new();
    let rows: Vec<_> = cases
        .iter()
        .zip(0u32..)
        .map(|(tokens, ordinal)| {
            let best = |group: &Group| {
                let own = std::iter::once((group.own, Weight::OWN));
                let weighted = own.chain(group.relatives.iter().map(|token| (*token, Weight::RELATIVE)));
                let gains = weighted.filter(|(token, _)| tokens.contains(&token.0));
                gains.map(|(token, weight)| gain(idf(token), weight)).max().unwrap_or(0)
            };
            let gains: Vec<u32> = query.groups().iter().map(best).collect();
            let (sum, length) = (gains.iter().sum(), u8::try_from(tokens.len()).unwrap());
            let factor = collection.length_factor(breadth, length);
            scored.push((score(sum, factor), ordinal));
            json!({
                "case": ordinal, "tokens": tokens.iter().copied().map(token).collect::<Vec<_>>(), "gains": gains,
                "sum": sum, "length_factor": factor, "score": score(sum, factor),
            })
        })
        .collect();
    scored.sort_by(|one, other| order(*one, *other));
    json!({
        "query": hex::encode(query.encode()),
        "own_idf": query.groups().iter().map(|group| idf(group.own)).collect::<Vec<_>>(),
        "cases": rows,
        "ranking": scored.iter().map(|(_, ordinal)| ordinal).collect::<Vec<_>>(),
    })
}

fn built() -> Value {
    let idfs = IDFS.map(|(cases, frequency)| {
        json!({ "cases": cases, "frequency": frequency, "idf": Collection { cases, tokens: 0 }.idf(frequency) })
    });
    let factors = COLLECTIONS.iter().flat_map(|&(cases, tokens)| {
        [Breadth::Close, Breadth::Wide].into_iter().flat_map(move |breadth| {
            [8, 16, 24, 32, 40].map(|length| {
                json!({
                    "cases": cases, "tokens": tokens, "breadth": breadth_word(breadth), "length": length,
                    "length_factor": Collection { cases, tokens }.length_factor(breadth, length),
                })
            })
        })
    });
    let gains = [1, 2, 3, 10, 11, 12_345, 1_499_061].into_iter().flat_map(|idf| {
        [Weight::OWN, Weight::RELATIVE]
            .map(|weight| json!({ "idf": idf, "weight_tenths": weight.tenths(), "gain": gain(idf, weight) }))
    });
    let shown = SHOWN.map(|groups| {
        let mut shown = Shown::default();
        groups.iter().for_each(|(own, best)| shown.count(*own, *best));
        json!({
            "groups": groups, "reached": shown.reached(), "possible": shown.possible(),
            "band": format!("{:?}", shown.band()).to_lowercase(),
        })
    });
    json!({
        "idf": idfs, "length_factor": factors.collect::<Vec<_>>(), "gain": gains.collect::<Vec<_>>(), "shown": shown,
        "examples": { "close": example(Breadth::Close), "wide": example(Breadth::Wide) },
    })
}

#[test]
fn scores() {
    let stored = stored("scores", &built());
    for breadth in ["close", "wide"] {
        let query = bytes(&stored["examples"][breadth]["query"]);
        assert_eq!(Query::decode(&query).unwrap().encode(), query);
    }
}
