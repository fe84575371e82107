//! The compact file: a header and a compressed payload of columns.
//!
//! Header, 48 bytes: `SEMBLANCE-HPO` (13 bytes), two zero bytes, version 1; the BLAKE3 hash of the payload (32 bytes);
//! then the payload's length (four bytes, big-endian) and one zstd frame. Like values stand together in columns, which
//! halves the compressed size; texts of a column are one block, each ended by a line feed; lists that are sets are
//! written as ascending distances, so that each has one encoding.

use std::collections::BTreeMap;

use super::content::{Content, CrossReference, Disease, DiseaseTerm, Former, Scope, Synonym, SynonymKind, Term};
use super::frequency::Frequency;
use super::varint;
use crate::encode::{DecodeError, Reader, Writer};
use crate::id::Digest;
use crate::term::TermId;

const MAGIC: &[u8; 15] = b"SEMBLANCE-HPO\0\0";
const VERSION: u8 = 1;
/// Bytes of a payload at most: ten times what HPO needs.
const PAYLOAD_MAX: usize = 64 << 20;
/// Terms, former ids or diseases at most.
const ITEMS_MAX: u64 = 1 << 18;
/// The best ratio of size to effort; the file is made once a release.
const ZSTD_LEVEL: i32 = 19;

/// Why bytes are no vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VocabularyError {
    /// Another kind of file.
    #[error("not a vocabulary file; make one with `semblance vocabulary build`")]
    Magic,
    /// The payload is larger than any vocabulary.
    #[error("the vocabulary claims {claimed} bytes, the limit is {limit}")]
    TooLarge {
        /// What the header says.
        claimed: usize,
        /// What is allowed.
        limit: usize,
    },
    /// The payload cannot be unpacked or is not the one that was written.
    #[error("the vocabulary file is damaged; copy it again or rebuild it")]
    Damaged,
    /// The payload is not in its layout.
    #[error("the vocabulary file is malformed: {0}")]
    Layout(#[from] DecodeError),
    /// The parts contradict one another.
    #[error("the vocabulary file is malformed: {0}")]
    Structure(&'static str),
}

/// Writes the file.
pub(super) fn encode(content: &Content) -> Result<Vec<u8>, VocabularyError> {
    let payload = write_payload(content);
    let claimed = payload.len();
    if claimed > PAYLOAD_MAX {
        return Err(VocabularyError::TooLarge { claimed, limit: PAYLOAD_MAX });
    }
    let packed = zstd::bulk::compress(&payload, ZSTD_LEVEL).map_err(|_| VocabularyError::Damaged)?;
    let mut writer = Writer::default();
    writer.raw(MAGIC).u8(VERSION).raw(Digest::of(&payload).as_bytes()).count(claimed).raw(&packed);
    Ok(writer.finish())
}

/// Reads the file.
pub(super) fn decode(bytes: &[u8]) -> Result<Content, VocabularyError> {
    let mut reader = Reader::new(bytes);
    if reader.raw("magic", MAGIC.len()).ok() != Some(MAGIC) {
        return Err(VocabularyError::Magic);
    }
    let found = reader.u8("version")?;
    if found != VERSION {
        return Err(DecodeError::Version { what: "vocabulary", found, supported: VERSION }.into());
    }
    let digest = Digest::read(&mut reader)?;
    let claimed = usize::try_from(reader.u32("payload length")?).unwrap_or(usize::MAX);
    if claimed > PAYLOAD_MAX {
        return Err(VocabularyError::TooLarge { claimed, limit: PAYLOAD_MAX });
    }
    let packed = reader.raw("payload", reader.remaining())?;
    let payload = zstd::bulk::decompress(packed, claimed).map_err(|_| VocabularyError::Damaged)?;
    if payload.len() != claimed || Digest::of(&payload) != digest {
        return Err(VocabularyError::Damaged);
    }
    Ok(read_payload(&payload)?)
}

fn write_payload(content: &Content) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.text(&content.release).text(&content.annotation_release);
    let ids: Vec<TermId> = content.terms.iter().map(|term| term.id).collect();
    let position = |id: &TermId| ids.binary_search(id).unwrap_or(0) as u64;
    write_terms(&mut writer, &content.terms, position);
    varint::write_ascending(&mut writer, content.former.keys().map(|id| u64::from(id.number())));
    for former in content.former.values() {
        match former {
            Former::Moved { to } => {
                writer.u8(0);
                varint::write(&mut writer, position(to));
            }
            Former::Retired { consider } => {
                writer.u8(1);
                varint::write_ascending(&mut writer, consider.iter().map(position));
            }
        }
    }
    write_diseases(&mut writer, &content.diseases, position);
    writer.finish()
}

