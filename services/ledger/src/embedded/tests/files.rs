//! The file: who owns it, what is refused, what a crash leaves, and when purged bytes are gone.

use std::time::{Duration, Instant};

use futures::StreamExt;
use rusqlite::Connection;

use super::*;
use crate::suite::scratch::call;

#[tokio::test]
async fn one_process_owns_the_file() {
    let mut fixture = Fixture::new(1, 0).await;
    assert!(matches!(open(&fixture.path(), 2), Err(OpenError::Locked { .. })));
    fixture.ledger = None;
    assert_eq!(open(&fixture.path(), 2).unwrap().head().unwrap().height, 1);
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;

    let fixture = Fixture::new(1, 0).await;
    for name in ["ledger.db", "ledger.db-wal"] {
        let mode = std::fs::metadata(fixture.folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
}

#[tokio::test]
async fn other_files_are_refused_with_a_clear_text() {
    let mut fixture = Fixture::new(1, 0).await;
    fixture.ledger = None;
    let path = fixture.path();
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = open(&path, 2).err().unwrap();
    assert!(matches!(error, OpenError::Newer { found: 99, .. }));
    assert!(error.to_string().contains("update semblance"), "{error}");
    assert!(matches!(super::super::verify::verify_file(&path), Err(OpenError::Newer { .. })));
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 1).unwrap();

    let foreign = fixture.folder.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    assert!(matches!(open(&foreign, 2), Err(OpenError::NotALedger { .. })));
    let text = fixture.folder.path().join("text.db");
    std::fs::write(&text, "this is no database, but it is long enough to look like one".repeat(20)).unwrap();
    assert!(matches!(open(&text, 2), Err(OpenError::Database(_))));
    let missing = fixture.folder.path().join("missing.db");
    assert!(matches!(super::super::verify::verify_file(&missing), Err(OpenError::Missing { .. })));
}

fn holds(folder: &Path, marker: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        bytes.windows(marker.len()).any(|window| window == marker)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn purged_bytes_leave_the_files_within_two_seconds() {
    let fixture = Fixture::new(1, 1).await;
    let marker = *b"0123456789abcdef-a-value-that-no-other-file-holds";
    // One on a page with others, one over several pages of its own.
    let large: Vec<u8> = marker.iter().copied().cycle().take(20_000).collect();
    for number in 0..30 {
        fixture.put_private(&format!("other-{number}"), &[b'o'; 300]).await;
    }
    fixture.put_private("small", &marker).await;
    fixture.put_private("large", &large).await;
    assert!(holds(fixture.folder.path(), &marker));
    let mut follower = fixture.ledger().blocks(0);
    follower.next().await.unwrap().unwrap();
    // Others read and write all the time.
    let busy: Vec<_> = (0..4)
        .map(|number| {
            let node = fixture.node(0);
            tokio::spawn(async move {
                loop {
                    node.evaluate(call("list", &["a", "z"])).await.unwrap();
                    node.submit(call("put", &[&format!("busy-{number}"), "x"])).await.unwrap();
                }
            })
        })
        .collect();
    fixture.put_private("small", b"replaced").await;
    fixture.node(0).submit(private("purge_private", "large")).await.unwrap();
    let purged = Instant::now();
    while holds(fixture.folder.path(), &marker) {
        assert!(purged.elapsed() < Duration::from_secs(2), "purged bytes are still there");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for task in busy {
        task.abort();
    }
    assert!(fixture.ledger().verify().await.unwrap().is_sound());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verification_goes_on_while_others_write() {
    let fixture = Fixture::new(1, 1).await;
    let node = fixture.node(0);
    for number in 0..150 {
        node.submit(call("append", &["key", &number.to_string()])).await.unwrap();
    }
    let before = fixture.ledger().head().unwrap().height;
    let writing = tokio::spawn(async move {
        loop {
            node.submit(call("append", &["key", "x"])).await.unwrap();
        }
    });
    let path = fixture.path();
    let verifying = move || {
        let mut told = Vec::new();
        let report = verify_file_of(&ScratchContract, &path, &mut |progress| told.push(progress)).unwrap();
        (report, told)
    };
    let (report, told) = tokio::task::spawn_blocking(verifying).await.unwrap();
    writing.abort();
    assert!(report.is_sound() && report.blocks >= before, "{:?}", report.findings);
    assert!(told.len() > 1 && told.is_sorted_by_key(|progress| progress.blocks));
    assert_eq!(told.last().unwrap().blocks, report.blocks);
    assert!(told.iter().all(|progress| progress.blocks <= progress.of));
}

#[tokio::test]
async fn what_the_disk_refuses_is_not_acknowledged_and_leaves_nothing() {
    let fixture = Fixture::new(1, 1).await;
    let saboteur = Connection::open(fixture.path()).unwrap();
    saboteur
        .execute_batch("CREATE TRIGGER full BEFORE INSERT ON transaction_index BEGIN SELECT RAISE(ABORT, 'full'); END")
        .unwrap();
    let mut put = private("put_private", "key");
    put.transient.insert("value".into(), b"value".to_vec());
    let outcome = fixture.node(0).submit(put).await;
    assert!(matches!(outcome, Err(crate::LedgerError::Storage(_))), "{outcome:?}");
    assert_eq!(fixture.ledger().head().unwrap().height, 1);
    saboteur.execute_batch("DROP TRIGGER full").unwrap();
    assert_eq!(fixture.put_private("key", b"value").await.block, 1);
    assert!(fixture.ledger().verify().await.unwrap().is_sound());
}

/// What operators are told: a ledger that was stopped is whole in the one file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_ledgers_file_alone_holds_everything() {
    let mut fixture = Fixture::new(1, 1).await;
    for number in 0..10 {
        fixture.node(0).submit(call("put", &[&format!("key {number}"), "value"])).await.unwrap();
    }
    let height = fixture.ledger().head().unwrap().height;
    // Readers are at work until the end, as in a node: the last to close the file may not write to it.
    let node = fixture.node(0);
    node.evaluate(call("get", &["key 1"])).await.unwrap();
    let blocks = node.blocks(0).await.unwrap();
    drop(fixture.ledger.take());
    drop((node, blocks));
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(fixture.path(), copy.path().join("ledger.db")).unwrap();
    let report = verify_scratch(&copy.path().join("ledger.db")).unwrap();
    assert!(
        report.is_sound() && report.blocks == height,
        "{} of {height} blocks: {:?}",
        report.blocks,
        report.findings
    );
}

/// Copies what a crash at this moment would leave on the disk.
fn crash(from: &Path, to: &Path) {
    for ending in ["", "-wal"] {
        let name = format!("ledger.db{ending}");
        if from.join(&name).exists() {
            std::fs::copy(from.join(&name), to.join(&name)).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_crash_ten_thousand_cases_are_there_within_two_seconds() {
    let fixture = Fixture::new(1, 1).await;
    let node = fixture.node(0);
    for number in 0..100 {
        node.submit(call("put_many", &[&format!("case-{number}"), "100"])).await.unwrap();
    }
    fixture.put_private("key", b"private").await;
    let head = fixture.ledger().head().unwrap();
    let copy = tempfile::tempdir().unwrap();
    crash(fixture.folder.path(), copy.path());
    // A write that was never acknowledged, torn in the middle.
    let journal = copy.path().join("ledger.db-wal");
    let mut bytes = std::fs::read(&journal).unwrap();
    bytes.extend_from_slice(&[0x5a; 3000]);
    std::fs::write(&journal, bytes).unwrap();

    let report = verify_scratch(&copy.path().join("ledger.db")).unwrap();
    assert!(report.is_sound() && report.blocks == head.height, "{:?}", report.findings);

    let opening = Instant::now();
    let ledger = open(&copy.path().join("ledger.db"), 7).unwrap();
    assert!(opening.elapsed() < Duration::from_secs(2), "{:?}", opening.elapsed());
    assert_eq!(ledger.head(), Some(head));
    let node = ledger.handle(fixture.parties[0].identity(Role::Node));
    assert_eq!(node.evaluate(call("get", &["case-99/0099"])).await.unwrap().len(), 200);
    node.submit(call("put", &["after", "x"])).await.unwrap();
    assert!(ledger.verify().await.unwrap().is_sound());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_cut_anywhere_gives_an_earlier_sound_ledger() {
    let fixture = Fixture::new(1, 1).await;
    for number in 0..10 {
        fixture.node(0).submit(call("append", &["key", &number.to_string()])).await.unwrap();
        // A key of its own each: replacing a value would have the journal moved into the file, which is only done after
        // the journal is durable, so that no crash leaves one and cuts the other.
        fixture.put_private(&format!("key {number}"), format!("value {number}").as_bytes()).await;
    }
    let copy = tempfile::tempdir().unwrap();
    crash(fixture.folder.path(), copy.path());
    let journal = std::fs::read(copy.path().join("ledger.db-wal")).unwrap();
    let mut last = u64::MAX;
    for keep in [100, 95, 80, 60, 40, 20, 10] {
        let cut = tempfile::tempdir().unwrap();
        crash(copy.path(), cut.path());
        std::fs::write(cut.path().join("ledger.db-wal"), &journal[..journal.len() * keep / 100]).unwrap();
        let Ok(ledger) = open(&cut.path().join("ledger.db"), 7) else { panic!("cut at {keep} %") };
        let report = ledger.verify().await.unwrap();
        assert!(report.is_sound(), "cut at {keep} %: {:?}", report.findings);
        assert!(report.blocks <= last);
        last = report.blocks;
    }
}

/// Also where the database moves rows between pages, no copy of a purged one stays.
#[test]
fn of_thousands_purged_in_any_order_no_byte_stays() {
    use semblance_core::random::RandomSource;

    use crate::embedded::apply::apply;
    use crate::embedded::effects::{Version, WriteSet};
    use crate::embedded::private::{hashed, sha256};
    use crate::embedded::stub::PrivateValues;
    use crate::embedded::{chain, store};

    let folder = tempfile::tempdir().unwrap();
    let connection = store::open_writer(&folder.path().join("ledger.db")).unwrap();
    chain::begin(&connection, 0).unwrap();
    let random: &dyn RandomSource = &SeededSource::new([8; 32]);
    let collection = collection("hospital-1");
    let mut held: Vec<(String, Vec<u8>)> = Vec::new();
    let mut purged: Vec<Vec<u8>> = Vec::new();
    for position in 0..400_u32 {
        let (mut writes, mut values) = (WriteSet::default(), PrivateValues::new());
        for _ in 0..10 {
            let marker: [u8; 16] = random.array();
            let length = 32 + usize::from(random.array::<2>()[1]) * 2;
            let value: Vec<u8> = marker.iter().copied().cycle().take(length).collect();
            let key = format!("{position}-{}", values.len());
            writes.private.insert(hashed(&collection, &key), Some(sha256(&value)));
            values.insert((collection.clone(), key.clone()), value.clone());
            held.push((key, value));
        }
        let kept = if position < 200 { 6 } else { 14 };
        for _ in 0..kept.min(held.len()) {
            let place = usize::from(u16::from_be_bytes(random.array())) % held.len();
            let (key, value) = held.swap_remove(place);
            if !values.contains_key(&(collection.clone(), key.clone())) {
                writes.private.insert(hashed(&collection, &key), None);
                purged.push(value);
            } else {
                held.push((key, value));
            }
        }
        let transaction = connection.unchecked_transaction().unwrap();
        apply(&transaction, Version { block: 0, position }, &writes, &values).unwrap();
        transaction.commit().unwrap();
    }
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let file = std::fs::read(folder.path().join("ledger.db")).unwrap();
    let windows: std::collections::HashSet<&[u8]> = file.windows(16).collect();
    let left = purged.iter().filter(|value| windows.contains(&value[..16])).count();
    assert!(purged.len() > 3000);
    assert_eq!(left, 0, "of {} purged values", purged.len());
}
