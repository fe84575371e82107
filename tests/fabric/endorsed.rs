//! A client that names other endorsers than it should.

use std::sync::Arc;

use async_trait::async_trait;
use semblance_core::id::OrganisationId;
use semblance_ledger::client::LedgerClient;
use semblance_ledger::suite::organisation;
use semblance_ledger::{Call, Committed, EventStream, Ledger, LedgerError};

/// A ledger to which every call goes with these endorsers, whatever the call says.
pub(crate) struct Endorsed {
    inner: Arc<dyn Ledger>,
    endorsers: Vec<OrganisationId>,
}

impl Endorsed {
    pub(crate) fn by(inner: Arc<dyn Ledger>, names: &[&str]) -> LedgerClient {
        let endorsers = names.iter().map(|name| organisation(name)).collect();
        LedgerClient::new(Arc::new(Self { inner, endorsers }))
    }

    fn altered(&self, call: Call) -> Call {
        Call { endorsers: self.endorsers.clone(), ..call }
    }
}

#[async_trait]
impl Ledger for Endorsed {
    fn organisation(&self) -> &OrganisationId {
        self.inner.organisation()
    }

    async fn submit(&self, call: Call) -> Result<Committed, LedgerError> {
        self.inner.submit(self.altered(call)).await
    }

    async fn evaluate(&self, call: Call) -> Result<Vec<u8>, LedgerError> {
        self.inner.evaluate(self.altered(call)).await
    }

    async fn height(&self) -> Result<u64, LedgerError> {
        self.inner.height().await
    }

    async fn blocks(&self, from: u64) -> Result<EventStream, LedgerError> {
        self.inner.blocks(from).await
    }
}
