//! Reads `hp.obo`, the official file of the HPO, in OBO format 1.2 or 1.4; only what a vocabulary needs.
//!
//! The reader takes any bytes. It refuses a file that it would misread (no release, a broken id, an unfinished quoted
//! text) with the number of the line, and passes over tags and stanzas that it does not need.

use super::content::{CrossReference, Scope, Synonym, SynonymKind};
use crate::term::TermId;

/// Bytes of one line at most.
const LINE_MAX: usize = 1 << 16;

/// The parts of an `hp.obo`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Obo {
    /// The release's date.
    pub(super) release: String,
    /// In the order of the file.
    pub(super) stanzas: Vec<Stanza>,
    /// Terms of other ontologies, which are passed over.
    pub(super) foreign: usize,
    /// Cross-references to SNOMED CT or UMLS that are no code of theirs.
    pub(super) bad_references: usize,
}

/// One `[Term]`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stanza {
    pub(super) id: TermId,
    /// Line of the id.
    pub(super) line: usize,
    pub(super) label: String,
    pub(super) parents: Vec<TermId>,
    pub(super) alternative: Vec<TermId>,
    pub(super) synonyms: Vec<Synonym>,
    pub(super) cross_references: Vec<CrossReference>,
    pub(super) obsolete: bool,
    pub(super) replaced_by: Vec<TermId>,
    pub(super) consider: Vec<TermId>,
}

/// Why a file is no usable `hp.obo`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OboError {
    /// A line that cannot be read.
    #[error("line {line}: {why}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The header does not tell the release.
    #[error("the header has no data-version with a date, as in hp/releases/2026-02-16")]
    NoRelease,
    /// There is no term.
    #[error("the file holds no HPO term")]
    Empty,
}

/// Reads the file.
pub(super) fn parse(bytes: &[u8]) -> Result<Obo, OboError> {
    let mut obo = Obo::default();
    // `None` before the first stanza and in stanzas that are not needed; the id comes first in a stanza.
    let mut place = Place::Header;
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let fail = |why| OboError::Line { line: index + 1, why };
        if line.len() > LINE_MAX {
            return Err(fail("the line is too long"));
        }
        let line = std::str::from_utf8(line).map_err(|_| fail("not UTF-8"))?.trim();
        if line.starts_with('[') {
            place = if line == "[Term]" { Place::TermStart } else { Place::Other };
            continue;
        }
        let Some((tag, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        place = match place {
            Place::Header => {
                if tag == "data-version" {
                    obo.release = release(value).ok_or(OboError::NoRelease)?;
                }
                Place::Header
            }
            Place::TermStart if tag == "id" => start(&mut obo, value, index + 1).map_err(fail)?,
            Place::TermStart => return Err(fail("a term's first line must be its id")),
            Place::Term => {
                read_tag(&mut obo, tag, value).map_err(fail)?;
                Place::Term
            }
            Place::Other => Place::Other,
        };
    }
    if obo.release.is_empty() {
        return Err(OboError::NoRelease);
    }
    if obo.stanzas.is_empty() { Err(OboError::Empty) } else { Ok(obo) }
}

#[derive(Clone, Copy)]
enum Place {
    Header,
    TermStart,
    Term,
    Other,
}

fn start(obo: &mut Obo, value: &str, line: usize) -> Result<Place, &'static str> {
    if !value.starts_with("HP:") {
        obo.foreign += 1;
        return Ok(Place::Other);
    }
    obo.stanzas.push(Stanza {
        id: id(value)?,
        line,
        label: String::new(),
        parents: Vec::new(),
        alternative: Vec::new(),
        synonyms: Vec::new(),
        cross_references: Vec::new(),
        obsolete: false,
        replaced_by: Vec::new(),
        consider: Vec::new(),
    });
    Ok(Place::Term)
}

fn read_tag(obo: &mut Obo, tag: &str, value: &str) -> Result<(), &'static str> {
    let Some(stanza) = obo.stanzas.last_mut() else { return Ok(()) };
    match tag {
        "id" => return Err("a term has two ids"),
        "name" => stanza.label = unescape(value),
        "is_a" => stanza.parents.push(id(value)?),
        "alt_id" => stanza.alternative.push(id(value)?),
        "is_obsolete" => stanza.obsolete = value.starts_with("true"),
        "replaced_by" => stanza.replaced_by.extend(own(value)?),
        "consider" => stanza.consider.extend(own(value)?),
        "synonym" => stanza.synonyms.push(synonym(value)?),
        "xref" => match reference(value) {
            Some(Ok(reference)) => stanza.cross_references.push(reference),
            Some(Err(())) => obo.bad_references += 1,
            None => {}
        },
        _ => {}
    }
    Ok(())
}

/// `hp/releases/2026-02-16` → `2026-02-16`.
pub(super) fn release(version: &str) -> Option<String> {
    let is_date = |part: &&str| {
        part.len() == 10
            && part
                .bytes()
                .enumerate()
                .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() })
    };
    version.split('/').find(is_date).map(str::to_owned)
}

/// The id at the start of a value, before a ` ! label` or ` {modifiers}`.
fn id(value: &str) -> Result<TermId, &'static str> {
    let word = value.split_whitespace().next().unwrap_or_default();
    word.parse().map_err(|_| "not an HPO id: expected HP: and seven digits")
}

/// A replacement may belong to another ontology; such a one is no help here.
fn own(value: &str) -> Result<Option<TermId>, &'static str> {
    if value.starts_with("HP:") { id(value).map(Some) } else { Ok(None) }
}

