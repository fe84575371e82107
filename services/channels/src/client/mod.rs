//! A device's side of its channels, without any input or output of its own: values in, values out.
//!
//! Whatever it is told, it keeps in one transaction with the MLS state that follows from it. What it wants to say it
//! keeps until the hub has put it in the channel's order and it comes back: the order is the hub's, and the device
//! moves along it one item at a time, whether an item is its own or not.

mod advance;
mod commit;
mod content;
mod create;
mod join;
mod packages;
mod receive;
mod rejoin;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use openmls::prelude::{LeafNodeIndex, MlsGroup};
use openmls_rust_crypto::RustCrypto;
use semblance_core::attestation::{LeafAttestation, LeafProof};
use semblance_core::id::{ChannelId, ConsentId, Digest, NetworkId, ParticipantId};
use semblance_core::random::RandomSource;
use semblance_core::time::Timestamp;

pub use content::{Attachment, AttachmentKey, Content};
pub use packages::NewKeyPackage;
pub use receive::Event;
pub use rows::{Message, Phase};

use self::rows::{ChannelRow, Outgoing, Rows};
use crate::check::{CheckError, Roster, Scene};
use crate::mls::{self, MlsError};
use crate::provider::Provider;
use crate::store::{KeyValue, Store, StoreError};
use crate::wire::{Charter, CharterError, Commit, Facts, Refusal, Submission, Terms};

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
}

/// What one step works with.
struct Desk<'a, K> {
    kv: &'a K,
    rows: Rows<'a, K>,
    provider: Provider<'a, K>,
    network: NetworkId,
    channel: ChannelId,
}

