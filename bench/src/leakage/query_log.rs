//! What a matcher could read that keeps the queries it must not keep.

use std::collections::HashMap;

use semblance_core::dummies::CaseSecret;
use semblance_core::observed::ObservedTerms;
use semblance_core::query::QueryPlan;
use semblance_core::term::TermId;
use serde_json::{Map, Value, json};

use super::attack::{self, Kin, Knowledge};
use super::publication::{Design, Publisher};
use super::{Numbers, learned, share_read};
use crate::draw::Draw;

/// Queries in the log.
const QUERIES: usize = 1000;
/// Cases known in plaintext.
const KNOWN: [usize; 3] = [0, 5, 20];

pub(super) fn run(
    publisher: &Publisher<'_>,
    observed: &[Vec<TermId>],
    imagined: &[Vec<TermId>],
) -> anyhow::Result<(Value, String)> {
    // Cases of five terms and more, so that both logs hold the same cases.
    let cases: Vec<Vec<TermId>> = observed.iter().filter(|terms| terms.len() >= 5).take(QUERIES).cloned().collect();
    let mut secrets = Draw::new(0, "query secrets");
    let mut groups: HashMap<TermId, Vec<TermId>> = HashMap::new();
    for terms in &cases {
        for (own, group) in wide(publisher, terms, secrets.bytes())? {
            groups.entry(own).or_insert(group);
        }
    }
    let everything: Vec<Vec<TermId>> = cases.iter().chain(groups.values()).cloned().collect();
    let numbers = Numbers::of(&everything);
    let log: Vec<Vec<u32>> = cases.iter().map(|terms| numbers.set(terms)).collect();
    let seen = groups.iter().filter_map(|(own, group)| Some((*numbers.0.get(own)?, numbers.set(group)))).collect();
    let expected = public_groups(publisher, imagined, &cases)?;
    let kin = Kin { seen: &seen, expected: &expected };

    let (mut report, mut table) =
        (Map::new(), format!("\nlog of {} queries     0 known  5 known  20 known\n", log.len()));
    for (breadth, kin) in [("close", None), ("wide", Some(&kin))] {
        let mut shares = Map::new();
        table.push_str(&format!("{breadth:<20}"));
        for count in KNOWN {
            let open: Vec<Vec<TermId>> = cases.iter().take(count).cloned().collect();
            let known: Vec<(usize, Vec<TermId>)> = open.iter().cloned().enumerate().collect();
            let sets = learned(publisher, Design::Unpadded, &open, imagined)?;
            let knowledge = Knowledge { sets: &sets, known: &known, stray: -50.0, kin };
            let share = share_read(&numbers, &attack::read(&log, &knowledge), cases.get(count..).unwrap_or_default());
            table.push_str(&format!("    {share:.3}"));
            shares.insert(count.to_string(), json!(share));
        }
        table.push('\n');
        report.insert(breadth.to_owned(), Value::Object(shares));
    }
    Ok((Value::Object(report), table))
}

/// Each own term of a case with the whole of its wide group.
fn wide(publisher: &Publisher<'_>, terms: &[TermId], secret: [u8; 32]) -> anyhow::Result<Vec<(TermId, Vec<TermId>)>> {
    let observed = ObservedTerms::new(publisher.vocabulary, terms)?;
    let secret = CaseSecret::from_bytes(secret);
    let plan = QueryPlan::wide(&observed, publisher.vocabulary, &secret, publisher.frequencies)?;
    Ok(plan.groups().map(|(own, relatives)| (own, [&[own], relatives].concat())).collect())
}

/// The groups that the public rule makes of every term that the attacker considers.
fn public_groups(
    publisher: &Publisher<'_>,
    imagined: &[Vec<TermId>],
    cases: &[Vec<TermId>],
) -> anyhow::Result<HashMap<TermId, Vec<TermId>>> {
    // The known cases' terms are among the attacker's too; computing a group more changes nothing.
    let mut terms: Vec<TermId> = imagined.iter().chain(cases).flatten().copied().collect();
    terms.sort_unstable();
    terms.dedup();
    let mut groups = HashMap::new();
    for chunk in terms.chunks(16) {
        let filled: Vec<TermId> = chunk.iter().chain(terms.iter().take(5)).copied().collect();
        groups.extend(wide(publisher, &filled, [0; 32])?);
    }
    Ok(groups)
}
