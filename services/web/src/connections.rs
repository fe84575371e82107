//! Open connections: so many in all and of one address, none that keeps silent, none that outlives the server.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use futures::{Stream, StreamExt};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use semblance_ledger::listen::source;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::bounds::Bounds;

/// How long no connection is taken after one could not be.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves connections until `stop`; those that are open then have a moment to finish what they do.
pub(crate) async fn serve<C>(
    incoming: impl Stream<Item = io::Result<(IpAddr, C)>>,
    routes: Router,
    stop: CancellationToken,
    bounds: Bounds,
) where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut serving = JoinSet::new();
    {
        let mut incoming = pin!(incoming);
        let open = Arc::new(Open::default());
        loop {
            let next = tokio::select! {
                next = incoming.next() => next,
                Some(_) = serving.join_next() => continue,
                () = stop.cancelled() => break,
            };
            match next {
                Some(Ok((address, connection))) => match open.enter(address, &bounds) {
                    Some(place) => drop(serving.spawn(one(connection, routes.clone(), stop.clone(), bounds, place))),
                    None => tracing::debug!("connection refused: too many are open"),
                },
                Some(Err(error)) => {
                    // Out of file handles, most likely: waiting gives others time to close theirs.
                    tracing::warn!(%error, "connection not accepted");
                    tokio::time::sleep(PAUSE).await;
                }
                None => break,
            }
        }
    }
    let ended = tokio::time::timeout(bounds.farewell, async { while serving.join_next().await.is_some() {} });
    if ended.await.is_err() {
        tracing::info!(connections = serving.len(), "connections cut off as the server stops");
    }
}

/// Serves one connection until it ends, or until what it does at the server's stop is done.
async fn one<C>(connection: C, routes: Router, stop: CancellationToken, bounds: Bounds, _place: Place)
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut http = Builder::new(TokioExecutor::new()).http1_only();
    http.http1().timer(TokioTimer::new()).header_read_timeout(bounds.header);
    let mut served = pin!(http.serve_connection(TokioIo::new(connection), TowerToHyperService::new(routes)));
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

/// How many connections are open, by address.
#[derive(Default)]
struct Open(Mutex<BTreeMap<IpAddr, usize>>);

impl Open {
    /// A place for one more connection; none if there are too many of its address or in all.
    fn enter(self: &Arc<Self>, address: IpAddr, bounds: &Bounds) -> Option<Place> {
        let address = source(address);
        let mut open = self.lock();
        let own = open.get(&address).copied().unwrap_or_default();
        if own >= bounds.of_one_address || open.values().sum::<usize>() >= bounds.connections {
            return None;
        }
        open.insert(address, own + 1);
        Some(Place { open: Arc::clone(self), address })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one open connection; free again when it is dropped.
struct Place {
    open: Arc<Open>,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock();
        if let Some(own) = open.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_leaves_room_for_others_and_places_become_free() {
        let bounds = Bounds { connections: 5, of_one_address: 3, ..Bounds::default() };
        let open = Arc::new(Open::default());
        let enter = |last: u8| open.enter(IpAddr::from([192, 0, 2, last]), &bounds);
        let mut crowd: Vec<_> = (0..9).filter_map(|_| enter(1)).collect();
        assert_eq!(crowd.len(), 3);
        let others = (enter(2).unwrap(), enter(3).unwrap());
        assert!(enter(4).is_none(), "five are open");
        crowd.pop();
        assert!(enter(4).is_some());
        drop((crowd, others));
        assert!(open.lock().is_empty());
    }
}
