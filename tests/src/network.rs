//! A network on an embedded ledger: members whose keys follow from their names, an open epoch, a clock to move.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use semblance_contract::SemblanceContract;
use semblance_contract::wire::{Empty, EpochArgument, List, OpenEpoch};
use semblance_core::epoch::{Profile, SealedEpochKey, VocabularyRelease};
use semblance_core::id::{Digest, NetworkId, OrganisationId};
use semblance_core::organisation::{
    Genesis, Network, Organisation, OrganisationKind, Role, SealingKey, Separation, TlsRoot,
};
use semblance_core::random::{RandomSource, SeededSource};
use semblance_core::record::Record;
use semblance_core::sealing::{SealingKeyId, SealingSecret};
use semblance_core::signature::SigningKey;
use semblance_core::time::{ManualClock, Timestamp};
use semblance_core::token::EpochNumber;
use semblance_core::vocabulary::Vocabulary;
use semblance_keys::EpochKey;
use semblance_ledger::embedded::{EmbeddedLedger, OpenError};
use semblance_ledger::identity::Identity;
use semblance_ledger::{Call, Committed, Ledger, LedgerError};

use crate::door::Certificates;

/// Every network's id.
pub const NETWORK: NetworkId = NetworkId::from_bytes([0x5e; 16]);
/// When every network begins: Monday 2026-01-05, ten in the morning, UTC.
pub const START: Timestamp = Timestamp::from_millis(1_767_607_200_000);
/// The epoch that is open.
pub const EPOCH: EpochNumber = EpochNumber(1);

/// An organisation and its secrets.
#[derive(Clone)]
pub struct Member {
    /// Its name.
    pub id: OrganisationId,
    /// What it is.
    pub kind: OrganisationKind,
    /// What it signs with.
    pub signing: SigningKey,
    /// What is sealed to it.
    pub sealing: SealingSecret,
    /// Its root and its node's certificate.
    pub tls: Arc<Certificates>,
}

impl Member {
    /// Makes one whose keys follow from its name; its certificates are new each time.
    #[must_use]
    pub fn new(name: &str, kind: OrganisationKind) -> Self {
        let secret = |purpose: &str| *Digest::of(format!("{purpose} of {name}").as_bytes()).as_bytes();
        let id = OrganisationId::new(name).unwrap();
        Self {
            tls: Arc::new(Certificates::issue(&id)),
            id,
            kind,
            signing: SigningKey::from_seed(&secret("signing key")),
            sealing: SealingSecret::from_bytes(secret("sealing key")).unwrap(),
        }
    }

    /// What the ledger says of it.
    #[must_use]
    pub fn organisation(&self) -> Organisation {
        Organisation {
            id: self.id.clone(),
            kind: self.kind,
            verifying_key: self.signing.verifying_key(),
            sealing_key: SealingKey { id: SealingKeyId(1), public: *self.sealing.public() },
            tls_root: TlsRoot::new(self.tls.root.clone()).unwrap(),
            rotations: 0,
        }
    }
}

/// Names of as many hospitals as asked for.
const HOSPITALS: [&str; 6] = ["north", "south", "east", "west", "hill", "harbour"];
/// Names of as many matchers as asked for.
const MATCHERS: [&str; 3] = ["matcher", "matcher-two", "matcher-three"];

/// The members of a network of so many hospitals and matchers, hospitals first.
#[must_use]
pub fn members(hospitals: usize, matchers: usize) -> Vec<Member> {
    let hospitals = HOSPITALS[..hospitals].iter().map(|name| Member::new(name, OrganisationKind::Hospital));
    let matchers = MATCHERS[..matchers].iter().map(|name| Member::new(name, OrganisationKind::Matcher));
    hospitals.chain(matchers).collect()
}

/// A ledger with its members.
pub struct TestNetwork {
    /// The ledger.
    pub ledger: EmbeddedLedger,
    /// Everyone's clock.
    pub clock: Arc<ManualClock>,
    /// Everyone's randomness.
    pub random: Arc<SeededSource>,
    /// Hospitals first, then matchers.
    pub members: Vec<Member>,
}

