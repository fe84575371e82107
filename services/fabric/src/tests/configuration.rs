//! Who is a member, and whose signatures a block needs.

use prost::Message;

use super::vectors::{BFT, Network, RAFT};
use crate::block::{Block, BlockError, Creator, OrdererSignature, SignatureError};
use crate::configuration::Configuration;
use crate::identity::digest;
use crate::proto::configuration::{
    ConfigEnvelope, ConfigGroup, ConfigValue, FabricMspConfig, MspConfig, Orderers as OrderersMessage,
};
use crate::testing::{TestIdentity, TestOrganisation};

/// A network's configuration with something changed.
fn changed(network: &Network, change: impl FnOnce(&mut ConfigGroup)) -> Result<Configuration, BlockError> {
    let mut envelope = ConfigEnvelope::decode(network.data().as_slice()).unwrap();
    change(envelope.config.as_mut().unwrap().channel_group.as_mut().unwrap());
    Configuration::read(&envelope.encode_to_vec())
}

fn group<'a>(parent: &'a mut ConfigGroup, name: &str) -> &'a mut ConfigGroup {
    parent.groups.get_mut(name).unwrap()
}

fn value<'a>(group: &'a mut ConfigGroup, name: &str) -> &'a mut Vec<u8> {
    &mut group.values.get_mut(name).unwrap().value
}

