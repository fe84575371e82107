//! Whether the ledger is this network's and knows this organisation as it is configured.

use semblance_contract::Code;
use semblance_core::organisation::Organisation;
use semblance_ledger::LedgerError;

use super::{Findings, client};
use crate::config::LedgerKind;
use crate::party::Party;

/// What to do where the ledger does not answer.
const REACH: &str = "see whether the ledger runs and can be reached: the node that holds it, or the own peers";

/// Returns the members as the ledger has them; none where it does not answer.
pub(super) async fn check(party: &Party, findings: &mut Findings<'_>) -> Vec<Organisation> {
    let ledger = match client(party) {
        Ok(ledger) => ledger,
        Err(error) => {
            findings.wrong(format!("{error:#}"), REACH);
            return Vec::new();
        }
    };
    match ledger.network().await {
        Ok(network) if network.id() == party.network() => {
            findings.good(format!("the ledger is that of network {} ({})", network.name(), network.id()));
        }
        Ok(network) => {
            let what = format!("the ledger is that of another network, {} ({})", network.name(), network.id());
            findings.wrong(what, "check node.genesis and [ledger]: one of them belongs to another network");
            return Vec::new();
        }
        Err(error) => {
            unfounded(party, &error, findings);
            return Vec::new();
        }
    }
    match ledger.members().await {
        Ok(members) => {
            own(party, &members, findings);
            members
        }
        Err(error) => {
            findings.wrong(format!("the members cannot be read: {error}"), REACH);
            Vec::new()
        }
    }
}

fn unfounded(party: &Party, error: &LedgerError, findings: &mut Findings<'_>) {
    match error {
        LedgerError::Refused { code, .. } if code == Code::NoNetwork.as_str() => {
            let to_do = match party.kind() {
                LedgerKind::Fabric => "found it, once, as any member's administrator: `semblance found`",
                LedgerKind::Embedded | LedgerKind::Remote => "start the node that holds the ledger",
            };
            findings.wrong("the ledger holds no network yet", to_do);
        }
        LedgerError::Refused { code, .. } if code == Code::NotMember.as_str() => {
            findings.wrong(
                format!("{} is no member", party.organisation),
                "have it approved: `semblance member approve`, then `member join`",
            );
        }
        error => findings.wrong(format!("the ledger does not say which network it is: {error}"), REACH),
    }
}

fn own(party: &Party, members: &[Organisation], findings: &mut Findings<'_>) {
    let name = &party.organisation;
    let Some(member) = members.iter().find(|member| member.id == *name) else {
        findings.wrong(format!("{name} is no member"), "have it approved: `semblance member approve`");
        return;
    };
    let rotate = "put the present key there, or rotate: `semblance member rotate`";
    if member.verifying_key == party.signing.verifying_key() {
        findings.good(format!("{name} is a member ({}), with the signing key of this node", member.kind));
    } else {
        findings.wrong(format!("{name} is a member with another signing key than keys.signing_file has"), rotate);
    }
    let sealing = party.sealing.first().map(|secret| *secret.public());
    if sealing != Some(member.sealing_key.public) {
        findings.wrong("the ledger has another sealing key than keys.sealing_file", rotate);
    }
}
