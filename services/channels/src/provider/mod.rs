//! What openmls runs on: our store, our random source, and RustCrypto.
//!
//! HPKE's ephemeral keys are drawn by the cryptography itself, from the system; everything else is drawn from the
//! source that is passed in.

mod layout;
mod state;

use openmls_rust_crypto::RustCrypto;
use openmls_traits::OpenMlsProvider;
use openmls_traits::random::OpenMlsRand;
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::SignatureScheme;
use semblance_core::random::RandomSource;
use semblance_core::signature::SigningKey;

pub use state::MlsState;

use crate::store::{KeyValue, StoreError};

/// The provider for one transaction.
pub struct Provider<'a, K> {
    state: MlsState<'a, K>,
    crypto: &'a RustCrypto,
    random: Draw<'a>,
}

impl<'a, K: KeyValue> Provider<'a, K> {
    /// Puts the parts together.
    #[must_use]
    pub fn new(rows: &'a K, crypto: &'a RustCrypto, random: &'a dyn RandomSource) -> Self {
        Self { state: MlsState::new(rows), crypto, random: Draw(random) }
    }

    /// As [`MlsState::settle`].
    pub(crate) fn settle<R, E: From<StoreError>>(&self, result: Result<R, E>) -> Result<R, E> {
        self.state.settle(result)
    }
}

impl<'a, K: KeyValue> OpenMlsProvider for Provider<'a, K> {
    type CryptoProvider = RustCrypto;
    type RandProvider = Draw<'a>;
    type StorageProvider = MlsState<'a, K>;

    fn storage(&self) -> &Self::StorageProvider {
        &self.state
    }

    fn crypto(&self) -> &RustCrypto {
        self.crypto
    }

    fn rand(&self) -> &Self::RandProvider {
        &self.random
    }
}

/// Our random source, as openmls asks for it.
pub struct Draw<'a>(&'a dyn RandomSource);

impl OpenMlsRand for Draw<'_> {
    type Error = std::convert::Infallible;

    fn random_array<const N: usize>(&self) -> Result<[u8; N], Self::Error> {
        Ok(self.0.array())
    }

    fn random_vec(&self, length: usize) -> Result<Vec<u8>, Self::Error> {
        let mut bytes = vec![0; length];
        self.0.fill(&mut bytes);
        Ok(bytes)
    }
}

/// A leaf's or a hub's Ed25519 key, as openmls signs with it.
pub struct LeafSigner<'a>(pub &'a SigningKey);

impl Signer for LeafSigner<'_> {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.0.sign(payload).as_bytes().to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}