fn write_terms(writer: &mut Writer, terms: &[Term], position: impl Fn(&TermId) -> u64 + Copy) {
    varint::write_ascending(writer, terms.iter().map(|term| u64::from(term.id.number())));
    write_texts(writer, terms.iter().map(|term| term.label.as_str()));
    for term in terms {
        varint::write_ascending(writer, term.parents.iter().map(position));
    }
    let synonyms = || terms.iter().flat_map(|term| &term.synonyms);
    terms.iter().for_each(|term| varint::write(writer, term.synonyms.len() as u64));
    for synonym in synonyms() {
        writer.u8(scope_code(synonym.scope) | kind_code(synonym.kind) << 2);
    }
    write_texts(writer, synonyms().map(|synonym| synonym.text.as_str()));
    for term in terms {
        varint::write_ascending(writer, term.cross_references.iter().copied().map(reference_code));
    }
    terms.iter().for_each(|term| varint::write(writer, u64::from(term.annotations)));
    terms.iter().for_each(|term| varint::write(writer, u64::from(term.diseases)));
}

fn write_diseases(writer: &mut Writer, diseases: &[Disease], position: impl Fn(&TermId) -> u64 + Copy) {
    varint::write(writer, diseases.len() as u64);
    write_texts(writer, diseases.iter().map(|disease| disease.id.as_str()));
    write_texts(writer, diseases.iter().map(|disease| disease.name.as_str()));
    for disease in diseases {
        varint::write_ascending(writer, disease.terms.iter().map(|row| position(&row.term)));
        varint::write_ascending(writer, disease.excluded.iter().map(position));
    }
    for row in diseases.iter().flat_map(|disease| &disease.terms) {
        varint::write(writer, row.frequency.map_or(0, |frequency| u64::from(frequency.per_mille())));
    }
}

fn write_texts<'a>(writer: &mut Writer, texts: impl Iterator<Item = &'a str>) {
    let mut block = String::new();
    for text in texts {
        block.push_str(text);
        block.push('\n');
    }
    writer.text(&block);
}

fn read_payload(payload: &[u8]) -> Result<Content, DecodeError> {
    let mut reader = Reader::new(payload);
    let release = reader.text("release", 32)?.to_owned();
    let annotation_release = reader.text("annotation release", 32)?.to_owned();
    let terms = read_terms(&mut reader)?;
    let ids: Vec<TermId> = terms.iter().map(|term| term.id).collect();
    let former = read_former(&mut reader, &ids)?;
    let diseases = read_diseases(&mut reader, &ids)?;
    reader.finish()?;
    Ok(Content { release, annotation_release, terms, former, diseases })
}

fn read_terms(reader: &mut Reader<'_>) -> Result<Vec<Term>, DecodeError> {
    let ids = read_ids(reader, "term ids")?;
    let mut labels = read_texts(reader, "labels")?;
    let mut terms = Vec::with_capacity(ids.len());
    for id in &ids {
        let parents = read_positions(reader, "parents", &ids)?;
        let label = next_text(&mut labels, "labels")?;
        let (synonyms, cross_references) = (Vec::new(), Vec::new());
        terms.push(Term { id: *id, label, parents, synonyms, cross_references, annotations: 0, diseases: 0 });
    }
    end_texts(labels, "labels")?;
    read_synonyms(reader, &mut terms)?;
    for term in &mut terms {
        let codes = varint::read_ascending(reader, "cross references", u64::MAX)?;
        term.cross_references = codes.into_iter().map(reference).collect::<Result<_, _>>()?;
    }
    for term in &mut terms {
        term.annotations = read_u32(reader, "annotations")?;
    }
    for term in &mut terms {
        term.diseases = read_u32(reader, "diseases of a term")?;
    }
    Ok(terms)
}

