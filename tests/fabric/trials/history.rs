//! A channel's blocks, kept so that their verification can be tested where there is no Fabric.

use std::io::Write;
use std::path::Path;

use futures::{StreamExt, future};
use prost::Message;
use semblance_contract::SemblanceContract;
use semblance_core::organisation::Role;
use semblance_fabric::proto::common::Block;
use semblance_ledger::Ledger;
use semblance_ledger::client::LedgerClient;
use semblance_ledger::fabric::verify_blocks;
use semblance_ledger::suite::{Network, Told, organisation};

use crate::under_test::FabricFactory;

/// A small life: publication, look-up, correction of nothing, withdrawal raced by a publication, purge. With
/// SEMBLANCE_WRITE_VECTORS=1, on a network of its own, its blocks become the stored ones.
pub(super) async fn a_channels_blocks_verify_by_themselves(factory: &'static FabricFactory) -> Told {
    let network = Network::semblance(factory, 2, 1).await;
    let patients = network.published("hospital-1", 1, 2).await;
    let entry = network.entry(network.request("hospital-1", "matcher-1", &patients[0], 1));
    network.record("matcher-1", entry).await.unwrap();
    let (one, other) = (network.client("hospital-1"), network.client("hospital-2"));
    let (first, second) =
        future::join(one.withdraw_consent(patients[1].withdrawal()), other.withdraw_consent(patients[1].withdrawal()))
            .await;
    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
    let client = LedgerClient::new(factory.node("hospital-1"));
    let hospital = organisation("hospital-1");
    client.purge_cases(&hospital, &organisation("matcher-1"), vec![patients[1].handle]).await.unwrap();

    let ledger = factory.ledger(&hospital, Role::Node);
    let height = ledger.height().await.unwrap();
    let blocks = ledger.networks()[0].blocks(0, Some(height - 1)).await.unwrap();
    let blocks: Vec<Block> = blocks.map(Result::unwrap).collect().await;
    let report = verify_blocks(&SemblanceContract, &factory.newest_chaincode(), blocks.clone()).unwrap();
    assert!(report.is_sound(), "{:?}", report.findings);
    if std::env::var_os("SEMBLANCE_WRITE_VECTORS").is_some() {
        store(&factory.newest_chaincode(), &blocks);
    }
    Ok(())
}

/// The chaincode's name, then each block with its length before it.
fn store(chaincode: &str, blocks: &[Block]) {
    assert_eq!(chaincode, "story-0", "the stored blocks are those of a network of their own: run this story alone");
    let mut bytes = Vec::new();
    for block in blocks {
        block.encode_length_delimited(&mut bytes).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../services/ledger/tests/channel/blocks.zst");
    let mut file = std::fs::File::create(path).unwrap();
    file.write_all(&zstd::encode_all(bytes.as_slice(), 19).unwrap()).unwrap();
}
