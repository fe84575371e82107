//! A patient's consent and its withdrawal, signed by the key of the patient's case.

use crate::encode::{DecodeError, Reader, Writer, domain};
use crate::id::{ConsentId, Digest, NetworkId, OrganisationId};
use crate::limits::CONSENT_MILLIS_MAX;
use crate::signature::{Statement, VerifyingKey};
use crate::time::Timestamp;

/// One thing a patient may allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The case may be found by hospitals with a similar one.
    BeFound,
    /// The hospital may pass on a request for contact.
    BeContacted,
    /// The patient may be offered groups.
    JoinGroups,
    /// The record may be shared after an introduction.
    ShareRecord,
}

impl Scope {
    /// Every scope, in the order of their bits.
    pub const ALL: [Self; 4] = [Self::BeFound, Self::BeContacted, Self::JoinGroups, Self::ShareRecord];

    const fn bit(self) -> u8 {
        match self {
            Self::BeFound => 1,
            Self::BeContacted => 2,
            Self::JoinGroups => 4,
            Self::ShareRecord => 8,
        }
    }
}

/// What a patient allows: at least one scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scopes(u8);

impl Scopes {
    /// Collects scopes.
    ///
    /// # Errors
    /// There is none.
    pub fn new(scopes: &[Scope]) -> Result<Self, ConsentError> {
        match scopes.iter().fold(0, |bits, scope| bits | scope.bit()) {
            0 => Err(ConsentError::NoScope),
            bits => Ok(Self(bits)),
        }
    }

    /// Whether the patient allows it.
    #[must_use]
    pub const fn allow(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Those that are allowed.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.allow(*scope))
    }

    /// Reads them from a layout.
    ///
    /// # Errors
    /// None, or one that this program does not know.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8("scopes")? {
            bits @ 1..=15 => Ok(Self(bits)),
            0 => Err(DecodeError::Invalid { what: "scopes", why: "there is none" }),
            _ => Err(DecodeError::Invalid { what: "scopes", why: "one is unknown" }),
        }
    }

    /// Writes them to a layout.
    pub fn write(self, writer: &mut Writer) {
        writer.u8(self.0);
    }
}

/// Why a consent or a withdrawal is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConsentError {
    /// Nothing is allowed.
    #[error("a consent allows at least one thing")]
    NoScope,
    /// It would never hold.
    #[error("a consent must expire after it begins")]
    NeverHolds,
    /// It would hold too long.
    #[error("a consent holds for five years at most")]
    TooLong,
    /// The withdrawal is of another consent.
    #[error("the withdrawal names another consent")]
    OtherConsent,
    /// The withdrawal is not by the key that speaks for the case.
    #[error("the withdrawal is not by the key that speaks for the case")]
    OtherKey,
    /// The withdrawal is older than the consent.
    #[error("the withdrawal's sequence number is not above the consent's")]
    Sequence,
}

/// What a consent says, before it is checked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConsentParts {
    /// The network.
    pub network: NetworkId,
    /// The hospital that may publish the case.
    pub hospital: OrganisationId,
    /// The key that speaks for the case, and signs.
    pub patient_key: VerifyingKey,
    /// Its random name.
    pub consent: ConsentId,
    /// Rises with each statement of this key.
    pub sequence: u32,
    /// The salted commitment to the case, see [`crate::case::case_commitment`].
    pub case: Digest,
    /// What is allowed.
    pub scopes: Scopes,
    /// From when on.
    pub not_before: Timestamp,
    /// Until when, exclusive.
    pub expires: Timestamp,
    /// BLAKE3 of the text that was shown to the patient, UTF-8.
    pub text: Digest,
}

/// A patient's consent, checked; reads like its [`ConsentParts`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Consent(ConsentParts);

impl Consent {
    /// Checks the times.
    ///
    /// # Errors
    /// It expires before it begins, or holds longer than five years.
    pub fn new(parts: ConsentParts) -> Result<Self, ConsentError> {
        if parts.expires <= parts.not_before {
            return Err(ConsentError::NeverHolds);
        }
        if parts.expires.distance(parts.not_before) > CONSENT_MILLIS_MAX {
            return Err(ConsentError::TooLong);
        }
        Ok(Self(parts))
    }
}

impl std::ops::Deref for Consent {
    type Target = ConsentParts;

    fn deref(&self) -> &ConsentParts {
        &self.0
    }
}

impl Statement for Consent {
    const DOMAIN: &'static str = domain::CONSENT;

    fn network(&self) -> NetworkId {
        self.network
    }

    fn write(&self, writer: &mut Writer) {
        self.hospital.write(writer);
        self.patient_key.write(writer);
        self.consent.write(writer);
        writer.u32(self.sequence);
        self.case.write(writer);
        self.scopes.write(writer);
        self.not_before.write(writer);
        self.expires.write(writer);
        self.text.write(writer);
    }

