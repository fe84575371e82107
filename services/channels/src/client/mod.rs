//! A device's side of its channels, without any input or output of its own: values in, values out.
//!
//! Whatever it is told, it keeps in one transaction with the MLS state that follows from it. What it wants to say it
//! keeps until the hub has put it in the channel's order and it comes back: the order is the hub's, and the device
//! moves along it one item at a time, whether an item is its own or not.

mod advance;
mod answer;
mod ask;
mod commit;
mod content;
mod create;
mod desk;
mod join;
mod mark;
mod message;
mod packages;
mod receive;
mod records;
mod rejoin;
mod rows;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use openmls::prelude::{LeafNodeIndex, MlsGroup};
use openmls_rust_crypto::RustCrypto;
use semblance_core::attestation::{LeafClaim, LeafProof};
use semblance_core::id::{ChannelId, ConsentId, NetworkId};
use semblance_core::random::RandomSource;

pub use ask::Member;
pub use content::{Attachment, AttachmentKey, Content};
pub use packages::NewKeyPackage;
pub use receive::Event;
pub use records::{Message, Phase};

use self::desk::Desk;
use self::records::ChannelRow;
use self::rows::{Rows, Since};
use crate::check::{CheckError, Claims, Roster};
use crate::mls::MlsError;
use crate::provider::Provider;
use crate::store::{Seen, Store, StoreError};
use crate::wire::{Charter, CharterError, Facts, Terms};

/// Why a client did not do what it was asked to, or did not believe what it was told.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The person has not agreed to this channel.
    #[error("nobody on this device agreed to this channel")]
    UnknownChannel,
    /// The device is not in a state in which this can be done.
    #[error("the device is not far enough in this channel, or no longer")]
    Phase,
    /// Something is missing in the channel's order: fetch it from the hub, from this number on.
    #[error("an item is missing: fetch from {expected} on")]
    Gap {
        /// The next number.
        expected: u64,
    },
    /// The facts do not say enough about these consents: ask the node about them, then try again.
    #[error("the facts given do not say enough about {} consents", .0.len())]
    Behind(Vec<ConsentId>),
    /// The charter is not one.
    #[error(transparent)]
    Charter(#[from] CharterError),
    /// A change is not acceptable.
    #[error(transparent)]
    Check(CheckError),
    /// Bytes are not the MLS object they should be.
    #[error(transparent)]
    Malformed(#[from] MlsError),
    /// openmls refused.
    #[error("MLS refused: {0}")]
    Mls(String),
    /// The text or name is empty or too long.
    #[error("the text, name or file is empty or too large")]
    Content,
    /// A member's consent ended and the hub did not remove it: nothing is sent.
    #[error("somebody whose consent ended is still in the channel, and the hub does nothing about it")]
    Unsafe,
    /// This device said something that it does not remember.
    #[error("this device's store is older than what it has said")]
    Forgotten,
    /// There is no key package of this device in the Welcome.
    #[error("the Welcome is not for this device")]
    NotForUs,
}

impl From<CheckError> for ClientError {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Behind(consent) => Self::Behind(vec![consent]),
            other => Self::Check(other),
        }
    }
}

impl ClientError {
    /// Whether the store failed, and not one channel alone.
    pub(crate) const fn is_of_store(&self) -> bool {
        matches!(self, Self::Store(error) if !error.is_damage())
    }

    pub(crate) fn mls(error: impl std::fmt::Display) -> Self {
        Self::Mls(error.to_string())
    }
}

/// A device's channels over a store.
pub struct Client<S> {
    store: S,
    network: NetworkId,
    crypto: RustCrypto,
    random: Arc<dyn RandomSource>,
    /// Groups as of the last transaction that succeeded; what a failed one touched is read again.
    groups: BTreeMap<ChannelId, MlsGroup>,
    /// Rosters, in the same way.
    rosters: BTreeMap<ChannelId, Arc<Roster>>,
    /// The place in this device's queue of the item that is being taken: it is noted in one transaction with what
    /// follows from the item.
    keeping: Option<u64>,
}

impl<S: Store> Client<S> {
    /// A device over its store, which may hold its earlier state.
    #[must_use]
    pub fn new(store: S, network: NetworkId, random: Arc<dyn RandomSource>) -> Self {
        Self {
            store,
            network,
            crypto: RustCrypto::default(),
            random,
            groups: BTreeMap::new(),
            rosters: BTreeMap::new(),
            keeping: None,
        }
    }

    /// The store.
    #[must_use]
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// Ends the client and gives its store back.
    #[must_use]
    pub fn into_store(self) -> S {
        self.store
    }

