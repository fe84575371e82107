//! The texts of the repository: every link leads somewhere, every page of the book is listed, nothing is left to fill in.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pulldown_cmark::{Event, Parser, Tag};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn markdown_in(folder: &Path, pages: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("docs/book") {
            markdown_in(&path, pages);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
}

/// Every page beside the root's `Cargo.toml` and in the book.
fn pages() -> Vec<PathBuf> {
    let root = root();
    let mut pages = Vec::new();
    markdown_in(&root.join("docs"), &mut pages);
    for entry in std::fs::read_dir(&root).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    assert!(pages.len() > 20, "the texts moved: {pages:?}");
    pages
}

/// The files that a page's links and pictures name, without fragments; links to the web are left out.
fn targets(page: &Path, text: &str) -> Vec<PathBuf> {
    let destinations = Parser::new(text).filter_map(|event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url),
        _ => None,
    });
    let files = destinations.filter_map(|destination| {
        let file = destination.split('#').next()?.to_owned();
        let elsewhere = file.is_empty() || file.contains("://") || file.starts_with("mailto:");
        (!elsewhere).then(|| page.parent().unwrap().join(file))
    });
    files.collect()
}

#[test]
fn every_link_leads_somewhere() {
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for target in targets(&page, &text) {
            assert!(target.exists(), "{} links to {}, which is not there", page.display(), target.display());
        }
    }
}

#[test]
fn the_book_lists_each_of_its_pages_once() {
    let source = root().join("docs/src");
    let summary = source.join("SUMMARY.md");
    let listed = targets(&summary, &std::fs::read_to_string(&summary).unwrap());
    let distinct: BTreeSet<&PathBuf> = listed.iter().collect();
    assert_eq!(distinct.len(), listed.len(), "SUMMARY.md lists a page twice");
    let mut pages = Vec::new();
    markdown_in(&source, &mut pages);
    for page in pages.iter().filter(|page| **page != summary) {
        assert!(distinct.contains(page), "SUMMARY.md does not list {}", page.display());
    }
}

#[test]
fn nothing_is_left_to_fill_in() {
    let placeholder = |line: &str| {
        line.contains('_') && line.chars().all(|character| character.is_ascii_uppercase() || character == '_')
    };
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        let left = text.lines().find(|line| placeholder(line.trim()));
        assert_eq!(left, None, "{}", page.display());
    }
}
