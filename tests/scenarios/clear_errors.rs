//! The table of what can be wrong with what people and programs send: each has its code and a text that says what to
//! do; nothing of it is recorded as if it had happened, and everything works afterwards.

use semblance_contract::wire::{Outcomes, SignedStatement, SignedStatements};
use semblance_core::id::OrganisationId;
use semblance_core::limits::{PROPOSAL_BYTES_MAX, PROPOSAL_SKEW_MILLIS};
use semblance_core::organisation::Role;
use semblance_core::record::Record;
use semblance_core::term::TermId;
use semblance_core::time::{Clock, Day, ManualClock, Timestamp};
use semblance_core::token::EpochNumber;
use semblance_core::vocabulary::{Resolution, TermError};
use semblance_hospital::Selection;
use semblance_hospital::import::{ImportObserver, RowOutcome, RowReport};
use semblance_ledger::identity::{Identity, IncomingProposal};
use semblance_ledger::{Call, LedgerError};
use semblance_matcher::SearchError;
use semblance_tests::case::TestCase;
use semblance_tests::network::{NETWORK, call};
use semblance_tests::world::{World, local};

use crate::by_hand::{again, ask, lookups_of_today};

async fn world() -> World {
    let world = World::of(2, 11).await;
    let symptoms: Vec<_> = world.disease(5).into_iter().take(8).collect();
    world.admit("north", &[("asker", symptoms.clone()), ("leaving", symptoms.clone())]).await;
    world.admit("south", &[("patient", symptoms)]).await;
    world.settle().await;
    world
}

