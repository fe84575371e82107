//! What clients may take of the server: connections, streams and time.

use std::time::Duration;

/// The bounds, each of them an argument so that tests need not wait for them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Open connections in all: few enough for the file handles that a process gets by default.
    pub(crate) connections: usize,
    /// Open connections of one address, which may be that of a whole ward behind one router.
    pub(crate) of_one_address: usize,
    /// How long a connection may take to send a request's header, and may rest between requests: longer than the command
    /// line keeps a connection, so that no client sends a request into one that is being closed.
    pub(crate) header: Duration,
    /// How long a request's body may take.
    pub(crate) body: Duration,
    /// Streams of one device at a time: a phone that changes networks leaves one behind each time.
    pub(crate) streams: usize,
    /// How often a stream asks whether its device may still listen.
    pub(crate) check: Duration,
    /// How long connections may finish what they do once the server stops.
    pub(crate) farewell: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 512,
            of_one_address: 128,
            header: Duration::from_secs(20),
            body: Duration::from_secs(30),
            streams: 4,
            check: Duration::from_secs(45),
            farewell: Duration::from_secs(5),
        }
    }
}
