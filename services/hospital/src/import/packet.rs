//! One patient as a source states it, parsed but not yet held against a vocabulary.

use super::json::{Json, Place, TypeMismatch};

/// Most symptoms in one packet; the largest published one known to us has 150.
pub const FEATURES_MAX: usize = 2_000;
/// Longest pseudonym or label kept, in characters.
const TEXT_MAX: usize = 400;

/// Why bytes are no packet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Not JSON, or JSON with a key twice.
    #[error("not readable as JSON: {0}")]
    Json(String),
    /// A value of the wrong type.
    #[error("{0}")]
    Type(String),
    /// JSON of another kind.
    #[error("{0}")]
    Kind(&'static str),
    /// More symptoms than a packet may hold.
    #[error("{field}: more than {FEATURES_MAX} entries")]
    TooMany {
        /// The field.
        field: String,
    },
}

impl From<TypeMismatch> for PacketError {
    fn from(error: TypeMismatch) -> Self {
        Self::Type(error.to_string())
    }
}

/// One symptom as the source states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StatedFeature {
    /// The id as it stands there.
    pub(super) id: String,
    /// Looked for and not found.
    pub(super) excluded: bool,
    /// When it began.
    pub(super) onset: Option<String>,
}

/// One patient as the source states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    /// The packet's id.
    pub(super) id: String,
    /// The subject's id.
    pub(super) subject: Option<String>,
    /// A diagnosis.
    pub(super) label: Option<String>,
    /// The symptoms.
    pub(super) features: Vec<StatedFeature>,
    /// What was read otherwise than it stands there.
    pub(super) notes: Vec<String>,
}

impl Packet {
    /// Reads a GA4GH Phenopacket, version 2, in JSON. Fields that are not needed here are passed over.
    pub(super) fn from_phenopacket(bytes: &[u8]) -> Result<Self, PacketError> {
        let tree = Json::parse(bytes).map_err(|error| PacketError::Json(position(&error)))?;
        let root = Place::root(&tree);
        if root.member("proband")?.is_there() || root.member("members")?.is_there() {
            return Err(PacketError::Kind(
                "this is a Family or a Cohort: export each member as a Phenopacket of its own",
            ));
        }
        let id = root.member("id")?.required_text()?.to_owned();
        let subject = root.member("subject")?.member("id")?.text()?.map(shorten);
        root.member("metaData")?.object()?;
        let mut notes = Vec::new();
        let mut features = Vec::new();
        for feature in root.member("phenotypicFeatures")?.items()? {
            if features.len() == FEATURES_MAX {
                return Err(PacketError::TooMany { field: "phenotypicFeatures".to_owned() });
            }
            features.push(phenotypic_feature(&feature, &mut notes)?);
        }
        let label = diagnosis(&root)?;
        Ok(Self { id, subject, label, features, notes })
    }

    /// Reads one line of JSON: `case_id`, `observed` and, where known, `excluded`, `disease`, `pub`.
    pub(super) fn from_line(bytes: &[u8]) -> Result<Self, PacketError> {
        let tree = Json::parse(bytes).map_err(|error| PacketError::Json(position(&error)))?;
        let root = Place::root(&tree);
        let id = root.member("case_id")?.required_text()?.to_owned();
        let subject = root.member("subject")?.text()?.map(shorten);
        let label = root.member("disease")?.text()?.map(shorten);
        let mut features = Vec::new();
        for (name, excluded) in [("observed", false), ("excluded", true)] {
            let list = root.member(name)?;
            if !excluded && !list.is_there() {
                return Err(PacketError::Kind("observed: expected an array of HPO ids, found nothing"));
            }
            for item in list.items()? {
                if features.len() == FEATURES_MAX {
                    return Err(PacketError::TooMany { field: name.to_owned() });
                }
                features.push(StatedFeature { id: item.required_text()?.to_owned(), excluded, onset: None });
            }
        }
        Ok(Self { id, subject, label, features, notes: Vec::new() })
    }
}

fn phenotypic_feature(feature: &Place<'_>, notes: &mut Vec<String>) -> Result<StatedFeature, PacketError> {
    let id = feature.member("type")?.member("id")?.required_text()?.to_owned();
    let mut excluded = feature.member("excluded")?.flag()?;
    if feature.member("negated")?.flag()? {
        // Version 1 called it so; passing it over would turn an absent symptom into a present one.
        notes.push(format!("{}: `negated` of version 1 read as `excluded`", feature.path()));
        excluded = true;
    }
    let onset = onset(&feature.member("onset")?)?;
    Ok(StatedFeature { id, excluded, onset })
}

fn onset(place: &Place<'_>) -> Result<Option<String>, PacketError> {
    for way in [
        &["ontologyClass", "id"][..],
        &["age", "iso8601duration"],
        &["timestamp"],
        &["ageRange", "start", "iso8601duration"],
        &["interval", "start"],
    ] {
        let mut at = place.clone();
        for name in way {
            at = at.member(name)?;
        }
        if let Some(text) = at.text()? {
            return Ok(Some(shorten(text)));
        }
    }
    Ok(None)
}

