//! Symptom groups: hospitals are told the topic, sealed; each finds its own patients by itself.

use semblance_core::channel::{ChannelKind, GroupOpening};
use semblance_core::consent::Scope;
use semblance_core::id::{ChannelId, IntroductionId};
use semblance_core::signature::Statement;
use semblance_core::term::TermId;
use semblance_hospital::{ConsentTerms, HospitalService, SizeBand};

use crate::denials::on_ledger;
use crate::world::{HEART, IDLE, NETWORK, SEIZURES, World};

fn terms(ids: &[&str]) -> Vec<TermId> {
    ids.iter().map(|id| id.parse().unwrap()).collect()
}

fn joining() -> ConsentTerms {
    ConsentTerms::new(&[Scope::BeFound, Scope::JoinGroups], 365, "x").unwrap()
}

async fn hospitals() -> (World, HospitalService, HospitalService) {
    let world = World::new().await;
    world.open_epoch(1).await;
    let (north, south) = (world.hospital("north"), world.hospital("south"));
    world.publish_under(&north, &[("n-1", &SEIZURES), ("n-2", &HEART)], joining()).await;
    world.publish_under(&south, &[("s-1", &SEIZURES), ("s-2", &SEIZURES[..4]), ("s-3", &HEART)], joining()).await;
    world.publish(&south, &[("s-4", &SEIZURES)]).await;
    (world, north, south)
}

fn cases(offers: &semblance_hospital::GroupOffers) -> Vec<&str> {
    offers.cases.iter().map(semblance_hospital::store::case::LocalCaseId::as_str).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_is_offered_to_those_who_share_half_of_it_and_wish_to_join() {
    let (_world, north, south) = hospitals().await;
    // Abnormality of the nervous system stands for every kind of it.
    let topic = terms(&["HP:0000707", "HP:0001249", "HP:0000729", "HP:0001631"]);
    let charter = north.open_group("dr-kim", &"n-1".parse().unwrap(), &topic).await.unwrap();
    assert_eq!((charter.kind, charter.hub.as_str(), charter.consents.len()), (ChannelKind::Group, "north", 0));
    let opening = GroupOpening::decode(charter.opening.bytes(), NETWORK).unwrap();
    assert_eq!((opening.hub.channel, opening.hub.consents.len()), (charter.channel, 1));
    assert!(north.hub_seed(charter.channel).await.unwrap().is_some());

    south.catch_up(IDLE).await.unwrap();
    let row = south.channels(0, 9).await.unwrap().remove(0);
    assert_eq!((row.kind, row.state, row.hub.as_str(), row.case), ("symptom-group", "open", "north", None));
    assert_eq!(row.topic.len(), 4);
    assert!(row.topic.iter().any(|symptom| symptom.label == "Intellectual disability"));
    // s-2 has one of the four alone, s-3 another, and s-4's patient does not wish to join groups.
    let offers = south.offers("dr-lee", charter.channel).await.unwrap();
    assert_eq!((cases(&offers), offers.band), (vec!["s-1"], SizeBand::UnderTen));
    let own = north.offers("dr-kim", charter.channel).await.unwrap();
    assert_eq!(cases(&own), ["n-1"]);
    assert_eq!(south.charter("dr-lee", charter.channel).await.unwrap().opening, charter.opening);

    south.withdraw("operator", &"s-1".parse().unwrap()).await.unwrap();
    assert!(south.offers("dr-lee", charter.channel).await.unwrap().cases.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_group_is_opened_without_consent_or_about_nothing() {
    let (world, north, south) = hospitals().await;
    let open = async |hospital: &HospitalService, case: &str, ids: &[&str]| {
        let opened = hospital.open_group("operator", &case.parse().unwrap(), &terms(ids)).await;
        opened.unwrap_err().code().to_owned()
    };
    assert_eq!(open(&north, "nobody", &SEIZURES).await, "unknown-case");
    assert_eq!(open(&north, "n-1", &SEIZURES[..1]).await, "invalid-topic");
    assert_eq!(open(&north, "n-1", &HEART).await, "invalid-topic");
    assert_eq!(open(&north, "n-1", &["HP:0001250", "HP:9999999"]).await, "unknown-term");
    assert_eq!(open(&north, "n-1", &["HP:0001250", "HP:0000118"]).await, "unknown-term");
    assert_eq!(open(&south, "s-4", &SEIZURES).await, "consent-scope");
    let stranger = ChannelId::from_bytes([1; 16]);
    assert_eq!(south.offers("dr-lee", stranger).await.unwrap_err().code(), "unknown-channel");
    assert_eq!(south.charter("dr-lee", stranger).await.unwrap_err().code(), "unknown-channel");
    let none = south.open_channel("dr-lee", IntroductionId::from_bytes([1; 16])).await.unwrap_err();
    assert_eq!(none.code(), "unknown-introduction");
    // All of it stands in the local audits, and none of it on the ledger.
    let audit = north.audit(0, 500).await.unwrap();
    assert_eq!(audit.iter().filter(|line| line.action == "open-group").count(), 5);
    north.send().await.unwrap();
    assert!(on_ledger(&world).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_group_is_about_stands_in_no_file_of_the_ledger() {
    let (world, north, _south) = hospitals().await;
    let topic = terms(&SEIZURES);
    north.open_group("dr-kim", &"n-1".parse().unwrap(), &topic).await.unwrap();
    let sorted: std::collections::BTreeSet<_> = topic.iter().collect();
    let plain: Vec<u8> = sorted.iter().take(2).flat_map(|term| term.number().to_be_bytes()).collect();
    for entry in std::fs::read_dir(world.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("ledger.db") {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(plain.len()).any(|window| window == plain), "{}", path.display());
        }
    }
}