/// After everything that went wrong: the honest look-up is answered, and the history is sound.
async fn still_works(world: &World) {
    let before = lookups_of_today(world).await.len();
    assert_eq!(world.look_up("north", "asker").await.unwrap().matches.len(), 1);
    assert_eq!(lookups_of_today(world).await.len(), before + 1);
    assert!(world.network.ledger.verify().await.unwrap().is_sound());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_matchers_refusals() {
    let world = world().await;
    world.look_up("north", "asker").await.unwrap();
    let (north, south) = (&world.network.member("north").signing, &world.network.member("south").signing);
    let used = lookups_of_today(&world).await[0].slot;
    let yesterday = Timestamp::from_millis(world.network.clock.now().millis() - Day::MILLIS);
    let matcher_two = OrganisationId::new("matcher-two").unwrap();
    let mut broken = again(&world, north, |_| {});
    broken.query.pop();
    let mut oversized = again(&world, north, |_| {});
    // The count of groups, after version, profile, epoch and breadth.
    oversized.query[17..21].copy_from_slice(&u32::MAX.to_be_bytes());
    let mut other_salt = again(&world, north, |_| {});
    other_salt.query_salt[0] ^= 1;
    let table = [
        ("bad-signature", again(&world, south, |_| {})),
        ("slot-used", again(&world, north, |request| request.slot = used)),
        (
            "backdated",
            again(&world, north, |request| {
                request.slot = semblance_core::lookup::LookupSlot::new(yesterday.day(), 1).unwrap();
            }),
        ),
        ("expired-request", again(&world, north, |request| request.expires = yesterday)),
        ("wrong-epoch", again(&world, north, |request| request.epoch = EpochNumber(9))),
        ("wrong-recipient", again(&world, north, |request| request.matcher = matcher_two)),
        ("too-few-terms", again(&world, north, |request| request.short = true)),
        ("index-behind", again(&world, north, |request| request.minimum_height = 1_000_000)),
        ("query-mismatch", other_salt),
        ("malformed", broken),
        ("oversized", oversized),
    ];
    for (code, search) in table {
        let error = ask(&world, "north", search).await.unwrap_err();
        assert_eq!(error.word(), code, "{error}");
        assert!(error.to_string().len() > 20 && !error.to_string().contains("HP:"), "{error}");
    }
    let theirs = again(&world, north, |_| {});
    assert!(matches!(ask(&world, "south", theirs).await, Err(SearchError::NotAuthorised { .. })));
    assert_eq!(lookups_of_today(&world).await.len(), 1, "nothing but the honest look-up is recorded");
    still_works(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hospitals_refusals() {
    let world = world().await;
    let symptoms = world.disease(5);
    world.import("north", &[("two-terms", symptoms[..2].to_vec())]).await;
    let north = world.hospital("north");
    for (code, case) in [("unknown-case", "patient"), ("too-few-terms", "two-terms")] {
        let error = world.look_up("north", case).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
    let few = north.register("admin", Selection::Cases(vec![local("two-terms")])).await.unwrap();
    assert_eq!(few.done, 1);
    let terms = semblance_hospital::ConsentTerms::usual().unwrap();
    north.consent("admin", Selection::Cases(vec![local("two-terms")]), terms).await.unwrap();
    let few = north.publish("admin", Selection::Cases(vec![local("two-terms")])).await.unwrap();
    assert_eq!(few.refused[0].code, "too-few-terms");

    north.withdraw("admin", &local("leaving")).await.unwrap();
    assert_eq!(world.look_up("north", "leaving").await.unwrap_err().code(), "withdrawn-consent");
    world.settle().await;
    still_works(&world).await;
    world.network.clock.advance(366 * Day::MILLIS);
    assert_eq!(world.look_up("north", "asker").await.unwrap_err().code(), "expired-consent");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imports_refusals() {
    let world = world().await;
    let symptom = world.disease(5)[0];
    let vocabulary = &world.vocabulary;
    let former = |wanted: fn(&Resolution) -> bool| {
        let of_symptom = |id: &TermId| !matches!(vocabulary.symptom(*id), Err(TermError::NoSymptom { .. }));
        vocabulary.former_ids().find(|id| of_symptom(id) && wanted(&vocabulary.resolve(*id))).unwrap()
    };
    let unknown = TermId::new(9_999_999).unwrap();
    let moved = former(|found| matches!(found, Resolution::Replaced { .. }));
    let retired = former(|found| matches!(found, Resolution::Obsolete { .. }));
    let cases = [("unknown", vec![symptom, unknown]), ("moved", vec![moved]), ("retired", vec![symptom, retired])];
    let lines = cases.iter().map(|(id, terms)| {
        let terms: Vec<String> = terms.iter().map(|term| format!("\"{term}\"")).collect();
        format!("{{\"case_id\":\"{id}\",\"observed\":[{}]}}\n", terms.join(","))
    });
    let file = world.folder_of("rows.jsonl");
    std::fs::write(&file, lines.collect::<String>()).unwrap();
    let rows = Rows::default();
    let observer = Box::new(rows.clone());
    world.hospital("north").import("admin", file, Default::default(), observer).await.unwrap();
    let rows = rows.0.lock().unwrap().clone();
    let RowOutcome::Refused { reason } = &rows[0].outcome else { panic!("{:?}", rows[0].outcome) };
    assert!(reason.contains("HP:9999999 is not in the vocabulary's HPO release"), "{reason}");
    for (row, repair) in [(1, "Replaced"), (2, "Retired")] {
        assert!(matches!(rows[row].outcome, RowOutcome::Imported));
        assert!(rows[row].repairs.iter().any(|found| format!("{found:?}").starts_with(repair)), "{:?}", rows[row]);
    }
    still_works(&world).await;
}

/// Collects the rows of an import.
#[derive(Clone, Default)]
struct Rows(std::sync::Arc<std::sync::Mutex<Vec<RowReport>>>);

impl ImportObserver for Rows {
    fn row(&mut self, row: &RowReport) {
        self.0.lock().unwrap().push(row.clone());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledgers_refusals() {
    let world = world().await;
    let network = &world.network;
    let (north, south) = (network.member("north"), network.member("south"));
    let submit = |clock: Timestamp, signer: &semblance_core::signature::SigningKey, size: usize| {
        let identity = Identity {
            network: NETWORK,
            organisation: north.id.clone(),
            role: Role::Node,
            certificate: [0; 32],
            key: signer.clone(),
        };
        let argument = vec![vec![0; size]];
        let call = Call { function: "expire".into(), arguments: argument, ..Call::default() };
        let signed = identity.propose(&call, &ManualClock::at(clock), network.random.as_ref())?;
        Ok(IncomingProposal::new(&signed, call.transient))
    };
    let now = network.clock.now();
    let earlier = Timestamp::from_millis(now.millis() - PROPOSAL_SKEW_MILLIS - 1);
    let refused = |proposal: Result<IncomingProposal, LedgerError>| async {
        match proposal {
            Ok(proposal) => network.ledger.submit(proposal, NETWORK).await.unwrap_err(),
            Err(error) => error,
        }
    };
    for time in [earlier, now.plus(PROPOSAL_SKEW_MILLIS + 1)] {
        let skew = refused(submit(time, &north.signing, 1)).await;
        assert!(
            matches!(skew, LedgerError::Skew { .. }) && skew.to_string().contains("set this machine's clock"),
            "{skew}"
        );
    }
    let forged = refused(submit(now, &south.signing, 1)).await;
    assert!(matches!(forged, LedgerError::Identity(_)), "{forged}");
    let large = refused(submit(now, &north.signing, PROPOSAL_BYTES_MAX + 1)).await;
    assert!(matches!(large, LedgerError::TooLarge { .. }), "{large}");
    let malformed = refused(submit(now, &north.signing, 3)).await;
    assert!(
        matches!(&malformed, LedgerError::Refused { code, .. } if code == "unsupported-version" || code == "invalid-argument"),
        "{malformed}"
    );

    // A consent that was given to another hospital.
    let theirs = TestCase::draw(network, &south.id);
    let consents: SignedStatements =
        semblance_contract::wire::List::new(vec![SignedStatement(theirs.signed_consent(network.clock.as_ref()))])
            .unwrap();
    let call = call("grant_consent", &consents, &[]);
    let (_, outcome) = network.submit::<Outcomes>(&north.id, call).await.unwrap();
    assert_eq!(outcome.items()[0].as_ref().unwrap_err().word(), "not-owner");
    assert!(consents.encode().len() > 100);
    still_works(&world).await;
}
