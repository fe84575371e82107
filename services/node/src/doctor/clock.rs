//! How far this machine's clock is from those of the ledger.
//!
//! No ledger tells the time. But each refuses a proposal that is more than five minutes off, and says how far it is.

use std::sync::Arc;

use semblance_core::limits::PROPOSAL_SKEW_MILLIS;
use semblance_core::organisation::{Organisation, Role};
use semblance_core::time::{Clock, Timestamp};
use semblance_ledger::LedgerError;
use semblance_ledger::client::LedgerClient;

use super::{Findings, asked};
use crate::party::Party;

/// So far may clocks differ without a word.
const QUIET: i64 = 30_000;
/// So far a clock is set ahead: with clocks that agree to five minutes the proposal is refused.
const AHEAD: u64 = 2 * PROPOSAL_SKEW_MILLIS;

/// What to do.
const KEEP: &str = "let the clocks be kept (NTP): the ledger refuses what is five minutes off";

/// A clock that is ahead.
struct Ahead(Arc<dyn Clock>);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        self.0.now().plus(AHEAD)
    }
}

pub(super) async fn check(party: &Party, members: &[Organisation], findings: &mut Findings<'_>) {
    let Ok(ledger) = party.ledger_by(Role::Node, Arc::new(Ahead(party.system.clock()))) else { return };
    let ledger = LedgerClient::new(ledger);
    let (mut compared, mut quiet) = (false, true);
    for member in asked(party, members) {
        let answer = ledger.version_at(member).await;
        let Some(difference) = difference(&answer) else { continue };
        compared = true;
        quiet &= tell(difference, member.as_str(), findings);
    }
    if !compared {
        let what = "the ledger's clocks cannot be compared with this machine's";
        findings.warning(what, "mend what does not answer, and ask again");
    } else if quiet {
        findings.good("this machine's clock and the ledger's agree to half a minute");
    }
}

/// How many milliseconds this machine is ahead, at least where it is behind so far that the proposal passes.
fn difference<T>(answer: &Result<T, LedgerError>) -> Option<i64> {
    let ahead = i64::try_from(AHEAD).ok()?;
    match answer {
        Err(LedgerError::Skew { off_by_millis, .. }) => Some(i64::try_from(*off_by_millis).ok()?.saturating_sub(ahead)),
        Ok(_) => Some(i64::try_from(PROPOSAL_SKEW_MILLIS).ok()?.saturating_sub(ahead)),
        Err(_) => None,
    }
}

/// Says what there is to be said, and whether that was nothing.
fn tell(difference: i64, member: &str, findings: &mut Findings<'_>) -> bool {
    let how = if difference < 0 { "behind" } else { "ahead of" };
    let what = format!("this machine's clock is {} s {how} that of {member}", difference.unsigned_abs() / 1000);
    if difference.unsigned_abs() >= PROPOSAL_SKEW_MILLIS {
        findings.wrong(what, KEEP);
    } else if difference.abs() > QUIET {
        findings.warning(what, KEEP);
    }
    difference.abs() <= QUIET
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    fn skew(off_by_millis: u64) -> Result<(), LedgerError> {
        Err(LedgerError::Skew { off_by_millis, allowed_millis: PROPOSAL_SKEW_MILLIS })
    }

    #[test]
    fn refusals_tell_how_far_the_clocks_are_apart() {
        assert_eq!(difference(&skew(AHEAD)), Some(0));
        assert_eq!(difference(&skew(AHEAD + 40_000)), Some(40_000));
        assert_eq!(difference(&skew(AHEAD - 40_000)), Some(-40_000));
        assert_eq!(difference(&Ok(())), Some(-300_000));
        assert_eq!(difference::<()>(&Err(LedgerError::Unavailable(String::new()))), None);
    }

    #[test]
    fn small_differences_are_passed_over() {
        let mut checks = Vec::new();
        let mut findings = Findings { about: "clock", checks: &mut checks };
        let quiet = [1_000, -29_000, 31_000, -31_000, 299_000, 300_000, -300_000]
            .map(|difference| tell(difference, "hospital-2", &mut findings));
        assert_eq!(quiet, [true, true, false, false, false, false, false]);
        let states: Vec<State> = checks.iter().map(|check| check.state).collect();
        assert_eq!(states, [State::Warning, State::Warning, State::Warning, State::Wrong, State::Wrong]);
        assert_eq!(checks[1].what, "this machine's clock is 31 s behind that of hospital-2");
    }
}