    /// Notes that the person agreed to take part, so that a Welcome to this channel is followed.
    ///
    /// # Errors
    /// The charter does not verify.
    pub fn agree(&mut self, charter: &Charter, facts: &Facts) -> Result<Terms, ClientError> {
        let terms = charter.verify(self.network, facts)?;
        self.without_group(terms.channel, |desk| {
            let known = match desk.rows.find_channel() {
                // It begins anew, and says what is still to be said.
                Err(error) if error.is_damage() => {
                    desk.rows.clear_changes()?;
                    let said = desk.rows.waiting()?.last().map_or(0, |(said, _)| said.saturating_add(1));
                    Some(ChannelRow { said, ..ChannelRow::agreed(charter.clone()) })
                }
                known => known?,
            };
            let row = known.unwrap_or_else(|| ChannelRow::agreed(charter.clone()));
            // Who left, or was let go, may come back as somebody new.
            let phase = if row.phase == Phase::Removed { Phase::Agreed } else { row.phase };
            if row.phase == Phase::Removed {
                desk.rows.end(Since::Waiting)?;
            }
            Ok(desk.rows.set_channel(&ChannelRow { charter: charter.clone(), phase, ..row })?)
        })?;
        Ok(terms)
    }

    /// Looks at a channel's records and changes nothing.
    fn look<R>(
        &mut self,
        channel: ChannelId,
        look: impl FnOnce(&Rows<'_, Seen<'_, S::Rows<'_>>>) -> Result<R, ClientError>,
    ) -> Result<R, ClientError> {
        self.store.look(|kv| look(&Rows::new(kv, channel)))
    }

    /// Who is in a channel.
    fn roster(&mut self, channel: ChannelId) -> Result<Arc<Roster>, ClientError> {
        if let Some(roster) = self.rosters.get(&channel) {
            return Ok(Arc::clone(roster));
        }
        let network = self.network;
        let roster = self.look(channel, |rows| Ok(Arc::new(rows.roster(network)?)))?;
        self.rosters.insert(channel, Arc::clone(&roster));
        Ok(roster)
    }

    /// Runs a step that does not touch the group.
    fn without_group<R>(
        &mut self,
        channel: ChannelId,
        step: impl FnOnce(&Desk<'_, S::Rows<'_>>) -> Result<R, ClientError>,
    ) -> Result<R, ClientError> {
        let roster = RefCell::new(self.rosters.remove(&channel));
        let (crypto, random, network) = (&self.crypto, self.random.as_ref(), self.network);
        let keeping = self.keeping;
        let result = self.store.transact(|kv| -> Result<_, ClientError> {
            let provider = Provider::new(kv, crypto, random);
            let desk = Desk { kv, rows: Rows::new(kv, channel), provider, network, channel, roster: &roster };
            let result = desk.provider.settle(step(&desk))?;
            keeping.map_or(Ok(()), |position| rows::set_kept(kv, position))?;
            Ok(result)
        });
        if result.is_ok() {
            self.keeping = None;
        }
        if is_settled(&result) {
            self.rosters.extend(roster.into_inner().map(|roster| (channel, roster)));
        }
        result
    }

    /// Runs a step on the group. If it fails, the group in memory may be ahead of the store and is read again.
    fn with_group<R>(
        &mut self,
        channel: ChannelId,
        step: impl FnOnce(&mut MlsGroup, &Desk<'_, S::Rows<'_>>) -> Result<R, ClientError>,
    ) -> Result<R, ClientError> {
        let mut group = self.groups.remove(&channel);
        let result = self.without_group(channel, |desk| {
            let group = match &mut group {
                Some(group) => group,
                none => none.insert(desk.load_group()?.ok_or_else(|| StoreError::Damaged("no group".to_owned()))?),
            };
            step(group, desk)
        });
        if is_settled(&result) {
            self.groups.extend(group.map(|group| (channel, group)));
        }
        result
    }
}

/// Whether the facts speak of every consent that proofs claim.
fn know_all(claims: &Claims<'_>, facts: &Facts) -> Result<(), ClientError> {
    let missing: Vec<_> = claims.consents().filter(|consent| !facts.consents.contains_key(consent)).collect();
    if missing.is_empty() { Ok(()) } else { Err(ClientError::Behind(missing)) }
}

/// Whether what is in memory fits what is stored after a step: it succeeded, or what is missing was found out before it
/// changed anything.
const fn is_settled<R>(result: &Result<R, ClientError>) -> bool {
    matches!(result, Ok(_) | Err(ClientError::Behind(_)))
}

fn read_claim(proof: &LeafProof, network: NetworkId) -> Result<LeafClaim<'_>, ClientError> {
    proof.claim(network).map_err(|_| CheckError::Unproven.into())
}

/// The leaves whose removal the hub proposed and nobody committed yet.
fn pending_removals(group: &MlsGroup) -> BTreeSet<LeafNodeIndex> {
    use openmls::prelude::Proposal;
    let removed = group.pending_proposals().filter_map(|queued| match queued.proposal() {
        Proposal::Remove(remove) => Some(remove.removed()),
        _ => None,
    });
    removed.collect()
}
