//! Streams of devices' queues: a few for each device, and none for longer than the device may listen.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::response::sse::Event;
use data_encoding::BASE64;
use futures::FutureExt;
use futures::stream::{Stream, unfold};
use semblance_channels::node::ChannelService;
use semblance_channels::office::{DeviceId, Queued};
use semblance_core::record::Record;
use tokio::sync::Notify;
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{ALL_TOLD, Caller};
use crate::bounds::Bounds;

/// How long a stream waits for its bell before it looks by itself.
const PATIENCE: Duration = Duration::from_secs(15);
/// Items read from the queue at once.
const PAGE: usize = 64;
/// How long items that were read may wait for a slow reader before they are read again: what waits is deleted when a
/// part ends, and what was read before must not be told long after.
const FRESH: Duration = Duration::from_secs(1);

/// The streams that are open.
#[derive(Default)]
pub(super) struct Streams(Mutex<Table>);

#[derive(Default)]
struct Table {
    begun: u64,
    /// Of each device the numbers of its streams, the oldest first, and what ends them.
    open: BTreeMap<DeviceId, VecDeque<(u64, CancellationToken)>>,
}

impl Streams {
    /// Begins one more of a device. Where there would be too many the oldest ends: a phone that lost its connection
    /// comes again before anybody knows that the old one leads nowhere.
    fn begin(self: &Arc<Self>, device: DeviceId, stop: &CancellationToken, most: usize) -> Place {
        let ended = stop.child_token();
        let mut table = self.lock();
        table.begun += 1;
        let number = table.begun;
        let own = table.open.entry(device).or_default();
        own.push_back((number, ended.clone()));
        if own.len() > most
            && let Some((_, oldest)) = own.pop_front()
        {
            oldest.cancel();
        }
        Place { streams: Arc::clone(self), device, number, ended }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one open stream; free again when it is dropped.
struct Place {
    streams: Arc<Streams>,
    device: DeviceId,
    number: u64,
    ended: CancellationToken,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.streams.lock();
        if let Some(own) = table.open.get_mut(&self.device) {
            own.retain(|(number, _)| *number != self.number);
            if own.is_empty() {
                table.open.remove(&self.device);
            }
        }
    }
}

/// A device that listens to its queue.
pub(super) struct Listener {
    channels: ChannelService,
    caller: Caller,
    bell: Arc<Notify>,
    check: Interval,
    place: Place,
    /// The place in the queue up to which everything was told.
    after: u64,
    waiting: VecDeque<Queued>,
    /// When that was read.
    read: Instant,
    /// Whether the device knows that nothing more waits.
    all_told: bool,
}

impl Listener {
    /// From a place in the queue on, until `stop`.
    pub(super) fn new(
        channels: ChannelService,
        caller: Caller,
        after: u64,
        (streams, stop): (&Arc<Streams>, &CancellationToken),
        bounds: &Bounds,
    ) -> Self {
        let bell = channels.bell(caller.device.device);
        let place = streams.begin(caller.device.device, stop, bounds.streams);
        let mut check = tokio::time::interval(bounds.check);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The token was good a moment ago.
        check.reset();
        let (waiting, read) = (VecDeque::new(), Instant::now());
        Self { channels, caller, bell, check, place, after, waiting, read, all_told: false }
    }

    /// The queue, for as long as the device listens and may.
    pub(super) fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        unfold(self, |mut listener| async move { listener.next().await.map(|event| (Ok(event), listener)) })
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            // Here too, because a stream that always has something to tell never waits.
            let due = self.check.tick().now_or_never().is_some();
            if self.place.ended.is_cancelled() || (due && !self.may_listen().await) {
                return None;
            }
            if self.read.elapsed() > FRESH {
                self.waiting.clear();
            }
            if let Some(next) = self.waiting.pop_front() {
                (self.after, self.all_told) = (next.position, false);
                return Some(Event::default().id(next.position.to_string()).data(BASE64.encode(&next.item.encode())));
            }
            // Listen before looking, or what comes in between is heard too late.
            let mut rung = pin!(self.bell.notified());
            rung.as_mut().enable();
            self.read = Instant::now();
            self.waiting.extend(self.channels.queue(&self.caller.device, self.after, PAGE).await.ok()?);
            if !self.waiting.is_empty() {
                continue;
            }
            if !std::mem::replace(&mut self.all_told, true) {
                return Some(Event::default().comment(ALL_TOLD));
            }
            tokio::select! {
                () = rung => {}
                () = tokio::time::sleep(PATIENCE) => {}
                _ = self.check.tick() => {
                    if !self.may_listen().await {
                        return None;
                    }
                }
                () = self.place.ended.cancelled() => return None,
            }
        }
    }

    /// Whether the device's token is still good.
    async fn may_listen(&self) -> bool {
        self.channels.authenticate(self.caller.token.clone()).await.is_ok()
    }
}
