//! Feeds an index with blocks that follow from their numbers.

use std::path::Path;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use semblance_core::id::CaseHandle;
use semblance_core::time::Timestamp;
use semblance_core::token::Token;
use semblance_index::{Block, Change, IndexedCase, Merging, Position, Writer};

use super::say;

/// Cases in each block.
pub const CASES: u32 = 50;
/// Different tokens; squared when drawn, so that some are common.
const TOKENS: u64 = 2_000;

/// The name of the case with this ordinal.
#[must_use]
pub fn handle(ordinal: u32) -> CaseHandle {
    CaseHandle::from_bytes(u128::from(ordinal).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_0c2d_9b1f_3d4b).to_be_bytes())
}

/// Between eight and forty tokens.
#[must_use]
pub fn tokens(random: &mut impl RngCore, count: usize) -> Vec<Token> {
    let mut tokens = std::collections::BTreeSet::new();
    while tokens.len() < count {
        let (one, other) = (random.next_u64() % TOKENS, random.next_u64() % TOKENS);
        tokens.insert(Token(one * other / TOKENS));
    }
    tokens.into_iter().collect()
}

/// The block of this number: it adds cases, some of which expire a hundred blocks later, and withdraws an earlier one.
#[must_use]
pub fn block(number: u64) -> Block {
    let mut random = ChaCha20Rng::seed_from_u64(number);
    let first = u32::try_from(number).unwrap() * CASES;
    let mut changes: Vec<Change> = (first..first + CASES)
        .map(|ordinal| {
            let count = 8 * (1 + random.next_u32() as usize % 4);
            let life = if random.next_u32().is_multiple_of(20) { 100 } else { 1_000_000 };
            let (hospital, expires) = ((ordinal % 5) as u16, Timestamp::from_millis((number + life) * 1000));
            let tokens = tokens(&mut random, count);
            Change::Add(IndexedCase::new(ordinal, handle(ordinal), hospital, expires, &tokens).unwrap())
        })
        .collect();
    if first > 0 {
        changes.push(Change::Withdraw(handle(random.next_u32() % first)));
    }
    Block { position: Position { block: number, time: Timestamp::from_millis(number * 1000) }, changes }
}

/// Takes blocks until it is killed. Says `committed` and the number of the block that survives from now on.
pub fn write(folder: &Path) {
    let mut writer = Writer::open(folder, Merging::Automatic).unwrap();
    let mut next = writer.committed().map_or(0, |position| position.block + 1);
    say("ready");
    loop {
        for _ in 0..=next % 4 {
            writer.apply(&block(next)).unwrap();
            next += 1;
        }
        let committed = if next.is_multiple_of(10) {
            writer.scrub().unwrap();
            writer.committed()
        } else {
            writer.commit().unwrap()
        };
        say(&format!("committed {}", committed.unwrap().block));
    }
}
