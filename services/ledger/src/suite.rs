//! The tests that every ledger passes: what Fabric means by a transaction, told as small stories.
//!
//! A ledger under test says how to start a network ([`Factory`]) and what can be done to it ([`LedgerUnderTest`]);
//! `ledger_suite!` makes one test of each story. What cannot be done to a ledger, such as letting a peer lie, its methods
//! say with a reason ([`Skipped`]); a story that needs it, or the rest of one, is then told to have been skipped.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use semblance_contract::Contract;
use semblance_core::id::{NetworkId, OrganisationId};
use semblance_core::organisation::{Organisation, OrganisationKind, Role, SealingKey, TlsRoot};
use semblance_core::sealing::{SealingKeyId, SealingSecret};
use semblance_core::signature::SigningKey;
use semblance_core::time::Timestamp;

use crate::embedded::verify::Report;
use crate::identity::{Identity, IncomingProposal};
use crate::{Call, Committed, Ledger, LedgerError};

pub mod clinic;
pub mod contract;
pub mod engine;
pub mod events;
pub mod introductions;
pub mod keeping;
pub mod lookups;
pub mod members;
pub mod official;
pub mod private;
pub mod rules;
pub mod scratch;

/// The network of all tests.
pub const NETWORK: NetworkId = NetworkId::from_bytes([9; 16]);
/// When all tests begin.
pub const START: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// An organisation of a test network, with all its secrets.
#[derive(Clone)]
pub struct Party {
    /// Its name.
    pub id: OrganisationId,
    /// What it does.
    pub kind: OrganisationKind,
    /// Its node's key.
    pub key: SigningKey,
    /// Its sealing key's secret half.
    pub sealing: [u8; 32],
    /// What its certificates verify against (DER); a factory that makes certificates puts its own here.
    pub tls_root: Vec<u8>,
    /// SHA-256 of its node's certificate; likewise.
    pub certificate: [u8; 32],
}

impl Party {
    /// `hospital-1`, `hospital-2`, …, then `matcher-1`, …; always the same keys.
    #[must_use]
    pub fn all(hospitals: u8, matchers: u8) -> Vec<Self> {
        let hospitals = (1..=hospitals).map(|number| Self::new(OrganisationKind::Hospital, number));
        hospitals.chain((1..=matchers).map(|number| Self::new(OrganisationKind::Matcher, number))).collect()
    }

    fn new(kind: OrganisationKind, number: u8) -> Self {
        let seed = match kind {
            OrganisationKind::Hospital => number,
            OrganisationKind::Matcher => 100 + number,
        };
        Self {
            id: organisation(&format!("{kind}-{number}")),
            kind,
            key: SigningKey::from_seed(&[seed; 32]),
            sealing: [seed; 32],
            tls_root: vec![seed],
            certificate: [seed; 32],
        }
    }

    /// Its record, as genesis takes it.
    #[must_use]
    pub fn record(&self) -> Organisation {
        let sealing = SealingSecret::from_bytes(self.sealing).expect("a valid secret");
        Organisation {
            id: self.id.clone(),
            kind: self.kind,
            verifying_key: self.key.verifying_key(),
            sealing_key: SealingKey { id: SealingKeyId(1), public: *sealing.public() },
            tls_root: TlsRoot::new(self.tls_root.clone()).expect("a root of a fair size"),
            rotations: 0,
        }
    }

    /// How it speaks to the ledger.
    #[must_use]
    pub fn identity(&self, role: Role) -> Identity {
        Identity {
            network: NETWORK,
            organisation: self.id.clone(),
            role,
            certificate: self.certificate,
            key: self.key.clone(),
        }
    }
}

/// Starts networks.
#[async_trait]
pub trait Factory: Send + Sync {
    /// A new ledger that runs this contract, before genesis. Parties may be given certificates.
    async fn start(&self, contract: Arc<dyn Contract>, parties: &mut [Party]) -> Box<dyn LedgerUnderTest>;
}

/// A ledger, and what can be done to it.
#[async_trait]
pub trait LedgerUnderTest: Send + Sync {
    /// The ledger as an identity of one of the parties sees it.
    fn handle(&self, identity: Identity) -> Arc<dyn Ledger>;

