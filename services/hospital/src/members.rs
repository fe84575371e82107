//! The network's members as this node knows them: their records, and the signing keys they had before.
//!
//! A record is taken from the ledger only if signed rotations lead to it from the one that this node kept, at first that
//! of the genesis: a ledger that makes up another key or root for a known member is not believed.

use std::sync::{Arc, PoisonError};

use semblance_contract::state::RotationRecord;
use semblance_core::id::{NetworkId, OrganisationId};
use semblance_core::limits::PROPOSAL_SKEW_MILLIS;
use semblance_core::organisation::{KeyRotation, Organisation};
use semblance_core::sealing::SealingKeyId;
use semblance_core::signature::{Statement, Unverified, VerifyingKey};
use semblance_core::time::Timestamp;
use semblance_ledger::members::followed;

use crate::error::HospitalError;
use crate::service::HospitalService;
use crate::store::member;

/// A rotation's time and a block's come from two clocks, each at most so far off.
const SLACK_MILLIS: u64 = 2 * PROPOSAL_SKEW_MILLIS;

/// One member, with how its keys were replaced.
pub(crate) struct Member {
    record: Organisation,
    /// The signing keys until each rotation, oldest first, with the rotation's time.
    earlier: Vec<(VerifyingKey, Timestamp)>,
    /// The sealing keys that rotations brought, with the rotation's time.
    sealing: Vec<(SealingKeyId, Timestamp)>,
}

/// Why a member's record is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemberDoubt {
    /// The ledger has no such member.
    Unknown,
    /// The rotations on the ledger do not lead to the record, or not from the one known here.
    Broken,
}

impl MemberDoubt {
    /// A stable word.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown-member",
            Self::Broken => "broken-rotations",
        }
    }
}

impl Member {
    /// Follows a member's rotations to its record; `known` is what this node kept of it.
    fn new(
        network: NetworkId,
        record: Organisation,
        rotations: &[RotationRecord],
        known: Option<&Organisation>,
    ) -> Option<Self> {
        let (mut earlier, mut sealing) = (Vec::new(), Vec::new());
        // Before the rotations: the key that signed the first of them, or the only one.
        let mut present = rotations.first().map_or(record.verifying_key, |first| first.previous);
        let holds = |number: usize, key: VerifyingKey| {
            known.is_none_or(|known| usize::try_from(known.rotations) != Ok(number) || known.verifying_key == key)
        };
        for (number, rotation) in rotations.iter().enumerate() {
            let claim = rotation.source.clone().claim::<KeyRotation>(network).ok()?;
            let (signed, _) = claim.verify(&present).ok()?.into_parts();
            let in_order = usize::try_from(signed.sequence()) == Ok(number.saturating_add(1));
            if rotation.previous != present || *signed.organisation() != record.id || !in_order {
                return None;
            }
            if !holds(number, present) {
                return None;
            }
            earlier.push((present, rotation.at));
            sealing.extend(signed.sealing_key().map(|key| (key.id, rotation.at)));
            present = signed.verifying_key().copied().unwrap_or(present);
        }
        let continued = known.is_none_or(|known| match known.rotations.cmp(&record.rotations) {
            std::cmp::Ordering::Less => followed(known, rotations, network).as_ref() == Some(&record),
            std::cmp::Ordering::Equal => *known == record,
            std::cmp::Ordering::Greater => false,
        });
        let complete = usize::try_from(record.rotations) == Ok(rotations.len()) && present == record.verifying_key;
        (complete && continued && holds(rotations.len(), present)).then_some(Self { record, earlier, sealing })
    }

    pub(crate) const fn record(&self) -> &Organisation {
        &self.record
    }

    /// The signing keys that were valid about that time.
    pub(crate) fn keys_at(&self, at: Timestamp) -> impl Iterator<Item = &VerifyingKey> {
        let until = move |end: Timestamp| at.millis() <= end.plus(SLACK_MILLIS).millis();
        let since = move |start: Option<Timestamp>| start.is_none_or(|start| at.plus(SLACK_MILLIS) >= start);
        let starts = std::iter::once(None).chain(self.earlier.iter().map(|(_, end)| Some(*end)));
        let keys = self.earlier.iter().map(|(key, end)| (key, Some(*end)));
        let keys = keys.chain(std::iter::once((&self.record.verifying_key, None)));
        starts
            .zip(keys)
            .filter(move |(start, (_, end))| since(*start) && end.is_none_or(until))
            .map(|(_, (key, _))| key)
    }

    /// What a claim says, if a signing key signed it that was valid about that time.
    pub(crate) fn verified<T: Statement + Clone>(&self, claim: &Unverified<T>, at: Timestamp) -> Option<T> {
        let signed = self.keys_at(at).find_map(|key| claim.clone().verify(key).ok());
        signed.map(|signed| signed.into_parts().0)
    }

    /// When a sealing key was replaced.
    pub(crate) fn sealing_key_ended(&self, id: SealingKeyId) -> Option<Timestamp> {
        self.sealing.iter().find(|(next, _)| next.0 == id.0.saturating_add(1)).map(|(_, at)| *at)
    }
}

