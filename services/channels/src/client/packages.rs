//! Key packages: what a device leaves with its hospital, so that it can be added while it sleeps.

use openmls::prelude::KeyPackage;
use semblance_core::id::{ChannelId, ParticipantId};
use semblance_core::signature::VerifyingKey;
use semblance_core::time::Timestamp;

use super::records::OwnLeaf;
use super::rows;
use super::{Client, ClientError};
use crate::limits::KEY_PACKAGE_MILLIS;
use crate::mls::{self, SUITE};
use crate::provider::{LeafSigner, Provider};
use crate::store::Store;

/// A key package that was made, and what its hospital has to vouch for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKeyPackage {
    /// The pseudonym in it: each has its own, so that no two channels of a device can be linked.
    pub participant: ParticipantId,
    /// Its leaf's key.
    pub leaf_key: VerifyingKey,
    /// The MLS KeyPackage.
    pub bytes: Vec<u8>,
    /// Whether it may be handed out again when no other is left.
    pub last_resort: bool,
}

impl<S: Store> Client<S> {
    /// Makes one-time key packages, and one of last resort if asked for. They can be used until `life` milliseconds
    /// from now, at most 84 days.
    ///
    /// # Errors
    /// The store failed.
    pub fn key_packages(
        &mut self,
        count: usize,
        last_resort: bool,
        life: u64,
        now: Timestamp,
    ) -> Result<Vec<NewKeyPackage>, ClientError> {
        let kinds = std::iter::repeat_n(false, count).chain(last_resort.then_some(true));
        let (crypto, random) = (&self.crypto, self.random.as_ref());
        self.store.transact(|kv| {
            let provider = Provider::new(kv, crypto, random);
            let make = |last_resort| {
                let leaf = OwnLeaf::draw(random, last_resort);
                let signing = leaf.signing();
                let credential = mls::credential(leaf.participant, &signing.verifying_key());
                let builder = KeyPackage::builder()
                    .key_package_lifetime(mls::lifetime(now, life.min(KEY_PACKAGE_MILLIS)))
                    .leaf_node_capabilities(mls::capabilities());
                let builder = if last_resort { builder.mark_as_last_resort() } else { builder };
                let bundle =
                    builder.build(SUITE, &provider, &LeafSigner(&signing), credential).map_err(ClientError::mls)?;
                rows::save_package_leaf(kv, &leaf)?;
                let bytes = mls::write(bundle.key_package())?;
                let leaf_key = signing.verifying_key();
                Ok(NewKeyPackage { participant: leaf.participant, leaf_key, bytes, last_resort })
            };
            provider.settle(kinds.map(make).collect())
        })
    }

    /// The device's leaf for a channel that it will create: made once, then the same.
    ///
    /// # Errors
    /// The person has not agreed to the channel, or the store failed.
    pub fn leaf(&mut self, channel: ChannelId) -> Result<(ParticipantId, VerifyingKey), ClientError> {
        let random = std::sync::Arc::clone(&self.random);
        self.without_group(channel, |desk| {
            desk.rows.channel()?;
            let leaf = match desk.rows.own_leaf()? {
                Some(leaf) => leaf,
                None => {
                    let leaf = OwnLeaf::draw(random.as_ref(), false);
                    desk.rows.set_own_leaf(&leaf)?;
                    leaf
                }
            };
            Ok((leaf.participant, leaf.signing().verifying_key()))
        })
    }
}
