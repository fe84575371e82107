//! A hospital that publishes as its service does: it tries the matchers in turn and asks what became of a case.

use std::time::{Duration, Instant};

use semblance_contract::wire::PublishItem;
use semblance_core::fingerprint::PrivateValue;
use semblance_core::id::{CaseHandle, OrganisationId};
use semblance_ledger::LedgerError;
use semblance_ledger::client::LedgerClient;
use semblance_ledger::suite::clinic::Patient;
use semblance_ledger::suite::organisation;

/// How long one case may take, with everything that may happen to the network meanwhile.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long to wait when nobody takes it.
const PAUSE: Duration = Duration::from_millis(300);

/// Publishes one case after the other until each stands on the ledger.
pub(super) async fn publish_all(client: &LedgerClient, patients: &[Patient], mut told: impl FnMut(CaseHandle)) {
    let mut matchers = [organisation("matcher-1"), organisation("matcher-2")];
    for patient in patients {
        publish(client, patient, &mut matchers).await;
        told(patient.handle);
    }
}

async fn publish(client: &LedgerClient, patient: &Patient, matchers: &mut [OrganisationId; 2]) {
    let begun = Instant::now();
    loop {
        match attempt(client, &matchers[0], patient.publication()).await {
            Ok(true) => return,
            outcome => {
                assert!(begun.elapsed() < PATIENCE, "case {} is not published: {outcome:?}", patient.handle);
                matchers.rotate_left(1);
                tokio::time::sleep(PAUSE).await;
            }
        }
        // A lost answer may have been an acknowledgement.
        if matches!(client.case(patient.handle).await, Ok(Some(_))) {
            return;
        }
    }
}

async fn attempt(
    client: &LedgerClient,
    matcher: &OrganisationId,
    case: (PublishItem, PrivateValue),
) -> Result<bool, LedgerError> {
    Ok(client.publish_cases(matcher, vec![case]).await?.response.all_succeeded())
}

/// Waits until a matcher has the fingerprint of each of these cases.
pub(super) async fn wait_for_fingerprints(matcher: &LedgerClient, patients: &[Patient]) {
    let begun = Instant::now();
    for patients in patients.chunks(50) {
        loop {
            let handles: Vec<CaseHandle> = patients.iter().map(|patient| patient.handle).collect();
            let missing = match matcher.fingerprints(&handles).await {
                Ok(found) => found.iter().filter(|value| value.is_none()).count(),
                Err(_) => patients.len(),
            };
            if missing == 0 {
                break;
            }
            let (name, waited) = (matcher.organisation(), begun.elapsed());
            assert!(waited < PATIENCE, "{name} still lacks {missing} fingerprints");
            tokio::time::sleep(PAUSE).await;
        }
    }
}
