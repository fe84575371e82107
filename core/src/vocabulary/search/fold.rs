//! Brings words to one form: case, accents, British and American spelling, plurals; and, coarser, their sound.

/// Words that say nothing of a symptom; not looked for unless nothing else was typed.
const FILLERS: [&str; 19] = [
    "a", "an", "and", "at", "by", "for", "from", "has", "have", "in", "is", "my", "of", "on", "or", "the", "to",
    "with", "his",
];

/// Plurals that no rule makes.
const IRREGULAR: [(&str, &str); 7] = [
    ("feet", "foot"),
    ("teeth", "tooth"),
    ("testes", "testis"),
    ("children", "child"),
    ("irides", "iris"),
    ("grey", "gray"),
    ("mould", "mold"),
];

/// The words of a text, each in its one form; fillers are left out unless there is nothing else.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut word = String::new();
    for character in text.chars().chain([' ']) {
        if character.is_alphanumeric() {
            plain(character, &mut word);
        } else if !matches!(character, '\'' | '’') && !word.is_empty() {
            all.push(std::mem::take(&mut word));
        }
    }
    let meaningful = all.iter().any(|word| !FILLERS.contains(&word.as_str()));
    all.retain(|word| !meaningful || !FILLERS.contains(&word.as_str()));
    all.iter().map(|word| spelling(word)).collect()
}

/// Lower case without accents.
fn plain(character: char, word: &mut String) {
    for lower in character.to_lowercase() {
        match lower {
            'à'..='å' | 'ā' => word.push('a'),
            'æ' => word.push_str("ae"),
            'ç' | 'č' => word.push('c'),
            'è'..='ë' | 'ē' => word.push('e'),
            'ì'..='ï' => word.push('i'),
            'ñ' => word.push('n'),
            'ò'..='ö' | 'ø' => word.push('o'),
            'œ' => word.push_str("oe"),
            'š' => word.push('s'),
            'ù'..='ü' => word.push('u'),
            'ß' => word.push_str("ss"),
            other if other.is_alphanumeric() => word.push(other),
            _ => {}
        }
    }
}

/// One form for British and American spelling, singular and plural. Not a correct word: only the same for both.
fn spelling(word: &str) -> String {
    if let Some((_, singular)) = IRREGULAR.iter().find(|(plural, _)| *plural == word) {
        return (*singular).to_owned();
    }
    let singular = singular(word);
    if singular.len() < 5 {
        return singular;
    }
    let folded = singular
        .replace("ae", "e")
        .replace("oe", "e")
        .replace("our", "or")
        .replace("iz", "is")
        .replace("yz", "ys")
        .replace("sulph", "sulf")
        .replace("leuco", "leuko")
        .replace("grey", "gray");
    match folded.strip_suffix("tre").or_else(|| folded.strip_suffix("bre")) {
        Some(_) => format!("{}er", folded.strip_suffix("re").unwrap_or(&folded)),
        None => folded,
    }
}

fn singular(word: &str) -> String {
    let endings: [(&str, &str, usize); 7] = [
        ("ies", "y", 5),
        ("sses", "ss", 5),
        ("shes", "sh", 5),
        ("ches", "ch", 5),
        ("xes", "x", 4),
        ("brae", "bra", 6),
        ("s", "", 4),
    ];
    if !word.ends_with("ss") && !word.ends_with("us") && !word.ends_with("is") {
        for (plural, one, least) in endings {
            if word.len() >= least
                && let Some(stem) = word.strip_suffix(plural)
            {
                return format!("{stem}{one}");
            }
        }
    }
    word.to_owned()
}

/// Letters of the same sound made one and doubles single, on top of the spelling: what a typo by ear leaves alike.
pub(super) fn sound(word: &str) -> Vec<u8> {
    let alike = word.replace("ph", "f").replace("rh", "r").replace("th", "t").replace("ch", "k").replace("ck", "k");
    let mut sound: Vec<u8> = Vec::with_capacity(alike.len());
    for byte in alike.bytes() {
        let byte = match byte {
            b'y' => b'i',
            b'z' => b's',
            b'c' | b'q' => b'k',
            other => other,
        };
        if sound.last() != Some(&byte) {
            sound.push(byte);
        }
    }
    sound
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_spellings_are_one() {
        for (british, american) in [
            ("oedema", "edema"),
            ("haemolytic anaemia", "hemolytic anemia"),
            ("oesophageal tumours", "esophageal tumor"),
            ("generalised", "generalized"),
            ("behaviour", "behavior"),
            ("fibre", "fiber"),
            ("café-au-lait spots", "Cafe au lait spot"),
            ("diarrhoea", "Diarrhea"),
            ("feet", "foot"),
            ("Gowers' sign", "gowers sign"),
        ] {
            assert_eq!(words(british), words(american), "{british}");
        }
    }

    #[test]
    fn fillers_go_unless_alone() {
        assert_eq!(words("agenesis of the corpus"), ["agenesis", "corpus"]);
        assert_eq!(words("of the"), ["of", "the"]);
        assert!(words(" -- ").is_empty());
    }

    #[test]
    fn what_sounds_alike_is_alike() {
        for (heard, written) in
            [("microcefaly", "microcephaly"), ("strabizmus", "strabismus"), ("ichtyosis", "ichthyosis")]
        {
            assert_eq!(sound(heard), sound(written));
        }
        assert_ne!(sound("hypotonia"), sound("hypertonia"));
    }

    proptest! {
        #[test]
        fn any_text_folds(text in "\\PC{0,40}") {
            for word in words(&text) {
                sound(&word);
            }
        }
    }
}