/// The first diagnosis that is not excluded: of the interpretations, else of the diseases.
fn diagnosis(root: &Place<'_>) -> Result<Option<String>, PacketError> {
    for interpretation in root.member("interpretations")?.items()? {
        let disease = interpretation.member("diagnosis")?.member("disease")?;
        if let Some(label) = ontology_class(&disease)? {
            return Ok(Some(label));
        }
    }
    for disease in root.member("diseases")?.items()? {
        let label = ontology_class(&disease.member("term")?)?;
        if label.is_some() && !disease.member("excluded")?.flag()? {
            return Ok(label);
        }
    }
    Ok(None)
}

fn ontology_class(place: &Place<'_>) -> Result<Option<String>, PacketError> {
    let id = place.member("id")?.text()?.unwrap_or_default();
    let label = place.member("label")?.text()?.unwrap_or_default();
    let both = format!("{id} {label}");
    let both = both.trim();
    Ok((!both.is_empty()).then(|| shorten(both)))
}

fn shorten(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

/// What is wrong and where, without the text around it.
fn position(error: &serde_json::Error) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SMALL: &str = r#"{"id":"p-1","subject":{"id":"s-1","sex":"MALE"},"phenotypicFeatures":[
        {"type":{"id":"HP:0001250","label":"Seizure"},"onset":{"age":{"iso8601duration":"P6M"}}},
        {"type":{"id":"HP:0001252"},"excluded":true}],
        "interpretations":[{"id":"i","diagnosis":{"disease":{"id":"OMIM:1","label":"X"}}}],
        "metaData":{"created":"2025-12-31T18:04:56Z"},"unknownField":[1,2,{"a":null}]}"#;

    #[test]
    fn the_needed_fields_are_read() {
        let packet = Packet::from_phenopacket(SMALL.as_bytes()).unwrap();
        assert_eq!((packet.id.as_str(), packet.subject.as_deref()), ("p-1", Some("s-1")));
        assert_eq!(packet.label.as_deref(), Some("OMIM:1 X"));
        assert_eq!(packet.features[0].onset.as_deref(), Some("P6M"));
        assert!(packet.features[1].excluded && !packet.features[0].excluded);
    }

    #[test]
    fn a_negated_feature_of_version_1_is_never_read_as_present() {
        let text = r#"{"id":"p","phenotypicFeatures":[{"type":{"id":"HP:0001250"},"negated":true}]}"#;
        let packet = Packet::from_phenopacket(text.as_bytes()).unwrap();
        assert!(packet.features[0].excluded);
        assert_eq!(packet.notes.len(), 1);
    }

    #[test]
    fn malformed_packets_are_refused_with_the_place() {
        for (text, expected) in [
            ("", "not readable as JSON"),
            ("[]", "document: expected an object, found an array"),
            ("{}", "id: expected a string, found nothing"),
            (r#"{"id":7}"#, "id: expected a string, found a number"),
            (r#"{"id":"p","phenotypicFeatures":{}}"#, "phenotypicFeatures: expected an array, found an object"),
            (r#"{"id":"p","phenotypicFeatures":[7]}"#, "phenotypicFeatures[0]: expected an object, found a number"),
            (r#"{"id":"p","phenotypicFeatures":[{}]}"#, "phenotypicFeatures[0].type.id: expected a string"),
            (
                r#"{"id":"p","phenotypicFeatures":[{"type":{"id":"HP:1"},"excluded":"no"}]}"#,
                "phenotypicFeatures[0].excluded: expected true or false, found a string",
            ),
            (r#"{"id":"p","subject":"s"}"#, "subject: expected an object, found a string"),
            (r#"{"id":"f","proband":{"id":"p"}}"#, "Family"),
            (r#"{"id":"p","id":"q"}"#, "stands twice"),
            ("{\"id\":\"p\"}x", "not readable as JSON"),
        ] {
            let error = Packet::from_phenopacket(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let many = vec![r#"{"type":{"id":"HP:0001250"}}"#; FEATURES_MAX + 1].join(",");
        let text = format!(r#"{{"id":"p","phenotypicFeatures":[{many}]}}"#);
        assert!(matches!(Packet::from_phenopacket(text.as_bytes()), Err(PacketError::TooMany { .. })));
    }

    #[test]
    fn a_line_needs_its_id_and_its_symptoms() {
        let line = br#"{"case_id":"c","pub":"PMID","disease":"OMIM:1","observed":["HP:0001250"],"excluded":["HP:1"]}"#;
        let packet = Packet::from_line(line).unwrap();
        assert_eq!((packet.features.len(), packet.features[1].excluded), (2, true));
        assert!(Packet::from_line(br#"{"case_id":"c"}"#).is_err());
        assert!(Packet::from_line(br#"{"observed":[]}"#).is_err());
        assert!(Packet::from_line(br#"{"case_id":"c","observed":[7]}"#).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Packet::from_phenopacket(&bytes);
            let _ = Packet::from_line(&bytes);
        }

        #[test]
        fn no_mutation_of_a_packet_makes_the_reader_panic(
            at in 0..SMALL.len(), byte in any::<u8>(), cut in 0..SMALL.len(),
        ) {
            let mut bytes = SMALL.as_bytes().to_vec();
            bytes[at] = byte;
            let _ = Packet::from_phenopacket(&bytes);
            let _ = Packet::from_phenopacket(&SMALL.as_bytes()[..cut]);
        }
    }
}
