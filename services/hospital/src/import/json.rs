//! A JSON tree that refuses repeated keys and says where a value of the wrong type stands.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// A JSON value, its object keys in the order of the text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// Any number; none of ours is one.
    Number,
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object.
    Object(Vec<(String, Json)>),
}

/// A value is not of the type that belongs at its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: expected {expected}, found {found}")]
pub(super) struct TypeMismatch {
    path: String,
    expected: &'static str,
    found: &'static str,
}

impl Json {
    /// Parses one value; nothing but blanks may follow it.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Flag(_) => "true or false",
            Self::Number => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

/// A place in a tree: the value there, absent when it is missing or null, and the way to it.
#[derive(Clone)]
pub(super) struct Place<'a> {
    value: Option<&'a Json>,
    path: String,
}

impl<'a> Place<'a> {
    /// The tree itself.
    pub(super) fn root(value: &'a Json) -> Self {
        Self { value: Some(value), path: String::new() }
    }

    fn mismatch(&self, expected: &'static str) -> TypeMismatch {
        let path = if self.path.is_empty() { "document".to_owned() } else { self.path.clone() };
        TypeMismatch { path, expected, found: self.value.map_or("nothing", Json::kind) }
    }

    /// Whether anything but null stands here.
    pub(super) const fn is_there(&self) -> bool {
        self.value.is_some()
    }

    /// The way here, as in `phenotypicFeatures[3].type.id`.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The member of an object under its camel-case name, or the snake-case name that protobuf's JSON also allows.
    pub(super) fn member(&self, name: &str) -> Result<Self, TypeMismatch> {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        let value = match self.value {
            None => None,
            Some(Json::Object(members)) => {
                let snake = snake_case(name);
                let found = members.iter().find(|(key, _)| key == name || *key == snake);
                found.map(|(_, value)| value).filter(|value| **value != Json::Null)
            }
            Some(_) => return Err(self.mismatch("an object")),
        };
        Ok(Self { value, path })
    }

    /// The string here.
    pub(super) fn text(&self) -> Result<Option<&'a str>, TypeMismatch> {
        match self.value {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(_) => Err(self.mismatch("a string")),
        }
    }

    /// The string that must stand here.
    pub(super) fn required_text(&self) -> Result<&'a str, TypeMismatch> {
        self.text()?.ok_or_else(|| self.mismatch("a string"))
    }

    /// The flag here; false when absent, as protobuf has it.
    pub(super) fn flag(&self) -> Result<bool, TypeMismatch> {
        match self.value {
            None => Ok(false),
            Some(Json::Flag(flag)) => Ok(*flag),
            Some(_) => Err(self.mismatch("true or false")),
        }
    }

    /// The items of the array here; none when absent.
    pub(super) fn items(&self) -> Result<impl Iterator<Item = Place<'a>> + use<'a>, TypeMismatch> {
        let items = match self.value {
            None => &[],
            Some(Json::List(items)) => items.as_slice(),
            Some(_) => return Err(self.mismatch("an array")),
        };
        let path = self.path.clone();
        Ok(items
            .iter()
            .enumerate()
            .map(move |(index, value)| Place { value: Some(value), path: format!("{path}[{index}]") }))
    }

    /// Refuses anything but an object or nothing.
    pub(super) fn object(&self) -> Result<(), TypeMismatch> {
        match self.value {
            None | Some(Json::Object(_)) => Ok(()),
            Some(_) => Err(self.mismatch("an object")),
        }
    }
}

fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Flag(value))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members: Vec<(String, Json)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        while let Some((key, value)) = map.next_entry::<String, Json>()? {
            // Of two values under one key a reader would silently drop one.
            if !seen.insert(snake_case(&key)) {
                return Err(A::Error::custom("a key stands twice in one object"));
            }
            members.push((key, value));
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_named_when_a_type_is_wrong() {
        let tree = Json::parse(br#"{"phenotypicFeatures":[{"type":{"id":7}}], "a": null}"#).unwrap();
        let root = Place::root(&tree);
        let feature = root.member("phenotypicFeatures").unwrap().items().unwrap().next().unwrap();
        let error = feature.member("type").unwrap().member("id").unwrap().text().unwrap_err();
        assert_eq!(error.to_string(), "phenotypicFeatures[0].type.id: expected a string, found a number");
        assert_eq!(root.member("a").unwrap().text().unwrap(), None);
        assert!(root.member("a").unwrap().member("b").unwrap().required_text().is_err());
    }

    #[test]
    fn both_spellings_are_read_and_repeated_keys_refused() {
        let tree = Json::parse(br#"{"phenotypic_features":[]}"#).unwrap();
        assert!(Place::root(&tree).member("phenotypicFeatures").unwrap().is_there());
        assert!(Json::parse(br#"{"a":1,"a":2}"#).is_err());
        assert!(Json::parse(br#"{"phenotypic_features":[],"phenotypicFeatures":[]}"#).is_err());
        assert!(Json::parse("[".repeat(4_000).as_bytes()).is_err());
        assert!(Json::parse(b"{} {}").is_err());
    }
}
