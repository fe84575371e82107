//! A matcher, assembled: opens its files, rebuilds its budgets, follows the ledger, answers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use semblance_contract::wire::PageRequest;
use semblance_core::id::NetworkId;
use semblance_core::limits::PAGE_MAX;
use semblance_core::organisation::Organisation;
use semblance_core::random::RandomSource;
use semblance_core::time::{Clock, Day, Timestamp};
use semblance_index::{IndexError, Position};
use semblance_ledger::LedgerError;
use semblance_ledger::client::LedgerClient;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::budget::{Asker, BudgetLimits, Budgets};
use crate::denials::Denials;
use crate::entries::Entries;
use crate::files;
use crate::follow::{FollowError, Follower};
use crate::indexes::{Indexes, Searchers};
use crate::members::Members;
use crate::request::ANSWER_GRACE_MILLIS;
use crate::search::Search;
use crate::store::{MatcherStore, StoreError};

/// How often answers to expired requests are dropped.
const HOUSEKEEPING: Duration = Duration::from_secs(30);

/// Why a matcher cannot start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum MatcherError {
    /// The index cannot be opened or failed.
    #[error("the index failed: {0}")]
    Index(#[from] IndexError),
    /// The matcher's own file cannot be opened or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder cannot be made.
    #[error("the matcher's folder cannot be made: {0}")]
    Folder(#[from] std::io::Error),
    /// The ledger cannot be reached.
    #[error("the ledger failed: {0}")]
    Ledger(#[from] LedgerError),
    /// Following the ledger ended with a failure.
    #[error("following the ledger ended: {0}")]
    Follow(#[from] FollowError),
    /// The follower's thread is gone.
    #[error("the follower ended unexpectedly")]
    FollowerGone,
}

/// What a matcher is made of.
pub struct MatcherConfig {
    /// The folder for its index and its own file.
    pub folder: PathBuf,
    /// The budgets.
    pub budgets: BudgetLimits,
    /// The members that are known already: those of the genesis, or what was believed before. The ledger changes them
    /// only along their own signed rotations.
    pub members: Vec<Organisation>,
}

/// What a matcher covers at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Covered {
    /// The last block applied.
    pub position: Position,
    /// Live cases in all open epochs.
    pub cases: u64,
    /// Hospitals of the epoch with most of them.
    pub hospitals: usize,
}

/// A running matcher.
pub struct Matcher {
    search: Arc<Search>,
    searchers: Searchers,
    progress: watch::Receiver<Option<Position>>,
    stop: watch::Sender<bool>,
    follower: Option<oneshot::Receiver<Result<(), FollowError>>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Matcher {
    /// Opens the files, rebuilds the budgets from the ledger and starts to follow it.
    ///
    /// # Errors
    /// A file cannot be opened, or the ledger cannot be reached.
    pub async fn start(
        config: MatcherConfig,
        network: NetworkId,
        ledger: LedgerClient,
        clock: Arc<dyn Clock>,
        random: Arc<dyn RandomSource>,
    ) -> Result<Self, MatcherError> {
        files::make_folder(&config.folder)?;
        let store = Arc::new(MatcherStore::open(&config.folder.join("matcher.sqlite"))?);
        let indexes = Indexes::open(&config.folder.join("index"), store.numbering(&*random)?)?;
        let members = Members::new(network, config.members);
        members.learn(&ledger).await?;
        let budgets = Arc::new(Budgets::new(config.budgets));
        rebuild(&budgets, &ledger, clock.now()).await?;

        let searchers = indexes.searchers();
        let (stop, stopped) = watch::channel(false);
        let (position, progress) = watch::channel(indexes.position());
        let follower = Follower::new(
            ledger.clone(),
            indexes,
            Arc::clone(&store),
            members.clone(),
            Arc::clone(&budgets),
            position,
        )?;
        let follower = on_a_thread_of_its_own(follower, stopped.clone())?;
        let matcher = ledger.organisation().clone();
        let denials =
            Arc::new(Denials::new(matcher.clone(), Arc::clone(&store), Arc::clone(&clock), Arc::clone(&random)));
        let tasks = vec![
            tokio::spawn({
                let (denials, ledger, stopped) = (Arc::clone(&denials), ledger.clone(), stopped.clone());
                async move { denials.run(ledger, stopped).await }
            }),
            tokio::spawn(housekeeping(Arc::clone(&store), Arc::clone(&clock), stopped)),
        ];
        let search = Arc::new(Search {
            network,
            matcher,
            entries: Entries::start(ledger.clone()),
            ledger,
            members,
            searchers: searchers.clone(),
            progress: progress.clone(),
            budgets,
            store,
            denials,
            clock,
            random,
        });
        Ok(Self { search, searchers, progress, stop, follower: Some(follower), tasks })
    }

    /// What answers look-ups.
    #[must_use]
    pub fn search(&self) -> Arc<Search> {
        Arc::clone(&self.search)
    }

    /// How far it is, as it goes.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Option<Position>> {
        self.progress.clone()
    }

    /// What it covers at the moment; nothing before the first block.
    #[must_use]
    pub fn covered(&self) -> Option<Covered> {
        covered(&self.searchers, *self.progress.borrow())
    }

    /// Waits for the follower to end by itself, which it does only with a failure. Can be waited for once.
    ///
    /// # Errors
    /// Always: what it ended with.
    pub async fn failed(&mut self) -> MatcherError {
        match self.follower.take() {
            Some(follower) => match follower.await {
                Ok(Err(error)) => error.into(),
                Ok(Ok(())) | Err(_) => MatcherError::FollowerGone,
            },
            None => std::future::pending().await,
        }
    }

    /// Stops: the index is committed, what waits is kept in the matcher's file.
    ///
    /// # Errors
    /// The index could not be committed; the next start follows again from its last commit.
    pub async fn stop(mut self) -> Result<(), MatcherError> {
        self.stop.send_replace(true);
        for task in self.tasks.drain(..) {
            // A task that panicked has nothing left to do.
            let _ = task.await;
        }
        match self.follower.take() {
            Some(follower) => Ok(follower.await.map_err(|_| MatcherError::FollowerGone)??),
            None => Ok(()),
        }
    }
}

pub(crate) fn covered(searchers: &Searchers, position: Option<Position>) -> Option<Covered> {
    let position = position?;
    let mut covered = Covered { position, cases: 0, hospitals: 0 };
    for searcher in searchers.all() {
        let view = searcher.view();
        covered.cases = covered.cases.saturating_add(u64::from(view.collection().cases));
        covered.hospitals = covered.hospitals.max(view.hospitals());
    }
    Some(covered)
}

/// Index files are written with blocking calls, so the follower does not share the threads that answer.
fn on_a_thread_of_its_own(
    follower: Follower,
    stop: watch::Receiver<bool>,
) -> Result<oneshot::Receiver<Result<(), FollowError>>, std::io::Error> {
    let (ended, end) = oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    std::thread::Builder::new().name("follower".to_owned()).spawn(move || {
        let outcome = runtime.block_on(follower.run(stop));
        if let Err(error) = &outcome {
            tracing::error!(%error, "following the ledger ended");
        }
        let _ = ended.send(outcome);
    })?;
    Ok(end)
}

/// Counts the look-ups of this week that the ledger holds.
async fn rebuild(budgets: &Budgets, ledger: &LedgerClient, now: Timestamp) -> Result<(), LedgerError> {
    let today = now.day();
    for back in 0..7 {
        let day = Day::from_number(today.number().saturating_sub(back));
        if day.week() != today.week() {
            break;
        }
        let mut page = PageRequest::first(PAGE_MAX);
        loop {
            let found = ledger.lookups_of_day(day, page).await?;
            for row in found.rows {
                budgets.record(row.request, Asker { hospital: row.hospital, clinician: row.clinician, slot: row.slot });
            }
            let Some(next) = found.next else { break };
            page = PageRequest::at(Some(next), PAGE_MAX);
        }
    }
    Ok(())
}

async fn housekeeping(store: Arc<MatcherStore>, clock: Arc<dyn Clock>, mut stop: watch::Receiver<bool>) {
    loop {
        let before = Timestamp::from_millis(clock.now().millis().saturating_sub(ANSWER_GRACE_MILLIS));
        if let Err(error) = store.drop_expired_answers(before) {
            tracing::warn!(%error, "expired answers could not be dropped");
        }
        tokio::select! {
            () = tokio::time::sleep(HOUSEKEEPING) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}
