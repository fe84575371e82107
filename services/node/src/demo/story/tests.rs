use semblance_hospital::lookup::{FailedMatch, FoundCase};

use super::*;

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
        withdrawal: Some(withdrawal),
        asked_again: None,
        chain: Verified { ledger: "embedded".into(), blocks: 4, head: String::new(), intact: true },
        plaintext: Search { files: 3, bytes: 9, words: 2, found: Vec::new() },
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
fn a_demo_that_finds_nothing_says_how_to_find_something() {
    for lookups in [Vec::new(), vec![asked(Vec::new())]] {
        let story = Story { lookups, receipts: Vec::new(), withdrawal: None, ..good() };
        let error = story.holds().unwrap_err();
        assert!(error.to_string().starts_with("nothing similar was found"), "{error}");
        assert!(error.next_step().unwrap().contains("--patients 300"));
    }
}
