use semblance_hospital::lookup::{FailedMatch, FoundCase};

use super::*;
use crate::demo::talk::told::{Conversation, Offered, Person, Said, WentOn};

fn people(names: &[(&str, &'static str, &str)]) -> Vec<Person> {
    let person = |(name, role, hospital): &(&str, &'static str, &str)| Person {
        name: (*name).into(),
        role,
        hospital: (*hospital).into(),
    };
    names.iter().map(person).collect()
}

/// Each says something, and each reads it.
fn conversation(people: Vec<Person>) -> Conversation {
    let names: Vec<String> = people.iter().map(|person| person.name.clone()).collect();
    let said = names.iter().map(|by| Said { by: by.clone(), text: "hello".into(), read_by: names.clone() }).collect();
    Conversation { channel: "cc".into(), hub: "south".into(), people, said }
}

fn met() -> Met {
    let who = [("Dr A", "clinician", "north"), ("Dr B", "clinician", "south"), ("C", "patient", "south")];
    let (introduction, lookup) = ("ii".into(), "00".into());
    let conversation = conversation(people(&who));
    Met { introduction, lookup, asked: "north".into(), accepted: "south".into(), conversation }
}

fn group() -> Group {
    let who = [("A", "patient", "north"), ("C", "patient", "south"), ("E", "patient", "west")];
    let offers = who.map(|(_, _, hospital)| Offered { hospital: hospital.into(), size: "under-10" });
    let topic = vec!["Seizure".into(), "Scoliosis".into()];
    Group { topic, offers: offers.to_vec(), conversation: conversation(people(&who)) }
}

fn parting() -> Parting {
    let went_on = |who: &[(&str, &'static str, &str)]| {
        let Conversation { people, mut said, .. } = conversation(people(who));
        WentOn { kind: "group", epoch_before: 2, epoch: 3, people, said: said.remove(0) }
    };
    let went_on = vec![
        went_on(&[("Dr A", "clinician", "north")]),
        went_on(&[("A", "patient", "north"), ("E", "patient", "west")]),
    ];
    let (files_with_earlier, files_with_later) = (1, 0);
    Parting { who: "C".into(), also: vec!["Dr B".into()], seconds: 0.7, files_with_earlier, files_with_later, went_on }
}

fn overheard() -> Overheard {
    let search = Search { files: 9, bytes: 99, words: 12, found: Vec::new() };
    Overheard { search, hubs: 3, files_of_devices: 5 }
}

fn found() -> FoundCase {
    FoundCase {
        rank: 1,
        handle: "aa".into(),
        hospital: "south".into(),
        band: "high".into(),
        reached: 1,
        possible: 1,
        shared: Vec::new(),
        rarer: false,
    }
}

fn asked(matches: Vec<FoundCase>) -> Asked {
    let report = LookupReport {
        request: "00".into(),
        case: "a".into(),
        purpose: "diagnosis".into(),
        breadth: "close".into(),
        short: false,
        matcher: "matcher".into(),
        cases: 3,
        hospitals: 2,
        height: 1,
        transaction: "00".into(),
        block: 2,
        matches,
        failed: Vec::new(),
        own: Vec::new(),
    };
    Asked { hospital: "north".into(), disease: None, report }
}

fn good() -> Story {
    let receipt = OpenedReceipt {
        hospital: "south".into(),
        case: None,
        handle: "aa".into(),
        asker: "north".into(),
        purpose: "diagnosis".into(),
        rank: 1,
        request: "00".into(),
    };
    let withdrawal =
        Withdrawn { hospital: "south".into(), handle: "aa".into(), rank_before: 1, gone: true, purged: 1, block: 3 };
    Story {
        synthetic: true,
        source: None,
        resumed: false,
        data: PathBuf::new(),
        network: String::new(),
        vocabulary: String::new(),
        parties: Vec::new(),
        filled: Vec::new(),
        lookups: vec![asked(vec![found()])],
        receipts: vec![receipt],
        channel: Some(met()),
        group: Some(group()),
        withdrawal: Some(withdrawal),
        parting: Some(parting()),
        asked_again: None,
        chain: Verified { ledger: "embedded".into(), blocks: 4, head: String::new(), intact: true },
        plaintext: Search { files: 3, bytes: 9, words: 2, found: Vec::new() },
        overheard: Some(overheard()),
        seconds: Vec::new(),
    }
}

#[test]
fn every_broken_promise_fails_the_demo() {
    good().holds().unwrap();
    type Break = fn(&mut Story);
    let breaks: [(&str, Break); 8] = [
        ("chain", |story| story.chain.intact = false),
        ("was searched", |story| story.plaintext.files = 0),
        ("plaintext", |story| story.plaintext.found.push("ledger".into())),
        ("confirm", |story| story.lookups[0].report.failed.push(FailedMatch { rank: 1, code: "x".into() })),
        ("receipts", |story| story.receipts.clear()),
        ("no case was withdrawn", |story| story.withdrawal = None),
        ("still found", |story| story.withdrawal.as_mut().unwrap().gone = false),
        ("not purged", |story| story.withdrawal.as_mut().unwrap().purged = 0),
    ];
    for (why, change) in breaks {
        let mut story = good();
        change(&mut story);
        let error = story.holds().unwrap_err().to_string();
        assert!(error.starts_with("the demo does not hold") && error.contains(why), "{error}");
    }
}

#[test]
fn every_broken_promise_of_the_channels_fails_the_demo() {
    type Break = fn(&mut Story);
    let breaks: [(&str, Break); 15] = [
        ("of a match", |story| story.channel = None),
        ("of a match", |story| story.channel.as_mut().unwrap().conversation.said.truncate(2)),
        ("of a match", |story| story.channel.as_mut().unwrap().conversation.said[0].read_by.truncate(2)),
        ("of a match", |story| story.channel.as_mut().unwrap().conversation.people[2].role = "clinician"),
        ("three hospitals", |story| story.group = None),
        ("three hospitals", |story| story.group.as_mut().unwrap().conversation.people[2].hospital = "south".into()),
        ("three hospitals", |story| story.group.as_mut().unwrap().conversation.said[2].read_by.clear()),
        ("nobody withdrew", |story| story.parting = None),
        ("only 5.2 s", |story| story.parting.as_mut().unwrap().seconds = 5.2),
        ("a message reached", |story| story.parting.as_mut().unwrap().files_with_later = 1),
        ("read before", |story| story.parting.as_mut().unwrap().files_with_earlier = 0),
        ("new keys", |story| story.parting.as_mut().unwrap().went_on[1].epoch = 2),
        ("new keys", |story| story.parting.as_mut().unwrap().went_on[1].said.read_by.truncate(1)),
        ("who said it", |story| story.overheard.as_mut().unwrap().search.found.push("channels.sqlite".into())),
        ("were not searched", |story| story.overheard.as_mut().unwrap().files_of_devices = 0),
    ];
    for (why, change) in breaks {
        let mut story = good();
        change(&mut story);
        let error = story.holds().unwrap_err().to_string();
        assert!(error.starts_with("the demo does not hold") && error.contains(why), "{error}");
    }
}

#[test]
fn the_channels_are_told_in_words() {
    let text = good().text();
    for told in [
        "north asked for an introduction on its look-up 00…, south accepted",
        "C (patient of south): “hello” [read by 3 of 3]",
        "a symptom group about Seizure and Scoliosis",
        "under-10 of west",
        "0.7 s after that stood on the ledger C was cut off, and Dr B with her (at most 5 s)",
        "epoch 2 became 3",
        "nothing said and nobody's name",
    ] {
        assert!(text.contains(told), "{told} is not in: {text}");
    }
}

#[test]
fn a_demo_that_finds_nothing_says_how_to_find_something() {
    for lookups in [Vec::new(), vec![asked(Vec::new())]] {
        let story = Story { lookups, receipts: Vec::new(), withdrawal: None, ..good() };
        let error = story.holds().unwrap_err();
        assert!(error.to_string().starts_with("nothing similar was found"), "{error}");
        assert!(error.next_step().unwrap().contains("--patients 300"));
    }
}
