//! Randomness as an argument.

use rand_core::{CryptoRng, RngCore};

/// A source of random bytes fit for keys. The program passes the system's in; tests pass a seeded one.
pub trait RandomSource: Send + Sync {
    /// Fills the bytes.
    fn fill(&self, bytes: &mut [u8]);
}

impl dyn RandomSource + '_ {
    /// Draws an array.
    #[must_use]
    pub fn array<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

/// Lets libraries that want a `CryptoRng` draw from a [`RandomSource`].
pub struct SourceRng<'a>(pub &'a dyn RandomSource);

impl RngCore for SourceRng<'_> {
    fn next_u32(&mut self) -> u32 {
        u32::from_le_bytes(self.0.array())
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_le_bytes(self.0.array())
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }
}

impl CryptoRng for SourceRng<'_> {}

/// A reproducible source, from a 32-byte seed: for sealing again with known randomness, for simulations and tests.
pub struct SeededSource(std::sync::Mutex<rand_chacha::ChaCha20Rng>);

impl SeededSource {
    /// Starts the stream of this seed.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        use rand_core::SeedableRng;
        Self(std::sync::Mutex::new(rand_chacha::ChaCha20Rng::from_seed(seed)))
    }
}

impl RandomSource for SeededSource {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).fill_bytes(bytes);
    }
}