fn read_synonyms(reader: &mut Reader<'_>, terms: &mut [Term]) -> Result<(), DecodeError> {
    let mut counts = Vec::with_capacity(terms.len());
    for _ in 0..terms.len() {
        counts.push(varint::read_count(reader, "synonyms", ITEMS_MAX)?);
    }
    for (term, count) in terms.iter_mut().zip(&counts) {
        for code in reader.raw("synonyms", *count)? {
            let (scope, kind) = (scope(code & 3), kind(code >> 2)?);
            term.synonyms.push(Synonym { text: String::new(), scope, kind });
        }
    }
    let mut texts = read_texts(reader, "synonyms")?;
    for synonym in terms.iter_mut().flat_map(|term| &mut term.synonyms) {
        synonym.text = next_text(&mut texts, "synonyms")?;
    }
    end_texts(texts, "synonyms")
}

fn read_former(reader: &mut Reader<'_>, ids: &[TermId]) -> Result<BTreeMap<TermId, Former>, DecodeError> {
    let what = "former ids";
    let mut former = BTreeMap::new();
    for id in read_ids(reader, what)? {
        if ids.binary_search(&id).is_ok() {
            return Err(DecodeError::Invalid { what, why: "a former id is also a term" });
        }
        let became = match reader.u8(what)? {
            0 => Former::Moved { to: at(ids, varint::read(reader, what)?, what)? },
            1 => Former::Retired { consider: read_positions(reader, what, ids)? },
            _ => return Err(DecodeError::Invalid { what, why: "unknown kind" }),
        };
        former.insert(id, became);
    }
    Ok(former)
}

fn read_diseases(reader: &mut Reader<'_>, ids: &[TermId]) -> Result<Vec<Disease>, DecodeError> {
    let what = "diseases";
    let count = varint::read_count(reader, what, ITEMS_MAX)?;
    let (mut disease_ids, mut names) = (read_texts(reader, what)?, read_texts(reader, what)?);
    let mut diseases: Vec<Disease> = Vec::with_capacity(count);
    for _ in 0..count {
        let (id, name) = (next_text(&mut disease_ids, what)?, next_text(&mut names, what)?);
        if diseases.last().is_some_and(|before| before.id >= id) {
            return Err(DecodeError::Invalid { what, why: "ids are not ascending" });
        }
        let terms = read_positions(reader, what, ids)?;
        let terms = terms.into_iter().map(|term| DiseaseTerm { term, frequency: None }).collect();
        diseases.push(Disease { id, name, terms, excluded: read_positions(reader, what, ids)? });
    }
    end_texts(disease_ids, what)?;
    end_texts(names, what)?;
    for row in diseases.iter_mut().flat_map(|disease| &mut disease.terms) {
        row.frequency = match u16::try_from(varint::read(reader, "frequency")?).unwrap_or(u16::MAX) {
            0 => None,
            stated => Some(
                Frequency::from_per_mille(stated)
                    .map_err(|_| DecodeError::Invalid { what: "frequency", why: "more than 1000 of a thousand" })?,
            ),
        };
    }
    Ok(diseases)
}

