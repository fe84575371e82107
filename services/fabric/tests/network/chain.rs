//! The chain itself, verified from its first block.

use std::collections::BTreeMap;

use futures::StreamExt;
use prost::Message;
use semblance_fabric::Network;
use semblance_fabric::block::{Block, Certificate, Creator, OrdererSignature, Transaction};
use semblance_fabric::proto::common::BlockchainInfo;

use crate::deployed::{BOTH, Deployed, file};

async fn info(network: &Network) -> BlockchainInfo {
    let channel = network.channel().as_bytes().to_vec();
    let proposal = network.contract("qscc").proposal("GetChainInfo").arguments([channel]).build().unwrap();
    BlockchainInfo::decode(proposal.evaluate().await.unwrap().as_slice()).unwrap()
}

pub(crate) async fn heights_agree(network: &Network) {
    let info = info(network).await;
    assert!(info.height >= 1);
    let mut blocks = network.blocks(info.height - 1, Some(info.height - 1)).await.unwrap();
    let last = Block::read(blocks.next().await.unwrap().unwrap()).unwrap();
    assert_eq!((last.hash.to_vec(), last.previous_hash), (info.current_block_hash, info.previous_block_hash));
}

pub(crate) async fn every_block_verifies(deployed: &Deployed, network: &Network) {
    let roots: BTreeMap<&str, Certificate> = BOTH
        .iter()
        .map(|id| (*id, Certificate::from_pem(file(&deployed.organisation(id)["root"]).as_bytes()).unwrap()))
        .collect();
    let orderers: Vec<_> =
        deployed.orderers().iter().map(|pem| Certificate::from_pem(pem.as_bytes()).unwrap()).collect();
    let info = info(network).await;
    let last = info.height - 1;
    let mut blocks = network.blocks_with_private_data(0, Some(last)).await.unwrap();
    let (mut previous, mut calls) = (Vec::new(), 0);
    for number in 0..=last {
        let block = Block::read(blocks.next().await.unwrap().unwrap().block.unwrap()).unwrap();
        assert_eq!((block.number, &block.previous_hash), (number, &previous), "block {number}");
        previous = block.hash.to_vec();
        assert_eq!(block.signatures.is_empty(), number == 0, "the first block is the members' own, and is not signed");
        block.signatures.iter().for_each(|signature| signed(signature, &orderers));
        for transaction in block.transactions.iter().filter(|transaction| transaction.is_call()) {
            verifies(transaction, &roots);
            calls += 1;
        }
    }
    assert!(blocks.next().await.is_none());
    assert_eq!(previous, info.current_block_hash, "the peer's own hash of its last block");
    assert!(calls > 8, "{calls} calls");
}

/// A Raft orderer shows its certificate; a BFT one gives its number only, and who that is stands in the configuration.
fn signed(signature: &OrdererSignature, orderers: &[Certificate]) {
    let verifies = |one: &Certificate| one.verify(&signature.bytes, &signature.signature).is_ok();
    match &signature.signer {
        Ok(orderer) => {
            let shown = orderer.certificate().unwrap();
            assert!(orderers.contains(&shown) && verifies(&shown), "{}", orderer.msp_id);
        }
        Err(number) => assert_eq!(orderers.iter().filter(|one| verifies(one)).count(), 1, "orderer {number}"),
    }
}

fn verifies(transaction: &Transaction, roots: &BTreeMap<&str, Certificate>) {
    let issued = |creator: &Creator| {
        let root = std::slice::from_ref(&roots[creator.msp_id.as_str()]);
        creator.certificate().unwrap().issued_by(&creator.msp_id, root).unwrap();
    };
    transaction.verify_creator().unwrap();
    issued(&transaction.creator);
    assert!(transaction.millis > 0 && transaction.code >= 0);
    let action = transaction.action().unwrap();
    assert!(action.of_proposal, "its endorsers answered to this very proposal");
    assert!(!action.endorsements.is_empty() && action.status == 200);
    for endorsement in &action.endorsements {
        endorsement.verify().unwrap();
        issued(&endorsement.endorser);
    }
}