    fn read(network: NetworkId, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::new(ConsentParts {
            network,
            hospital: OrganisationId::read(reader)?,
            patient_key: VerifyingKey::read(reader, "patient key")?,
            consent: ConsentId::read(reader)?,
            sequence: reader.u32("sequence")?,
            case: Digest::read(reader)?,
            scopes: Scopes::read(reader)?,
            not_before: Timestamp::read(reader, "not before")?,
            expires: Timestamp::read(reader, "expires")?,
            text: Digest::read(reader)?,
        })
        .map_err(|_| DecodeError::Invalid { what: "expires", why: "not after the beginning, or over five years later" })
    }
}

/// A patient's withdrawal of a consent. Any member may submit it; the consent's id is dead from then on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Withdrawal {
    /// The network.
    pub network: NetworkId,
    /// What is withdrawn.
    pub consent: ConsentId,
    /// Above that of the consent.
    pub sequence: u32,
    /// The key that speaks for the case, and signs.
    pub patient_key: VerifyingKey,
    /// When it was signed, by the signer's clock.
    pub time: Timestamp,
}

impl Withdrawal {
    /// Checks that it withdraws this consent, whose case `speaker` speaks for at present (the consent's own key, or
    /// one that has taken its place).
    ///
    /// # Errors
    /// Another consent or key, or a sequence number that is not above the consent's.
    pub fn check(&self, consent: &Consent, speaker: &VerifyingKey) -> Result<(), ConsentError> {
        if self.network != consent.network || self.consent != consent.consent {
            return Err(ConsentError::OtherConsent);
        }
        if self.patient_key != *speaker {
            return Err(ConsentError::OtherKey);
        }
        if self.sequence <= consent.sequence {
            return Err(ConsentError::Sequence);
        }
        Ok(())
    }
}

impl Statement for Withdrawal {
    const DOMAIN: &'static str = domain::WITHDRAWAL;

    fn network(&self) -> NetworkId {
        self.network
    }

    fn write(&self, writer: &mut Writer) {
        self.consent.write(writer);
        writer.u32(self.sequence);
        self.patient_key.write(writer);
        self.time.write(writer);
    }

    fn read(network: NetworkId, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            network,
            consent: ConsentId::read(reader)?,
            sequence: reader.u32("sequence")?,
            patient_key: VerifyingKey::read(reader, "patient key")?,
            time: Timestamp::read(reader, "time")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::assert_strict;
    use crate::signature::SigningKey;

    const NETWORK: NetworkId = NetworkId::from_bytes([7; 16]);

    fn key(byte: u8) -> VerifyingKey {
        SigningKey::from_seed(&[byte; 32]).verifying_key()
    }

    fn parts() -> ConsentParts {
        ConsentParts {
            network: NETWORK,
            hospital: OrganisationId::new("north").unwrap(),
            patient_key: key(1),
            consent: ConsentId::from_bytes([3; 16]),
            sequence: 1,
            case: Digest::from_bytes([4; 32]),
            scopes: Scopes::new(&[Scope::BeFound, Scope::ShareRecord]).unwrap(),
            not_before: Timestamp::from_millis(1000),
            expires: Timestamp::from_millis(2000),
            text: Digest::of(b"text"),
        }
    }

    #[test]
    fn times_and_scopes_are_checked() {
        let until = |millis| Consent::new(ConsentParts { expires: Timestamp::from_millis(millis), ..parts() });
        assert_eq!(until(1000), Err(ConsentError::NeverHolds));
        assert_eq!(until(999), Err(ConsentError::NeverHolds));
        assert!(until(1000 + CONSENT_MILLIS_MAX).is_ok());
        assert_eq!(until(1001 + CONSENT_MILLIS_MAX), Err(ConsentError::TooLong));
        assert_eq!(Scopes::new(&[]), Err(ConsentError::NoScope));
        let scopes: Vec<_> = parts().scopes.iter().collect();
        assert_eq!(scopes, [Scope::BeFound, Scope::ShareRecord]);
    }

    #[test]
    fn a_withdrawal_fits_one_consent_and_key() {
        let consent = Consent::new(parts()).unwrap();
        let good = Withdrawal {
            network: NETWORK,
            consent: consent.consent,
            sequence: 2,
            patient_key: key(1),
            time: Timestamp::from_millis(1500),
        };
        assert_eq!(good.check(&consent, &key(1)), Ok(()));
        assert_eq!(good.check(&consent, &key(2)), Err(ConsentError::OtherKey));
        let other = Withdrawal { consent: ConsentId::from_bytes([9; 16]), ..good.clone() };
        assert_eq!(other.check(&consent, &key(1)), Err(ConsentError::OtherConsent));
        let old = Withdrawal { sequence: 1, ..good.clone() };
        assert_eq!(old.check(&consent, &key(1)), Err(ConsentError::Sequence));
        assert_strict(&good.encode(), |bytes| Withdrawal::decode(bytes, NETWORK), Statement::encode);
    }

    #[test]
    fn the_decoder_is_strict() {
        let consent = Consent::new(parts()).unwrap();
        assert_strict(&consent.encode(), |bytes| Consent::decode(bytes, NETWORK), Statement::encode);
    }
}
