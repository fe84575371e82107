//! Whether everything is in order that a node rests on: certificates, ledger, chaincode, collections, clocks.
//!
//! Each check says what it found, and where something is wrong what to do. Nothing is written, here or anywhere else.

mod certificates;
mod clock;
mod fabric;
mod membership;

use semblance_core::organisation::{Organisation, Role};
use semblance_ledger::client::LedgerClient;
use serde::Serialize;

use crate::config::LedgerKind;
use crate::party::Party;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// As it must be.
    Good,
    /// It works now and will not for ever, or not everything works.
    Warning,
    /// It does not work, or is not safe.
    Wrong,
}

/// One finding.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    pub(crate) about: &'static str,
    pub(crate) state: State,
    pub(crate) what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) to_do: Option<String>,
}

/// What was found so far about one subject.
pub(crate) struct Findings<'a> {
    about: &'static str,
    checks: &'a mut Vec<Check>,
}

impl Findings<'_> {
    fn good(&mut self, what: impl Into<String>) {
        self.push(State::Good, what, None);
    }

    fn warning(&mut self, what: impl Into<String>, to_do: impl Into<String>) {
        self.push(State::Warning, what, Some(to_do.into()));
    }

    fn wrong(&mut self, what: impl Into<String>, to_do: impl Into<String>) {
        self.push(State::Wrong, what, Some(to_do.into()));
    }

    fn push(&mut self, state: State, what: impl Into<String>, to_do: Option<String>) {
        self.checks.push(Check { about: self.about, state, what: what.into(), to_do });
    }
}

/// Checks everything, and calls `tell` with what is looked at next.
pub(crate) async fn examine(party: &Party, mut tell: impl FnMut(&str)) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut about = |about: &'static str| {
        tell(about);
        about
    };
    let name = about("certificates");
    certificates::check(party, &mut Findings { about: name, checks: &mut checks });
    if party.kind() == LedgerKind::Fabric {
        let name = about("peers");
        fabric::peers(party, &mut Findings { about: name, checks: &mut checks }).await;
    }
    let name = about("network");
    let members = membership::check(party, &mut Findings { about: name, checks: &mut checks }).await;
    if party.kind() == LedgerKind::Fabric {
        let name = about("chaincode");
        fabric::chaincode(party, &members, &mut Findings { about: name, checks: &mut checks }).await;
    }
    let name = about("clock");
    clock::check(party, &members, &mut Findings { about: name, checks: &mut checks }).await;
    checks
}

/// The ledger as this node sees it.
fn client(party: &Party) -> anyhow::Result<LedgerClient> {
    Ok(LedgerClient::new(party.ledger(Role::Node)?))
}

/// Whose peers can be asked: on Fabric everybody's who is known, elsewhere that of whoever holds the ledger.
fn asked<'a>(party: &'a Party, members: &'a [Organisation]) -> Vec<&'a semblance_core::id::OrganisationId> {
    match party.kind() {
        LedgerKind::Fabric if !members.is_empty() => members.iter().map(|member| &member.id).collect(),
        LedgerKind::Fabric | LedgerKind::Embedded | LedgerKind::Remote => vec![&party.organisation],
    }
}
