//! What the ledger says: about hospitals and consents when asked, and of withdrawals as they come.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use semblance_contract::event::Event;
use semblance_core::consent::Consent;
use semblance_core::id::{ConsentId, NetworkId, OrganisationId, TransactionId};
use semblance_core::organisation::OrganisationKind;
use semblance_core::signature::Statement;
use semblance_core::time::{Clock, Timestamp};
use semblance_ledger::LedgerError;
use semblance_ledger::client::LedgerClient;

use super::{AuthorityError, ChannelService};
use crate::office::Office;
use crate::wire::{ConsentFact, Facts, MemberKeys};

/// How long the hospitals' keys are taken from memory.
const KEYS_FRESH: u64 = 10_000;
/// Keys of one hospital that are told, the newest; it would take years of rotations to have more.
const KEYS_MAX: usize = 64;
/// How long it is taken from memory that a consent stands; a block that withdraws it says so at once.
const STANDS_FRESH: u64 = 5_000;
/// Consents that are kept in memory.
const CONSENTS_MAX: usize = 10_000;
/// Consents that the ledger is asked about at a time.
const ASKED: usize = 16;
/// How often, and after which pause, it is looked whether this node has read the block that withdraws a consent.
const LOOKS: u32 = 40;
const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// Blocks that withdraw nothing are noted together: at most so many are read again after a crash.
const NOTE_EVERY: u64 = 64;
/// Pause after the ledger could not be followed.
const PAUSE: Duration = Duration::from_secs(1);

/// Hospitals' keys.
type Keys = BTreeMap<OrganisationId, MemberKeys>;

/// What a consent says, which never changes, and when it was last seen to stand.
#[derive(Clone)]
struct Known {
    fact: ConsentFact,
    stood: Timestamp,
}

/// The ledger as channels ask it.
pub struct LedgerFacts {
    client: LedgerClient,
    network: NetworkId,
    office: Arc<Mutex<Office>>,
    clock: Arc<dyn Clock>,
    /// The hospitals' keys, and when they were read.
    keys: Mutex<Option<(Timestamp, Keys)>>,
    consents: Mutex<BTreeMap<ConsentId, Known>>,
}

fn unavailable(error: impl std::fmt::Display) -> AuthorityError {
    AuthorityError(error.to_string())
}

impl LedgerFacts {
    /// Over a ledger, and the office that has read its blocks.
    #[must_use]
    pub fn new(client: LedgerClient, network: NetworkId, office: Arc<Mutex<Office>>, clock: Arc<dyn Clock>) -> Self {
        Self { client, network, office, clock, keys: Mutex::new(None), consents: Mutex::default() }
    }

    /// What the ledger says about all hospitals and about these consents.
    ///
    /// # Errors
    /// It cannot be read, or says that a consent was withdrawn by a block that this node has not read yet.
    pub async fn facts(&self, consents: &BTreeSet<ConsentId>) -> Result<Facts, AuthorityError> {
        let hospitals = self.hospitals().await?;
        let asked = stream::iter(consents.iter().copied()).map(|id| async move {
            let fact = self.consent(id).await?;
            Ok::<_, AuthorityError>(fact.map(|fact| (id, fact)))
        });
        let consents: Vec<_> = asked.buffered(ASKED).try_collect().await?;
        Ok(Facts { hospitals, consents: consents.into_iter().flatten().collect() })
    }

