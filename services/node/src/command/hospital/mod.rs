//! The hospital's actions, over the gRPC of its running node, with the administrator's certificate.

pub mod audit;
pub mod cases;
pub mod import;
pub mod introductions;
pub mod lookup;
pub mod lookups;
pub mod receipts;
pub mod status;
pub mod step;
pub mod withdraw;

use std::path::PathBuf;

use semblance_core::limits::MESSAGE_BYTES_MAX;
use semblance_core::organisation::Role;
use semblance_proto::v1::hospital_client::HospitalClient;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::config::Config;
use crate::failure::{Failure, Kind};
use crate::party::Party;
use crate::system::System;

/// The metadata key under which a refusal's stable word is sent.
const CODE_KEY: &str = semblance_hospital::rpc::CODE_KEY;

/// Which node to speak to.
#[derive(Debug, clap::Args)]
pub struct Connection {
    /// The configuration of this hospital's node, for its address and the administrator's certificate.
    #[arg(long, value_name = "FILE", default_value = "node.toml")]
    config: PathBuf,
    /// Where the node is, when it is not where its configuration says: https://host:port.
    #[arg(long, value_name = "URL")]
    address: Option<String>,
}

impl Connection {
    /// A node that is where its configuration says, or at `address`.
    pub(crate) const fn to(config: PathBuf, address: Option<String>) -> Self {
        Self { config, address }
    }

    /// This organisation's administrator.
    pub(super) async fn party(&self) -> anyhow::Result<Party> {
        Party::open(Config::read(&self.config)?, System::default(), Role::Admin).await
    }

    /// Where the node is.
    pub(super) fn address_of(&self, party: &Party) -> String {
        self.address.clone().unwrap_or_else(|| party.config.own_address())
    }

    /// A client for the node; connects with the first call.
    pub(super) async fn client(&self) -> anyhow::Result<HospitalClient<Channel>> {
        let party = self.party().await?;
        let (files, _) = party.credentials(Role::Admin)?;
        let address = self.address_of(&party);
        let channel = party.trust.channel(&files, &party.organisation, &address)?;
        Ok(HospitalClient::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX))
    }
}

/// Says what sort of failure a node's answer is.
pub(super) fn failure(status: &Status) -> Failure {
    let word = status.metadata().get(CODE_KEY).and_then(|word| word.to_str().ok());
    let message = status.message();
    match (word, status.code()) {
        (Some(word), Code::Internal) => Failure::new(Kind::Failed, format!("{word}: {message}")),
        (Some(word), Code::Unavailable) => Failure::new(Kind::Unreachable, format!("{word}: {message}")).hint(
            "try again; what waits is kept, and a look-up's stored answer is given by `semblance lookup --retry`",
        ),
        (Some(word), _) => Failure::new(Kind::Refused, starting_with(word, message)),
        (None, Code::Unavailable | Code::DeadlineExceeded | Code::Unknown) => {
            Failure::new(Kind::Unreachable, format!("the node cannot be reached: {message}"))
                .hint("start it with `semblance serve --config …`, or say where it is with --address")
        }
        (None, Code::Unauthenticated | Code::PermissionDenied) => Failure::new(Kind::Refused, message)
            .hint("use the configuration of this hospital, with its own certificate under [admin]"),
        (None, code) => Failure::new(Kind::Failed, format!("the node answered {code}: {message}")),
    }
}

/// The message with its stable word in front, once.
fn starting_with(word: &str, message: &str) -> String {
    if message.starts_with(word) { message.to_owned() } else { format!("{word}: {message}") }
}

/// Asks for page after page until there are more rows than `limit`; gives those within it, and whether there are more.
///
/// # Errors
/// As the call that fetches a page, after so many rows.
pub(super) async fn pages<R>(
    limit: usize,
    mut fetch: impl AsyncFnMut(u64) -> Result<Vec<R>, Status>,
) -> anyhow::Result<(Vec<R>, bool)> {
    let mut rows = Vec::new();
    while rows.len() <= limit {
        let page = fetch(rows.len() as u64).await.map_err(|status| failure(&status))?;
        if page.is_empty() {
            break;
        }
        rows.extend(page);
    }
    let more = rows.len() > limit;
    rows.truncate(limit);
    Ok((rows, more))
}

/// Nothing, for texts that stand for nothing when they are empty.
pub(super) fn filled(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_keep_their_words_and_kinds() {
        let mut refused = Status::failed_precondition("no-consent: the case has no consent");
        refused.metadata_mut().insert(CODE_KEY, "no-consent".parse().unwrap());
        let told = failure(&refused);
        assert_eq!((told.kind(), told.to_string().as_str()), (Kind::Refused, "no-consent: the case has no consent"));
        assert_eq!(failure(&Status::unavailable("refused")).kind(), Kind::Unreachable);
        assert_eq!(failure(&Status::permission_denied("no")).kind(), Kind::Refused);
        assert_eq!(failure(&Status::internal("odd")).kind(), Kind::Failed);
    }
}
