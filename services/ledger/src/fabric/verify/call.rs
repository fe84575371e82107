//! A transaction of the contract's chaincode, as the common judge of both ledgers takes it.

use std::collections::BTreeMap;

use prost::Message;
use semblance_contract::stub::{Caller, KeyPolicy};
use semblance_core::id::{Digest, NetworkId, OrganisationId, TransactionId};
use semblance_core::proposal::{ProposalParts, Transient, transient_hash};
use semblance_core::time::Timestamp;
use semblance_fabric::block::{
    Action, Certificate, CollectionWrites, Namespace, PrivateWrite, RangeRead as FabricRange, Transaction,
    Version as FabricVersion, Write,
};
use semblance_fabric::policy::Rule;
use semblance_fabric::proto::common::SignaturePolicyEnvelope;
use semblance_fabric::proto::common::msp_role::MspRoleType;
use sha2::{Digest as _, Sha256};

use crate::embedded::block::Executed;
use crate::embedded::effects::{PrivateKey, RangeRead, ReadSet, Version, WriteSet, rows_digest};

/// The name of the metadata that say whose peers must endorse a key.
const VALIDATION_PARAMETER: &str = "VALIDATION_PARAMETER";
/// Behind every key.
const END: &str = "\u{10ffff}";
/// The call that has private input also where it writes none of it: blocks do not show that there was some.
const PRIVATE: &str = "publish_cases";

/// A key of another chaincode.
pub(super) type ForeignKey = (String, String);

/// A call of our contract.
pub(super) struct Call {
    pub(super) id: TransactionId,
    pub(super) parts: ProposalParts,
    pub(super) executed: Executed,
    /// What it read of other chaincodes, as their definitions.
    pub(super) foreign_reads: Vec<(ForeignKey, Option<Version>)>,
    /// Whether it writes in other chaincodes as well.
    pub(super) foreign_writes: bool,
    /// Whether it read ranges of which the block has hashes only.
    pub(super) hashed_ranges: bool,
}

impl Call {
    /// Reads a call whose signatures were verified.
    pub(super) fn read(
        transaction: &Transaction,
        action: Action,
        certificate: &Certificate,
        chaincode: &str,
    ) -> Result<Self, String> {
        if action.chaincode != chaincode {
            return Err(format!("it writes in {chaincode} by way of {}", action.chaincode));
        }
        if action.status != 200 {
            return Err(format!("the chaincode refused it with status {}", action.status));
        }
        let (own, others): (Vec<Namespace>, Vec<Namespace>) =
            action.namespaces.into_iter().partition(|namespace| namespace.name == chaincode);
        let own = own.into_iter().next();
        let hashed_ranges = own.iter().flat_map(|own| &own.ranges).any(|range| range.rows.is_none());
        let (reads, writes) = own.map(effects).transpose()?.unwrap_or_default();
        let mut endorsers =
            action.endorsements.iter().map(|one| organisation(&one.endorser.msp_id)).collect::<Result<Vec<_>, _>>()?;
        endorsers.sort();
        endorsers.dedup();
        let foreign_writes = others.iter().any(writes_something);
        let foreign = others.into_iter().flat_map(|namespace| {
            let name = namespace.name;
            namespace.reads.into_iter().map(move |(key, version)| ((name.clone(), key), version.map(version_of)))
        });
        let id = transaction.id.parse().map_err(|_| "its id has not 64 hexadecimal digits".to_owned())?;
        let hidden = writes.private.values().any(Option::is_some);
        let parts = parts(transaction, action.arguments, certificate, hidden)?;
        let event = action.event.map(|event| (event.name, event.payload));
        let executed = Executed { endorsers, reads, writes, response: action.response, event };
        Ok(Self { id, parts, executed, foreign_reads: foreign.collect(), foreign_writes, hashed_ranges })
    }
}

/// Whether a transaction changes something of a chaincode.
pub(super) fn writes_something(namespace: &Namespace) -> bool {
    let private = namespace.collections.iter().any(|collection| !collection.writes.is_empty());
    private || !namespace.writes.is_empty() || !namespace.metadata.is_empty()
}

pub(super) fn version_of(version: FabricVersion) -> Version {
    Version { block: version.block, position: u32::try_from(version.place).unwrap_or(u32::MAX) }
}

fn organisation(name: &str) -> Result<OrganisationId, String> {
    OrganisationId::new(name).map_err(|error| format!("the member {name:?}: {error}"))
}