impl TestNetwork {
    /// Opens the file of a network, or a new one that has no block yet.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(path: &Path, members: Vec<Member>, now: Timestamp, seed: u64) -> Result<Self, OpenError> {
        let clock = Arc::new(ManualClock::at(now));
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        let random = Arc::new(SeededSource::new(bytes));
        let contract = Arc::new(SemblanceContract);
        let ledger = EmbeddedLedger::open(path, clock.clone(), random.clone(), contract)?;
        Ok(Self { ledger, clock, random, members })
    }

    /// Makes a network in a new file: its genesis and its first epoch.
    pub async fn found(path: &Path, hospitals: usize, matchers: usize, seed: u64) -> Self {
        let network = Self::open(path, members(hospitals, matchers), START, seed).unwrap();
        let all: Vec<OrganisationId> = network.members.iter().map(|member| member.id.clone()).collect();
        let organisations = network.members.iter().map(Member::organisation).collect();
        let named = Network::new(NETWORK, "test", Separation::Separated).unwrap();
        let genesis = Genesis::new(named, organisations).unwrap();
        let admin = network.handle(&all[0], Role::Admin);
        let (_, Empty) = submit(admin.as_ref(), call("genesis", &genesis, &all)).await.unwrap();
        network.open_epoch(EPOCH).await;
        network
    }

    /// Opens an epoch with a fresh key, sealed to every hospital by the first.
    pub async fn open_epoch(&self, number: EpochNumber) {
        let key = EpochKey::random(self.random.as_ref());
        let vocabulary = Vocabulary::built_in();
        let keys = self.hospitals().map(|member| {
            let randomness = (self.random.as_ref() as &dyn RandomSource).array();
            let to = SealingKey { id: SealingKeyId(1), public: *member.sealing.public() };
            SealedEpochKey::seal(NETWORK, number, &member.id, &to, key.expose(), &randomness).unwrap()
        });
        let argument = OpenEpoch {
            number,
            vocabulary: VocabularyRelease::new(vocabulary.release(), vocabulary.digest()).unwrap(),
            profile: Profile::Terms8,
            key_check: key.check_value(number),
            keys: List::new(keys.collect()).unwrap(),
        };
        let opener = &self.members[0].id;
        let admin = self.handle(opener, Role::Admin);
        let (_, Empty) = submit(admin.as_ref(), call("open_epoch", &argument, &[])).await.unwrap();
    }

    /// Closes an epoch, as the first hospital's administrator.
    pub async fn close_epoch(&self, number: EpochNumber) {
        let closer = &self.members[0].id;
        let admin = self.handle(closer, Role::Admin);
        let close = call("close_epoch", &EpochArgument(number), &[]);
        let (_, Empty) = submit(admin.as_ref(), close).await.unwrap();
    }

    /// The hospitals.
    pub fn hospitals(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.kind == OrganisationKind::Hospital)
    }

    /// The first matcher.
    #[must_use]
    pub fn matcher(&self) -> &Member {
        self.members.iter().find(|member| member.kind == OrganisationKind::Matcher).unwrap()
    }

    /// A member by name.
    #[must_use]
    pub fn member(&self, name: &str) -> &Member {
        self.members.iter().find(|member| member.id.as_str() == name).unwrap()
    }

    /// The ledger as a member sees it.
    #[must_use]
    pub fn handle(&self, organisation: &OrganisationId, role: Role) -> Arc<dyn Ledger> {
        let member = self.members.iter().find(|member| member.id == *organisation).unwrap();
        let certificate = *Digest::of(organisation.as_str().as_bytes()).as_bytes();
        let (organisation, key) = (organisation.clone(), member.signing.clone());
        self.ledger.handle(Identity { network: NETWORK, organisation, role, certificate, key })
    }

    /// Submits a transaction as a member's node.
    ///
    /// # Errors
    /// The ledger or the contract refuses.
    pub async fn submit<R: Record>(&self, by: &OrganisationId, call: Call) -> Result<(Committed, R), LedgerError> {
        submit(self.handle(by, Role::Node).as_ref(), call).await
    }

    /// Asks the ledger as a member's node.
    ///
    /// # Errors
    /// The ledger or the contract refuses.
    pub async fn query<R: Record>(
        &self,
        by: &OrganisationId,
        function: &str,
        argument: &impl Record,
    ) -> Result<R, LedgerError> {
        let answer = self.handle(by, Role::Node).evaluate(call(function, argument, std::slice::from_ref(by))).await?;
        Ok(R::decode(&answer).unwrap())
    }
}

/// A call without private input; the ledger chooses who endorses where none is named.
#[must_use]
pub fn call(function: &str, argument: &impl Record, endorsers: &[OrganisationId]) -> Call {
    Call {
        function: function.to_owned(),
        arguments: vec![argument.encode()],
        transient: BTreeMap::new(),
        endorsers: endorsers.to_vec(),
    }
}

async fn submit<R: Record>(ledger: &dyn Ledger, call: Call) -> Result<(Committed, R), LedgerError> {
    let committed = ledger.submit(call).await?;
    let response = R::decode(&committed.response).unwrap();
    Ok((committed, response))
}
