//! A process killed in the middle of writing leaves the last commit, whole.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use semblance_core::id::CaseHandle;
use semblance_core::time::Timestamp;
use semblance_core::token::Token;
use semblance_index::oracle::Oracle;
use semblance_index::{Block, Change, IndexError, IndexedCase, Merging, Position, Writer};

const FOLDER: &str = "SEMBLANCE_INDEX_CRASH_FOLDER";
const CASES: u32 = 50;

/// The n-th block of a ledger that anyone can write down again: it adds cases and withdraws some of the block before.
fn block(number: u64) -> Block {
    let first = number as u32 * CASES;
    let mut changes: Vec<Change> = (first..first + CASES).map(|ordinal| Change::Add(case(ordinal))).collect();
    let withdrawn = (first.saturating_sub(CASES)..first).filter(|ordinal| ordinal % 7 == 0);
    changes.extend(withdrawn.map(|ordinal| Change::Withdraw(case(ordinal).handle())));
    Block { position: Position { block: number, time: Timestamp::from_millis(number) }, changes }
}

fn case(ordinal: u32) -> IndexedCase {
    let tokens: Vec<Token> = (0..8).map(|step| Token(u64::from(ordinal % 97 + step * 11))).collect();
    let handle = CaseHandle::from_bytes(u128::from(ordinal).to_be_bytes());
    let expires = Timestamp::from_millis(u64::from(ordinal / CASES) + 20);
    IndexedCase::new(ordinal, handle, (ordinal % 5) as u16, expires, &tokens).unwrap()
}

/// Not a test by itself: the process that gets killed. It says what it has been promised.
#[test]
#[ignore = "runs inside the test below"]
fn write_until_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let mut writer = Writer::open(Path::new(&folder), Merging::Automatic).unwrap();
    loop {
        let next = writer.applied().map_or(0, |position| position.block + 1);
        writer.apply(&block(next)).unwrap();
        if next.is_multiple_of(3) {
            let committed = writer.commit().unwrap().unwrap();
            eprintln!("committed {}", committed.block);
        }
        if next.is_multiple_of(10) {
            writer.start_scrub().unwrap();
        }
    }
}

fn run_and_kill(folder: &Path, lines: usize) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "write_until_killed", "--ignored", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let promised = |line: std::io::Result<String>| line.unwrap().strip_prefix("committed ")?.parse::<u64>().ok();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let last = stderr.lines().filter_map(promised).take(lines).last().unwrap();
    // Kills with SIGKILL; the child is by now somewhere in the blocks after.
    child.kill().unwrap();
    child.wait().unwrap();
    last
}

#[test]
fn a_killed_writer_leaves_its_last_commit() {
    let rounds = std::env::var("SEMBLANCE_CRASH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(3);
    let folder = tempfile::tempdir().unwrap();
    for round in 0..rounds {
        let promised = run_and_kill(folder.path(), 2 + round % 5);
        let start = std::time::Instant::now();
        let writer = Writer::open(folder.path(), Merging::Automatic).unwrap();
        assert!(start.elapsed().as_secs() < 2, "ready late: {:?}", start.elapsed());
        let position = writer.committed().unwrap();
        assert!(
            position.block >= promised,
            "block {promised} was acknowledged, the index stands at {}",
            position.block
        );
        // The next process goes on from here, so each round meets the files that a kill has left.
        let mut live = std::collections::BTreeMap::new();
        for number in 0..=position.block {
            for change in block(number).changes {
                match change {
                    Change::Add(case) => drop(live.insert(case.handle(), case)),
                    Change::Withdraw(handle) => drop(live.remove(&handle)),
                }
            }
        }
        let oracle = Oracle::new(live.values(), position.time);
        let searcher = writer.searcher();
        let view = searcher.view();
        assert_eq!((view.position(), view.collection()), (position, oracle.collection()));
        for token in (0..200).map(Token) {
            assert_eq!(view.frequency(token), oracle.frequency(token));
        }
    }
}

#[test]
fn one_writer_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::open(folder.path(), Merging::Off).unwrap();
    assert!(matches!(Writer::open(folder.path(), Merging::Off), Err(IndexError::Locked(_))));
    drop(writer);
    Writer::open(folder.path(), Merging::Off).unwrap();
}

#[test]
fn blocks_and_ordinals_come_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path(), Merging::Off).unwrap();
    writer.apply(&block(1)).unwrap();
    assert!(matches!(writer.apply(&block(1)), Err(IndexError::BlockOrder { found: 1, last: 1 })));
    let stale = Block { position: block(2).position, changes: block(0).changes };
    assert!(matches!(writer.apply(&stale), Err(IndexError::OrdinalOrder { found: 0, last: 99 })));
    assert_eq!(writer.searcher().view().collection().cases, CASES, "a refused block changes nothing");
    writer.apply(&block(2)).unwrap();
    writer.commit().unwrap();
    drop(writer);
    let mut writer = Writer::open(folder.path(), Merging::Off).unwrap();
    assert_eq!(writer.applied().map(|position| position.block), Some(2));
    assert!(matches!(writer.apply(&block(2)), Err(IndexError::BlockOrder { found: 2, last: 2 })));
}

#[test]
fn foreign_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut schema = tantivy::schema::Schema::builder();
    schema.add_u64_field("other", tantivy::schema::INDEXED);
    tantivy::Index::create_in_dir(folder.path(), schema.build()).unwrap();
    assert!(matches!(Writer::open(folder.path(), Merging::Off), Err(IndexError::Unusable(_))));
}
