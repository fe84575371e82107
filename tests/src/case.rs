//! Cases as a hospital brings them to the ledger, without a hospital: for tests of the ledger itself.

use std::collections::BTreeMap;

use semblance_contract::wire::{
    Fingerprints, Handle, Handles, List, Opaque, Outcomes, PatientKeys, PublishCases, PublishItem, SignedStatement,
    SignedStatements, TRANSIENT_FINGERPRINTS, Withdrawn,
};
use semblance_core::case::case_commitment;
use semblance_core::consent::{Consent, ConsentParts, Scope, Scopes, Withdrawal};
use semblance_core::fingerprint::{Fingerprint, PrivateValue};
use semblance_core::id::{CaseHandle, ConsentId, Digest, OrganisationId};
use semblance_core::patient_key::{KeyOrigin, PatientKeyEntry, PatientKeyRegistration};
use semblance_core::random::RandomSource;
use semblance_core::record::Record;
use semblance_core::signature::{SignedBytes, SigningKey, Statement};
use semblance_core::time::{Clock, Day};
use semblance_core::token::Token;
use semblance_ledger::LedgerError;

use crate::network::{EPOCH, NETWORK, TestNetwork, call};

/// So many milliseconds every consent holds.
pub const CONSENT_MILLIS: u64 = 365 * Day::MILLIS;

/// A case with everything that publishing it takes.
pub struct TestCase {
    /// Whose it is.
    pub hospital: OrganisationId,
    /// The patient's key.
    pub key: SigningKey,
    /// The consent.
    pub consent: ConsentId,
    /// The salted commitment to the local case.
    pub commitment: Digest,
    /// Its public name.
    pub handle: CaseHandle,
    /// Its private value.
    pub value: PrivateValue,
}

impl TestCase {
    /// Draws a case with these tokens.
    #[must_use]
    pub fn of(network: &TestNetwork, hospital: &OrganisationId, tokens: Vec<Token>) -> Self {
        let random: &dyn RandomSource = network.random.as_ref();
        let handle = CaseHandle::random(random);
        Self {
            hospital: hospital.clone(),
            key: SigningKey::random(random),
            consent: ConsentId::random(random),
            commitment: case_commitment(&random.array(), NETWORK, hospital, &handle.to_string()),
            handle,
            value: PrivateValue::new(Fingerprint::new(tokens).unwrap(), random),
        }
    }

    /// Draws a case with eight tokens of a few thousand.
    #[must_use]
    pub fn draw(network: &TestNetwork, hospital: &OrganisationId) -> Self {
        let mut tokens = std::collections::BTreeSet::new();
        while tokens.len() < 8 {
            let [high, low] = (network.random.as_ref() as &dyn RandomSource).array::<2>();
            tokens.insert(Token(u64::from(high) << 4 | u64::from(low & 15)));
        }
        Self::of(network, hospital, tokens.into_iter().collect())
    }

    fn key_entry(&self, hospital: &SigningKey) -> PatientKeyEntry {
        let registration = PatientKeyRegistration {
            network: NETWORK,
            hospital: self.hospital.clone(),
            key: self.key.verifying_key(),
            case: self.commitment,
            origin: KeyOrigin::Hospital,
            previous: None,
        };
        PatientKeyEntry::sign(registration, hospital, None)
    }

    /// The patient's consent, signed.
    #[must_use]
    pub fn signed_consent(&self, clock: &dyn Clock) -> SignedBytes {
        let consent = Consent::new(ConsentParts {
            network: NETWORK,
            hospital: self.hospital.clone(),
            patient_key: self.key.verifying_key(),
            consent: self.consent,
            sequence: 1,
            case: self.commitment,
            scopes: Scopes::new(&[Scope::BeFound]).unwrap(),
            not_before: clock.now(),
            expires: clock.now().plus(CONSENT_MILLIS),
            text: Digest::of(b"text"),
        });
        consent.unwrap().sign(&self.key).into_parts().1
    }