    /// Runs the first transaction.
    async fn genesis(&self, identity: Identity, call: Call) -> Result<Committed, LedgerError>;

    /// The ledger as an administrator sees it, who may sit at the ledger's own machine.
    fn administrator(&self, identity: Identity) -> Arc<dyn Ledger>;

    /// The present moment by the clock of the ledger and of the handles.
    fn now(&self) -> Timestamp;

    /// Sets that clock forward.
    fn advance(&self, _millis: u64) -> Told {
        Err(Skipped("the clock of this ledger cannot be set"))
    }

    /// Sends a signed proposal over the connection of a party.
    async fn send(&self, _through: &Party, _proposal: IncomingProposal) -> Result<Sent, Skipped> {
        Err(Skipped("this ledger takes no proposals that others signed"))
    }

    /// Lets an organisation's peer run another contract, or again the common one.
    fn alter(&self, _organisation: &OrganisationId, _contract: Option<Arc<dyn Contract>>) -> Told {
        Err(Skipped("the peers of this ledger cannot be made to lie"))
    }

    /// Takes an organisation's peer down or up.
    async fn set_down(&self, _organisation: &OrganisationId, _down: bool) -> Told {
        Err(Skipped("the peers of this ledger cannot be taken down"))
    }

    /// Stops the ledger and starts it again from its files.
    async fn restart(&mut self) -> Told {
        Err(Skipped("this ledger cannot be restarted"))
    }

    /// Whether proposals are signed by the members' keys of the contract's records, so that a rotation changes who speaks.
    fn takes_members_signatures(&self) -> Told {
        Ok(())
    }

    /// Verifies the whole history.
    async fn verify(&self) -> Result<Report, Skipped> {
        Err(Skipped("the history of this ledger cannot be verified from here"))
    }
}

/// What came of a proposal.
pub type Sent = Result<Committed, LedgerError>;
/// How a story ends that does not fail.
pub type Told = Result<(), Skipped>;

/// Why a story, or what was left of it, was not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped(pub &'static str);

impl Skipped {
    /// Says so past the test runner, which shows nothing of tests that pass.
    pub fn announce(self, story: &str) {
        use std::io::Write;
        let _ = writeln!(std::io::stderr().lock(), "SKIPPED story {story}: {}", self.0);
    }
}

/// A network that runs, and its parties.
pub struct Network {
    /// The ledger.
    pub ledger: Box<dyn LedgerUnderTest>,
    /// Its organisations, hospitals first.
    pub parties: Vec<Party>,
    /// The block of its genesis: on a ledger that has a life before the contract, not the first.
    pub founded: u64,
}

impl Network {
    /// Starts a network with the scratch contract and runs its genesis.
    pub async fn scratch(factory: &dyn Factory, hospitals: u8, matchers: u8) -> Self {
        let mut parties = Party::all(hospitals, matchers);
        let ledger = factory.start(Arc::new(scratch::ScratchContract), &mut parties).await;
        let genesis = scratch::genesis(&parties);
        Self::found(ledger, parties, genesis).await
    }

    async fn found(ledger: Box<dyn LedgerUnderTest>, parties: Vec<Party>, genesis: Call) -> Self {
        let founder = parties[0].identity(Role::Admin);
        let founded = ledger.genesis(founder, genesis).await.expect("genesis is valid").block;
        Self { ledger, parties, founded }
    }

    /// A party by name.
    #[must_use]
    pub fn party(&self, name: &str) -> &Party {
        self.parties.iter().find(|party| party.id.as_str() == name).expect("a party of this name")
    }

    /// The ledger as a party's node sees it.
    #[must_use]
    pub fn node(&self, name: &str) -> Arc<dyn Ledger> {
        self.ledger.handle(self.party(name).identity(Role::Node))
    }

    /// Restarts the ledger where that can be done; elsewhere the story goes on without.
    pub async fn restart_if_possible(&mut self) {
        if let Err(skipped) = self.ledger.restart().await {
            skipped.announce("that a restart changes nothing");
        }
    }

