//! What a transaction writes. Nothing is sent before the contract is done, and nothing at all if it refuses.

use prost::Message;
use semblance_contract::stub::{KeyPolicy, StubError};
use semblance_fabric::MESSAGE_BYTES_MAX;
use semblance_fabric::policy::Rule;
use semblance_fabric::proto::protos::chaincode_message::Type;
use semblance_fabric::proto::protos::write_record::Type as Kind;
use semblance_fabric::proto::protos::{
    DelState, PurgePrivateState, PutState, PutStateMetadata, StateMetadata, WriteBatchState, WriteRecord,
};

use crate::peer::Peer;

/// The metadata that holds a key's own endorsement policy.
const VALIDATION_PARAMETER: &str = "VALIDATION_PARAMETER";
/// Bytes of writes in one message: a larger one than peers take would end the connection for every transaction.
const BATCH_BYTES_MAX: usize = MESSAGE_BYTES_MAX / 4;

/// Writes in the order they were made.
#[derive(Debug, Default)]
pub(crate) struct Writes(Vec<WriteRecord>);

impl Writes {
    pub(crate) fn put(&mut self, collection: &str, key: &str, value: Vec<u8>) {
        self.push(Kind::PutState, collection, key, value, None);
    }

    pub(crate) fn delete(&mut self, key: &str) {
        self.push(Kind::DelState, "", key, Vec::new(), None);
    }

    pub(crate) fn purge(&mut self, collection: &str, key: &str) {
        self.push(Kind::PurgePrivateData, collection, key, Vec::new(), None);
    }

    /// Sets whose peers must endorse later writes to a key, as Fabric's key-level endorsement has it.
    pub(crate) fn policy(&mut self, key: &str, policy: &KeyPolicy) {
        let (count, organisations) = match policy {
            KeyPolicy::AllOf(organisations) => (organisations.len(), organisations),
            KeyPolicy::AnyOf(organisations) => (1, organisations),
        };
        let rule = Rule::peers(count, organisations.iter().map(|organisation| organisation.as_str()));
        let value = rule.envelope().encode_to_vec();
        let metadata = StateMetadata { metakey: VALIDATION_PARAMETER.to_owned(), value };
        self.push(Kind::PutStateMetadata, "", key, Vec::new(), Some(metadata));
    }

    fn push(&mut self, kind: Kind, collection: &str, key: &str, value: Vec<u8>, metadata: Option<StateMetadata>) {
        let (key, collection) = (key.to_owned(), collection.to_owned());
        self.0.push(WriteRecord { key, value, collection, metadata, r#type: kind.into() });
    }

    /// Brings them to the peer, as many at once as it takes and a message holds.
    pub(crate) fn send(self, peer: &mut Peer) -> Result<(), StubError> {
        let Some(most) = peer.offers.write_batch else {
            return self.0.into_iter().try_for_each(|record| send_one(peer, record));
        };
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for record in self.0 {
            let length = record.encoded_len();
            if batch.len() == most || bytes + length > BATCH_BYTES_MAX {
                send_batch(peer, &mut batch)?;
                bytes = 0;
            }
            bytes += length;
            batch.push(record);
        }
        send_batch(peer, &mut batch)
    }
}

fn send_batch(peer: &mut Peer, batch: &mut Vec<WriteRecord>) -> Result<(), StubError> {
    let records = std::mem::take(batch);
    if records.is_empty() {
        return Ok(());
    }
    peer.ask(Type::WriteBatchState, &WriteBatchState { rec: records }).map(|_| ())
}

fn send_one(peer: &mut Peer, record: WriteRecord) -> Result<(), StubError> {
    let WriteRecord { key, value, collection, metadata, r#type } = record;
    match Kind::try_from(r#type) {
        Ok(Kind::PutState) => peer.ask(Type::PutState, &PutState { key, value, collection }),
        Ok(Kind::DelState) => peer.ask(Type::DelState, &DelState { key, collection }),
        Ok(Kind::PurgePrivateData) => peer.ask(Type::PurgePrivateData, &PurgePrivateState { key, collection }),
        Ok(Kind::PutStateMetadata) => peer.ask(Type::PutStateMetadata, &PutStateMetadata { key, collection, metadata }),
        Ok(Kind::Undefined) | Err(_) => Err(StubError("a write of no kind".to_owned())),
    }
    .map(|_| ())
}
