//! One hospital's node: what all its use cases share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use semblance_core::dummies::Frequencies;
use semblance_core::id::{ChannelId, NetworkId, OrganisationId};
use semblance_core::organisation::Organisation;
use semblance_core::pseudonym::PseudonymSecret;
use semblance_core::random::RandomSource;
use semblance_core::sealing::SealingSecret;
use semblance_core::signature::SigningKey;
use semblance_core::term::TermId;
use semblance_core::time::{Clock, Timestamp};
use semblance_core::vocabulary::{Resolution, Vocabulary};
use semblance_keys::{EpochKeySeeds, SealingKeys};
use semblance_ledger::Ledger;
use tokio::sync::Mutex;

use crate::chain::Chain;
use crate::error::HospitalError;
use crate::group::SizeBand;
use crate::import::{Bounds, Import, ImportError, ImportObserver, ImportReport, Known};
use crate::lookup::Asking;
use crate::matcher::MatcherPort;
use crate::members::Member;
use crate::store::{Store, StoreError, member, setting};

/// What a hospital's node is made of.
pub struct Parts {
    /// The network.
    pub network: NetworkId,
    /// This hospital.
    pub organisation: OrganisationId,
    /// Its node's signing key.
    pub signing: SigningKey,
    /// Its sealing keys, the newest first, then earlier ones that something may still be sealed to.
    pub sealing: Vec<SealingSecret>,
    /// The members that are known already: those of the genesis, or what was believed before. The ledger changes them
    /// only along their own signed rotations.
    pub members: Vec<Organisation>,
    /// Its database.
    pub store: Store,
    /// The ledger, as this hospital.
    pub ledger: Arc<dyn Ledger>,
    /// The matchers, the preferred one first.
    pub matchers: Vec<Arc<dyn MatcherPort>>,
    /// Turns terms into seeds; takes the epoch keys found on the ledger.
    pub seeds: Arc<EpochKeySeeds>,
    /// The vocabulary.
    pub vocabulary: Arc<Vocabulary>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The random source.
    pub random: Arc<dyn RandomSource>,
}

/// A hospital's use cases. Cloning shares it.
#[derive(Clone)]
pub struct HospitalService {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) network: NetworkId,
    pub(crate) organisation: OrganisationId,
    pub(crate) signing: SigningKey,
    pub(crate) sealing: SealingKeys,
    pub(crate) store: Store,
    pub(crate) chain: Chain,
    pub(crate) matchers: Vec<Arc<dyn MatcherPort>>,
    pub(crate) seeds: Arc<EpochKeySeeds>,
    pub(crate) vocabulary: Arc<Vocabulary>,
    pub(crate) frequencies: Frequencies,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn RandomSource>,
    pub(crate) pseudonyms: PseudonymSecret,
    /// One sender empties the outbox at a time.
    pub(crate) sending: Mutex<()>,
    /// One follower reads the ledger at a time.
    pub(crate) following: Mutex<()>,
    /// The next block to follow.
    pub(crate) next_block: AtomicU64,
    /// The time of the last block that was followed, in milliseconds since 1970.
    pub(crate) followed_until: AtomicU64,
    /// The members seen since the program started.
    pub(crate) members: std::sync::Mutex<BTreeMap<OrganisationId, Arc<Member>>>,
    /// The look-ups under way: each is led by one call at a time.
    pub(crate) asking: Asking,
    /// About how many patients groups are offered to here, as it was found lately.
    pub(crate) sizes: std::sync::Mutex<BTreeMap<ChannelId, (Timestamp, SizeBand)>>,
}