    /// Checks at the end of a story that the whole history is sound.
    pub async fn assert_sound(&self) {
        match self.ledger.verify().await {
            Ok(report) => assert!(report.is_sound(), "{:?}", report.findings),
            Err(skipped) => skipped.announce("that the history is sound"),
        }
    }
}

/// A name that is known to be one.
#[must_use]
pub fn organisation(name: &str) -> OrganisationId {
    OrganisationId::new(name).expect("an organisation's name")
}

/// A story by its name.
pub type Story = (&'static str, for<'a> fn(&'a dyn Factory) -> BoxFuture<'a, Told>);

/// Hands the list of all stories to another macro.
#[doc(hidden)]
#[macro_export]
macro_rules! with_stories {
    ($then:ident, $($with:tt)*) => {
        $crate::$then! { @stories ($($with)*),
            engine: reads_do_not_see_own_writes, nothing_of_a_refused_call_takes_effect, queries_write_nothing,
                concurrent_writers_of_one_key_never_lose_a_write, a_range_that_changed_invalidates,
                what_was_acknowledged_survives_a_restart, concurrent_calls_are_all_durable;
            events: followers_see_every_block_once, a_follower_resumes_anywhere, a_slow_follower_holds_nobody_up,
                there_is_one_event, block_time_never_goes_back, followers_survive_a_restart;
            members: a_replayed_proposal_is_refused, a_backdated_proposal_is_refused, an_oversized_call_is_refused,
                another_signature_is_refused, a_stranger_is_refused, changed_private_input_is_refused,
                another_network_is_refused, a_rotated_key_no_longer_signs, a_second_genesis_is_refused;
            private: private_data_are_for_members_alone, purged_data_are_gone, only_the_hash_is_public;
            contract: genesis_makes_the_members, concurrent_publications_are_all_durable, withdrawal_needs_no_matcher,
                a_withdrawal_beats_a_publication_at_the_same_moment,
                a_withdrawal_through_all_members_at_once_succeeds, two_others_cannot_forge_a_members_key;
            lookups: a_slot_is_taken_once_across_matchers, a_request_is_recorded_once, a_look_up_is_two_sided,
                an_expired_request_is_refused, denials_are_recorded_once_and_by_their_own;
            keeping: a_case_expires_with_its_consent, a_correction_takes_the_live_ones_place,
                epochs_follow_one_another, a_rotated_member_speaks_with_its_new_key;
            introductions: two_hospitals_agree_before_a_channel_opens, a_number_is_used_once_at_the_same_moment,
                an_introduction_gets_one_channel, a_channel_moves_with_both_sides_alone,
                a_group_reaches_every_hospital;
            rules: two_altered_peers_cannot_write_an_owners_key, peers_must_agree, strangers_cannot_endorse,
                a_collection_needs_its_hospital_and_a_matcher, a_missing_matcher_stops_private_writes_alone,
                a_policy_cannot_loosen_itself, any_two_endorse_and_never_one, a_peer_that_is_down_is_not_chosen,
                private_input_wants_named_endorsers;
        }
    };
}

/// Makes a test of each story: `ledger_suite!(factory expression)`.
#[macro_export]
macro_rules! ledger_suite {
    (@stories ($factory:expr), $($module:ident: $($story:ident),*;)*) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                if let Err(skipped) = $crate::suite::$module::$story(&$factory).await {
                    skipped.announce(stringify!($story));
                }
            }
        )*)*
    };
    ($factory:expr) => {
        $crate::with_stories!(ledger_suite, $factory);
    };
}

/// Makes a list of all stories.
#[doc(hidden)]
#[macro_export]
macro_rules! list_of_stories {
    (@stories (), $($module:ident: $($story:ident),*;)*) => {
        vec![$($((stringify!($story), |factory| Box::pin($crate::suite::$module::$story(factory)))),*),*]
    };
}

/// All stories, for ledgers whose tests are run in another way than one by one.
#[must_use]
pub fn stories() -> Vec<Story> {
    crate::with_stories!(list_of_stories,)
}
