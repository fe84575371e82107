//! Decoders of what devices, homes and hubs tell each other: one encoding for each value, and no panic on any bytes.
//!
//! After a deliberate change of a layout, which needs a new version number, write the corpus again with
//! `SEMBLANCE_WRITE_VECTORS=1 cargo test -p semblance-channels --test service corpus`.

#[path = "../../../../../tests/fuzz/src/calls.rs"]
#[expect(unreachable_pub, reason = "the fuzz targets call them from outside")]
mod calls;
mod samples;
mod values;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use calls::{ALL_OF_CHANNELS, CHANNELS_NETWORK};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use semblance_channels::client::Content;
use semblance_channels::office::Delivery;
use semblance_channels::wire::{
    Admission, Answer, Body, Charter, DeviceCall, Facts, HubCall, Item, Note, RejoinInfo, Submission,
};
use semblance_core::record::Record;

fn seeds(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/seeds").join(target)
}

fn write(target: &str, name: &str, bytes: &[u8]) {
    std::fs::create_dir_all(seeds(target)).unwrap();
    std::fs::write(seeds(target).join(name), bytes).unwrap();
}

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = seeds(target);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// The layouts are those of the corpus, which older programs wrote.
#[test]
fn the_corpus_is_what_is_written() {
    let samples = samples::all();
    if std::env::var_os("SEMBLANCE_WRITE_VECTORS").is_some() {
        for (target, name, bytes) in &samples {
            write(target, name, bytes);
        }
        samples::mls().iter().for_each(|(name, bytes)| write("channel_mls", name, bytes));
    }
    for (target, name, bytes) in &samples {
        let path = seeds(target).join(name);
        let stored = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(&stored, bytes, "{target}/{name}");
    }
    let written: BTreeSet<PathBuf> = samples.iter().map(|(target, name, _)| seeds(target).join(name)).collect();
    for (target, _) in ALL_OF_CHANNELS {
        let corpus = corpus(target);
        assert!(!corpus.is_empty(), "{target} has no corpus");
        for (path, _) in corpus {
            // What openmls makes is different each time; its files are of one run.
            assert!(*target == "channel_mls" || written.contains(&path), "{} is no sample", path.display());
        }
    }
}

#[test]
fn every_decoder_of_channels_is_a_fuzz_target() {
    let manifest = include_str!("../../../../../tests/fuzz/Cargo.toml");
    let targets = manifest.lines().filter_map(|line| line.strip_prefix("path = \"fuzz_targets/"));
    let targets: Vec<&str> = targets.filter(|target| target.starts_with("channel_")).collect();
    let expected: Vec<String> = ALL_OF_CHANNELS.iter().map(|(name, _)| format!("{name}.rs\"")).collect();
    assert_eq!(targets, expected);
}

#[test]
fn no_decoder_fails_on_bytes_near_those_it_takes() {
    for (target, decode) in ALL_OF_CHANNELS {
        let corpus: Vec<Vec<u8>> = corpus(target).into_iter().map(|(_, bytes)| bytes).collect();
        decode(&[]);
        for bytes in &corpus {
            decode(bytes);
            (0..bytes.len()).for_each(|length| decode(&bytes[..length]));
            decode(&[bytes.as_slice(), &[0]].concat());
        }
        let edits = vec((any::<Index>(), any::<u8>()), 0..4);
        proptest!(|(one in any::<Index>(), other in any::<Index>(), cut in any::<Index>(), edits in edits)| {
            let mut changed = one.get(&corpus).clone();
            for (place, byte) in edits {
                let place = place.index(changed.len());
                changed[place] = byte;
            }
            decode(&changed);
            // As it begins, and then as another one ends.
            let other = other.get(&corpus);
            let spliced = [&changed[..cut.index(changed.len())], &other[cut.index(other.len())..]].concat();
            decode(&spliced);
        });
    }
}

proptest! {
    #[test]
    fn no_decoder_fails_on_noise(noise in vec(any::<u8>(), 0..300)) {
        for (_, decode) in ALL_OF_CHANNELS {
            decode(&noise);
        }
    }

    #[test]
    fn calls_come_back_as_they_were(device in values::device_call(), hub in values::hub_call(), answer in values::answer()) {
        prop_assert_eq!(&DeviceCall::decode(&device.encode()).unwrap(), &device);
        prop_assert_eq!(&HubCall::decode(&hub.encode()).unwrap(), &hub);
        prop_assert_eq!(&Answer::decode(&answer.encode()).unwrap(), &answer);
    }

    #[test]
    fn what_is_delivered_comes_back_as_it_was(delivery in values::delivery()) {
        prop_assert_eq!(&Delivery::decode(&delivery.encode()).unwrap(), &delivery);
        let item = delivery.item;
        prop_assert_eq!(&Item::decode(&item.encode()).unwrap(), &item);
        prop_assert_eq!(&Body::decode(&item.body.encode()).unwrap(), &item.body);
    }

    #[test]
    fn what_is_handed_in_comes_back_as_it_was(
        submission in values::submission(),
        admission in values::admission(),
        info in values::rejoin_info(),
        proofs in vec(values::proof(), 0..4),
    ) {
        prop_assert_eq!(&Submission::decode(&submission.encode()).unwrap(), &submission);
        prop_assert_eq!(&Admission::decode(&admission.encode()).unwrap(), &admission);
        prop_assert_eq!(&RejoinInfo::decode(&info.encode()).unwrap(), &info);
        let note = Note { proofs };
        prop_assert_eq!(&Note::decode(&note.encode()).unwrap(), &note);
    }

    #[test]
    fn what_a_channel_rests_on_comes_back_as_it_was(charter in values::charter(), facts in values::facts()) {
        prop_assert_eq!(&Charter::decode(&charter.encode()).unwrap(), &charter);
        prop_assert_eq!(&Facts::decode(&facts.encode()).unwrap(), &facts);
    }

    #[test]
    fn what_is_said_comes_back_as_it_was(content in values::content()) {
        prop_assert_eq!(&Content::decode(&content.encode()).unwrap(), &content);
    }
}

/// The same facts in another order, or one of them twice, are other bytes and no facts.
#[test]
fn facts_have_one_order() {
    let facts = samples::facts();
    let good = facts.encode();
    assert_eq!(Facts::decode(&good).unwrap(), facts);
    for wrong in samples::disordered_facts() {
        assert!(Facts::decode(&wrong).is_err(), "{}", hex(&wrong));
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn samples_are_of_their_network() {
    let charter = samples::charter();
    assert!(charter.trusted(CHANNELS_NETWORK).is_ok());
}
