//! A channel's history, kept from a real network, and what verification finds when somebody has changed it.
//!
//! `blocks.zst` is written by the story `a_channels_blocks_verify_by_themselves` on a real network.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use prost::Message;
use semblance_contract::SemblanceContract;
use semblance_core::audit::head::AuditHead;
use semblance_core::time::Timestamp;
use semblance_fabric::block::Block as ReadBlock;
use semblance_fabric::proto::common::{Block, Envelope};
use semblance_ledger::embedded::verify::{Report, check_head};
use semblance_ledger::fabric::verify_blocks;
use semblance_ledger::suite::scratch::ScratchContract;
use semblance_ledger::suite::{NETWORK, organisation};

/// The name under which the kept channel's contract was defined.
const CHAINCODE: &str = "story-0";
/// Where a block's metadata have the orderers' signatures and the validation codes.
const SIGNATURES: usize = 0;
const CODES: usize = 2;

fn blocks() -> Vec<Block> {
    let bytes = zstd::decode_all(include_bytes!("blocks.zst").as_slice()).unwrap();
    let (mut rest, mut blocks) = (bytes.as_slice(), Vec::new());
    while !rest.is_empty() {
        blocks.push(Block::decode_length_delimited(&mut rest).unwrap());
    }
    blocks
}

fn verify(blocks: Vec<Block>) -> Report {
    verify_blocks(&SemblanceContract, CHAINCODE, blocks).unwrap()
}

/// What is found, in which block.
fn found(blocks: Vec<Block>) -> Option<(u64, String)> {
    let report = verify(blocks);
    let finding = report.findings.first()?;
    Some((finding.block.unwrap(), finding.what.clone()))
}

/// A change of one block, and that it is found there.
fn tampered(number: usize, change: impl FnOnce(&mut Block)) -> String {
    let mut blocks = blocks();
    change(&mut blocks[number]);
    let (block, what) = found(blocks).unwrap_or_else(|| panic!("a change of block {number} is not found"));
    assert_eq!(block, u64::try_from(number).unwrap(), "{what}");
    what
}

fn codes(block: &mut Block) -> &mut Vec<u8> {
    &mut block.metadata.as_mut().unwrap().metadata[CODES]
}

/// The blocks with a call of the contract, and the codes there.
fn calls() -> Vec<(usize, Vec<i32>)> {
    let read = |block: &Block| ReadBlock::read(block.clone()).unwrap();
    let all = blocks();
    let called = all.iter().enumerate().filter_map(|(number, block)| {
        let transactions = read(block).transactions;
        let action = transactions.first().filter(|one| one.is_call())?.action().ok()?;
        (action.chaincode == CHAINCODE).then(|| (number, transactions.iter().map(|one| one.code).collect()))
    });
    called.collect()
}

#[test]
fn the_kept_history_is_sound() {
    let report = verify(blocks());
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!(report.network, Some(NETWORK));
    assert!(calls().len() >= 8, "{:?}", calls());
}

#[test]
fn a_block_that_is_missing_or_elsewhere_is_found() {
    let count = blocks().len();
    for number in 0..count - 1 {
        let mut missing = blocks();
        missing.remove(number);
        assert_eq!(found(missing).unwrap().0, u64::try_from(number).unwrap());
        let mut swapped = blocks();
        swapped.swap(number, number + 1);
        assert!(found(swapped).is_some());
    }
}

/// What is cut off leaves a history that is sound in itself; a head that was kept elsewhere tells.
#[test]
fn a_head_kept_elsewhere_finds_what_was_cut_off() {
    let whole = verify(blocks());
    let head = AuditHead {
        network: NETWORK,
        organisation: organisation("hospital-2"),
        height: whole.blocks - 1,
        block: *whole.hashes.last().unwrap(),
        time: Timestamp::from_millis(0),
    };
    assert!(check_head(&whole, &head).is_ok());
    let mut cut = blocks();
    cut.pop();
    let cut = verify(cut);
    assert!(cut.is_sound() && check_head(&cut, &head).is_err());
}

/// Codes stand in no hash and under no signature. (Of two codes that both say that nothing took effect, the one that no
/// well-made transaction gets is not told from the other: 2 is a malformed payload.)
#[test]
fn every_code_that_was_changed_is_found() {
    for (number, before) in calls() {
        for (place, before) in before.into_iter().enumerate() {
            for code in [0, 10, 11, 12, 2] {
                if i32::from(code) == before || (code == 2 && before != 0) {
                    continue;
                }
                let what = tampered(number, |block| codes(block)[place] = code);
                assert!(what.contains("recorded as"), "{what}");
            }
        }
    }
}

#[test]
fn orderers_signatures_are_needed() {
    let count = blocks().len();
    for number in 1..count {
        let what = tampered(number, |block| block.metadata.as_mut().unwrap().metadata[SIGNATURES].clear());
        assert!(what.contains("orderer"), "{what}");
        tampered(number, |block| {
            let bytes = &mut block.metadata.as_mut().unwrap().metadata[SIGNATURES];
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
        });
    }
}

/// What is in a block cannot be exchanged, however well it is made: the orderers signed for another one.
#[test]
fn an_exchanged_transaction_is_found() {
    let (number, _) = calls()[2];
    let (other, _) = calls()[3];
    let stolen = blocks()[other].data.clone();
    tampered(number, |block| block.data.clone_from(&stolen));
    tampered(number, |block| {
        let data = block.data.as_mut().unwrap();
        data.data.push(data.data[0].clone());
    });
    tampered(number, |block| {
        let data = block.data.as_mut().unwrap();
        let mut envelope = Envelope::decode(data.data[0].as_slice()).unwrap();
        envelope.signature[8] ^= 1;
        data.data[0] = envelope.encode_to_vec();
    });
}

/// Every bit counts: one is flipped at many places of every block but the first, which is trusted.
#[test]
fn a_flipped_bit_is_found() {
    for number in 1..blocks().len() {
        let length = blocks()[number].data.as_ref().unwrap().data[0].len();
        for place in (0..length).step_by(length / 3 + 1) {
            tampered(number, |block| block.data.as_mut().unwrap().data[0][place] ^= 4);
        }
    }
}

#[test]
fn another_contract_comes_to_other_results() {
    let report = verify_blocks(&ScratchContract, CHAINCODE, blocks()).unwrap();
    assert!(!report.is_sound());
}