impl<S: Store> Client<S> {
    /// A device over its store, which may hold its earlier state.
    #[must_use]
    pub fn new(store: S, network: NetworkId, random: Arc<dyn RandomSource>) -> Self {
        Self { store, network, crypto: RustCrypto::default(), random, groups: BTreeMap::new() }
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
            let known = desk.rows.find_channel()?;
            let row = known.unwrap_or_else(|| ChannelRow::agreed(charter.clone()));
            // Who left, or was let go, may come back as somebody new.
            let phase = if row.phase == Phase::Removed { Phase::Agreed } else { row.phase };
            if row.phase == Phase::Removed {
                desk.rows.forget_waiting()?;
            }
            Ok(desk.rows.set_channel(&ChannelRow { charter: charter.clone(), phase, ..row })?)
        })?;
        Ok(terms)
    }

    /// The channels that the person agreed to, and how far each is.
    ///
    /// # Errors
    /// The store failed.
    pub fn channels(&mut self) -> Result<Vec<(ChannelId, Phase)>, ClientError> {
        self.store.transact(|kv| {
            let ids = rows::channels(kv)?;
            ids.into_iter().map(|id| Ok((id, Rows::new(kv, id).channel()?.phase))).collect()
        })
    }

    /// Who is in a channel, with the names they gave.
    ///
    /// # Errors
    /// The channel is not known, or the store failed.
    pub fn members(&mut self, channel: ChannelId) -> Result<Vec<Member>, ClientError> {
        self.without_group(channel, |desk| {
            let roster = desk.rows.roster(desk.network)?;
            let own = desk.rows.own_leaf()?.map(|leaf| leaf.participant);
            let member = |(id, leaf): (ParticipantId, LeafAttestation)| {
                Ok(Member { name: desk.rows.name(id)?, own: own == Some(id), leaf })
            };
            roster.into_iter().map(member).collect()
        })
    }

    /// The consents that a channel's members rest on, to ask the node about.
    ///
    /// # Errors
    /// The store failed.
    pub fn consents(&mut self, channel: ChannelId) -> Result<BTreeSet<ConsentId>, ClientError> {
        self.without_group(channel, |desk| {
            Ok(desk.rows.roster(desk.network)?.values().map(|leaf| leaf.consent).collect())
        })
    }

    /// What was said after a place in the order, the oldest first.
    ///
    /// # Errors
    /// The store failed.
    pub fn messages(&mut self, channel: ChannelId, after: u64, limit: usize) -> Result<Vec<Message>, ClientError> {
        self.without_group(channel, |desk| Ok(desk.rows.messages(after, limit)?))
    }

    /// The name that a participant gave, if they have spoken; also of one who is no longer there.
    ///
    /// # Errors
    /// The store failed.
    pub fn name(&mut self, channel: ChannelId, participant: ParticipantId) -> Result<Option<String>, ClientError> {
        self.without_group(channel, |desk| Ok(desk.rows.name(participant)?))
    }

    /// How much waits to be said or to come back from the hub.
    ///
    /// # Errors
    /// The store failed.
    pub fn waiting(&mut self, channel: ChannelId) -> Result<usize, ClientError> {
        self.without_group(channel, |desk| Ok(desk.rows.waiting()?.len()))
    }

    /// The next place in a channel's order.
    ///
    /// # Errors
    /// The channel is not known, or the store failed.
    pub fn next(&mut self, channel: ChannelId) -> Result<u64, ClientError> {
        self.without_group(channel, |desk| Ok(desk.rows.channel()?.next))
    }

    /// Since when the device waits to be let in: the first time that this is asked.
    ///
    /// # Errors
    /// The store failed.
    pub fn waiting_since(&mut self, channel: ChannelId, now: Timestamp) -> Result<Timestamp, ClientError> {
        self.without_group(channel, |desk| Ok(desk.rows.waiting_since(now)?))
    }

    /// Whether something is missing that has to be fetched from the hub.
    ///
    /// # Errors
    /// The channel is not known, or the store failed.
    pub fn is_missing(&mut self, channel: ChannelId) -> Result<bool, ClientError> {
        self.without_group(channel, |desk| Ok(desk.rows.channel()?.missing))
    }

    /// Whether somebody came in who cannot have read this person's name: it is to be said again before anything else is.
    ///
    /// # Errors
    /// The channel is not known, or the store failed.
    pub fn is_unnamed(&mut self, channel: ChannelId) -> Result<bool, ClientError> {
        self.without_group(channel, |desk| Ok(desk.rows.channel()?.unnamed))
    }

    /// Notes that an item could not be taken, or that it all has come. What waits in a device's queue is a hint, and the
    /// hub's order what counts: one that cannot be taken now is fetched from there, and keeps no other channel waiting.
    ///
    /// # Errors
    /// The channel is not known, or the store failed.
    pub fn set_missing(&mut self, channel: ChannelId, missing: bool) -> Result<(), ClientError> {
        self.without_group(channel, |desk| {
            let row = desk.rows.channel()?;
            Ok(if row.missing != missing {
                desk.rows.set_channel(&ChannelRow { missing, ..row })?
            })
        })
    }

    /// What is on its way to the hub and not taken yet, in the order in which it is to be sent: after one that is not
    /// taken, nothing that follows it. Sending the same again does no harm.
    ///
    /// # Errors
    /// The store failed.
    pub fn outgoing(&mut self, channel: ChannelId) -> Result<Vec<(Digest, Submission)>, ClientError> {
        self.without_group(channel, |desk| {
            let waiting = desk.rows.outgoing()?.into_iter().filter(|(_, outgoing)| !outgoing.taken);
            Ok(waiting.map(|(key, outgoing)| (key, outgoing.submission)).collect())
        })
    }

    /// Takes the hub's answer to a submission.
    ///
    /// # Errors
    /// The store failed.
    pub fn answered(
        &mut self,
        channel: ChannelId,
        key: Digest,
        answer: Result<(), Refusal>,
    ) -> Result<(), ClientError> {
        let Some(outgoing) = self.without_group(channel, |desk| Ok(desk.rows.find_outgoing(key)?))? else {
            return Ok(());
        };
        if answer == Err(Refusal::WrongEpoch) && self.is_of_present(channel, &outgoing.submission)? {
            // What led to the hub's epoch comes, or has been lost: the hub knows.
            self.set_missing(channel, true)?;
        }
        match (answer, outgoing.submission.clone()) {
            (Ok(()), Submission::Create(_)) => self.created(channel, key),
            (Ok(()), _) => self.without_group(channel, |desk| {
                Ok(desk.rows.set_outgoing(key, &Outgoing { taken: true, ..outgoing })?)
            }),
            (Err(refusal), _) if refusal.is_passing() => Ok(()),
            (Err(refusal), Submission::Message(_)) => self.message_refused(channel, key, &outgoing, refusal),
            (Err(refusal), Submission::Commit(_) | Submission::Create(_)) => self.change_refused(channel, key, refusal),
        }
    }

    /// Whether something was made in the latest epoch that this device knows.
    fn is_of_present(&mut self, channel: ChannelId, submission: &Submission) -> Result<bool, ClientError> {
        let (Submission::Message(bytes) | Submission::Commit(Commit { commit: bytes, .. })) = submission else {
            return Ok(false);
        };
        let latest = self.without_group(channel, |desk| Ok(desk.rows.channel()?.epoch))?;
        Ok(mls::read_protocol(bytes, channel).is_ok_and(|message| message.epoch().as_u64() >= latest))
    }

    /// What could be encrypted anew for another epoch stays; what will never be taken goes.
    fn message_refused(
        &mut self,
        channel: ChannelId,
        key: Digest,
        outgoing: &Outgoing,
        refusal: Refusal,
    ) -> Result<(), ClientError> {
        let again = matches!(refusal, Refusal::WrongEpoch | Refusal::MustCommit | Refusal::NotHub);
        self.without_group(channel, |desk| {
            if let (false, Some(said)) = (again, outgoing.said) {
                desk.rows.remove_waiting(said)?;
            }
            Ok(desk.rows.remove_outgoing(key)?)
        })
    }

    /// The place in this device's queue up to which everything is kept. What was kept and not noted comes again, and
    /// does no harm: each channel's next place stands in one transaction with its MLS state.
    ///
    /// # Errors
    /// The store failed.
    pub fn kept(&mut self) -> Result<u64, ClientError> {
        self.store.transact(|kv| Ok(rows::kept(kv)?))
    }

    /// Notes the place in this device's queue up to which everything is kept.
    ///
    /// # Errors
    /// The store failed.
    pub fn set_kept(&mut self, position: u64) -> Result<(), ClientError> {
        self.store.transact(|kv| Ok(rows::set_kept(kv, position)?))
    }

    /// Gives back what a group looks like now, to compare with others: the epoch and its authenticator (RFC 9420
    /// section 8.7).
    ///
    /// # Errors
    /// The device is not in the group, or the store failed.
    pub fn authenticator(&mut self, channel: ChannelId) -> Result<(u64, Vec<u8>), ClientError> {
        self.with_group(channel, |group, _| {
            Ok((group.epoch().as_u64(), group.epoch_authenticator().as_slice().to_vec()))
        })
    }

    /// Runs a step that does not touch the group.
    fn without_group<R>(
        &mut self,
        channel: ChannelId,
        step: impl FnOnce(&Desk<'_, S::Rows<'_>>) -> Result<R, ClientError>,
    ) -> Result<R, ClientError> {
        let (crypto, random, network) = (&self.crypto, self.random.as_ref(), self.network);
        self.store.transact(|kv| step(&Desk::new(kv, crypto, random, network, channel)))
    }

    /// Runs a step on the group. If it fails, the group in memory may be ahead of the store and is read again.
    fn with_group<R>(
        &mut self,
        channel: ChannelId,
        step: impl FnOnce(&mut MlsGroup, &Desk<'_, S::Rows<'_>>) -> Result<R, ClientError>,
    ) -> Result<R, ClientError> {
        let cached = self.groups.remove(&channel);
        let (crypto, random, network) = (&self.crypto, self.random.as_ref(), self.network);
        let (result, group) = self.store.transact(|kv| -> Result<_, ClientError> {
            let desk = Desk::new(kv, crypto, random, network, channel);
            let mut group = match cached {
                Some(group) => group,
                None => desk.load_group()?.ok_or(ClientError::Phase)?,
            };
            Ok((step(&mut group, &desk)?, group))
        })?;
        self.groups.insert(channel, group);
        Ok(result)
    }
}