impl HospitalService {
    /// A member, from the ledger; asked for its rotations only when its record is news.
    pub(crate) async fn member(&self, id: &OrganisationId) -> Result<Result<Arc<Member>, MemberDoubt>, HospitalError> {
        let Some(found) = self.inner.chain.member(id).await? else { return Ok(Err(MemberDoubt::Unknown)) };
        if let Some(held) = self.held_member(id).filter(|held| held.record == found) {
            return Ok(Ok(held));
        }
        let rotations = match found.rotations {
            0 => Vec::new(),
            _ => self.inner.chain.rotations(id).await?,
        };
        let (network, organisation) = (self.inner.network, id.clone());
        let taken = self
            .store()
            .run(move |tx| -> Result<_, HospitalError> {
                let known = member::get(tx, &organisation)?;
                let taken = Member::new(network, found, &rotations, known.as_ref());
                if let Some(taken) = &taken {
                    member::put(tx, &taken.record)?;
                }
                Ok(taken)
            })
            .await?;
        let Some(taken) = taken.map(Arc::new) else {
            tracing::warn!(member = %id, "the ledger's record of a member does not continue the one known here");
            return Ok(Err(MemberDoubt::Broken));
        };
        let mut members = self.inner.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.insert(id.clone(), Arc::clone(&taken));
        Ok(Ok(taken))
    }

    fn held_member(&self, id: &OrganisationId) -> Option<Arc<Member>> {
        self.inner.members.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// A member's record as the ledger last showed it, for the time when that cannot be asked.
    pub(crate) async fn last_known(&self, id: &OrganisationId) -> Result<Option<Organisation>, HospitalError> {
        if let Some(held) = self.held_member(id) {
            return Ok(Some(held.record.clone()));
        }
        let id = id.clone();
        Ok(self.store().run(move |tx| member::get(tx, &id)).await?)
    }
}

#[cfg(test)]
mod tests {
    use semblance_core::organisation::{OrganisationKind, SealingKey, TlsRoot};
    use semblance_core::sealing::SealingSecret;
    use semblance_core::signature::SigningKey;

    use super::*;

    const NETWORK: NetworkId = NetworkId::from_bytes([7; 16]);
    const HOUR: u64 = 3_600_000;

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_seed(&[byte; 32])
    }

    fn first() -> Organisation {
        let sealing = SealingSecret::from_bytes([1; 32]).unwrap();
        Organisation {
            id: OrganisationId::new("north").unwrap(),
            kind: OrganisationKind::Hospital,
            verifying_key: key(1).verifying_key(),
            sealing_key: SealingKey { id: SealingKeyId(1), public: *sealing.public() },
            tls_root: TlsRoot::new(vec![0x30, 1]).unwrap(),
            rotations: 0,
        }
    }

    /// The second signing key, then the second sealing key, an hour apart.
    fn rotated() -> (Organisation, Organisation, Vec<RotationRecord>) {
        let one = first();
        let mut two = Organisation { verifying_key: key(2).verifying_key(), ..one.clone() };
        let (record, first_step) = step(&one, &two, 1);
        two = record;
        let sealing = SealingSecret::from_bytes([2; 32]).unwrap();
        let next = SealingKey { id: SealingKeyId(2), public: *sealing.public() };
        let (three, second_step) = step(&two, &Organisation { sealing_key: next, ..two.clone() }, 2);
        (two, three, vec![first_step, second_step])
    }

    fn step(from: &Organisation, to: &Organisation, signer: u8) -> (Organisation, RotationRecord) {
        let rotation = KeyRotation::between(NETWORK, from, to).unwrap();
        let record = from.rotated(&rotation).unwrap();
        let (_, source) = rotation.sign(&key(signer)).into_parts();
        let at = Timestamp::from_millis(u64::from(signer) * HOUR);
        (record, RotationRecord { at, previous: from.verifying_key, source })
    }

    #[test]
    fn rotations_lead_from_what_is_known_to_what_is_new() {
        let (two, three, rotations) = rotated();
        for known in [None, Some(first()), Some(two.clone()), Some(three.clone())] {
            let member = Member::new(NETWORK, three.clone(), &rotations, known.as_ref()).unwrap();
            assert_eq!(member.sealing_key_ended(SealingKeyId(1)), Some(Timestamp::from_millis(2 * HOUR)));
            assert_eq!(member.sealing_key_ended(SealingKeyId(2)), None);
            let keys = |at| member.keys_at(Timestamp::from_millis(at)).copied().collect::<Vec<_>>();
            assert_eq!(keys(0), [key(1).verifying_key()]);
            assert_eq!(keys(HOUR + 1), [key(1).verifying_key(), key(2).verifying_key()], "clocks differ a little");
            assert_eq!(keys(HOUR + SLACK_MILLIS + 1), [key(2).verifying_key()]);
            assert_eq!(keys(9 * HOUR), [key(2).verifying_key()]);
        }
    }

    #[test]
    fn a_record_that_no_rotation_leads_to_is_not_taken() {
        let (two, three, rotations) = rotated();
        let refused = |record: &Organisation, rotations: &[RotationRecord], known: Option<&Organisation>| {
            assert!(Member::new(NETWORK, record.clone(), rotations, known).is_none());
        };
        let forged = Organisation { verifying_key: key(9).verifying_key(), ..first() };
        refused(&forged, &[], Some(&first()));
        let root = Organisation { tls_root: TlsRoot::new(vec![0x30, 9]).unwrap(), ..first() };
        refused(&root, &[], Some(&first()));
        refused(&three, &rotations[..1], None);
        refused(&three, &[], Some(&two));
        refused(&first(), &[], Some(&two));
        let mut unsigned = rotations.clone();
        unsigned[0].source = unsigned[1].source.clone();
        refused(&three, &unsigned, None);
        let (other, steps) = {
            let one = forged.clone();
            let (record, step) = step(&one, &Organisation { verifying_key: key(2).verifying_key(), ..one.clone() }, 9);
            (record, vec![step])
        };
        refused(&other, &steps, Some(&first()));
    }
}