impl HospitalService {
    /// Opens the hospital. What waited in the outbox when the program ended is sent by the next [`Self::send`] or
    /// [`Self::run`].
    ///
    /// # Errors
    /// The store failed.
    pub fn open(parts: Parts) -> Result<Self, StoreError> {
        let random = Arc::clone(&parts.random);
        let (secret, next_block, followed_until) = parts.store.step(|tx| -> Result<_, StoreError> {
            parts.members.iter().try_for_each(|member| member::seed(tx, member))?;
            let secret = setting::secret(tx, setting::PSEUDONYM_SECRET, random.as_ref())?;
            let next_block = setting::number(tx, setting::NEXT_BLOCK)?;
            Ok((secret, next_block, setting::number(tx, setting::FOLLOWED_UNTIL)?))
        })?;
        let frequencies = Frequencies::of(&parts.vocabulary);
        let inner = Inner {
            network: parts.network,
            organisation: parts.organisation,
            signing: parts.signing,
            sealing: SealingKeys::new(parts.sealing),
            store: parts.store,
            chain: Chain::new(parts.ledger),
            matchers: parts.matchers,
            seeds: parts.seeds,
            vocabulary: parts.vocabulary,
            frequencies,
            clock: parts.clock,
            random: parts.random,
            pseudonyms: PseudonymSecret::from_bytes(secret),
            sending: Mutex::new(()),
            following: Mutex::new(()),
            next_block: AtomicU64::new(next_block),
            followed_until: AtomicU64::new(followed_until),
            members: std::sync::Mutex::default(),
            asking: Asking::default(),
            sizes: std::sync::Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The hospital.
    #[must_use]
    pub fn organisation(&self) -> &OrganisationId {
        &self.inner.organisation
    }

    /// How many blocks of the ledger this node has read.
    #[must_use]
    pub fn followed(&self) -> u64 {
        self.inner.next_block.load(Ordering::SeqCst)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Imports patients' cases from a file, a folder or an archive on this machine.
    ///
    /// # Errors
    /// The source cannot be opened, or the store failed.
    pub async fn import(
        &self,
        actor: &str,
        path: PathBuf,
        bounds: Bounds,
        mut observer: Box<dyn ImportObserver>,
    ) -> Result<ImportReport, HospitalError> {
        self.import_with(actor, bounds, move |import| import.run(&path, observer.as_mut())).await
    }

    /// Imports patients' cases from the bytes of one file, of about `size` bytes; its name says what it is.
    ///
    /// # Errors
    /// As [`Self::import`].
    pub async fn import_from(
        &self,
        actor: &str,
        (name, size): (String, u64),
        reader: Box<dyn std::io::Read + Send>,
        bounds: Bounds,
        mut observer: Box<dyn ImportObserver>,
    ) -> Result<ImportReport, HospitalError> {
        self.import_with(actor, bounds, move |import| import.run_from(&name, size, reader, observer.as_mut())).await
    }

    async fn import_with(
        &self,
        actor: &str,
        bounds: Bounds,
        run: impl FnOnce(&Import<'_>) -> Result<ImportReport, ImportError> + Send + 'static,
    ) -> Result<ImportReport, HospitalError> {
        let (inner, actor) = (Arc::clone(&self.inner), actor.to_owned());
        let imported = tokio::task::spawn_blocking(move || {
            let vocabulary = Arc::clone(&inner.vocabulary);
            run(&Import {
                store: &inner.store,
                known: &move |term| known(&vocabulary, term),
                clock: inner.clock.as_ref(),
                random: inner.random.as_ref(),
                bounds,
                actor: &actor,
            })
        });
        match imported.await {
            Ok(report) => Ok(report?),
            Err(_) => Err(StoreError::Stopped.into()),
        }
    }
}

/// What a vocabulary says of an id, as an import asks.
#[must_use]
pub fn known(vocabulary: &Vocabulary, term: TermId) -> Known {
    let symptom = |term| term != TermId::PHENOTYPIC_ABNORMALITY && vocabulary.is_phenotypic_abnormality(term);
    match vocabulary.resolve(term) {
        Resolution::Current(found) if symptom(found) => Known::Symptom,
        Resolution::Replaced { by } if symptom(by) => Known::Replaced(by),
        Resolution::Current(_) | Resolution::Replaced { .. } => Known::NoSymptom,
        Resolution::Obsolete { .. } => Known::Retired,
        Resolution::Unknown => Known::Unknown,
    }
}
