//! What the ledger says: about hospitals and consents when asked, and of withdrawals as they come.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use semblance_contract::event::Event;
use semblance_core::consent::Consent;
use semblance_core::id::{ConsentId, NetworkId, OrganisationId};
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
/// Blocks that withdraw nothing are noted together: at most so many are read again after a crash.
const NOTE_EVERY: u64 = 64;
/// Pause after the ledger could not be followed.
const PAUSE: Duration = Duration::from_secs(1);

/// Hospitals' keys.
type Keys = BTreeMap<OrganisationId, MemberKeys>;

/// The ledger as channels ask it.
pub struct LedgerFacts {
    client: LedgerClient,
    network: NetworkId,
    office: Arc<Mutex<Office>>,
    clock: Arc<dyn Clock>,
    /// The hospitals' keys, and when they were read.
    keys: Mutex<Option<(Timestamp, Keys)>>,
}

fn unavailable(error: impl std::fmt::Display) -> AuthorityError {
    AuthorityError(error.to_string())
}

impl LedgerFacts {
    /// Over a ledger, and the office that has read its blocks.
    #[must_use]
    pub fn new(client: LedgerClient, network: NetworkId, office: Arc<Mutex<Office>>, clock: Arc<dyn Clock>) -> Self {
        Self { client, network, office, clock, keys: Mutex::new(None) }
    }

    /// What the ledger says about all hospitals and about these consents.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn facts(&self, consents: &BTreeSet<ConsentId>) -> Result<Facts, AuthorityError> {
        let mut facts = Facts { hospitals: self.hospitals().await?, ..Facts::default() };
        for consent in consents {
            if let Some(fact) = self.consent(*consent).await? {
                facts.consents.insert(*consent, fact);
            }
        }
        Ok(facts)
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
            for rotation in self.client.rotations(&member.id).await.map_err(unavailable)? {
                let replaced = rotation.previous;
                if !keys.contains(&replaced) {
                    keys.push(replaced);
                }
            }
            hospitals.insert(member.id, keys);
        }
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, hospitals.clone()));
        Ok(hospitals)
    }

    async fn consent(&self, id: ConsentId) -> Result<Option<ConsentFact>, AuthorityError> {
        let Some(view) = self.client.consent(id).await.map_err(unavailable)? else { return Ok(None) };
        let consent = Consent::decode(view.consent.source.bytes(), self.network).map_err(unavailable)?;
        let (office, now) = (Arc::clone(&self.office), self.clock.now());
        let read = tokio::task::spawn_blocking(move || {
            office.lock().unwrap_or_else(PoisonError::into_inner).withdrawal(id, now)
        });
        let withdrawn = read.await.map_err(unavailable)?.map_err(unavailable)?;
        // The ledger may say that it ended before this node has read the block that says by what.
        let expires = match (&view.tombstone, withdrawn) {
            (Some(tombstone), None) => consent.expires.min(tombstone.at),
            _ => consent.expires,
        };
        Ok(Some(ConsentFact {
            hospital: consent.hospital.clone(),
            patient_key: consent.patient_key,
            scopes: consent.scopes,
            expires,
            withdrawn,
        }))
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
