//! Endorsement: who submits is checked, then every named organisation's peer executes the call on one snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use rusqlite::Connection;
use semblance_contract::stub::Caller;
use semblance_contract::{Contract, ContractError};
use semblance_core::id::{Digest, NetworkId, OrganisationId, TransactionId};
use semblance_core::limits::{EVENT_BYTES_MAX, PROPOSAL_SKEW_MILLIS};
use semblance_core::proposal::{ProposalParts, SignedProposal, Transient, UnverifiedProposal};
use semblance_core::time::Timestamp;

use super::block::TRANSACTION_BYTES_MAX;
use super::effects::WriteSet;
use super::member::{self, Member};
use super::policy::ordinary;
use super::stub::{Context, Effects, Mode, SnapshotStub};
use super::view::Tables;
use crate::identity::{IncomingProposal, refusal};
use crate::{LedgerError, Validation};

/// The peers of the organisations: which contract each runs, and whether it is up. In daily work all run the same and
/// are up; tests make some dishonest or take them down.
pub struct Peers {
    contract: Arc<dyn Contract>,
    altered: RwLock<BTreeMap<OrganisationId, Arc<dyn Contract>>>,
    down: RwLock<BTreeSet<OrganisationId>>,
}

impl Peers {
    pub(super) fn new(contract: Arc<dyn Contract>) -> Self {
        Self { contract, altered: RwLock::default(), down: RwLock::default() }
    }

    /// Lets an organisation's peer run another contract, or again the common one.
    pub fn alter(&self, organisation: &OrganisationId, contract: Option<Arc<dyn Contract>>) {
        let mut altered = self.altered.write().unwrap_or_else(PoisonError::into_inner);
        match contract {
            Some(contract) => altered.insert(organisation.clone(), contract),
            None => altered.remove(organisation),
        };
    }

    /// Takes an organisation's peer down or up.
    pub fn set_down(&self, organisation: &OrganisationId, down: bool) {
        let mut set = self.down.write().unwrap_or_else(PoisonError::into_inner);
        if down {
            set.insert(organisation.clone());
        } else {
            set.remove(organisation);
        }
    }

    /// The contract that peers run unless they were altered.
    pub(super) fn common_contract(&self) -> &dyn Contract {
        self.contract.as_ref()
    }

    fn is_down(&self, organisation: &OrganisationId) -> bool {
        self.down.read().unwrap_or_else(PoisonError::into_inner).contains(organisation)
    }

    fn contract(&self, organisation: &OrganisationId) -> Result<Arc<dyn Contract>, LedgerError> {
        if self.is_down(organisation) {
            return Err(LedgerError::Unavailable(format!("no peer of {organisation} answers; nothing was written")));
        }
        let altered = self.altered.read().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(altered.get(organisation).unwrap_or(&self.contract)))
    }
}

/// A transaction that its endorsers agree on, ready to be ordered.
pub(super) struct Endorsed {
    pub(super) proposal: SignedProposal,
    pub(super) endorsers: Vec<OrganisationId>,
    pub(super) effects: Effects,
    pub(super) response: Vec<u8>,
    /// It was executed on a ledger without any block, and is valid as the first transaction only.
    pub(super) genesis: bool,
}

/// What a proposal is checked and executed against.
pub(super) struct Endorser<'a> {
    pub(super) peers: &'a Peers,
    pub(super) snapshot: &'a Connection,
    /// None before genesis.
    pub(super) network: Option<NetworkId>,
    pub(super) now: Timestamp,
}