fn read_ids(reader: &mut Reader<'_>, what: &'static str) -> Result<Vec<TermId>, DecodeError> {
    let numbers = varint::read_ascending(reader, what, 10_000_000)?;
    if numbers.len() as u64 > ITEMS_MAX {
        let limit = usize::try_from(ITEMS_MAX).unwrap_or(usize::MAX);
        return Err(DecodeError::TooLong { what, length: numbers.len(), limit });
    }
    let id = |number: u64| u32::try_from(number).ok().and_then(|number| TermId::new(number).ok());
    let ids = numbers.into_iter().map(|number| id(number).ok_or(DecodeError::Invalid { what, why: "no HPO id" }));
    ids.collect()
}

/// Positions in the list of terms, as the ids there.
fn read_positions(reader: &mut Reader<'_>, what: &'static str, ids: &[TermId]) -> Result<Vec<TermId>, DecodeError> {
    let positions = varint::read_ascending(reader, what, ids.len() as u64)?;
    positions.into_iter().map(|position| at(ids, position, what)).collect()
}

fn at(ids: &[TermId], position: u64, what: &'static str) -> Result<TermId, DecodeError> {
    let found = usize::try_from(position).ok().and_then(|position| ids.get(position));
    found.copied().ok_or(DecodeError::Invalid { what, why: "no such term" })
}

fn read_u32(reader: &mut Reader<'_>, what: &'static str) -> Result<u32, DecodeError> {
    u32::try_from(varint::read(reader, what)?).map_err(|_| DecodeError::Invalid { what, why: "more than 32 bits" })
}

/// The rest of a block of texts.
struct Texts<'a>(&'a str);

fn read_texts<'a>(reader: &mut Reader<'a>, what: &'static str) -> Result<Texts<'a>, DecodeError> {
    reader.text(what, PAYLOAD_MAX).map(Texts)
}

fn next_text(texts: &mut Texts<'_>, what: &'static str) -> Result<String, DecodeError> {
    let (text, rest) = texts.0.split_once('\n').ok_or(DecodeError::Invalid { what, why: "too few texts" })?;
    texts.0 = rest;
    Ok(text.to_owned())
}

fn end_texts(texts: Texts<'_>, what: &'static str) -> Result<(), DecodeError> {
    if texts.0.is_empty() { Ok(()) } else { Err(DecodeError::Invalid { what, why: "too many texts" }) }
}

const fn scope_code(scope: Scope) -> u8 {
    match scope {
        Scope::Exact => 0,
        Scope::Broad => 1,
        Scope::Narrow => 2,
        Scope::Related => 3,
    }
}

const fn scope(code: u8) -> Scope {
    match code {
        0 => Scope::Exact,
        1 => Scope::Broad,
        2 => Scope::Narrow,
        _ => Scope::Related,
    }
}

const fn kind_code(kind: SynonymKind) -> u8 {
    match kind {
        SynonymKind::Plain => 0,
        SynonymKind::Lay => 1,
        SynonymKind::Abbreviation => 2,
        SynonymKind::British => 3,
        SynonymKind::Plural => 4,
        SynonymKind::Discarded => 5,
    }
}

const fn kind(code: u8) -> Result<SynonymKind, DecodeError> {
    Ok(match code {
        0 => SynonymKind::Plain,
        1 => SynonymKind::Lay,
        2 => SynonymKind::Abbreviation,
        3 => SynonymKind::British,
        4 => SynonymKind::Plural,
        5 => SynonymKind::Discarded,
        _ => return Err(DecodeError::Invalid { what: "synonyms", why: "unknown kind" }),
    })
}

/// UMLS codes have 32 bits at most; SNOMED codes, of up to 18 digits, leave the lowest bit free.
pub(super) const fn reference_code(reference: CrossReference) -> u64 {
    match reference {
        CrossReference::Snomed(code) => code << 1,
        CrossReference::Umls(code) => (code as u64) << 1 | 1,
    }
}

fn reference(code: u64) -> Result<CrossReference, DecodeError> {
    if code & 1 == 0 {
        return Ok(CrossReference::Snomed(code >> 1));
    }
    let invalid = DecodeError::Invalid { what: "cross references", why: "no UMLS code" };
    u32::try_from(code >> 1).map(CrossReference::Umls).map_err(|_| invalid)
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
