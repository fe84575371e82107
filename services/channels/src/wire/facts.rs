//! What the ledger says about hospitals and consents, as a node tells it to its own devices.
//!
//! A device has no ledger of its own: it believes its own hospital's node about it, and no hub.

use std::collections::BTreeMap;

use semblance_core::attestation::{LeafAttestation, LeafClaim};
use semblance_core::consent::{Scope, Scopes};
use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::id::{ConsentId, OrganisationId, TransactionId};
use semblance_core::limits::ORGANISATIONS_MAX;
use semblance_core::record::{Record, read_option, write_option};
use semblance_core::signature::VerifyingKey;
use semblance_core::time::Timestamp;

use crate::limits::{MEMBERS_MAX, WITHDRAWAL_MILLIS};

/// The signing keys of a hospital's node that are or were valid, the present one first.
pub type MemberKeys = Vec<VerifyingKey>;

/// What the ledger says about one consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentFact {
    /// Whose patient gave it.
    pub hospital: OrganisationId,
    /// The key that speaks for the case.
    pub patient_key: VerifyingKey,
    /// What it allows.
    pub scopes: Scopes,
    /// Until when, exclusive.
    pub expires: Timestamp,
    /// By which transaction it was withdrawn, and when.
    pub withdrawn: Option<(TransactionId, Timestamp)>,
}

impl ConsentFact {
    /// Whether it allows something at a moment.
    #[must_use]
    pub fn allows(&self, scope: Scope, moment: Timestamp) -> bool {
        self.scopes.allow(scope) && self.ended(moment).is_none()
    }

    /// Whether it had ended by a moment, and by which withdrawal if not by time.
    #[must_use]
    pub fn ended(&self, moment: Timestamp) -> Option<Option<TransactionId>> {
        match self.withdrawn {
            Some((transaction, at)) if at <= moment => Some(Some(transaction)),
            _ => (moment >= self.expires).then_some(None),
        }
    }

    /// Whether it had ended for so long by a moment that a hub must have acted on it.
    #[must_use]
    pub fn long_ended(&self, moment: Timestamp) -> bool {
        self.ended(Timestamp::from_millis(moment.millis().saturating_sub(WITHDRAWAL_MILLIS))).is_some()
    }
}

/// What a node knows about the hospitals and consents that were asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Hospitals' signing keys.
    pub hospitals: BTreeMap<OrganisationId, MemberKeys>,
    /// Consents.
    pub consents: BTreeMap<ConsentId, ConsentFact>,
}

impl Facts {
    /// What is known about these consents, and all about the hospitals.
    #[must_use]
    pub fn about<'a>(&self, consents: impl IntoIterator<Item = &'a ConsentId>) -> Self {
        let known = |id: &ConsentId| Some((*id, self.consents.get(id)?.clone()));
        Self { hospitals: self.hospitals.clone(), consents: consents.into_iter().filter_map(known).collect() }
    }

    /// A hospital's keys.
    #[must_use]
    pub fn keys_of(&self, hospital: &OrganisationId) -> Option<&[VerifyingKey]> {
        self.hospitals.get(hospital).map(Vec::as_slice)
    }

    /// Verifies a leaf's proof under the keys of its hospital and its consent.
    #[must_use]
    pub fn prove(&self, claim: &LeafClaim<'_>) -> Option<LeafAttestation> {
        let leaf = claim.leaf();
        let consent = self.consents.get(&leaf.consent)?;
        if consent.hospital != leaf.hospital {
            return None;
        }
        self.keys_of(&leaf.hospital)?.iter().find_map(|key| claim.verify(key, &consent.patient_key).ok())
    }

    /// Whether all of these proofs verify, most of them at once; those of a hospital that has had more keys than one by
    /// themselves. Where it says no, each has to be asked about: one may be false, another is not.
    #[must_use]
    pub fn prove_all<'a>(&self, claims: impl IntoIterator<Item = &'a LeafClaim<'a>>) -> bool {
        let (mut signed, mut by_themselves) = (Vec::new(), Vec::new());
        for claim in claims {
            let leaf = claim.leaf();
            let Some(consent) = self.consents.get(&leaf.consent) else { return false };
            let [key] = self.keys_of(&leaf.hospital).unwrap_or_default() else {
                by_themselves.push(claim);
                continue;
            };
            let Ok(one) = claim.to_check(*key, consent.patient_key) else { return false };
            if consent.hospital != leaf.hospital {
                return false;
            }
            signed.extend(one);
        }
        VerifyingKey::verify_all(signed) && by_themselves.into_iter().all(|claim| self.prove(claim).is_some())
    }
}

impl Record for Facts {
    const NAME: &'static str = "facts";

    fn write(&self, writer: &mut Writer) {
        writer.count(self.hospitals.len());
        for (hospital, keys) in &self.hospitals {
            hospital.write(writer);
            writer.count(keys.len());
            for key in keys {
                key.write(writer);
            }
        }
        writer.count(self.consents.len());
        for (id, fact) in &self.consents {
            id.write(writer);
            fact.write(writer);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (mut hospitals, mut consents) = (BTreeMap::new(), BTreeMap::new());
        for _ in 0..reader.count("hospitals", ORGANISATIONS_MAX)? {
            let hospital = OrganisationId::read(reader)?;
            if hospitals.last_key_value().is_some_and(|(last, _)| *last >= hospital) {
                return Err(DecodeError::Invalid { what: "hospitals", why: "not in their order" });
            }
            let count = reader.count("keys of a hospital", 64)?;
            let keys = (0..count).map(|_| VerifyingKey::read(reader, "hospital's key")).collect::<Result<_, _>>()?;
            hospitals.insert(hospital, keys);
        }
        for _ in 0..reader.count("consents", MEMBERS_MAX)? {
            let consent = ConsentId::read(reader)?;
            if consents.last_key_value().is_some_and(|(last, _)| *last >= consent) {
                return Err(DecodeError::Invalid { what: "consents", why: "not in their order" });
            }
            consents.insert(consent, ConsentFact::read(reader)?);
        }
        Ok(Self { hospitals, consents })
    }
}

impl ConsentFact {
    fn write(&self, writer: &mut Writer) {
        self.hospital.write(writer);
        self.patient_key.write(writer);
        self.scopes.write(writer);
        self.expires.write(writer);
        write_option(writer, self.withdrawn.as_ref(), |(transaction, at), writer| {
            transaction.write(writer);
            at.write(writer);
        });
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            hospital: OrganisationId::read(reader)?,
            patient_key: VerifyingKey::read(reader, "patient key")?,
            scopes: Scopes::read(reader)?,
            expires: Timestamp::read(reader, "expires")?,
            withdrawn: read_option(reader, "withdrawn", |reader| {
                Ok((TransactionId::read(reader)?, Timestamp::read(reader, "withdrawn at")?))
            })?,
        })
    }
}