impl Endorser<'_> {
    /// Checks and executes a transaction. Before genesis the proposal's own network and keys are taken, which the
    /// genesis then has to write.
    pub(super) fn endorse(
        &self,
        incoming: IncomingProposal,
        genesis_network: NetworkId,
    ) -> Result<Endorsed, LedgerError> {
        let unverified = self.open(&incoming, genesis_network)?;
        let tables = Tables(self.snapshot);
        let Some(_) = self.network else { return self.genesis(unverified, &incoming) };
        let proposal = self.verify(unverified, &incoming.transient)?;
        if tables.contains(proposal.id())? {
            let (transaction, validation) = (proposal.id(), Validation::DuplicateTransaction);
            return Err(LedgerError::Invalid { transaction, validation });
        }
        let submitter = member::key(&proposal.proposal().organisation);
        let submitter_version = tables.version(&submitter)?;
        let endorsers = self.endorsers(proposal.proposal(), &incoming.transient)?;
        let (mut effects, response) =
            self.execute_all((proposal.id(), proposal.proposal()), &incoming.transient, &endorsers)?;
        // The signature was verified with this key: a rotation in between must invalidate the transaction.
        effects.reads.public.insert(submitter, submitter_version);
        sized(Endorsed { proposal, endorsers, effects, response, genesis: false })
    }

    /// The organisations named. Where none is, the ledger chooses, as Fabric's gateway does: the submitter's, and the
    /// first of the others whose peers are up, as many as the ordinary rule wants.
    fn endorsers(&self, proposal: &ProposalParts, transient: &Transient) -> Result<Vec<OrganisationId>, LedgerError> {
        let tables = Tables(self.snapshot);
        if !proposal.endorsers.is_empty() {
            for endorser in &proposal.endorsers {
                check_member(tables, endorser)?;
            }
            return Ok(proposal.endorsers.clone());
        }
        if !transient.is_empty() {
            let message = "a call with private input must name its endorsers, so that no others see it";
            return Err(LedgerError::Refused { code: "invalid-proposal".into(), message: message.into() });
        }
        let others = tables.member_names()?.into_iter().filter(|name| *name != proposal.organisation);
        let up = others.filter(|name| !self.peers.is_down(name));
        let wanted = ordinary(tables.members()?);
        let mut chosen: Vec<_> = std::iter::once(proposal.organisation.clone()).chain(up).take(wanted).collect();
        if chosen.len() < wanted {
            let text = format!("{} of the {wanted} peers that must endorse answer; nothing was written", chosen.len());
            return Err(LedgerError::Unavailable(text));
        }
        chosen.sort();
        Ok(chosen)
    }

    /// Checks and runs a query on one peer.
    pub(super) fn evaluate(&self, incoming: IncomingProposal) -> Result<Vec<u8>, LedgerError> {
        let Some(network) = self.network else {
            return Err(LedgerError::Unavailable("this ledger has no genesis yet".into()));
        };
        let unverified = self.open(&incoming, network)?;
        let proposal = self.verify(unverified, &incoming.transient)?;
        let mut last = LedgerError::Unavailable("no peer answers".into());
        for endorser in &named_or_own(proposal.proposal()) {
            check_member(Tables(self.snapshot), endorser)?;
            match self.execute((proposal.id(), proposal.proposal()), &incoming.transient, endorser, Mode::Evaluate) {
                Err(error @ LedgerError::Unavailable(_)) => last = error,
                result => return result.map(|(_, response)| response),
            }
        }
        Err(last)
    }

    /// Decodes a proposal and compares its time with the clock.
    fn open(&self, incoming: &IncomingProposal, network: NetworkId) -> Result<UnverifiedProposal, LedgerError> {
        let network = self.network.unwrap_or(network);
        let unverified =
            UnverifiedProposal::decode(incoming.bytes.clone(), incoming.signature, network).map_err(refusal)?;
        let off_by_millis = unverified.claims().timestamp.distance(self.now);
        if off_by_millis > PROPOSAL_SKEW_MILLIS {
            return Err(LedgerError::Skew { off_by_millis, allowed_millis: PROPOSAL_SKEW_MILLIS });
        }
        Ok(unverified)
    }

    fn verify(&self, unverified: UnverifiedProposal, transient: &Transient) -> Result<SignedProposal, LedgerError> {
        let organisation = &unverified.claims().organisation;
        let Some(member) = Tables(self.snapshot).member(organisation)? else {
            return Err(LedgerError::Identity(format!("{organisation} is no member of this network")));
        };
        let proposal = unverified.verify(&member.verifying_key).map_err(refusal)?;
        proposal.check_transient(transient).map_err(refusal)?;
        Ok(proposal)
    }

    /// The first transaction: whoever submits and endorses it must be among the members that it makes.
    fn genesis(&self, unverified: UnverifiedProposal, incoming: &IncomingProposal) -> Result<Endorsed, LedgerError> {
        let organisation = unverified.claims().organisation.clone();
        let id = TransactionId::from_bytes(*Digest::of(&incoming.bytes).as_bytes());
        let endorsers = named_or_own(unverified.claims());
        // Executed before it is verified, because only then is the key known; a failed check drops what it did.
        let (mut effects, response) = self.execute_all((id, unverified.claims()), &incoming.transient, &endorsers)?;
        for endorser in &endorsers {
            founding_member(&effects.writes, endorser)?;
        }
        let member = founding_member(&effects.writes, &organisation)?;
        let proposal = unverified.verify(&member.verifying_key).map_err(refusal)?;
        proposal.check_transient(&incoming.transient).map_err(refusal)?;
        if !effects.writes.private.is_empty() {
            return Err(LedgerError::Identity("before genesis there are no private collections".into()));
        }
        effects.reads.public.insert(member::key(&organisation), None);
        sized(Endorsed { proposal, endorsers, effects, response, genesis: true })
    }

    fn execute_all(
        &self,
        call: (TransactionId, &ProposalParts),
        transient: &Transient,
        endorsers: &[OrganisationId],
    ) -> Result<(Effects, Vec<u8>), LedgerError> {
        let mut agreed: Option<(Effects, Vec<u8>)> = None;
        for endorser in endorsers {
            let result = self.execute(call, transient, endorser, Mode::Submit)?;
            match &agreed {
                None => agreed = Some(result),
                Some(first) if *first == result => {}
                Some(_) => {
                    return Err(LedgerError::Refused {
                        code: "endorsement-mismatch".into(),
                        message: format!("the peer of {endorser} came to another result than the others"),
                    });
                }
            }
        }
        agreed.ok_or_else(|| LedgerError::Unavailable("no peer was asked".into()))
    }

    fn execute(
        &self,
        call: (TransactionId, &ProposalParts),
        transient: &Transient,
        endorser: &OrganisationId,
        mode: Mode,
    ) -> Result<(Effects, Vec<u8>), LedgerError> {
        let contract = self.peers.contract(endorser)?;
        let execution = Execution { call, transient, endorser, mode };
        let done = execution.run(contract.as_ref(), Tables(self.snapshot)).map_err(|error| LedgerError::Refused {
            code: error.code().as_str().to_owned(),
            message: error.message().to_owned(),
        })?;
        Ok((done.effects, done.response))
    }
}