/// An organisation as a configuration describes it.
fn described(name: &str, root: &str) -> ConfigGroup {
    let msp = FabricMspConfig { name: name.to_owned(), root_certs: vec![root.into()], ..FabricMspConfig::default() };
    let msp = MspConfig { r#type: 0, config: msp.encode_to_vec() };
    let value = ConfigValue { value: msp.encode_to_vec(), ..ConfigValue::default() };
    ConfigGroup { values: [("MSP".to_owned(), value)].into(), ..ConfigGroup::default() }
}

#[test]
fn a_part_that_is_missing_is_named() {
    type Change = fn(&mut ConfigGroup);
    let changes: [(&str, Change); 5] = [
        ("Application", |channel| drop(channel.groups.remove("Application"))),
        ("Orderer", |channel| drop(channel.groups.remove("Orderer"))),
        ("ConsensusType", |channel| drop(group(channel, "Orderer").values.remove("ConsensusType"))),
        ("Orderers", |channel| drop(group(channel, "Orderer").values.remove("Orderers"))),
        ("MSP", |channel| drop(group(group(channel, "Application"), "west").values.remove("MSP"))),
    ];
    for (name, change) in changes {
        assert_eq!(changed(&BFT, change), Err(BlockError::Missing(name)));
    }
}

#[test]
fn a_part_that_is_malformed_is_named() {
    let bad = || b"\xff".to_vec();
    let malformed = |network: &Network, parent: &str, name: &str| {
        changed(network, |channel| *value(group(channel, parent), name) = bad()).err()
    };
    assert_eq!(malformed(&BFT, "Orderer", "ConsensusType"), Some(BlockError::Malformed("ConsensusType")));
    assert_eq!(malformed(&BFT, "Orderer", "Orderers"), Some(BlockError::Malformed("Orderers")));
    let member = |group: ConfigGroup| {
        let added =
            |channel: &mut ConfigGroup| drop(self::group(channel, "Application").groups.insert("new".into(), group));
        changed(&RAFT, added).err()
    };
    assert_eq!(member(described("new", "no certificate")), Some(BlockError::Malformed("member's authorities")));
    let mut broken = described("new", &TestOrganisation::new("new").root());
    assert_eq!(member(broken.clone()), None);
    *value(&mut broken, "MSP") = MspConfig { r#type: 0, config: bad() }.encode_to_vec();
    assert_eq!(member(broken), Some(BlockError::Malformed("MSP")));
    let orderers = changed(&BFT, |channel| {
        let orderers = value(group(channel, "Orderer"), "Orderers");
        let mut message = OrderersMessage::decode(orderers.as_slice()).unwrap();
        message.consenter_mapping[0].identity = bad();
        *orderers = message.encode_to_vec();
    });
    assert_eq!(orderers, Err(BlockError::Malformed("orderer's certificate")));
}

#[test]
fn no_member_and_no_orderer_is_left_out_where_there_are_too_many() {
    let (root, extra) = (TestOrganisation::new("many").root(), 1023);
    let members = changed(&RAFT, |channel| {
        let many = (0..extra).map(|number| format!("m{number}")).map(|name| (name.clone(), described(&name, &root)));
        group(channel, "Application").groups.extend(many);
    });
    assert_eq!(members, Err(BlockError::TooMany("members", extra + 2)));
    let orderers = changed(&BFT, |channel| {
        let orderers = value(group(channel, "Orderer"), "Orderers");
        let mut message = OrderersMessage::decode(orderers.as_slice()).unwrap();
        message.consenter_mapping = message.consenter_mapping.into_iter().cycle().take(257).collect();
        *orderers = message.encode_to_vec();
    });
    assert_eq!(orderers, Err(BlockError::TooMany("orderers", 257)));
}

#[test]
fn certificates_are_their_own_members_alone_and_peers_are_told_from_others() {
    for network in [RAFT, BFT] {
        let (configuration, transaction) = (network.configuration(), network.approved());
        let admin = transaction.creator.clone();
        let peer = transaction.action().unwrap().endorsements.remove(0).endorser;
        assert_eq!(configuration.certificate(&admin).unwrap().units(), ["admin"]);
        assert_eq!(configuration.peer(&admin), Err(SignatureError::Role("peer")));
        assert_eq!(configuration.peer(&peer).unwrap().units(), ["peer"]);
        for (name, error) in
            [("west", SignatureError::Issuer("west".into())), ("nowhere", SignatureError::Stranger("nowhere".into()))]
        {
            let renamed = Creator { msp_id: name.to_owned(), ..peer.clone() };
            assert_eq!(configuration.peer(&renamed), Err(error));
        }
    }
}

fn signed(identity: &TestIdentity) -> OrdererSignature {
    let (signer, bytes) = (Creator::read(identity.identity().bytes()), b"header".to_vec());
    let signature = identity.signer()(&digest(&bytes)).unwrap();
    OrdererSignature { signer: Ok(signer), bytes, signature }
}

#[test]
fn an_orderer_of_an_ordering_member_signs_a_block_and_nobody_else() {
    let ordering = TestOrganisation::new("ordering");
    let configuration = changed(&RAFT, |channel| {
        let added = described("ordering", &ordering.root());
        group(channel, "Orderer").groups.insert("ordering".to_owned(), added);
    });
    let configuration = configuration.unwrap();
    let block = Block::read(RAFT.second()).unwrap();
    let judged = |signatures| configuration.verify_block(&Block { signatures, ..block.clone() });
    let orderer = signed(&ordering.identity("orderer"));
    judged(vec![orderer.clone()]).unwrap();
    let none = Err(SignatureError::Orderers { valid: 0, wanted: 1 });
    for (who, signature) in [
        ("no orderer", signed(&ordering.identity("client"))),
        ("of another authority", signed(&TestOrganisation::new("ordering").identity("orderer"))),
        ("of nobody", signed(&TestOrganisation::new("nobody").identity("orderer"))),
        ("over something else", OrdererSignature { bytes: b"other".to_vec(), ..orderer.clone() }),
        ("by number", OrdererSignature { signer: Err(1), ..orderer.clone() }),
    ] {
        assert_eq!(judged(vec![signature.clone()]), none, "{who}");
        judged(vec![signature, orderer.clone()]).unwrap();
    }
    assert_eq!(judged(Vec::new()), none);
}

#[test]
fn a_quorum_of_orderers_is_of_different_ones() {
    let (configuration, block) = (BFT.configuration(), Block::read(BFT.second()).unwrap());
    let judged = |signatures: &[&OrdererSignature]| {
        let signatures = signatures.iter().map(|one| (*one).clone()).collect();
        configuration.verify_block(&Block { signatures, ..block.clone() })
    };
    let [a, b, c, ..] = block.signatures.as_slice() else { panic!("too few signatures") };
    judged(&[a, b, c]).unwrap();
    let too_few = |valid| Err(SignatureError::Orderers { valid, wanted: 3 });
    assert_eq!(judged(&[a, b]), too_few(2));
    assert_eq!(judged(&[a, a, b, b]), too_few(2), "each counts once");
    let renamed = OrdererSignature { signer: c.signer.clone(), ..b.clone() };
    assert_eq!(judged(&[a, b, &renamed]), too_few(2), "another one's signature");
    let unknown = OrdererSignature { signer: Err(99), ..c.clone() };
    assert_eq!(judged(&[a, b, &unknown]), too_few(2));
    let shown = signed(&TestOrganisation::new("orderers.north").identity("orderer"));
    assert_eq!(judged(&[a, b, &shown]), too_few(2), "a certificate counts for nothing here");
}