/// One member of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who stands behind the leaf.
    pub leaf: LeafAttestation,
    /// The name the person gave, if they have spoken.
    pub name: Option<String>,
    /// Whether it is this device.
    pub own: bool,
}

impl<'a, K: KeyValue> Desk<'a, K> {
    fn new(
        kv: &'a K,
        crypto: &'a RustCrypto,
        random: &'a dyn RandomSource,
        network: NetworkId,
        channel: ChannelId,
    ) -> Self {
        let provider = Provider::new(kv, crypto, random);
        Self { kv, rows: Rows::new(kv, channel), provider, network, channel }
    }

    fn load_group(&self) -> Result<Option<MlsGroup>, ClientError> {
        use openmls_traits::OpenMlsProvider;
        Ok(MlsGroup::load(self.provider.storage(), &mls::group_id(self.channel))?)
    }

    fn scene<'b>(&self, terms: &'b Terms, facts: &'b Facts, at: Timestamp) -> Scene<'b> {
        Scene { network: self.network, terms, facts, at }
    }

    fn roster(&self) -> Result<Roster, ClientError> {
        Ok(self.rows.roster(self.network)?)
    }
}

/// Whether the facts speak of every consent that proofs claim.
fn know_all(proofs: &[LeafProof], network: NetworkId, facts: &Facts) -> Result<(), ClientError> {
    let claimed = proofs.iter().filter_map(|proof| proof.claims(network).ok()).map(|claim| claim.consent);
    let missing: Vec<_> = claimed.filter(|consent| !facts.consents.contains_key(consent)).collect();
    if missing.is_empty() { Ok(()) } else { Err(ClientError::Behind(missing)) }
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
