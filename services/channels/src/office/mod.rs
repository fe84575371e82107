//! What a hospital's node does for channels: the *hub* of those that are anchored here, the *home* of its own people's
//! devices everywhere.
//!
//! Everything is one database: a commit, the new epoch, what is delivered to whom and what other hospitals are to be
//! told stand in one transaction, so that only the commit that won is ever seen. Without any network or clock of its
//! own: what comes in is a call, what goes out waits in a queue or an outbox.
//!
//! It knows pseudonyms, sizes and times. It never learns what is said: messages are encrypted, and it has no key.

mod admit;
mod audit;
mod blob;
mod channel;
mod commit;
mod create;
mod deliver;
mod device;
mod end;
mod leaf;
mod message;
mod noted;
mod outbox;
mod packages;
mod queue;
mod spoken;
mod tree;
mod withdrawn;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use openmls::prelude::PublicGroup;
use openmls_rust_crypto::RustCrypto;
use rusqlite::{Connection, Savepoint, TransactionBehavior};
use semblance_core::id::{ChannelId, NetworkId, OrganisationId, ParticipantId};
use semblance_core::random::RandomSource;
use semblance_core::time::Timestamp;

pub use device::{Device, DeviceId, Token};
pub use outbox::{Delivery, Outbound};
pub use packages::PackageLeaf;
pub use queue::Queued;

use self::noted::Noted;
use crate::store::{StoreError, open_private, set_up};
use crate::wire::{Facts, Refusal, Submission};

/// Why the office did not do something.
#[derive(Debug, thiserror::Error)]
pub enum OfficeError {
    /// It refuses.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for OfficeError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl OfficeError {
    /// What to tell whoever asked.
    #[must_use]
    pub const fn refusal(&self) -> Refusal {
        match self {
            Self::Refused(refusal) => *refusal,
            Self::Store(_) => Refusal::Failed,
        }
    }
}

const SCHEMA: &str = include_str!("schema.sql");
const VERSION: i64 = 1;

/// A hospital's office for channels.
pub struct Office {
    connection: Connection,
    network: NetworkId,
    organisation: OrganisationId,
    crypto: RustCrypto,
    random: Arc<dyn RandomSource>,
    /// Groups as of the last transaction that succeeded.
    groups: Groups,
    /// What is written with the next transaction.
    noted: Noted,
    spoken: spoken::Spoken,
    /// Whether numbers have been raised above all that were given out before this program started.
    raised: bool,
}

/// The public groups of channels, by channel.
type Groups = BTreeMap<ChannelId, PublicGroup>;

/// Who speaks to the office: a device of some hospital, by its pseudonym in the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speaker {
    /// Whose device.
    pub hospital: OrganisationId,
    /// Its pseudonym.
    pub participant: ParticipantId,
}

/// What one step works with.
struct Desk<'a> {
    db: &'a Connection,
    network: NetworkId,
    organisation: &'a OrganisationId,
    crypto: &'a RustCrypto,
    random: &'a dyn RandomSource,
    groups: &'a mut Groups,
    /// The channels whose groups this step has changed.
    changed: Vec<ChannelId>,
    now: Timestamp,
}

impl Office {
    /// Opens or makes the database of a hospital's office.
    ///
    /// # Errors
    /// The file cannot be opened, or is of a newer version.
    pub fn open(
        path: &Path,
        network: NetworkId,
        organisation: OrganisationId,
        random: Arc<dyn RandomSource>,
    ) -> Result<Self, StoreError> {
        Self::over(open_private(path)?, network, organisation, random)
    }

    /// An office whose database is gone with the program.
    ///
    /// # Errors
    /// SQLite failed.
    pub fn in_memory(
        network: NetworkId,
        organisation: OrganisationId,
        random: Arc<dyn RandomSource>,
    ) -> Result<Self, StoreError> {
        Self::over(Connection::open_in_memory()?, network, organisation, random)
    }

