//! The network's members as a party believes them: from its genesis on, along what the ledger says.
//!
//! A known member's new keys count only where a chain of rotations, each signed by the key before it, leads to them:
//! whoever holds the ledger cannot put other keys in their place. A newcomer is taken from the ledger as it stands.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use semblance_contract::state::RotationRecord;
use semblance_core::id::{NetworkId, OrganisationId};
use semblance_core::organisation::{KeyRotation, Organisation};

use crate::LedgerError;
use crate::client::LedgerClient;

/// The members that are believed, with their keys.
pub struct MemberBook {
    network: NetworkId,
    by_name: RwLock<BTreeMap<OrganisationId, Organisation>>,
}

impl MemberBook {
    /// Begins with members that are known already: those of the genesis, or what was believed before.
    #[must_use]
    pub fn new(network: NetworkId, known: impl IntoIterator<Item = Organisation>) -> Self {
        let by_name = known.into_iter().map(|member| (member.id.clone(), member)).collect();
        Self { network, by_name: RwLock::new(by_name) }
    }

    /// One member.
    #[must_use]
    pub fn get(&self, id: &OrganisationId) -> Option<Organisation> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// All members, by name.
    #[must_use]
    pub fn all(&self) -> Vec<Organisation> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Takes a record that is believed.
    pub fn put(&self, member: Organisation) {
        self.by_name.write().unwrap_or_else(PoisonError::into_inner).insert(member.id.clone(), member);
    }

    /// Asks the ledger, and takes what may be believed. Says whether anything changed.
    ///
    /// # Errors
    /// It cannot be reached or refuses; what was known stands.
    pub async fn learn(&self, ledger: &LedgerClient) -> Result<bool, LedgerError> {
        let mut changed = false;
        for present in ledger.members().await? {
            let believed = match self.get(&present.id) {
                None => true,
                Some(known) if known == present => continue,
                Some(known) => {
                    let rotations = ledger.rotations(&present.id).await?;
                    followed(&known, &rotations, self.network).as_ref() == Some(&present)
                }
            };
            if believed {
                tracing::info!(member = %present.id, rotations = present.rotations, "learnt of a member's keys");
                self.put(present);
                changed = true;
            } else {
                tracing::error!(member = %present.id, "the ledger names keys that the member's own keys did not sign");
            }
        }
        Ok(changed)
    }
}

/// Where a member's rotations lead from the record that is known; none if one of them is not signed by the key before.
#[must_use]
pub fn followed(known: &Organisation, rotations: &[RotationRecord], network: NetworkId) -> Option<Organisation> {
    let done = usize::try_from(known.rotations).ok()?;
    rotations.get(done..)?.iter().try_fold(known.clone(), |member, rotation| {
        let claim = rotation.source.clone().claim::<KeyRotation>(network).ok()?;
        let signed = claim.verify(&member.verifying_key).ok()?;
        member.rotated(signed.statement()).ok()
    })
}

#[cfg(test)]
mod tests {
    use semblance_core::organisation::{OrganisationKind, SealingKey, TlsRoot};
    use semblance_core::sealing::{SealingKeyId, SealingSecret};
    use semblance_core::signature::{SigningKey, Statement};
    use semblance_core::time::Timestamp;

    use semblance_contract::wire::Page;
    use semblance_core::record::Record;

    use super::*;
    use crate::client::tests::Script;

    const NETWORK: NetworkId = NetworkId::from_bytes([7; 16]);

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_seed(&[byte; 32])
    }

    /// A member, its rotation to another signing key as `by` signed it, and what it is after that.
    fn rotated(by: &SigningKey) -> (Organisation, RotationRecord, Organisation) {
        let north = Organisation {
            id: OrganisationId::new("north").unwrap(),
            kind: OrganisationKind::Hospital,
            verifying_key: key(1).verifying_key(),
            sealing_key: SealingKey {
                id: SealingKeyId(1),
                public: *SealingSecret::from_bytes([1; 32]).unwrap().public(),
            },
            tls_root: TlsRoot::new(vec![0x30, 1]).unwrap(),
            rotations: 0,
        };
        let next = Organisation { verifying_key: key(2).verifying_key(), ..north.clone() };
        let rotation = KeyRotation::between(NETWORK, &north, &next).unwrap();
        let next = north.rotated(&rotation).unwrap();
        let source = rotation.sign(by).into_parts().1;
        let record = RotationRecord { at: Timestamp::from_millis(1), previous: north.verifying_key, source };
        (north, record, next)
    }

    #[test]
    fn new_keys_count_only_when_the_keys_before_signed_for_them() {
        let (north, record, next) = rotated(&key(1));
        assert_eq!(followed(&north, std::slice::from_ref(&record), NETWORK), Some(next.clone()));
        assert_eq!(followed(&next, std::slice::from_ref(&record), NETWORK), Some(next), "nothing came since");
        let (_, forged, _) = rotated(&key(2));
        assert_eq!(followed(&north, &[forged], NETWORK), None);
        assert_eq!(followed(&Organisation { rotations: 2, ..north }, &[record], NETWORK), None, "a shortened list");
    }

    #[tokio::test]
    async fn a_ledger_that_makes_up_a_members_keys_is_not_believed() {
        let (north, record, next) = rotated(&key(1));
        let other = SealingSecret::from_bytes([9; 32]).unwrap();
        let sealing_key = SealingKey { id: SealingKeyId(1), public: *other.public() };
        let west = Organisation { id: OrganisationId::new("west").unwrap(), ..north.clone() };
        let members = |rows: &[&Organisation]| {
            Ok(Page { rows: rows.iter().map(|row| (*row).clone()).collect(), next: None }.encode())
        };
        let rotations = |rows: &[&RotationRecord]| {
            Ok(Page { rows: rows.iter().map(|row| (*row).clone()).collect(), next: None }.encode())
        };
        // Another key without a rotation; another key beside a genuine rotation; the genuine rotation and a newcomer.
        let swapped = Organisation { sealing_key, ..north.clone() };
        let slipped_in = Organisation { sealing_key, ..next.clone() };
        let answers = vec![
            members(&[&swapped]),
            rotations(&[]),
            members(&[&slipped_in]),
            rotations(&[&record]),
            members(&[&next, &west]),
            rotations(&[&record]),
        ];
        let (_, ledger) = Script::client(answers, Vec::new());
        let book = MemberBook::new(NETWORK, [north.clone()]);
        for _ in 0..2 {
            assert!(!book.learn(&ledger).await.unwrap());
            assert_eq!(book.all(), std::slice::from_ref(&north));
        }
        assert!(book.learn(&ledger).await.unwrap());
        assert_eq!(book.all(), [next, west]);
    }
}
