//! What peers of Fabric 3.1.5 wrote: the first two blocks of a Raft and of a SmartBFT network of two members, north and
//! west. The first is the configuration, which nobody signs; the second, signed by the orderers that it names, is an
//! approval of a chaincode by north's administrator, endorsed by north's peer.

use prost::Message;

use crate::block::{Block, BlockError, SignatureError, Transaction, data_hash};
use crate::configuration::Configuration;
use crate::proto::common;

/// Where a block's metadata hold the orderers' signatures, and the peer's validation codes.
const SIGNATURES: usize = 0;
const CODES: usize = 2;

/// The first two blocks of a network, and how many orderers must sign.
pub(super) struct Network {
    pub(super) configuration: &'static [u8],
    pub(super) approval: &'static [u8],
    pub(super) wanted: usize,
}

pub(super) const RAFT: Network = Network {
    configuration: include_bytes!("../../tests/vectors/raft-configuration"),
    approval: include_bytes!("../../tests/vectors/raft-approval"),
    wanted: 1,
};
pub(super) const BFT: Network = Network {
    configuration: include_bytes!("../../tests/vectors/bft-configuration"),
    approval: include_bytes!("../../tests/vectors/bft-approval"),
    wanted: 3,
};

impl Network {
    fn first(&self) -> Block {
        Block::read(common::Block::decode(self.configuration).unwrap()).unwrap()
    }

    /// The data of the configuration transaction.
    pub(super) fn data(&self) -> Vec<u8> {
        self.first().transactions.remove(0).data
    }

    pub(super) fn configuration(&self) -> Configuration {
        Configuration::read(&self.data()).unwrap()
    }

    pub(super) fn second(&self) -> common::Block {
        common::Block::decode(self.approval).unwrap()
    }

    pub(super) fn approved(&self) -> Transaction {
        Block::read(self.second()).unwrap().transactions.remove(0)
    }
}

#[test]
fn the_first_blocks_of_real_networks_say_who_is_a_member_and_whose_signatures_count() {
    for (network, other) in [(RAFT, BFT), (BFT, RAFT)] {
        let (first, second) = (network.first(), Block::read(network.second()).unwrap());
        assert_eq!((first.number, first.previous_hash.len(), first.signatures.len()), (0, 0, 0));
        assert!(first.transactions.len() == 1 && first.transactions[0].is_configuration());
        assert_eq!((second.number, second.previous_hash.as_slice()), (1, first.hash.as_slice()));
        let configuration = network.configuration();
        assert_eq!(configuration.members().collect::<Vec<_>>(), ["north", "west"]);
        configuration.verify_block(&second).unwrap();
        let none = SignatureError::Orderers { valid: 0, wanted: network.wanted };
        assert_eq!(configuration.verify_block(&first), Err(none.clone()), "nobody signed it");
        let others = Block::read(other.second()).unwrap();
        assert_eq!(configuration.verify_block(&others), Err(none), "another network's orderers did");
    }
}

#[test]
fn the_second_blocks_of_real_networks_hold_an_approval_by_a_member() {
    for network in [RAFT, BFT] {
        let transaction = network.approved();
        assert_eq!((transaction.channel.as_str(), transaction.code), ("semblance", 0));
        assert_eq!(transaction.creator.msp_id, "north");
        transaction.verify_creator().unwrap();
        let action = transaction.action().unwrap();
        assert!(action.of_proposal && action.status == 200 && action.event.is_none());
        assert_eq!(action.chaincode, "_lifecycle");
        assert_eq!(action.arguments[0], b"ApproveChaincodeDefinitionForMyOrg");
        let namespace = action.namespaces.iter().find(|namespace| namespace.name == "_lifecycle").unwrap();
        assert!(namespace.writes.is_empty(), "what a member approves is its own");
        assert_eq!(namespace.collections[0].name, "_implicit_org_north");
        assert!(!namespace.collections[0].writes.is_empty());
        assert_eq!(action.endorsements.len(), 1);
        action.endorsements[0].verify().unwrap();
        assert_eq!(network.configuration().peer(&action.endorsements[0].endorser).unwrap().units(), ["peer"]);
    }
}

/// Which check finds a changed second block, if any does.
fn found(network: &Network, configuration: &Configuration, block: common::Block) -> Option<&'static str> {
    let block = match Block::read(block) {
        Err(BlockError::DataHash) => return Some("hash of the data"),
        Err(_) => return Some("form"),
        Ok(block) => block,
    };
    if configuration.verify_block(&block).is_err() {
        return Some("signatures");
    }
    (block.previous_hash != network.first().hash).then_some("chain")
}

/// Flips one bit of each byte, and says which checks found it.
fn flip(network: &Network, part: impl Fn(&mut common::Block) -> &mut Vec<u8>, fit: bool, expected: &[&str]) {
    let configuration = network.configuration();
    let length = part(&mut network.second()).len();
    assert!(length > 0);
    let step = if fit { 41 } else { 1 };
    for place in (0..length).step_by(step) {
        let mut block = network.second();
        part(&mut block)[place] ^= 1 << (place % 8);
        if fit {
            let hash = data_hash(&block.data.as_ref().unwrap().data).to_vec();
            block.header.as_mut().unwrap().data_hash = hash;
        }
        let found = found(network, &configuration, block);
        assert!(found.is_some_and(|check| expected.contains(&check)), "byte {place}: {found:?}");
    }
}

fn header(block: &mut common::Block) -> &mut common::BlockHeader {
    block.header.as_mut().unwrap()
}

fn metadata(block: &mut common::Block, place: usize) -> &mut Vec<u8> {
    &mut block.metadata.as_mut().unwrap().metadata[place]
}

#[test]
fn every_changed_byte_of_a_block_is_found_by_the_check_that_covers_it() {
    for network in [RAFT, BFT] {
        flip(&network, |block| &mut header(block).data_hash, false, &["hash of the data"]);
        flip(&network, |block| &mut header(block).previous_hash, false, &["signatures"]);
        flip(&network, |block| &mut block.data.as_mut().unwrap().data[0], false, &["hash of the data"]);
        flip(&network, |block| &mut block.data.as_mut().unwrap().data[0], true, &["signatures", "form"]);
        flip(&network, |block| metadata(block, SIGNATURES), false, &["signatures", "form"]);
        for bit in 0..64 {
            let mut block = network.second();
            header(&mut block).number ^= 1 << bit;
            assert_eq!(found(&network, &network.configuration(), block), Some("signatures"), "bit {bit} of the number");
        }
    }
}

/// A peer notes its verdict beside the block, and nobody signs it: it is judged by whoever repeats the transactions.
#[test]
fn the_codes_are_one_for_each_transaction_and_the_peers_own_word() {
    for network in [RAFT, BFT] {
        let mut block = network.second();
        metadata(&mut block, CODES).push(0);
        assert_eq!(found(&network, &network.configuration(), block.clone()), Some("form"));
        *metadata(&mut block, CODES) = vec![11];
        assert_eq!(Block::read(block.clone()).unwrap().transactions[0].code, 11);
        assert_eq!(found(&network, &network.configuration(), block), None);
    }
}
