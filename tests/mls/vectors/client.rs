//! A client that only follows. Each step is a transaction of its own, and begins with the group as the store has it:
//! whatever is not in our rows is forgotten.

use openmls::prelude::{
    GroupId, KeyPackage, KeyPackageBundle, KeyPackageIn, KeyPackageVerifyError, MIXED_PLAINTEXT_WIRE_FORMAT_POLICY,
    MlsGroup, MlsGroupJoinConfig, MlsMessageBodyIn, MlsMessageIn, OpenMlsProvider, ProcessedMessageContent,
    ProtocolVersion, RatchetTreeIn, StagedWelcome, Welcome,
};
use openmls::schedule::PreSharedKeyId;
use openmls_rust_crypto::RustCrypto;
use openmls_traits::crypto::OpenMlsCrypto;
use openmls_traits::storage::StorageProvider;
use openmls_traits::types::HpkePrivateKey;
use semblance_channels::provider::Provider;
use semblance_channels::store::{Store, StoreError};
use semblance_core::random::SeededSource;
use serde::Serialize;
use tls_codec::Deserialize;

use crate::vector::{Epoch, Hex, Vector};

/// Follows a vector to its end; how many epoch authenticators were compared.
pub(crate) fn follow(name: &str, store: impl Store, vector: &Vector) -> usize {
    let mut client = Client { store, crypto: RustCrypto::default(), random: SeededSource::new([1; 32]) };
    client.import(vector);
    let (group, authenticator) = client.join(vector);
    assert_eq!(authenticator, vector.initial_epoch_authenticator.0, "{name}: after the Welcome");
    for (number, epoch) in vector.epochs.iter().enumerate() {
        let authenticator = client.advance(&group, epoch);
        assert_eq!(authenticator, epoch.epoch_authenticator.0, "{name}: after commit {number}");
    }
    vector.epochs.len() + 1
}

struct Client<S> {
    store: S,
    crypto: RustCrypto,
    random: SeededSource,
}

/// [`KeyPackageBundle`] as it is stored: openmls makes one of foreign private keys in no other way.
#[derive(Serialize)]
struct StoredBundle {
    key_package: KeyPackageIn,
    private_init_key: HpkePrivateKey,
    private_encryption_key: StoredEncryptionKey,
}

/// openmls's private key of a leaf, as it is stored.
#[derive(Serialize)]
struct StoredEncryptionKey {
    key: HpkePrivateKey,
}

impl<S: Store> Client<S> {
    /// One transaction.
    fn step<R>(&mut self, change: impl FnOnce(&Provider<'_, S::Rows<'_>>) -> R) -> R {
        let (crypto, random) = (&self.crypto, &self.random);
        self.store.transact(|rows| Ok::<_, StoreError>(change(&Provider::new(rows, crypto, random)))).unwrap()
    }

    fn import(&mut self, vector: &Vector) {
        let MlsMessageBodyIn::KeyPackage(package) = read(&vector.key_package) else { panic!("no key package") };
        self.step(|provider| {
            // The lifetime is what is checked last; those of some vectors ended years ago.
            match package.clone().validate(provider.crypto(), ProtocolVersion::Mls10) {
                Ok(_) | Err(KeyPackageVerifyError::LifetimeError(_)) => {}
                Err(error) => panic!("the key package: {error}"),
            }
            let bundle = StoredBundle {
                key_package: package,
                private_init_key: vector.init_key.0.clone().into(),
                private_encryption_key: StoredEncryptionKey { key: vector.encryption_key.0.clone().into() },
            };
            let bundle: KeyPackageBundle = rmp_serde::from_slice(&rmp_serde::to_vec_named(&bundle).unwrap()).unwrap();
            check_signature_key(bundle.key_package(), &vector.signature_key, provider.crypto());
            let reference = bundle.key_package().hash_ref(provider.crypto()).unwrap();
            provider.storage().write_key_package(&reference, &bundle).unwrap();
            for psk in &vector.external_psks {
                // The nonce differs in each use and is not part of what is stored.
                let id = PreSharedKeyId::external(psk.psk_id.0.clone(), Vec::new());
                id.store(provider, &psk.psk.0).unwrap();
            }
        });
    }

    fn join(&mut self, vector: &Vector) -> (GroupId, Vec<u8>) {
        let MlsMessageBodyIn::Welcome(welcome) = read(&vector.welcome) else { panic!("no Welcome") };
        let tree = vector.ratchet_tree.as_ref().map(|tree| RatchetTreeIn::tls_deserialize_exact(&tree.0).unwrap());
        self.step(|provider| {
            let group = staged(provider, welcome, tree).into_group(provider).unwrap();
            (group.group_id().clone(), authenticator(&group))
        })
    }

    fn advance(&mut self, group: &GroupId, epoch: &Epoch) -> Vec<u8> {
        for message in epoch.proposals.iter().chain([&epoch.commit]) {
            self.process(group, message);
        }
        self.step(|provider| authenticator(&load(provider, group)))
    }

    fn process(&mut self, group: &GroupId, message: &Hex) {
        let message = MlsMessageIn::tls_deserialize_exact(&message.0).unwrap().try_into_protocol_message().unwrap();
        self.step(|provider| {
            let mut group = load(provider, group);
            match group.process_message(provider, message).unwrap().into_content() {
                ProcessedMessageContent::ProposalMessage(proposal) => {
                    group.store_pending_proposal(provider.storage(), *proposal).unwrap();
                }
                ProcessedMessageContent::StagedCommitMessage(commit) => {
                    group.merge_staged_commit(provider, *commit).unwrap();
                }
                _ => panic!("neither a proposal nor a commit"),
            }
        });
    }
}

/// A client that only follows never signs; the key it was given must be its leaf's all the same.
fn check_signature_key(package: &KeyPackage, key: &Hex, crypto: &RustCrypto) {
    let scheme = package.ciphersuite().signature_algorithm();
    let signature = crypto.sign(scheme, b"signed", &key.0).unwrap();
    let public = package.leaf_node().signature_key().as_slice();
    crypto.verify_signature(scheme, b"signed", public, &signature).unwrap();
}

fn staged(
    provider: &impl openmls::storage::OpenMlsProvider,
    welcome: Welcome,
    tree: Option<RatchetTreeIn>,
) -> StagedWelcome {
    let config = MlsGroupJoinConfig::builder()
        .wire_format_policy(MIXED_PLAINTEXT_WIRE_FORMAT_POLICY)
        .number_of_resumption_psks(16)
        .build();
    // The vectors' leaves were made to be used in their year.
    let join = StagedWelcome::build_from_welcome(provider, &config, welcome).unwrap().skip_lifetime_validation();
    match tree {
        Some(tree) => join.with_ratchet_tree(tree),
        None => join,
    }
    .build()
    .unwrap()
}

fn load(provider: &impl OpenMlsProvider, group: &GroupId) -> MlsGroup {
    MlsGroup::load(provider.storage(), group).unwrap().unwrap()
}

fn authenticator(group: &MlsGroup) -> Vec<u8> {
    group.epoch_authenticator().as_slice().to_vec()
}

fn read(bytes: &Hex) -> MlsMessageBodyIn {
    MlsMessageIn::tls_deserialize_exact(&bytes.0).unwrap().extract()
}
