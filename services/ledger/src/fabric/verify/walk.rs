//! The walk over a channel's blocks, from the first one on.

use std::collections::BTreeSet;

use semblance_contract::Contract;
use semblance_core::id::{Digest, TransactionId};
use semblance_fabric::block::{Action, Block, Certificate, Transaction};
use semblance_fabric::configuration::Configuration;
use semblance_fabric::policy::Rule;
use semblance_fabric::proto::common;

use super::super::failure::validation;
use super::call::{Call, Foreign, writes_something};
use super::definition::defined;
use crate::Validation;
use crate::embedded::effects::Version;
use crate::embedded::reexecute::Repetition;
use crate::embedded::replay::Replay;
use crate::embedded::verify::{Finding, Report};

/// The code of a transaction that took effect.
const VALID: i32 = 0;

/// What is wrong, and with which transaction of a block.
struct Fault {
    transaction: Option<u32>,
    what: String,
}

impl From<String> for Fault {
    fn from(what: String) -> Self {
        Self { transaction: None, what }
    }
}

pub(super) struct Walk<'a> {
    contract: &'a dyn Contract,
    chaincode: &'a str,
    replay: Replay,
    /// The configuration in force; none before block 0.
    configuration: Option<Configuration>,
    /// Who must endorse, once the chaincode is defined.
    rule: Option<Rule>,
    foreign: Foreign,
    report: Report,
}

/// What a transaction is, before anything of its block took effect: so Fabric looks at endorsements.
enum Opened {
    /// Nothing of it has any effect.
    Void,
    Configuration(Configuration),
    /// Of another chaincode.
    Foreign(Action),
    Call {
        call: Box<Call>,
        endorsed: bool,
    },
}

impl<'a> Walk<'a> {
    pub(super) fn new(contract: &'a dyn Contract, chaincode: &'a str) -> Result<Self, String> {
        let replay = Replay::new().map_err(|error| error.to_string())?;
        let (foreign, report) = (Foreign::default(), Report::default());
        Ok(Self { contract, chaincode, replay, configuration: None, rule: None, foreign, report })
    }

    /// The number of the next block.
    pub(super) fn next(&self) -> u64 {
        self.report.blocks
    }

    pub(super) fn is_sound(&self) -> bool {
        self.report.is_sound()
    }

    pub(super) fn finish(mut self) -> Report {
        self.report.network = self.replay.network();
        self.report.keys = self.replay.keys_of_members();
        self.report
    }

    /// Takes the next block. The first fault ends the walk: everything after it would be blamed on others.
    pub(super) fn block(&mut self, block: common::Block) {
        let number = self.report.blocks;
        if let Err(Fault { transaction, what }) = self.try_block(block, number) {
            self.report.findings.push(Finding { block: Some(number), transaction, what });
        }
        self.report.blocks += 1;
    }

    fn try_block(&mut self, block: common::Block, number: u64) -> Result<(), Fault> {
        let block = Block::read(block).map_err(|error| error.to_string())?;
        if block.number != number {
            return Err(format!("the block says it is block {}", block.number).into());
        }
        let previous = self.report.hashes.last().map_or_else(Vec::new, |hash| hash.as_bytes().to_vec());
        if block.previous_hash != previous {
            return Err("the hash of the previous block is another one: the chain is broken".to_owned().into());
        }
        match &self.configuration {
            Some(configuration) => configuration.verify_block(&block).map_err(|error| error.to_string())?,
            None if number == 0 => {}
            None => return Err("the blocks before it hold no configuration".to_owned().into()),
        }
        self.report.hashes.push(Digest::from_bytes(block.hash));
        let mut opened = Vec::with_capacity(block.transactions.len());
        // Keys whose rules the block changes: nothing later in it may write them.
        let mut changed = BTreeSet::new();
        for (position, transaction) in (0_u32..).zip(&block.transactions) {
            let one = self.open(transaction, &mut changed);
            opened.push(one.map_err(|what| Fault { transaction: Some(position), what })?);
        }
        for (position, (transaction, opened)) in (0_u32..).zip(block.transactions.iter().zip(opened)) {
            self.report.transactions += 1;
            let settled = self.settle(Version { block: number, position }, transaction, opened);
            settled.map_err(|what| Fault { transaction: Some(position), what })?;
        }
        Ok(())
    }

    /// Reads a transaction and verifies its signatures. Where something is wrong it must have been found invalid.
    fn open(&self, transaction: &Transaction, changed: &mut BTreeSet<String>) -> Result<Opened, String> {
        match self.read(transaction) {
            Err(_) if transaction.code != VALID => Ok(Opened::Void),
            Ok(Opened::Call { call, .. }) => {
                let endorsed = self.endorsed(&call, changed)?;
                if endorsed {
                    changed.extend(call.executed.writes.policies.keys().cloned());
                }
                Ok(Opened::Call { call, endorsed })
            }
            other => other,
        }
    }

