//! Records: what is stored, in a ledger's state or a file, with a version byte first.

use crate::encode::{DecodeError, Reader, Writer};

/// A type with one strict layout that opens with a version byte.
pub trait Record: Sized {
    /// What it is called in errors.
    const NAME: &'static str;
    /// The version written, and the newest that is read.
    const VERSION: u8 = 1;

    /// Writes the fields after the version.
    fn write(&self, writer: &mut Writer);

    /// Reads the fields after the version.
    ///
    /// # Errors
    /// The bytes are not exactly what [`Record::write`] writes of a valid value.
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// The record's bytes.
    #[must_use]
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::record(Self::VERSION);
        self.write(&mut writer);
        writer.finish()
    }

    /// Reads a whole record.
    ///
    /// # Errors
    /// Not the exact bytes of a valid record; a newer version says so.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (_, mut reader) = Reader::record(bytes, Self::NAME, Self::VERSION)?;
        let record = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(record)
    }
}

/// Reads a value that may be absent: a flag, then the value.
///
/// # Errors
/// No flag, or no value where the flag promises one.
pub fn read_option<T>(
    reader: &mut Reader<'_>,
    what: &'static str,
    read: impl FnOnce(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    if reader.bool(what)? { read(reader).map(Some) } else { Ok(None) }
}

/// Writes a value that may be absent: a flag, then the value.
pub fn write_option<T>(writer: &mut Writer, value: Option<&T>, write: impl FnOnce(&T, &mut Writer)) {
    writer.bool(value.is_some());
    if let Some(value) = value {
        write(value, writer);
    }
}

/// Asserts that a decoder never panics on bytes near a valid encoding, and that whatever it takes encodes to the very
/// same bytes again.
#[cfg(test)]
pub(crate) fn assert_strict<T>(
    valid: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, DecodeError>,
    encode: impl Fn(&T) -> Vec<u8>,
) {
    use proptest::prelude::*;

    let back = |bytes: &[u8]| decode(bytes).ok().map(|value| encode(&value));
    assert_eq!(back(valid).as_deref(), Some(valid), "a valid encoding reads back");
    for length in 0..valid.len() {
        assert!(decode(&valid[..length]).is_err(), "cut at {length}");
    }
    let longer = [valid, &[0]].concat();
    assert!(decode(&longer).is_err(), "a byte follows");
    let edits = proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4);
    proptest!(|(edits in edits, noise in proptest::collection::vec(any::<u8>(), 0..64))| {
        let mut changed = valid.to_vec();
        for (index, byte) in edits {
            changed[index.index(valid.len())] = byte;
        }
        let half = [&changed[..changed.len() / 2], &noise].concat();
        for bytes in [&changed, &half, &noise] {
            if let Some(encoded) = back(bytes) {
                prop_assert_eq!(&encoded, bytes);
            }
        }
    });
}
