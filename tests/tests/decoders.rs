//! Every decoder over a small corpus and its mutations: what the fuzz targets do, without their compiler.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../fuzz/src/decoder.rs"]
#[expect(unreachable_pub, reason = "the fuzz targets call them from outside")]
mod decoder;

use std::path::Path;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// Mutations of each file of the corpus.
const MUTATIONS: usize = 60;

#[test]
fn no_decoder_fails_on_bytes_near_those_it_takes() {
    let mut random = ChaCha20Rng::seed_from_u64(1);
    for (name, decode) in decoder::ALL {
        let corpus = corpus(name);
        assert!(!corpus.is_empty(), "{name} has no corpus");
        for bytes in &corpus {
            decode(bytes);
            for _ in 0..MUTATIONS {
                decode(&mutated(bytes, &corpus, &mut random));
            }
        }
        decode(&[]);
    }
}

#[test]
fn every_decoder_is_a_fuzz_target() {
    let manifest = include_str!("../fuzz/Cargo.toml");
    let targets = manifest.lines().filter_map(|line| line.strip_prefix("path = \"fuzz_targets/"));
    // Those of channels are tested in the one crate that knows channels, in the same way.
    let targets: Vec<&str> = targets.filter(|target| !target.starts_with("channel_")).collect();
    let expected: Vec<String> = decoder::ALL.iter().map(|(name, _)| format!("{name}.rs\"")).collect();
    assert_eq!(targets, expected);
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Flips, replaces, inserts, cuts, or goes on with another one's end.
fn mutated(bytes: &[u8], corpus: &[Vec<u8>], random: &mut impl RngCore) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    for _ in 0..=random.next_u32() % 3 {
        let mut place = |length: usize| random.next_u64() as usize % length.max(1);
        let here = place(changed.len());
        match place(6) {
            0 if !changed.is_empty() => changed[here] ^= 1 << place(8),
            1 if !changed.is_empty() => changed[here] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'\n'][place(7)],
            2 => changed.insert(here.min(changed.len()), place(256) as u8),
            3 => changed.truncate(here),
            4 if !changed.is_empty() => drop(changed.remove(here)),
            _ => {
                let other = &corpus[place(corpus.len())];
                changed.truncate(here);
                changed.extend_from_slice(&other[place(other.len()).min(other.len())..]);
            }
        }
    }
    changed
}