/// One call on one organisation's peer.
pub(super) struct Execution<'a> {
    pub(super) call: (TransactionId, &'a ProposalParts),
    pub(super) transient: &'a Transient,
    pub(super) endorser: &'a OrganisationId,
    pub(super) mode: Mode,
}

/// What came of it.
pub(super) struct Done {
    pub(super) effects: Effects,
    pub(super) response: Vec<u8>,
    /// Whether another organisation's peer might have come to something else.
    pub(super) endorser_mattered: bool,
}

impl Execution<'_> {
    /// Runs the contract on a state.
    pub(super) fn run(&self, contract: &dyn Contract, tables: Tables<'_>) -> Result<Done, ContractError> {
        let (transaction, parts) = self.call;
        let caller =
            Caller { organisation: parts.organisation.clone(), role: parts.role, certificate: parts.certificate };
        let context = Context {
            transaction,
            timestamp: parts.timestamp,
            caller: &caller,
            endorser: self.endorser,
            transient: self.transient,
            mode: self.mode,
        };
        let mut stub = SnapshotStub::new(context, tables);
        let response = contract.invoke(&mut stub, &parts.function, &parts.arguments)?;
        let endorser_mattered = stub.endorser_mattered();
        Ok(Done { effects: stub.into_effects(), response, endorser_mattered })
    }
}

fn check_member(tables: Tables<'_>, endorser: &OrganisationId) -> Result<(), LedgerError> {
    match tables.version(&member::key(endorser))? {
        Some(_) => Ok(()),
        None => Err(LedgerError::Identity(format!("the named endorser {endorser} is no member"))),
    }
}

/// The record of an organisation that genesis makes a member.
pub(super) fn founding_member(writes: &WriteSet, organisation: &OrganisationId) -> Result<Member, LedgerError> {
    let record = writes.public.get(&member::key(organisation)).and_then(Option::as_ref);
    let Some(record) = record else {
        return Err(LedgerError::Identity(format!(
            "the first transaction is the genesis, and must make {organisation} a member"
        )));
    };
    Member::decode(record).map_err(|error| LedgerError::Malformed(error.to_string()))
}

/// The organisations named, or the submitter's own.
fn named_or_own(proposal: &ProposalParts) -> Vec<OrganisationId> {
    let named = &proposal.endorsers;
    if named.is_empty() { vec![proposal.organisation.clone()] } else { named.clone() }
}

/// Refuses what a block could not hold.
fn sized(endorsed: Endorsed) -> Result<Endorsed, LedgerError> {
    let values: usize = endorsed.effects.writes.public.values().flatten().map(Vec::len).sum();
    let bytes = endorsed.proposal.bytes().len().saturating_add(values).saturating_add(endorsed.response.len());
    // Keys, reads and the event have room in the other half.
    let limit = TRANSACTION_BYTES_MAX / 2 - EVENT_BYTES_MAX;
    if bytes > limit {
        return Err(LedgerError::TooLarge { bytes, limit });
    }
    Ok(endorsed)
}