    /// An office over an open connection.
    ///
    /// # Errors
    /// As [`Office::open`].
    pub fn over(
        mut connection: Connection,
        network: NetworkId,
        organisation: OrganisationId,
        random: Arc<dyn RandomSource>,
    ) -> Result<Self, StoreError> {
        set_up(&connection)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        match transaction.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))? {
            0 => {
                transaction.execute_batch(SCHEMA)?;
                transaction.pragma_update(None, "user_version", VERSION)?;
            }
            VERSION => {}
            newer => {
                let text = format!("the database is of version {newer}, this program reads up to {VERSION}");
                return Err(StoreError::Damaged(text));
            }
        }
        transaction.commit()?;
        Ok(Self {
            connection,
            network,
            organisation,
            crypto: RustCrypto::default(),
            random,
            groups: Groups::new(),
            noted: Noted::default(),
            spoken: spoken::Spoken::default(),
            raised: false,
        })
    }

    /// The hospital.
    #[must_use]
    pub const fn organisation(&self) -> &OrganisationId {
        &self.organisation
    }

    /// The network.
    #[must_use]
    pub const fn network(&self) -> NetworkId {
        self.network
    }

    /// Gives the connection back.
    #[must_use]
    pub fn into_connection(self) -> Connection {
        self.connection
    }

    /// The connection, to look at what is stored and to make it fail.
    #[cfg(feature = "testing")]
    #[must_use]
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Runs one step in a transaction of its own.
    fn step<R>(
        &mut self,
        now: Timestamp,
        step: impl FnOnce(&mut Desk<'_>) -> Result<R, OfficeError>,
    ) -> Result<R, OfficeError> {
        let mut results = self.steps(now, std::iter::once(step))?;
        results.pop().unwrap_or(Err(Refusal::Failed.into()))
    }

    /// Looks at what is there, as of one moment, and changes nothing.
    fn look<R>(
        &mut self,
        now: Timestamp,
        look: impl FnOnce(&Desk<'_>) -> Result<R, OfficeError>,
    ) -> Result<R, OfficeError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
        let before = transaction.total_changes();
        let seen = look(&Desk {
            db: &transaction,
            network: self.network,
            organisation: &self.organisation,
            crypto: &self.crypto,
            random: self.random.as_ref(),
            groups: &mut self.groups,
            changed: Vec::new(),
            now,
        });
        debug_assert_eq!(before, transaction.total_changes(), "what is only looked at is not kept");
        seen
    }

    /// Runs several steps in one transaction, each of which succeeds or fails by itself; none has happened before
    /// this returns. One write to the disk serves them all.
    fn steps<R>(
        &mut self,
        now: Timestamp,
        steps: impl IntoIterator<Item = impl FnOnce(&mut Desk<'_>) -> Result<R, OfficeError>>,
    ) -> Result<Vec<Result<R, OfficeError>>, OfficeError> {
        if !self.raised {
            outbox::raise_numbers(&self.connection, now)?;
            self.raised = true;
        }
        let mut groups = std::mem::take(&mut self.groups);
        let mut transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        self.noted.write(&transaction)?;
        let mut results = Vec::new();
        for step in steps {
            let savepoint = transaction.savepoint()?;
            let mut desk = Desk {
                db: &savepoint,
                network: self.network,
                organisation: &self.organisation,
                crypto: &self.crypto,
                random: self.random.as_ref(),
                groups: &mut groups,
                changed: Vec::new(),
                now,
            };
            let result = step(&mut desk);
            let changed = desk.changed;
            end(savepoint, result.is_ok(), &changed, &mut groups)?;
            results.push(result);
        }
        transaction.commit()?;
        self.noted = Noted::default();
        self.groups = groups;
        Ok(results)
    }

    /// Takes what devices submit to channels of which this node is the hub; one write to the disk serves all. Each
    /// gets its place in the channel's order, the same one if it was taken before.
    ///
    /// # Errors
    /// The database failed; nothing was taken. Refusals are among the results.
    pub fn submit(
        &mut self,
        submissions: Vec<(ChannelId, Speaker, Submission)>,
        facts: &Facts,
        now: Timestamp,
    ) -> Result<Vec<Result<u64, OfficeError>>, OfficeError> {
        let steps = submissions.into_iter().map(|(channel, from, submission)| {
            move |desk: &mut Desk<'_>| match submission {
                Submission::Create(creation) => desk.create(channel, &from, &creation, facts),
                Submission::Commit(commit) => desk.commit(channel, &from, &commit, facts),
                Submission::Message(message) => desk.message(channel, &from, &message),
            }
        });
        self.steps(now, steps)
    }
}

/// Ends a step. After a failure the groups that it changed are ahead of the database in memory, and are read again.
fn end(
    mut savepoint: Savepoint<'_>,
    succeeded: bool,
    changed: &[ChannelId],
    groups: &mut Groups,
) -> Result<(), OfficeError> {
    if succeeded {
        savepoint.commit()?;
    } else {
        changed.iter().for_each(|channel| drop(groups.remove(channel)));
        savepoint.rollback()?;
    }
    Ok(())
}
