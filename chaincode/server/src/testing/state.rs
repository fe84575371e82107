//! A peer's state: what is committed, and what transactions under way would write.

use std::collections::{BTreeMap, HashMap};

use prost::Message;
use semblance_fabric::proto::protos::chaincode_message::Type;
use semblance_fabric::proto::protos::write_record::Type as Kind;
use semblance_fabric::proto::protos::{
    DelState, GetState, GetStateByRange, GetStateMultiple, GetStateMultipleResult, PurgePrivateState, PutState,
    PutStateMetadata, QueryResponse, QueryResultBytes, QueryStateClose, QueryStateNext, StateMetadata, WriteBatchState,
    WriteRecord,
};
use semblance_fabric::proto::queryresult::Kv;
use sha2::{Digest, Sha256};

/// Rows of a range in one answer.
const PAGE: usize = 3;

/// The state. Reads see what is committed alone.
#[derive(Debug, Default)]
pub struct State {
    /// Values by collection and key; the public collection has no name.
    pub values: BTreeMap<(String, String), Vec<u8>>,
    /// Metadata by key and name.
    pub metadata: BTreeMap<(String, String), Vec<u8>>,
    pending: HashMap<String, Vec<WriteRecord>>,
    iterators: HashMap<String, Vec<QueryResultBytes>>,
}

impl State {
    /// Puts a public value there.
    pub fn put(&mut self, key: &str, value: &[u8]) {
        self.values.insert((String::new(), key.to_owned()), value.to_vec());
    }

    /// A public value.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.values.get(&(String::new(), key.to_owned())).map(Vec::as_slice)
    }

    /// Ranges that were neither read to their end nor closed.
    #[must_use]
    pub fn open_ranges(&self) -> usize {
        self.iterators.len()
    }

    /// A transaction ended: what it wrote is committed, or forgotten.
    pub(super) fn end(&mut self, txid: &str, agreed: bool) {
        for WriteRecord { key, value, collection, metadata, r#type } in self.pending.remove(txid).unwrap_or_default() {
            if !agreed {
                continue;
            }
            match Kind::try_from(r#type).unwrap() {
                Kind::PutState => drop(self.values.insert((collection, key), value)),
                Kind::DelState | Kind::PurgePrivateData => drop(self.values.remove(&(collection, key))),
                Kind::PutStateMetadata => {
                    let StateMetadata { metakey, value } = metadata.unwrap();
                    self.metadata.insert((key, metakey), value);
                }
                Kind::Undefined => {}
            }
        }
    }

    /// Answers a request, or says why not.
    pub(super) fn answer(&mut self, kind: Type, payload: &[u8], txid: &str) -> Result<Vec<u8>, String> {
        let mut write = |record: WriteRecord| {
            self.pending.entry(txid.to_owned()).or_default().push(record);
            Ok(Vec::new())
        };
        match kind {
            Type::PutState => {
                let PutState { key, value, collection } = read(payload);
                write(WriteRecord { key, value, collection, metadata: None, r#type: Kind::PutState.into() })
            }
            Type::DelState => {
                let DelState { key, collection } = read(payload);
                write(WriteRecord { key, collection, r#type: Kind::DelState.into(), ..WriteRecord::default() })
            }
            Type::PurgePrivateData => {
                let PurgePrivateState { key, collection } = read(payload);
                write(WriteRecord { key, collection, r#type: Kind::PurgePrivateData.into(), ..WriteRecord::default() })
            }
            Type::PutStateMetadata => {
                let PutStateMetadata { key, collection, metadata } = read(payload);
                let r#type = Kind::PutStateMetadata.into();
                write(WriteRecord { key, collection, metadata, r#type, ..WriteRecord::default() })
            }
            Type::WriteBatchState => {
                read::<WriteBatchState>(payload).rec.into_iter().try_for_each(|record| write(record).map(drop))?;
                Ok(Vec::new())
            }
            _ => self.look(kind, payload),
        }
    }

    fn look(&mut self, kind: Type, payload: &[u8]) -> Result<Vec<u8>, String> {
        let value = |collection: &str, key: &str| self.values.get(&(collection.to_owned(), key.to_owned())).cloned();
        match kind {
            Type::GetState => {
                let GetState { key, collection } = read(payload);
                Ok(value(&collection, &key).unwrap_or_default())
            }
            Type::GetPrivateDataHash => {
                let GetState { key, collection } = read(payload);
                Ok(value(&collection, &key).map(|value| Sha256::digest(value).to_vec()).unwrap_or_default())
            }
            Type::GetStateMultiple => {
                let GetStateMultiple { keys, collection } = read(payload);
                let values = keys.iter().map(|key| value(&collection, key).unwrap_or_default()).collect();
                Ok(GetStateMultipleResult { values }.encode_to_vec())
            }
            Type::GetStateByRange => {
                let GetStateByRange { start_key, end_key, .. } = read(payload);
                let (from, to) = ((String::new(), start_key), (String::new(), end_key));
                let rows = self.values.range(from..to).map(|((_, key), value)| {
                    let row = Kv { key: key.clone(), value: value.clone(), ..Kv::default() };
                    QueryResultBytes { result_bytes: row.encode_to_vec() }
                });
                let (rows, id) = (rows.collect(), format!("range-{}", self.iterators.len()));
                Ok(self.page(id, rows).encode_to_vec())
            }
            Type::QueryStateNext => {
                let id = read::<QueryStateNext>(payload).id;
                let rows = self.iterators.remove(&id).ok_or("no such range")?;
                Ok(self.page(id, rows).encode_to_vec())
            }
            Type::QueryStateClose => {
                let id = read::<QueryStateClose>(payload).id;
                self.iterators.remove(&id).ok_or("no such range")?;
                Ok(QueryResponse::default().encode_to_vec())
            }
            other => Err(format!("this peer does not serve {other:?}")),
        }
    }

    fn page(&mut self, id: String, mut rows: Vec<QueryResultBytes>) -> QueryResponse {
        let rest = rows.split_off(rows.len().min(PAGE));
        let has_more = !rest.is_empty();
        if has_more {
            self.iterators.insert(id.clone(), rest);
        }
        QueryResponse { results: rows, has_more, id, metadata: Vec::new() }
    }
}

fn read<M: Message + Default>(payload: &[u8]) -> M {
    M::decode(payload).unwrap()
}