    fn read(&self, transaction: &Transaction) -> Result<Opened, String> {
        if transaction.is_configuration() {
            let configuration = Configuration::read(&transaction.data).map_err(|error| error.to_string())?;
            return Ok(Opened::Configuration(configuration));
        }
        if !transaction.is_call() {
            return Err(format!("transactions of kind {} do nothing", transaction.kind));
        }
        let (certificate, action) = self.signed(transaction)?;
        let ours = |namespace| namespace == self.chaincode;
        let writes_ours = action.namespaces.iter().any(|one| ours(one.name.as_str()) && writes_something(one));
        if ours(action.chaincode.as_str()) || writes_ours {
            let call = Call::read(transaction, action, &certificate, self.chaincode)?;
            return Ok(Opened::Call { call: Box::new(call), endorsed: false });
        }
        Ok(Opened::Foreign(action))
    }

    /// Verifies who submitted it and who endorsed it.
    fn signed(&self, transaction: &Transaction) -> Result<(Certificate, Action), String> {
        let configuration = self.configuration.as_ref().ok_or("there is no configuration")?;
        let certificate = configuration.certificate(&transaction.creator).map_err(|error| error.to_string())?;
        transaction.verify_creator().map_err(|error| error.to_string())?;
        let mut action = transaction.action().map_err(|error| error.to_string())?;
        if !action.of_proposal {
            return Err("what was endorsed is no answer to this proposal".to_owned());
        }
        // Others may have added endorsements that are none; what counts is who remains.
        action.endorsements.retain(|one| configuration.peer(&one.endorser).is_ok() && one.verify().is_ok());
        Ok((certificate, action))
    }

    fn endorsed(&self, call: &Call, changed: &BTreeSet<String>) -> Result<bool, String> {
        let writes = &call.executed.writes;
        if writes.public.keys().chain(writes.policies.keys()).any(|key| changed.contains(key)) {
            return Ok(false);
        }
        let peers = call.executed.endorsers.iter().map(|one| one.as_str()).collect();
        let satisfied = self.rule.as_ref().is_some_and(|rule| rule.satisfied(&peers));
        self.replay.endorsed_on_fabric(&call.executed, satisfied)
    }

    fn settle(&mut self, version: Version, transaction: &Transaction, opened: Opened) -> Result<(), String> {
        match opened {
            Opened::Void => Ok(()),
            Opened::Configuration(configuration) => {
                if transaction.code == VALID {
                    self.configuration = Some(configuration);
                }
                Ok(())
            }
            Opened::Foreign(action) => self.foreign(version, transaction, &action),
            Opened::Call { call, endorsed } => self.call(version, transaction.code, &call, endorsed),
        }
    }

    /// What other chaincodes do is not judged, but remembered as far as ours depends on it.
    fn foreign(&mut self, version: Version, transaction: &Transaction, action: &Action) -> Result<(), String> {
        let id: TransactionId = transaction.id.parse().map_err(|_| "its id has not 64 hexadecimal digits")?;
        if transaction.code == VALID {
            if let Some(rule) = defined(&action.namespaces, self.chaincode)? {
                self.rule = Some(rule);
            }
            self.foreign.learn(&action.namespaces, version);
        }
        if self.replay.contains(id)? { Ok(()) } else { self.replay.note(id, version, Validation::Valid) }
    }

    fn call(&mut self, version: Version, code: i32, call: &Call, endorsed: bool) -> Result<(), String> {
        let judged = self.judge(call, endorsed)?;
        match validation(code) {
            Some(recorded) if recorded == judged => {}
            Some(Validation::PhantomConflict) if call.hashed_ranges && judged == Validation::Valid => {
                return self.replay.note(call.id, version, Validation::PhantomConflict);
            }
            None if judged != Validation::Valid => {}
            None => return Err(format!("recorded as invalid (code {code}), but nothing is wrong with it")),
            Some(recorded) => return Err(format!("recorded as {recorded:?}, but it is {judged:?}")),
        }
        if judged == Validation::Valid {
            if call.foreign_writes {
                return Err("it writes in other chaincodes as well".to_owned());
            }
            let repetition = Repetition { call: (call.id, &call.parts), executed: &call.executed, reads: false };
            self.replay.repeat_without_values(version, &repetition, self.contract)?;
        }
        self.replay.note(call.id, version, judged)
    }

    fn judge(&self, call: &Call, endorsed: bool) -> Result<Validation, String> {
        if self.replay.contains(call.id)? {
            return Ok(Validation::DuplicateTransaction);
        }
        if !endorsed {
            return Ok(Validation::EndorsementPolicyFailure);
        }
        if !self.foreign.fresh(&call.foreign_reads) {
            return Ok(Validation::MvccConflict);
        }
        self.replay.fresh(&call.executed)
    }
}
