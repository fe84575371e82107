//! The program: what it refuses to start with, what it tells about its health, and how it stops.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use semblance_chaincode::system::SystemClock;
use semblance_chaincode::testing::{Dialing, FakePeer, Invocation};
use semblance_core::time::Clock;

const DEADLINE: Duration = Duration::from_secs(20);

fn program(address: SocketAddr, health: SocketAddr) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_semblance-chaincode"));
    let (address, health) = (address.to_string(), health.to_string());
    command.env_clear().stderr(Stdio::piped()).envs([
        ("CHAINCODE_ID", "semblance:ab"),
        ("CORE_PEER_LOCALMSPID", "hospital-1"),
        ("CHAINCODE_SERVER_ADDRESS", &address),
        ("CHAINCODE_HEALTH_ADDRESS", &health),
        ("CHAINCODE_TLS_DISABLED", "true"),
        ("CHAINCODE_LOG_JSON", "true"),
    ]);
    command
}

/// An address that nobody listens at right now.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Status and body of a page, or none while nobody answers.
fn page(health: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(health).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let status = text.split(' ').nth(1)?.parse().ok()?;
    Some((status, text.split_once("\r\n\r\n")?.1.to_owned()))
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what} does not come");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Ends the program if the test fails.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_wrong_environment_is_named_in_one_line() {
    for (name, value) in [
        ("CHAINCODE_ID", ""),
        ("CORE_PEER_LOCALMSPID", "Hospital One"),
        ("CHAINCODE_SERVER_ADDRESS", "nowhere"),
        ("CHAINCODE_TLS_DISABLED", ""),
        ("CHAINCODE_TLS_DISABLED", "maybe"),
    ] {
        let output = program(free(), free()).env(name, value).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        // Without TLS switched off by name, its files are asked for.
        let named = if value.is_empty() && name.ends_with("DISABLED") { "CHAINCODE_TLS_CERT" } else { name };
        assert!(text.starts_with(&format!("semblance-chaincode: {named}: ")) && text.lines().count() == 1, "{text}");
        assert_eq!(output.status.code(), Some(2));
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let output = program(taken.local_addr().unwrap(), free()).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && text.contains("cannot listen at"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_tells_its_health_and_ends_well_when_it_is_told_to() {
    let (address, health) = (free(), free());
    let mut started = Started(program(address, health).spawn().unwrap());
    until("its health", || page(health, "/livez").is_some_and(|(status, _)| status == 200)).await;
    assert_eq!(page(health, "/readyz").unwrap().0, 503, "no peer is connected yet");
    let peer = FakePeer::dial(address, Dialing::default()).await.unwrap();
    until("its readiness", || page(health, "/readyz").unwrap().0 == 200).await;
    // The network's genesis is not there: the real contract says so.
    let mut invocation = Invocation::new("network", 1, SystemClock.now());
    invocation.arguments.push(Vec::new());
    let ended = peer.invoke(&invocation).await.unwrap();
    let text = ended.text();
    assert!(!text.is_empty() && text.split_once(": ").is_some(), "{text}");
    let metrics = page(health, "/metrics").unwrap().1;
    let counted = metrics.lines().find(|line| line.contains("transactions_total{")).unwrap();
    assert!(counted.contains("function=\"network\"") && counted.ends_with(" 1"), "{metrics}");

    let id = started.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let begun = Instant::now();
    let mut code = None;
    until("its end", || {
        code = started.0.try_wait().unwrap();
        code.is_some()
    })
    .await;
    assert_eq!(code.unwrap().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "a peer that is connected and quiet holds nothing up");
    let log: Vec<String> = BufReader::new(started.0.stderr.take().unwrap()).lines().map_while(Result::ok).collect();
    assert!(log.iter().all(|line| line.starts_with('{') && line.ends_with('}')), "{log:?}");
    assert!(log.iter().any(|line| line.contains("TLS is switched off") && line.contains("WARN")), "{log:?}");
}
