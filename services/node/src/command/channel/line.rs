//! A device's line to its node over HTTP.

use std::io::{BufRead, BufReader};
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
use semblance_web::channels::{CALL, CODE_HEADER, QUEUE};
use ureq::Agent;
use ureq::http::Response;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long a stream that brings nothing is listened to.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a stream is listened to where nobody waits for anything to come.
const GLANCE: Duration = Duration::from_millis(500);

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
        let mut items = Vec::new();
        let mut id = None;
        // The stream has no end; it is left when nothing has come for a while, or when there is enough.
        for line in BufReader::new(response.into_body().into_reader()).lines() {
            let Ok(line) = line else { break };
            if let Some(text) = line.strip_prefix("id:") {
                id = text.trim().parse::<u64>().ok();
            } else if let Some(text) = line.strip_prefix("data:") {
                let item = BASE64.decode(text.trim().as_bytes()).ok().and_then(|bytes| Item::decode(&bytes).ok());
                let (Some(id), Some(item)) = (id, item) else { return Err(Refusal::Failed) };
                items.push((id, item));
            } else if wait && line.is_empty() && !items.is_empty() {
                break;
            }
        }
        Ok(items)
    }
}

fn away(error: &ureq::Error) -> Refusal {
    tracing::debug!(%error, "the node cannot be reached");
    Refusal::HubAway
}