    /// The patient's withdrawal, signed.
    #[must_use]
    pub fn signed_withdrawal(&self, clock: &dyn Clock) -> SignedBytes {
        let withdrawal = Withdrawal {
            network: NETWORK,
            consent: self.consent,
            sequence: 2,
            patient_key: self.key.verifying_key(),
            time: clock.now(),
        };
        withdrawal.sign(&self.key).into_parts().1
    }

    /// What `publish_cases` takes of it.
    #[must_use]
    pub fn item(&self) -> PublishItem {
        PublishItem {
            handle: self.handle,
            consent: self.consent,
            epoch: EPOCH,
            private_hash: *self.value.sha256().as_bytes(),
            replaces: None,
        }
    }
}

impl TestNetwork {
    /// Registers the keys and brings the consents of at most a hundred cases of one hospital.
    ///
    /// # Errors
    /// The ledger refuses.
    pub async fn consent(&self, cases: &[TestCase]) -> Result<(), LedgerError> {
        let hospital = &cases[0].hospital;
        let signing = &self.member(hospital.as_str()).signing;
        let keys: PatientKeys = List::new(cases.iter().map(|case| case.key_entry(signing)).collect()).unwrap();
        let (_, done) = self.submit::<Outcomes>(hospital, call("register_patient_key", &keys, &[])).await?;
        assert!(done.all_succeeded());
        let consents = cases.iter().map(|case| SignedStatement(case.signed_consent(self.clock.as_ref())));
        let consents: SignedStatements = List::new(consents.collect()).unwrap();
        let (_, done) = self.submit::<Outcomes>(hospital, call("grant_consent", &consents, &[])).await?;
        assert!(done.all_succeeded());
        Ok(())
    }

    /// Publishes at most a hundred cases of one hospital, in one transaction. Returns its block.
    ///
    /// # Errors
    /// The ledger refuses.
    pub async fn publish(&self, cases: &[TestCase]) -> Result<u64, LedgerError> {
        let hospital = &cases[0].hospital;
        let matcher = self.matcher().id.clone();
        let values: Fingerprints = List::new(cases.iter().map(|case| Opaque(case.value.encode())).collect()).unwrap();
        let items = List::new(cases.iter().map(TestCase::item).collect()).unwrap();
        let argument = PublishCases { matcher: matcher.clone(), items };
        let mut call = call("publish_cases", &argument, &[hospital.clone(), matcher]);
        call.transient = BTreeMap::from([(TRANSIENT_FINGERPRINTS.to_owned(), values.encode())]);
        let (committed, done) = self.submit::<Outcomes>(hospital, call).await?;
        assert!(done.all_succeeded(), "{done:?}");
        Ok(committed.block)
    }

    /// Consents to and publishes so many drawn cases of a hospital, a hundred at a time.
    pub async fn fill(&self, hospital: &OrganisationId, count: usize) -> Vec<TestCase> {
        let cases: Vec<TestCase> = (0..count).map(|_| TestCase::draw(self, hospital)).collect();
        for chunk in cases.chunks(100) {
            self.consent(chunk).await.unwrap();
            self.publish(chunk).await.unwrap();
        }
        cases
    }

    /// Withdraws a case's consent; any member may submit it.
    ///
    /// # Errors
    /// The ledger refuses.
    pub async fn withdraw(&self, by: &OrganisationId, case: &TestCase) -> Result<u64, LedgerError> {
        let withdrawal = SignedStatement(case.signed_withdrawal(self.clock.as_ref()));
        let call = call("withdraw_consent", &withdrawal, &[]);
        Ok(self.submit::<Withdrawn>(by, call).await?.0.block)
    }

    /// Purges a withdrawn case's private data.
    ///
    /// # Errors
    /// The ledger refuses.
    pub async fn purge(&self, case: &TestCase) -> Result<(), LedgerError> {
        let handles: Handles = List::new(vec![Handle(case.handle)]).unwrap();
        let endorsers = [case.hospital.clone(), self.matcher().id.clone()];
        let (_, done) = self.submit::<Outcomes>(&case.hospital, call("purge_case", &handles, &endorsers)).await?;
        assert!(done.all_succeeded(), "{done:?}");
        Ok(())
    }
}
