use super::*;
use proptest::prelude::*;

/// Terms 0, 3, 6, …; parents are always lower, so that no circle arises.
fn content(sizes: (u32, u32), text: &str, numbers: &[u16]) -> Content {
    let id = |number: u32| TermId::new(number).unwrap();
    let pick = |at: usize| numbers.get(at % numbers.len().max(1)).copied().unwrap_or_default();
    let term = |n: u32| Term {
        id: id(n * 3),
        label: format!("{text} {n}"),
        parents: if n == 0 { vec![] } else { vec![id((u32::from(pick(n as usize)) % n) * 3)] },
        synonyms: (0..pick(n as usize) % 4)
            .map(|k| Synonym { text: format!("{text}{k}"), scope: scope(k as u8 & 3), kind: kind(k as u8).unwrap() })
            .collect(),
        cross_references: vec![CrossReference::Snomed(u64::from(n)), CrossReference::Umls(n)],
        annotations: u32::from(pick(1)),
        diseases: n,
    };
    let terms: Vec<Term> = (0..sizes.0).map(term).collect();
    let known = |n: u32| id((n % sizes.0) * 3);
    let former = (0..sizes.1).map(|n| {
        let to = if n % 2 == 0 { Former::Moved { to: known(n) } } else { Former::Retired { consider: vec![known(n)] } };
        (id(n * 3 + 1), to)
    });
    let diseases = (0..sizes.1).map(|n| Disease {
        id: format!("OMIM:{n:06}"),
        name: text.to_owned(),
        terms: vec![DiseaseTerm {
            term: known(n),
            frequency: Frequency::from_per_mille(pick(2) % 1000 + 1).ok().filter(|_| n % 2 == 0),
        }],
        excluded: vec![],
    });
    let diseases = diseases.collect();
    Content {
        release: "2026-02-16".into(),
        annotation_release: String::new(),
        former: former.collect(),
        terms,
        diseases,
    }
}

proptest! {
    #[test]
    fn a_file_reads_back(sizes in (1_u32..40, 0_u32..20), text in "[^\n]{0,12}", numbers in proptest::collection::vec(any::<u16>(), 1..9)) {
        let content = content(sizes, &text, &numbers);
        let file = encode(&content).unwrap();
        prop_assert_eq!(&decode(&file).unwrap(), &content);
        prop_assert!(crate::vocabulary::Vocabulary::decode(&file).is_ok());
    }

    #[test]
    fn what_is_read_is_written_alike(flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut payload = write_payload(&content((12, 6), "word", &[7, 300, 2]));
        for (at, byte) in flips {
            *at.get_mut(&mut payload) = byte;
        }
        if let Ok(content) = read_payload(&payload) {
            prop_assert_eq!(write_payload(&content), payload);
        }
    }

    #[test]
    fn any_payload_is_read_or_refused(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_payload(&payload);
    }

    #[test]
    fn any_file_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes);
        let mut headed = MAGIC.to_vec();
        headed.push(VERSION);
        headed.extend_from_slice(&bytes);
        let _ = decode(&headed);
    }

    #[test]
    fn every_flipped_bit_is_found(at: prop::sample::Index, bit in 0..8) {
        let mut file = encode(&content((12, 6), "word", &[7, 300, 2])).unwrap();
        *at.get_mut(&mut file) ^= 1_u8 << bit;
        // A few bits of the zstd frame's header change nothing of its content.
        if let Ok(read) = decode(&file) {
            prop_assert_eq!(read, content((12, 6), "word", &[7, 300, 2]));
        }
    }
}

#[test]
fn a_bomb_is_refused_before_it_is_unpacked() {
    let packed = zstd::bulk::compress(&vec![0; 8 << 20], 19).unwrap();
    let header = |claimed: usize| {
        let mut writer = Writer::default();
        writer.raw(MAGIC).u8(VERSION).raw(&[0; 32]).count(claimed).raw(&packed).finish()
    };
    assert!(matches!(decode(&header(PAYLOAD_MAX + 1)), Err(VocabularyError::TooLarge { .. })));
    assert_eq!(decode(&header(1000)), Err(VocabularyError::Damaged));
    assert_eq!(decode(b"SEMBLANCE"), Err(VocabularyError::Magic));
}

#[test]
fn a_newer_file_is_refused_clearly() {
    let mut file = encode(&content((2, 0), "x", &[1])).unwrap();
    file[MAGIC.len()] = 2;
    assert!(decode(&file).unwrap_err().to_string().contains("version 2 is not supported"));
}
