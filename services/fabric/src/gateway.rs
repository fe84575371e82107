//! One peer's gateway, a channel behind it, a chaincode on it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use prost::Message;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use crate::connection::{Connection, MESSAGE_BYTES_MAX};
use crate::error::{CallError, Stage};
use crate::identity::{Identity, Sign, SignError, digest};
use crate::proposal::ProposalBuilder;
use crate::proto::gateway::gateway_client::GatewayClient;

/// How long each stage may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Running a query.
    pub evaluate: Duration,
    /// Collecting endorsements.
    pub endorse: Duration,
    /// Handing over to the orderers; they may have lost their leader.
    pub submit: Duration,
    /// Waiting until it is in a block.
    pub commit: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            evaluate: Duration::from_secs(30),
            endorse: Duration::from_secs(15),
            submit: Duration::from_secs(45),
            commit: Duration::from_secs(60),
        }
    }
}

/// Where time and nonces come from.
#[derive(Clone)]
pub struct Sources {
    /// The present moment.
    pub now: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    /// Bytes that nobody can guess, fresh for every proposal.
    pub nonce: Arc<dyn Fn() -> [u8; 24] + Send + Sync>,
}

/// A peer that speaks to all others for one identity. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) connection: Connection,
    pub(crate) identity: Identity,
    sign: Sign,
    pub(crate) sources: Sources,
    pub(crate) deadlines: Deadlines,
}

impl Gateway {
    /// Speaks for an identity through a peer.
    #[must_use]
    pub fn new(connection: Connection, identity: Identity, sign: Sign, sources: Sources) -> Self {
        Self { inner: Arc::new(Inner { connection, identity, sign, sources, deadlines: Deadlines::default() }) }
    }

    /// The same with other deadlines.
    #[must_use]
    pub fn with_deadlines(&self, deadlines: Deadlines) -> Self {
        let Inner { connection, identity, sign, sources, .. } = self.inner.as_ref();
        let (connection, identity) = (connection.clone(), identity.clone());
        Self {
            inner: Arc::new(Inner { connection, identity, sign: sign.clone(), sources: sources.clone(), deadlines }),
        }
    }

    /// The identity.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.inner.identity
    }

    /// The peer's address.
    #[must_use]
    pub fn address(&self) -> &str {
        self.inner.connection.address()
    }

    /// A channel.
    #[must_use]
    pub fn network(&self, channel: &str) -> Network {
        Network { gateway: self.clone(), channel: channel.into() }
    }

    pub(crate) fn client(&self) -> GatewayClient<Channel> {
        GatewayClient::new(self.inner.connection.channel())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Asks the peer once. The deadline holds for the whole answer: tonic's own ends where the answer begins. What is too
    /// large is not sent: tonic would break the call off, and the peer would seem to be away.
    pub(crate) async fn ask<M: Message, A>(
        &self,
        (stage, transaction_id): (Stage, &str),
        deadline: Duration,
        message: M,
        call: impl AsyncFnOnce(GatewayClient<Channel>, Request<M>) -> Result<Response<A>, Status>,
    ) -> Result<A, CallError> {
        let bytes = message.encoded_len();
        if bytes > MESSAGE_BYTES_MAX {
            return Err(CallError::too_large(stage, transaction_id, bytes));
        }
        let mut request = Request::new(message);
        request.set_timeout(deadline);
        let answered = tokio::time::timeout(deadline, call(self.client(), request)).await;
        let answer = answered.unwrap_or_else(|_| Err(Status::deadline_exceeded("the peer did not answer in time")));
        Ok(answer.map_err(|status| CallError::new(stage, transaction_id, &status))?.into_inner())
    }

    pub(crate) fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, SignError> {
        (self.inner.sign)(&digest(bytes))
    }
}

/// A channel as one gateway sees it. Cheap to clone.
#[derive(Clone)]
pub struct Network {
    pub(crate) gateway: Gateway,
    pub(crate) channel: Arc<str>,
}

impl Network {
    /// The gateway it is seen through.
    #[must_use]
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// The address of the peer it is seen through.
    #[must_use]
    pub fn address(&self) -> &str {
        self.gateway.address()
    }

    /// The channel's name.
    #[must_use]
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// A chaincode; also a system chaincode, such as `qscc`.
    #[must_use]
    pub fn contract(&self, chaincode: &str) -> Contract {
        Contract { network: self.clone(), chaincode: chaincode.into() }
    }
}

/// A chaincode on a channel. Cheap to clone.
#[derive(Clone)]
pub struct Contract {
    pub(crate) network: Network,
    pub(crate) chaincode: Arc<str>,
}

impl Contract {
    /// The chaincode's name.
    #[must_use]
    pub fn chaincode(&self) -> &str {
        &self.chaincode
    }

    /// Begins a call.
    pub fn proposal(&self, function: &str) -> ProposalBuilder {
        ProposalBuilder::new(self.clone(), function)
    }
}
