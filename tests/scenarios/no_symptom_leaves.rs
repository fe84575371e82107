use std::collections::HashSet;
use std::path::Path;

use rusqlite::Connection;
use semblance_core::fingerprint::PrivateValue;
use semblance_core::query::{Breadth, Query};
use semblance_core::token::Token;
use semblance_hospital::lookup::Question;
use semblance_tests::world::{World, question};

#[tokio::test(flavor = "multi_thread")]
async fn no_symptom_stands_in_the_ledgers_or_matchers_files() {
    let mut world = World::of(3, 10).await;
    world.populate(4).await;
    for case in ["patient-1", "patient-2"] {
        world.look_up("north", case).await.unwrap();
        let wide = Question { breadth: Breadth::Wide, ..question(case) };
        world.hospital("north").look_up(wide).await.unwrap();
    }
    world.settle().await;
    world.stop_matcher("matcher").await;

    let files = files(&world);
    let names: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
    assert!(
        names.iter().any(|name| name.ends_with("ledger.db")) && names.iter().any(|name| name.contains("index")),
        "{names:?}"
    );
    let labels: Vec<&str> = world.disease(0).iter().filter_map(|term| world.vocabulary.label(*term)).collect();
    for (name, bytes) in &files {
        assert!(!contains(bytes, b"HP:"), "an HPO id stands in {name}");
        for told in labels.iter().copied().chain(["patient-1", "dr-a"]) {
            assert!(!contains(bytes, told.as_bytes()), "{told} stands in {name}");
        }
    }

    // Nor does a query: tokens that were asked for and nobody published.
    let published = published(&world);
    let asked = world.sent().iter().flat_map(|search| tokens(&search.query)).collect::<HashSet<_>>();
    let only_asked: Vec<&Token> = asked.iter().filter(|token| !published.contains(token)).collect();
    assert!(only_asked.len() > 20, "a wide query reaches beyond what is published");
    assert_eq!(holding(&files, only_asked), <[String; 0]>::default(), "a query's token is in a file");
}

/// The ledger's and the matcher's files.
pub(crate) fn files(world: &World) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for folder in [world.ledger_file().parent().unwrap().to_owned(), world.folder_of("matcher")] {
        collect(&folder, &mut files);
    }
    files
}

/// The names of the files in which one of these tokens stands, in either order of its bytes.
pub(crate) fn holding<'a>(files: &[(String, Vec<u8>)], tokens: impl IntoIterator<Item = &'a Token>) -> Vec<String> {
    let wanted: HashSet<[u8; 8]> =
        tokens.into_iter().flat_map(|token| [token.0.to_be_bytes(), token.0.to_le_bytes()]).collect();
    let holds = |bytes: &[u8]| bytes.array_windows::<8>().any(|eight| wanted.contains(eight));
    files.iter().filter(|(_, bytes)| holds(bytes)).map(|(name, _)| name.clone()).collect()
}

/// The folder's own files with those below it; other parties' folders are theirs.
fn collect(folder: &Path, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.components().any(|part| part.as_os_str() == "matcher") {
                collect(&path, files);
            }
        } else if path.file_name().is_some_and(|name| name != "import.jsonl") {
            files.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// The tokens of all fingerprints that the ledger holds now.
pub(crate) fn published(world: &World) -> HashSet<Token> {
    let file = Connection::open(world.ledger_file()).unwrap();
    let mut select = file.prepare("SELECT value FROM private_value JOIN private_slot USING (slot)").unwrap();
    let values = select.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    values.flat_map(|value| PrivateValue::decode(&value.unwrap()).unwrap().fingerprint().tokens().to_vec()).collect()
}

fn tokens(query: &[u8]) -> Vec<Token> {
    let query = Query::decode(query).unwrap();
    query.groups().iter().flat_map(|group| std::iter::once(group.own).chain(group.relatives.clone())).collect()
}
