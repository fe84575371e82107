//! The vectors' form, as mls-implementations documents it in `test-vectors.md`.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use flate2::read::GzDecoder;
use serde::{Deserialize, Deserializer};

/// A client that joins and follows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vector {
    pub(crate) cipher_suite: u16,
    pub(crate) external_psks: Vec<Psk>,
    pub(crate) key_package: Hex,
    #[serde(rename = "signature_priv")]
    pub(crate) signature_key: Hex,
    #[serde(rename = "encryption_priv")]
    pub(crate) encryption_key: Hex,
    #[serde(rename = "init_priv")]
    pub(crate) init_key: Hex,
    pub(crate) welcome: Hex,
    pub(crate) ratchet_tree: Option<Hex>,
    pub(crate) initial_epoch_authenticator: Hex,
    pub(crate) epochs: Vec<Epoch>,
}

/// A pre-shared key that the client holds already.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Psk {
    pub(crate) psk_id: Hex,
    pub(crate) psk: Hex,
}

/// What leads to the next MLS epoch, and how that is recognised.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Epoch {
    pub(crate) proposals: Vec<Hex>,
    pub(crate) commit: Hex,
    pub(crate) epoch_authenticator: Hex,
}

/// Bytes, in hexadecimal.
pub(crate) struct Hex(pub(crate) Vec<u8>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

pub(crate) fn read(path: &Path) -> Vec<Vector> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_reader(BufReader::new(GzDecoder::new(file))).unwrap()
}
