//! How many messages a hub carries: one thread takes submissions in batches, another carries deliveries to the other
//! hospitals, as a node does.

use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context as _;
use semblance_channels::limits::ITEMS_MAX;
use semblance_channels::office::Office;
use semblance_channels::store::Store;
use semblance_channels::wire::Facts;

use super::group::Group;
use super::talk::TEXT;
use super::town::deliver;

/// Submissions that one write to the disk serves, as in a node.
const BATCH: usize = 64;

/// Messages a second, until the last is in the queue of every device at every hospital.
pub(crate) fn rate<S: Store>(mut group: Group<S>, messages: usize) -> anyhow::Result<f64> {
    let mut handed = group.prepare(messages, TEXT)?;
    let town = group.town;
    drop(group.members);
    let town = Rc::into_inner(town).context("a device still holds its line")?.into_inner();
    let now = town.world.now;
    let mut offices = town.world.hospitals.into_iter().map(|hospital| hospital.office);
    let hub = Mutex::new(offices.next().context("no hub")?);
    let mut homes: Vec<Office> = offices.collect();
    let finished = Mutex::new(false);
    let start = Instant::now();
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let carrier = scope.spawn(|| -> anyhow::Result<()> {
            loop {
                // Looked at before what waits is looked at, so that nothing is left behind.
                let last = *lock(&finished);
                let mut any = false;
                for home in &mut homes {
                    any |= carry(&hub, home, now)?;
                }
                if last && !any {
                    return Ok(());
                }
                if !any {
                    std::thread::yield_now();
                }
            }
        });
        let mut taken = Ok(());
        while !handed.is_empty() && taken.is_ok() {
            let batch: Vec<_> = handed.drain(..BATCH.min(handed.len())).collect();
            taken = lock(&hub)
                .submit(batch, &Facts::default(), now)
                .and_then(|results| results.into_iter().try_for_each(|result| result.map(drop)));
        }
        *lock(&finished) = true;
        carrier.join().map_err(|_| anyhow::anyhow!("the carrier failed"))??;
        Ok(taken?)
    })?;
    Ok(messages as f64 / start.elapsed().as_secs_f64())
}

/// Carries what waits for one peer, holding the hub's office no longer than a node does.
fn carry(hub: &Mutex<Office>, home: &mut Office, now: semblance_core::time::Timestamp) -> anyhow::Result<bool> {
    let (outbound, source) = {
        let mut hub = lock(hub);
        (hub.outbound(home.organisation(), ITEMS_MAX, now)?, hub.organisation().clone())
    };
    if outbound.is_empty() {
        return Ok(false);
    }
    let number = deliver(home, &source, outbound, now)?;
    lock(hub).acknowledged(home.organisation(), number);
    Ok(true)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
