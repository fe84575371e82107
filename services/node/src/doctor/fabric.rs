//! Fabric's peers, the chaincode that they run, and who keeps the collections.

use std::collections::BTreeSet;

use semblance_core::organisation::{Organisation, Role};
use semblance_ledger::fabric::definition::Definition;

use super::{Findings, asked, client};
use crate::party::Party;

/// So many blocks may a peer lack of what another one has.
const LAG: u64 = 5;

/// The own peers, and how far they are.
pub(super) async fn peers(party: &Party, findings: &mut Findings<'_>) {
    let to_do = "see whether the peer runs, and whether its address and TLS root stand in the network's description";
    let ledger = match party.fabric(Role::Node) {
        Ok(ledger) => ledger,
        Err(error) => return findings.wrong(format!("{error:#}"), to_do),
    };
    let heights = ledger.heights().await;
    let most = heights.iter().filter_map(|(_, height)| height.as_ref().ok()).max().copied().unwrap_or_default();
    let alone = heights.iter().all(|(_, height)| height.is_err());
    for (address, height) in heights {
        match height {
            Ok(height) if height.saturating_add(LAG) < most => {
                let what = format!(
                    "the peer at {address} has {height} blocks of channel {}, another one {most}",
                    ledger.channel()
                );
                findings.warning(what, "wait for it to catch up; if it does not, see its log");
            }
            Ok(height) => {
                findings.good(format!("the peer at {address} has {height} blocks of channel {}", ledger.channel()))
            }
            Err(error) if alone => findings.wrong(format!("the peer at {address} does not answer: {error}"), to_do),
            Err(error) => findings.warning(format!("the peer at {address} does not answer: {error}"), to_do),
        }
    }
}

/// The chaincode's definition, its collections, and which release each member runs.
pub(super) async fn chaincode(party: &Party, members: &[Organisation], findings: &mut Findings<'_>) {
    let define = "define it as docs/src/fabric/network.md says: every member approves, one commits";
    let Ok(ledger) = party.fabric(Role::Node) else { return };
    let name = ledger.chaincode().to_owned();
    match ledger.definition().await {
        Ok(Some(definition)) => {
            let Definition { version, sequence, .. } = &definition;
            findings.good(format!("chaincode {name} is defined: version {version}, sequence {sequence}"));
            judge(&definition, members, findings);
        }
        Ok(None) => findings.wrong(format!("chaincode {name} is not defined on channel {}", ledger.channel()), define),
        Err(error) => findings
            .wrong(format!("the definition of chaincode {name} cannot be read: {error}"), "mend the own peer first"),
    }
    versions(party, members, findings).await;
}

fn judge(definition: &Definition, members: &[Organisation], findings: &mut Findings<'_>) {
    for (member, _) in definition.approvals.iter().filter(|(_, approved)| !**approved) {
        let to_do = "let its administrator approve it: its peer runs nothing of this chaincode until then";
        findings.warning(format!("{member} has not approved the present definition"), to_do);
    }
    if members.is_empty() {
        return;
    }
    let problems = definition.problems(members);
    if problems.is_empty() {
        findings.good("every hospital's fingerprints are kept by the matchers alone, and written by two");
    }
    for problem in problems {
        findings.wrong(problem, "define the chaincode again with the collections of docs/src/fabric/network.md");
    }
}

/// Asks each member's peer which release it runs.
async fn versions(party: &Party, members: &[Organisation], findings: &mut Findings<'_>) {
    // Before the network is founded, and while the ledger does not answer, there is nobody to ask.
    if members.is_empty() {
        return;
    }
    let Ok(ledger) = client(party) else { return };
    let mut releases = BTreeSet::from([semblance_contract::VERSION.to_owned()]);
    let mut running = Vec::new();
    for member in asked(party, members) {
        match ledger.version_at(member).await {
            Ok(version) => {
                running.push(format!("{member} {}", version.0));
                releases.insert(version.0);
            }
            Err(error) if *member == party.organisation => {
                let to_do = "see whether the chaincode server runs, and the log of the own peer";
                findings.wrong(format!("the own chaincode does not answer: {error}"), to_do);
            }
            Err(error) => {
                let to_do = "tell them: writes need other members' endorsements, and searches a matcher";
                findings.warning(format!("the chaincode of {member} does not answer: {error}"), to_do);
            }
        }
    }
    if running.is_empty() {
        return;
    }
    let running = running.join(", ");
    if releases.len() == 1 {
        findings.good(format!("everybody who answers runs this program's release of the contract: {running}"));
    } else {
        let what = format!(
            "not everybody runs this program's release of the contract, {}: {running}",
            semblance_contract::VERSION
        );
        findings.warning(what, "bring all to one release: peers of different ones may come to different results");
    }
}
