//! Handshakes under way: few, short, and never in the way of the next connection.
//!
//! A connection costs whoever opens it nothing until its handshake is done, so what is unfinished gives way: to newer
//! connections of the same address first, and to those of others when there are too many in all.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::Stream;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;

/// Handshakes under way at once.
const HANDSHAKES_MAX: usize = 64;
/// Handshakes under way at once from one address.
const OF_ONE_ADDRESS_MAX: usize = 16;
/// How long one may take.
const HANDSHAKE_TIME: Duration = Duration::from_secs(3);

/// Where finished connections go.
type Accepted = mpsc::Sender<io::Result<TlsStream<TcpStream>>>;

/// Accepts connections, until the stream is dropped, and gives those whose handshakes are done: for every server of a
/// node that others can reach.
pub fn connections(
    listener: TcpListener,
    acceptor: TlsAcceptor,
) -> impl Stream<Item = io::Result<TlsStream<TcpStream>>> + use<> {
    let (accepted, stream) = mpsc::channel(HANDSHAKES_MAX);
    tokio::spawn(accept(listener, acceptor, accepted));
    ReceiverStream::new(stream)
}

/// Accepts until the server that reads the stream is gone.
async fn accept(listener: TcpListener, acceptor: TlsAcceptor, accepted: Accepted) {
    let unfinished = Arc::new(Mutex::new(Unfinished::default()));
    loop {
        let connection = tokio::select! {
            connection = listener.accept() => connection,
            () = accepted.closed() => return,
        };
        match connection {
            Ok((connection, peer)) => start(&unfinished, connection, peer.ip(), &acceptor, &accepted),
            Err(error) => {
                // Out of file handles, most likely: waiting gives others time to close theirs.
                tracing::warn!(%error, "connection not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn start(
    unfinished: &Arc<Mutex<Unfinished>>,
    connection: TcpStream,
    address: IpAddr,
    acceptor: &TlsAcceptor,
    accepted: &Accepted,
) {
    let _ = connection.set_nodelay(true);
    let (acceptor, accepted, table) = (acceptor.clone(), accepted.clone(), Arc::clone(unfinished));
    // Held until the handshake stands in the table, so that it cannot end before it began.
    let mut unfinished = lock(unfinished);
    let number = unfinished.next_number();
    let handshake = tokio::spawn(async move {
        let outcome = tokio::time::timeout(HANDSHAKE_TIME, acceptor.accept(connection)).await;
        lock(&table).handshakes.remove(&number);
        match outcome {
            Ok(Ok(stream)) => drop(accepted.send(Ok(stream)).await),
            Ok(Err(error)) => tracing::debug!(%error, "handshake refused"),
            Err(_) => tracing::debug!("handshake took too long"),
        }
    });
    unfinished.add(number, source(address), handshake.abort_handle());
}

/// Who counts as one address: of IPv6 the network, in which one machine may take as many addresses as it likes.
#[must_use]
pub fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

fn lock(unfinished: &Mutex<Unfinished>) -> MutexGuard<'_, Unfinished> {
    unfinished.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is under way, the oldest first.
#[derive(Default)]
struct Unfinished {
    begun: u64,
    handshakes: BTreeMap<u64, (IpAddr, AbortHandle)>,
}

impl Unfinished {
    fn next_number(&mut self) -> u64 {
        self.begun += 1;
        self.begun
    }

    /// Adds one; where there are too many of its address, or in all, the oldest of them is dropped.
    fn add(&mut self, number: u64, address: IpAddr, handshake: AbortHandle) {
        let same: Vec<u64> =
            self.handshakes.iter().filter(|(_, (other, _))| *other == address).map(|(number, _)| *number).collect();
        if same.len() >= OF_ONE_ADDRESS_MAX {
            self.drop_oldest(same.first().copied());
        } else if self.handshakes.len() >= HANDSHAKES_MAX {
            self.drop_oldest(self.handshakes.first_key_value().map(|(number, _)| *number));
        }
        self.handshakes.insert(number, (address, handshake));
    }

    fn drop_oldest(&mut self, number: Option<u64>) {
        if let Some((address, handshake)) = number.and_then(|number| self.handshakes.remove(&number)) {
            tracing::debug!(%address, "unfinished handshake dropped for a newer connection");
            handshake.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The addresses under way, from the oldest on, after one connection of each of these.
    async fn after(addresses: impl IntoIterator<Item = IpAddr>) -> Vec<IpAddr> {
        let mut unfinished = Unfinished::default();
        for address in addresses {
            let number = unfinished.next_number();
            let handshake = tokio::spawn(std::future::pending::<()>());
            unfinished.add(number, source(address), handshake.abort_handle());
        }
        unfinished.handshakes.into_values().map(|(address, _)| address).collect()
    }

    fn v4(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[tokio::test]
    async fn one_address_crowds_out_nobody_but_itself() {
        let crowd = std::iter::repeat_n(v4(1), 500);
        let left = after([v4(2)].into_iter().chain(crowd).chain([v4(3)])).await;
        assert_eq!((left.first(), left.last()), (Some(&v4(2)), Some(&v4(3))));
        assert_eq!(left.iter().filter(|address| **address == v4(1)).count(), OF_ONE_ADDRESS_MAX);
    }

    #[tokio::test]
    async fn the_oldest_of_all_gives_way_to_the_newest() {
        let left = after((0..200).map(v4)).await;
        assert_eq!(left, (136..200).map(v4).collect::<Vec<_>>());
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let parse = |text: &str| source(text.parse().unwrap());
        assert_eq!(parse("2001:db8::1:2:3:4"), parse("2001:db8::5"));
        assert_ne!(parse("2001:db8::1"), parse("2001:db8:0:1::1"));
        assert_eq!(parse("::ffff:192.0.2.7"), v4(7));
    }
}
