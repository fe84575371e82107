//! Clients that take what they can get, and devices that are served all the same.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use semblance_channels::limits::CALL_BYTES_MAX;
use semblance_channels::node::ChannelService;
use semblance_channels::office::{Office, Token};
use semblance_channels::testing::service;
use semblance_channels::wire::DeviceCall;
use semblance_core::attestation::PersonRole;
use semblance_core::record::Record;
use semblance_core::time::{Clock, ManualClock, Timestamp};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use crate::bounds::Bounds;
use crate::channels::{ALL_TOLD, CALL, QUEUE, routes_within};
use crate::listen::{Tls, serve_within};

/// Far longer than anything here should take.
const PATIENCE: Duration = Duration::from_secs(20);
/// A bound that a test waits for.
const SHORT: Duration = Duration::from_millis(200);

/// A server with one device.
struct Server {
    address: SocketAddr,
    channels: ChannelService,
    office: Arc<Mutex<Office>>,
    clock: Arc<ManualClock>,
    token: Token,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Server {
    /// With a certificate and its key, or in the clear.
    async fn start(bounds: Bounds, tls: Option<(String, String)>) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
        let (channels, office) = service(clock.clone());
        let token = channels.register("dr-lee".to_owned(), PersonRole::Clinician).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (routes, stop) = (routes_within(channels.clone(), bounds), CancellationToken::new());
        let stopped = stop.clone();
        let serving = tokio::spawn(async move {
            let tls = tls.as_ref().map(|(certificate, key)| Tls { certificate, key });
            serve_within(listener, tls, routes, stopped, bounds).await.unwrap();
        });
        Self { address, channels, office, clock, token, stop, serving }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Begins to listen to the device's queue; gives the connection once it knows that nothing waits.
    async fn listen(&self) -> TcpStream {
        let mut connection = self.connect().await;
        connection.write_all(request("GET", QUEUE, &self.token, 0).as_bytes()).await.unwrap();
        let told = read_until(&mut connection, &format!(": {ALL_TOLD}\n\n\r\n")).await;
        assert!(told.starts_with("HTTP/1.1 200"), "{told}");
        connection
    }
}

/// A request's header, for a body of so many bytes.
fn request(method: &str, path: &str, token: &Token, body: usize) -> String {
    let token = BASE64URL_NOPAD.encode(&token.0);
    format!("{method} {path} HTTP/1.1\r\nhost: node\r\nauthorization: Bearer {token}\r\ncontent-length: {body}\r\n\r\n")
}

/// What comes until these words, or until the end.
async fn read_until(connection: &mut (impl AsyncRead + Unpin), words: &str) -> String {
    let (mut came, mut bytes) = (String::new(), [0; 4096]);
    while !came.contains(words) {
        let Ok(read) = timeout(PATIENCE, connection.read(&mut bytes)).await else {
            panic!("this alone came: {came:?}")
        };
        match read {
            Ok(0) | Err(_) => break,
            Ok(count) => came.push_str(&String::from_utf8_lossy(&bytes[..count])),
        }
    }
    came
}

/// Waits for the end of a stream, or of its connection.
async fn end(connection: &mut (impl AsyncRead + Unpin)) -> String {
    read_until(connection, "0\r\n\r\n").await
}

#[tokio::test]
async fn connections_that_never_shake_hands_keep_nobody_waiting() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = (made.cert.pem(), made.signing_key.serialize_pem());
    let server = Server::start(Bounds::default(), Some(files)).await;
    let mut silent = Vec::new();
    for _ in 0..80 {
        silent.push(server.connect().await);
    }
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let shaken = async {
        let name = ServerName::try_from("localhost").unwrap();
        let mut device = TlsConnector::from(Arc::new(config)).connect(name, server.connect().await).await.unwrap();
        device.write_all(request("GET", QUEUE, &server.token, 0).as_bytes()).await.unwrap();
        read_until(&mut device, ALL_TOLD).await
    };
    let told = timeout(Duration::from_secs(2), shaken).await.expect("the silent ones have given way");
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    drop(silent);
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_no_more() {
    let server = Server::start(Bounds { of_one_address: 2, ..Bounds::default() }, None).await;
    let (first, _second) = (server.listen().await, server.listen().await);
    assert_eq!(end(&mut server.connect().await).await, "", "the third is closed at once");
    drop(first);
    let again = async {
        let mut told = String::new();
        while !told.contains(ALL_TOLD) {
            let mut connection = server.connect().await;
            let _ = connection.write_all(request("GET", QUEUE, &server.token, 0).as_bytes()).await;
            told = read_until(&mut connection, ALL_TOLD).await;
        }
    };
    timeout(PATIENCE, again).await.expect("a place is free again");
}

#[tokio::test]
async fn a_connection_that_sends_no_whole_header_is_closed() {
    let server = Server::start(Bounds { header: SHORT, ..Bounds::default() }, None).await;
    let (mut silent, mut slow) = (server.connect().await, server.connect().await);
    slow.write_all(b"GET /channels").await.unwrap();
    end(&mut silent).await;
    end(&mut slow).await;
}

#[tokio::test]
async fn of_a_strangers_request_no_body_is_read() {
    let server = Server::start(Bounds::default(), None).await;
    let mut stranger = server.connect().await;
    let header = request("POST", CALL, &Token([9; 32]), CALL_BYTES_MAX);
    stranger.write_all(header.as_bytes()).await.unwrap();
    let answer = read_until(&mut stranger, "not-authorised").await;
    assert!(answer.starts_with("HTTP/1.1 401"), "answered before the body came: {answer}");
}

#[tokio::test]
async fn a_body_that_is_too_slow_or_too_large_is_refused() {
    let server = Server::start(Bounds { body: SHORT, ..Bounds::default() }, None).await;
    let ask = async |body: usize| {
        let mut connection = server.connect().await;
        connection.write_all(request("POST", CALL, &server.token, body).as_bytes()).await.unwrap();
        connection.write_all(&[0]).await.unwrap();
        read_until(&mut connection, "\r\n\r\n").await
    };
    let slow = ask(100).await;
    assert!(slow.starts_with("HTTP/1.1 503") && slow.contains("semblance-code: failed"), "{slow}");
    let large = ask(CALL_BYTES_MAX + 1).await;
    assert!(large.starts_with("HTTP/1.1 413"), "{large}");

    let call = DeviceCall::PackagesLeft.encode();
    let mut connection = server.connect().await;
    connection.write_all(request("POST", CALL, &server.token, call.len()).as_bytes()).await.unwrap();
    connection.write_all(&call).await.unwrap();
    assert!(read_until(&mut connection, "\r\n\r\n").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn what_is_no_call_is_refused_and_recorded() {
    let server = Server::start(Bounds::default(), None).await;
    let mut connection = server.connect().await;
    connection.write_all(request("POST", CALL, &server.token, 3).as_bytes()).await.unwrap();
    connection.write_all(&[255; 3]).await.unwrap();
    assert!(read_until(&mut connection, "\r\n\r\n").await.starts_with("HTTP/1.1 400"));
    let rows = server.channels.audit(9).await.unwrap();
    assert!(rows.iter().any(|(_, _, action, code)| action == "call" && code == "malformed"), "{rows:?}");
}

#[tokio::test]
async fn streams_end_when_the_server_stops() {
    let server = Server::start(Bounds { farewell: PATIENCE * 10, ..Bounds::default() }, None).await;
    let mut listening = server.listen().await;
    server.stop.cancel();
    end(&mut listening).await;
    timeout(PATIENCE, server.serving).await.expect("the server waits for no stream").unwrap();
}

#[tokio::test]
async fn a_connection_that_never_ends_does_not_keep_the_server() {
    let server = Server::start(Bounds { farewell: SHORT, ..Bounds::default() }, None).await;
    let mut slow = server.connect().await;
    slow.write_all(request("POST", CALL, &server.token, 100).as_bytes()).await.unwrap();
    // The request is under way once a later one on another connection was answered.
    drop(server.listen().await);
    server.stop.cancel();
    timeout(PATIENCE, server.serving).await.expect("the connection is cut off").unwrap();
}

#[tokio::test]
async fn a_devices_fifth_stream_ends_its_first() {
    let server = Server::start(Bounds::default(), None).await;
    let mut first = server.listen().await;
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(server.listen().await);
    }
    end(&mut first).await;
    for other in &mut others {
        let more = timeout(Duration::from_millis(20), other.read(&mut [0; 64])).await;
        assert!(more.is_err(), "the newer ones stay open");
    }
}

#[tokio::test]
async fn a_stream_ends_once_its_devices_token_was_taken_away() {
    let server = Server::start(Bounds { check: SHORT, ..Bounds::default() }, None).await;
    let mut listening = server.listen().await;
    let device = server.channels.authenticate(server.token.clone()).await.unwrap();
    let now = server.clock.now();
    server.office.lock().unwrap().revoke_device(device.device, now).unwrap();
    end(&mut listening).await;
}
