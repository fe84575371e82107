//! A device's line to its node over HTTP.

use std::io::{self, BufRead, BufReader};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use data_encoding::BASE64;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use semblance_channels::driver::Line;
use semblance_channels::limits::CALL_BYTES_MAX;
use semblance_channels::wire::{Answer, DeviceCall, Item, Refusal};
use semblance_core::record::Record;
use semblance_web::channels::{ALL_TOLD, CALL, CODE_HEADER, QUEUE};
use ureq::Agent;
use ureq::http::Response;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long a stream that brings nothing is listened to.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a node may be silent before it has said that nothing more waits, where nobody waits for anything to come.
const GLANCE: Duration = Duration::from_secs(5);

/// The line of one device.
pub(crate) struct HttpLine {
    agent: Agent,
    url: String,
    authorization: Zeroizing<String>,
}

impl HttpLine {
    /// To a node; `root` vouches for its certificate where the machine's own do not.
    ///
    /// # Errors
    /// The address would send the token in the clear, or the root is no certificate.
    pub(crate) fn new(url: &str, token: &[u8], root: Option<&[u8]>) -> anyhow::Result<Self> {
        let plain = url.starts_with("http://127.0.0.1:") || url.starts_with("http://localhost:");
        if !plain && !url.starts_with("https://") {
            return Err(Failure::usage(format!("{url}: the node's address begins with https://"))
                .hint("only this machine's own address may begin with http://127.0.0.1:")
                .into());
        }
        let mut tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
        if let Some(root) = root {
            let roots = CertificateDer::pem_slice_iter(root)
                .map(|one| one.map(|der| Certificate::from_der(&der).to_owned()))
                .collect::<Result<Vec<_>, _>>()
                .context("the device's root.pem is no certificate")?;
            tls = tls.root_certs(RootCerts::from(roots));
        }
        let agent = Agent::config_builder()
            .tls_config(tls.build())
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(Duration::from_secs(5)))
            .timeout_global(Some(TIMEOUT))
            .build()
            .new_agent();
        let token = std::str::from_utf8(token).context("the device's token is no text")?;
        let authorization = Zeroizing::new(format!("Bearer {}", token.trim()));
        Ok(Self { agent, url: url.trim_end_matches('/').to_owned(), authorization })
    }
}

/// What the node refused with.
fn refusal(response: &Response<ureq::Body>) -> Option<Refusal> {
    if response.status().is_success() {
        return None;
    }
    let word = response.headers().get(CODE_HEADER.as_str()).and_then(|word| word.to_str().ok());
    Some(word.and_then(Refusal::from_word).unwrap_or(Refusal::Failed))
}

impl Line for HttpLine {
    async fn call(&mut self, call: DeviceCall) -> Result<Answer, Refusal> {
        let sent = self
            .agent
            .post(format!("{}{CALL}", self.url))
            .header("authorization", self.authorization.as_str())
            .content_type("application/octet-stream")
            .send(call.encode());
        let mut response = sent.map_err(|error| away(&error))?;
        if let Some(refusal) = refusal(&response) {
            return Err(refusal);
        }
        let body = response.body_mut().with_config().limit(CALL_BYTES_MAX as u64).read_to_vec();
        Answer::decode(&body.map_err(|error| away(&error))?).map_err(|_| Refusal::Failed)
    }

    async fn listen(&mut self, after: u64, wait: bool) -> Result<Vec<(u64, Item)>, Refusal> {
        let patience = if wait { PATIENCE } else { GLANCE };
        let sent = self
            .agent
            .get(format!("{}{QUEUE}", self.url))
            .header("authorization", self.authorization.as_str())
            .header("last-event-id", after.to_string())
            .config()
            .timeout_global(Some(TIMEOUT + patience))
            .timeout_per_read(Some(patience))
            .build()
            .call();
        let response = sent.map_err(|error| away(&error))?;
        if let Some(refusal) = refusal(&response) {
            return Err(refusal);
        }
        hear(BufReader::new(response.into_body().into_reader()).lines(), wait)
    }
}