/// `"Low muscle tone" EXACT layperson [source]`.
fn synonym(value: &str) -> Result<Synonym, &'static str> {
    let quoted = value.strip_prefix('"').ok_or("a synonym must start with a quoted text")?;
    let mut escaped = false;
    let end = quoted.find(|character: char| {
        let ends = character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        ends
    });
    let (text, rest) = quoted.split_at(end.ok_or("a quoted text has no end")?);
    let words = rest.trim_start_matches('"').split('[').next().unwrap_or_default();
    let (mut scope, mut kind) = (Scope::Related, SynonymKind::Plain);
    for word in words.split_whitespace() {
        match word {
            "EXACT" => scope = Scope::Exact,
            "BROAD" => scope = Scope::Broad,
            "NARROW" => scope = Scope::Narrow,
            "layperson" => kind = SynonymKind::Lay,
            "abbreviation" => kind = SynonymKind::Abbreviation,
            "uk_spelling" => kind = SynonymKind::British,
            "plural_form" => kind = SynonymKind::Plural,
            "obsolete_synonym" => kind = SynonymKind::Discarded,
            _ => {}
        }
    }
    Ok(Synonym { text: unescape(text), scope, kind })
}

/// A code of SNOMED CT or UMLS; `None` for other systems.
fn reference(value: &str) -> Option<Result<CrossReference, ()>> {
    let word = value.split_whitespace().next()?;
    let (system, code) = word.split_once(':')?;
    let plain = |code: &str, longest| code.len() <= longest && code.bytes().all(|byte| byte.is_ascii_digit());
    match system {
        "SNOMEDCT_US" => Some(code.parse().ok().filter(|_| plain(code, 18)).map(CrossReference::Snomed).ok_or(())),
        "UMLS" => {
            let digits = code.strip_prefix('C').filter(|digits| plain(digits, 7) && digits.len() == 7);
            Some(digits.and_then(|digits| digits.parse().ok()).map(CrossReference::Umls).ok_or(()))
        }
        _ => None,
    }
}

/// Resolves the escapes of OBO; line breaks become spaces.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n' | 't' | 'W') | None => plain.push(' '),
                Some(other) => plain.push(other),
            },
            other if other.is_control() => plain.push(' '),
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: &str = "format-version: 1.2\ndata-version: hp/releases/2026-02-16\n";

    fn term(body: &str) -> Result<Stanza, OboError> {
        parse(format!("{HEADER}\n[Term]\n{body}\n").as_bytes()).map(|mut obo| obo.stanzas.remove(0))
    }

    #[test]
    fn a_stanza_is_read() {
        let read = term(concat!(
            "id: HP:0001252\r\nname: Hypotonia\nalt_id: HP:0011398\ndef: \"a: b\" []\n",
            "synonym: \"Low \\\"tone\\\" [x]\" NARROW layperson [https://orcid.org/1]\n",
            "xref: UMLS:C0026827\nxref: SNOMEDCT_US:398151007 {source=\"x\"}\nxref: MP:1\n",
            "is_a: HP:0003808 {x=\"y\"} ! Abnormal muscle tone"
        ));
        let read = read.unwrap();
        assert_eq!(
            (read.label.as_str(), read.parents[0].number(), read.alternative[0].number()),
            ("Hypotonia", 3808, 11398)
        );
        let synonym = &read.synonyms[0];
        assert_eq!(synonym.text(), "Low \"tone\" [x]");
        assert_eq!((synonym.scope(), synonym.kind()), (Scope::Narrow, SynonymKind::Lay));
        assert_eq!(read.cross_references, [CrossReference::Umls(26827), CrossReference::Snomed(398_151_007)]);
    }

    #[test]
    fn a_broken_line_is_named() {
        let line = |body: &str| match term(body) {
            Err(OboError::Line { line, .. }) => line,
            other => panic!("{other:?}"),
        };
        assert_eq!(line("id: HP:12"), 5);
        assert_eq!(line("name: x"), 5);
        assert_eq!(line("id: HP:0000001\nsynonym: \"never ended"), 6);
        assert_eq!(line("id: HP:0000001\nis_a: HP:x"), 6);
        assert_eq!(line("id: HP:0000001\nid: HP:0000002"), 6);
    }

    #[test]
    fn a_file_without_release_or_terms_is_refused() {
        assert_eq!(parse(b"[Term]\nid: HP:0000001\n"), Err(OboError::NoRelease));
        assert_eq!(parse(HEADER.as_bytes()), Err(OboError::Empty));
        assert_eq!(parse(b"data-version: latest\n"), Err(OboError::NoRelease));
        let foreign = parse(format!("{HEADER}[Term]\nid: MP:1\nname: x\n[Typedef]\nid: part_of\n").as_bytes());
        assert_eq!(foreign, Err(OboError::Empty));
    }

    #[test]
    fn codes_that_are_none_are_counted() {
        let text =
            format!("{HEADER}[Term]\nid: HP:0000001\nxref: UMLS:D1\nxref: SNOMEDCT_US:+1\nxref: UMLS:CN239170\n");
        let obo = parse(text.as_bytes()).unwrap();
        assert_eq!((obo.bad_references, obo.stanzas[0].cross_references.len()), (3, 0));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn any_stanza_is_read_or_refused(
            tags in proptest::collection::vec(("id|name|is_a|alt_id|synonym|xref|replaced_by|consider|is_obsolete", "\\PC*|\"\\PC*|HP:[0-9]{7}"), 0..12)
        ) {
            let body: String = tags.iter().map(|(tag, value)| format!("{tag}: {value}\n")).collect();
            let _ = term(&body);
            let _ = term(&format!("id: HP:0000001\n{body}"));
        }
    }
}