/// What was called, in the form of the embedded ledger's proposals.
fn parts(
    transaction: &Transaction,
    arguments: Vec<Vec<u8>>,
    certificate: &Certificate,
    hidden: bool,
) -> Result<ProposalParts, String> {
    let organisation = organisation(&transaction.creator.msp_id)?;
    let caller = Caller::with_units(organisation, certificate.units(), Sha256::digest(certificate.der()).into())
        .ok_or("its submitter's certificate is neither a node's nor an administrator's")?;
    let mut arguments = arguments.into_iter();
    let function = arguments.next().and_then(|name| String::from_utf8(name).ok()).ok_or("it calls no function")?;
    let transient = if hidden || function == PRIVATE {
        Digest::from_bytes([0; 32])
    } else {
        transient_hash(&Transient::new()).map_err(|error| error.to_string())?
    };
    Ok(ProposalParts {
        // Fabric's proposals name channel and chaincode instead; the contract is told neither.
        network: NetworkId::from_bytes([0; 16]),
        nonce: [0; 24],
        organisation: caller.organisation,
        role: caller.role,
        certificate: caller.certificate,
        timestamp: Timestamp::from_millis(transaction.millis),
        function,
        arguments: arguments.collect(),
        transient,
        endorsers: Vec::new(),
    })
}

fn effects(own: Namespace) -> Result<(ReadSet, WriteSet), String> {
    let mut reads = ReadSet::default();
    let mut writes = WriteSet::default();
    reads.public = own.reads.into_iter().map(|(key, version)| (key, version.map(version_of))).collect();
    reads.ranges = own.ranges.into_iter().filter_map(range).collect();
    for (key, write) in own.writes {
        let value = match write {
            Write::Put(value) => Some(value),
            Write::Delete => None,
        };
        writes.public.insert(key, value);
    }
    for (key, metadata) in own.metadata {
        let policy = match metadata.as_slice() {
            [(name, value)] if name == VALIDATION_PARAMETER => policy(value),
            _ => None,
        };
        let policy = policy.ok_or_else(|| format!("the rule it gives to the key {key:?} is none of ours"))?;
        writes.policies.insert(key, policy);
    }
    for collection in own.collections {
        private(collection, &mut reads, &mut writes)?;
    }
    Ok((reads, writes))
}

/// A range with its rows. One that was not read to its end holds its first rows, however many there were.
fn range(range: FabricRange) -> Option<RangeRead> {
    let rows: Vec<_> = range.rows?.into_iter().filter_map(|(key, version)| Some((key, version?))).collect();
    let digest = rows_digest(rows.iter().map(|(key, version)| (key.as_str(), version_of(*version))));
    let (end, limit) = if range.exhausted {
        (range.end, u32::MAX)
    } else {
        (END.to_owned(), u32::try_from(rows.len()).unwrap_or(u32::MAX))
    };
    Some(RangeRead { start: range.start, end, limit, rows: digest })
}

fn private(collection: CollectionWrites, reads: &mut ReadSet, writes: &mut WriteSet) -> Result<(), String> {
    let name = collection.name;
    let key = |hash: Vec<u8>| -> Result<PrivateKey, String> { Ok((name.clone(), sha256_of(hash)?)) };
    for (hash, version) in collection.reads {
        reads.private.insert(key(hash)?, version.map(version_of));
    }
    for (hash, write) in collection.writes {
        let value = match write {
            PrivateWrite::Put(value) => Some(sha256_of(value)?),
            PrivateWrite::Delete | PrivateWrite::Purge => None,
        };
        writes.private.insert(key(hash)?, value);
    }
    Ok(())
}

fn sha256_of(hash: Vec<u8>) -> Result<[u8; 32], String> {
    <[u8; 32]>::try_from(hash).map_err(|_| "a hash of private data has not 32 bytes".to_owned())
}

/// A rule over members' peers, as the chaincode server writes them: all of them, or one.
fn policy(value: &[u8]) -> Option<KeyPolicy> {
    let Rule::OutOf(count, rules) = Rule::read(&SignaturePolicyEnvelope::decode(value).ok()?)? else { return None };
    let organisations = rules.iter().map(|rule| match rule {
        Rule::Signed(member, MspRoleType::Peer) => OrganisationId::new(member).ok(),
        _ => None,
    });
    let organisations: Vec<_> = organisations.collect::<Option<_>>()?;
    match count {
        // Of one organisation, all and any are the same; the contract says all.
        count if count == organisations.len() => Some(KeyPolicy::AllOf(organisations)),
        1 => Some(KeyPolicy::AnyOf(organisations)),
        _ => None,
    }
}

/// The newest version of each key of other chaincodes that was written.
#[derive(Default)]
pub(super) struct Foreign(BTreeMap<ForeignKey, Version>);

impl Foreign {
    /// Remembers what a valid transaction wrote.
    pub(super) fn learn(&mut self, namespaces: &[Namespace], version: Version) {
        for namespace in namespaces {
            for (key, write) in &namespace.writes {
                let key = (namespace.name.clone(), key.clone());
                match write {
                    Write::Put(_) => self.0.insert(key, version),
                    Write::Delete => self.0.remove(&key),
                };
            }
            for (key, _) in &namespace.metadata {
                if let Some(written) = self.0.get_mut(&(namespace.name.clone(), key.clone())) {
                    *written = version;
                }
            }
        }
    }

    /// Whether everything that was read is as it was.
    pub(super) fn fresh(&self, reads: &[(ForeignKey, Option<Version>)]) -> bool {
        reads.iter().all(|(key, version)| self.0.get(key) == version.as_ref())
    }
}