/// Takes what a stream tells. It has no end of its own: it is left once the node has said that this was all or, where
/// something is waited for, once something came or nothing came for a while. A stream that breaks off before says
/// nothing about what waits.
fn hear(lines: impl Iterator<Item = io::Result<String>>, wait: bool) -> Result<Vec<(u64, Item)>, Refusal> {
    let (mut items, mut id) = (Vec::new(), None);
    for line in lines {
        let line = match line {
            Ok(line) => line,
            Err(error) if wait && is_timeout(&error) => return Ok(items),
            Err(error) => {
                tracing::debug!(%error, "the stream of the queue broke off");
                break;
            }
        };
        if let Some(text) = line.strip_prefix("id:") {
            id = text.trim().parse::<u64>().ok();
        } else if let Some(text) = line.strip_prefix("data:") {
            let item = BASE64.decode(text.trim().as_bytes()).ok().and_then(|bytes| Item::decode(&bytes).ok());
            let (Some(id), Some(item)) = (id, item) else { return Err(Refusal::Failed) };
            items.push((id, item));
        } else if wait {
            if line.is_empty() && !items.is_empty() {
                return Ok(items);
            }
        } else if line.strip_prefix(':').is_some_and(|comment| comment.trim() == ALL_TOLD) {
            return Ok(items);
        }
    }
    // What came before it broke off is taken; the rest comes next time.
    if items.is_empty() { Err(Refusal::HubAway) } else { Ok(items) }
}

fn is_timeout(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
    error.kind() == io::ErrorKind::TimedOut || matches!(inner, Some(ureq::Error::Timeout(_)))
}

fn away(error: &ureq::Error) -> Refusal {
    tracing::debug!(%error, "the node cannot be reached");
    Refusal::HubAway
}

#[cfg(test)]
mod tests {
    use semblance_channels::wire::Body;
    use semblance_core::id::{ChannelId, Digest};
    use semblance_core::time::Timestamp;

    use super::*;

    /// How many items are heard of a stream that tells this and then fails, or ends.
    fn heard(text: &str, failure: Option<io::ErrorKind>, wait: bool) -> Result<usize, Refusal> {
        let lines = text.lines().map(|line| Ok(line.to_owned()));
        hear(lines.chain(failure.map(|kind| Err(kind.into()))), wait).map(|items| items.len())
    }

    #[test]
    fn a_stream_that_breaks_off_never_means_that_nothing_waits() {
        for failure in [None, Some(io::ErrorKind::ConnectionReset), Some(io::ErrorKind::TimedOut)] {
            assert_eq!(heard(":\n\n", failure, false), Err(Refusal::HubAway), "{failure:?}");
        }
        assert_eq!(heard(": all told\n\n", Some(io::ErrorKind::TimedOut), false), Ok(0));
        let waited = |failure| heard(": all told\n\n", failure, true);
        assert_eq!(waited(Some(io::ErrorKind::TimedOut)), Ok(0), "nothing came for a while");
        assert_eq!(waited(None), Err(Refusal::HubAway), "the node is going away");
    }

    #[test]
    fn what_came_is_taken_whatever_comes_of_the_stream() {
        let (channel, key) = (ChannelId::from_bytes([1; 16]), Digest::of(b"work"));
        let item = Item { channel, sequence: 1, at: Timestamp::from_millis(1), key, body: Body::Work };
        let told = format!("id: 7\ndata: {}\n\n", BASE64.encode(&item.encode()));
        for (text, wait) in [(format!("{told}{told}: all told\n\n{told}"), false), (told.repeat(2), false)] {
            assert_eq!(heard(&text, None, wait), Ok(2));
        }
        assert_eq!(heard(&told.repeat(2), None, true), Ok(1), "whoever waited acts on the first at once");
    }
}