    async fn hospitals(&self) -> Result<Keys, AuthorityError> {
        let now = self.clock.now();
        {
            let known = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, keys)) = known.as_ref().filter(|(at, _)| now.distance(*at) < KEYS_FRESH) {
                return Ok(keys.clone());
            }
        }
        let mut hospitals = Keys::new();
        for member in self.client.members().await.map_err(unavailable)? {
            if member.kind != OrganisationKind::Hospital {
                continue;
            }
            let mut keys = vec![member.verifying_key];
            // What was signed before a rotation stays signed.
            for rotation in self.client.rotations(&member.id).await.map_err(unavailable)?.into_iter().rev() {
                let replaced = rotation.previous;
                if !keys.contains(&replaced) {
                    keys.push(replaced);
                }
            }
            keys.truncate(KEYS_MAX);
            hospitals.insert(member.id, keys);
        }
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, hospitals.clone()));
        Ok(hospitals)
    }

    async fn consent(&self, id: ConsentId) -> Result<Option<ConsentFact>, AuthorityError> {
        let now = self.clock.now();
        if let Some(known) = self.known(id) {
            let withdrawn = self.withdrawal(id).await?;
            if withdrawn.is_some() || now.distance(known.stood) < STANDS_FRESH {
                return Ok(Some(ConsentFact { withdrawn, ..known.fact }));
            }
        }
        let Some(view) = self.client.consent(id).await.map_err(unavailable)? else { return Ok(None) };
        let consent = Consent::decode(view.consent.source.bytes(), self.network).map_err(unavailable)?;
        let fact = ConsentFact {
            hospital: consent.hospital.clone(),
            patient_key: consent.patient_key,
            scopes: consent.scopes,
            expires: consent.expires,
            withdrawn: None,
        };
        let withdrawn = match view.tombstone {
            Some(_) => Some(self.withdrawal_to_come(id).await?),
            None => self.withdrawal(id).await?,
        };
        self.remember(id, Known { fact: fact.clone(), stood: now });
        Ok(Some(ConsentFact { withdrawn, ..fact }))
    }

    fn known(&self, id: ConsentId) -> Option<Known> {
        self.consents.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    fn remember(&self, id: ConsentId, known: Known) {
        let mut consents = self.consents.lock().unwrap_or_else(PoisonError::into_inner);
        // All at once is simplest: what is still needed is soon there again.
        if consents.len() >= CONSENTS_MAX {
            consents.clear();
        }
        consents.insert(id, known);
    }

    /// By what a consent was withdrawn, as far as this node has read the ledger's blocks.
    async fn withdrawal(&self, id: ConsentId) -> Result<Option<(TransactionId, Timestamp)>, AuthorityError> {
        let (office, now) = (Arc::clone(&self.office), self.clock.now());
        let read = tokio::task::spawn_blocking(move || {
            office.lock().unwrap_or_else(PoisonError::into_inner).withdrawal(id, now)
        });
        read.await.map_err(unavailable)?.map_err(unavailable)
    }

    /// By what a consent was withdrawn of which the ledger says that it was: this node is about to read the block. It says
    /// nothing before it has. On a ground that names no transaction devices could not look for themselves.
    async fn withdrawal_to_come(&self, id: ConsentId) -> Result<(TransactionId, Timestamp), AuthorityError> {
        for _ in 0..LOOKS {
            if let Some(withdrawn) = self.withdrawal(id).await? {
                return Ok(withdrawn);
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
        Err(AuthorityError(format!(
            "consent {id} was withdrawn by a block of the ledger that this node has not read yet: ask again"
        )))
    }
}

impl ChannelService {
    /// Follows the ledger's withdrawals for ever.
    pub async fn follow(&self, ledger: LedgerClient) {
        loop {
            if let Err(error) = self.follow_on(&ledger).await {
                tracing::warn!(%error, "the ledger cannot be followed for channels");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn follow_on(&self, ledger: &LedgerClient) -> Result<(), LedgerError> {
        let failed = |_| LedgerError::Unavailable("the channels' office failed".to_owned());
        let from = self.office(|office, now| office.next_block(now)).await.map_err(failed)?;
        let (mut blocks, mut noted) = (ledger.events(from).await?, from);
        while let Some(block) = blocks.next().await {
            let block = block?;
            let withdrawn: Vec<_> = block
                .events
                .iter()
                .filter_map(|(transaction, event)| match event {
                    Event::ConsentWithdrawn(consent, _) => Some((*consent, *transaction)),
                    _ => None,
                })
                .collect();
            let news = !withdrawn.is_empty();
            if !news && block.number.saturating_sub(noted) < NOTE_EVERY {
                continue;
            }
            noted = block.number;
            let place = (block.number, block.timestamp);
            self.office(move |office, now| office.take_block(place, &withdrawn, now)).await.map_err(failed)?;
            if news {
                self.ring();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
