//! The files of test vectors, in `tests/vectors` of the crate whose tests include this.

use std::path::Path;

use serde_json::Value;

/// Compares with the stored file, or writes it where `SEMBLANCE_WRITE_VECTORS` is set, and returns what is stored.
pub(crate) fn stored(name: &str, built: &Value) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(format!("{name}.json"));
    if std::env::var_os("SEMBLANCE_WRITE_VECTORS").is_some() {
        std::fs::write(&path, format!("{}\n", serde_json::to_string_pretty(built).unwrap())).unwrap();
    }
    let stored: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(&stored, built, "{name}.json");
    stored
}

/// Bytes that stand in a file as hexadecimal text.
pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}
