//! Numbers of one to ten bytes, seven bits a byte, lowest first: most numbers in a vocabulary are small.

use crate::encode::{DecodeError, Reader, Writer};

/// Appends a number.
pub(super) fn write(writer: &mut Writer, mut value: u64) {
    while value >= 0x80 {
        writer.u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    writer.u8(value as u8);
}

/// Reads a number in its one shortest form.
pub(super) fn read(reader: &mut Reader<'_>, what: &'static str) -> Result<u64, DecodeError> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = reader.u8(what)?;
        let bits = u64::from(byte & 0x7f);
        if (bits << shift) >> shift != bits {
            return Err(DecodeError::Invalid { what, why: "the number exceeds 64 bits" });
        }
        value |= bits << shift;
        if byte < 0x80 {
            if byte == 0 && shift > 0 {
                return Err(DecodeError::Invalid { what, why: "the number is not in its shortest form" });
            }
            return Ok(value);
        }
    }
    Err(DecodeError::Invalid { what, why: "the number exceeds 64 bits" })
}

/// Appends strictly ascending numbers as their distances: the count first.
pub(super) fn write_ascending(writer: &mut Writer, values: impl ExactSizeIterator<Item = u64>) {
    write(writer, values.len() as u64);
    let mut next = 0;
    for value in values {
        write(writer, value.saturating_sub(next));
        next = value.saturating_add(1);
    }
}

/// Reads strictly ascending numbers below `limit`; there is no other kind of list in this form.
pub(super) fn read_ascending(reader: &mut Reader<'_>, what: &'static str, limit: u64) -> Result<Vec<u64>, DecodeError> {
    let count = read_count(reader, what, limit)?;
    let mut values = Vec::with_capacity(count);
    let mut next = 0_u64;
    for _ in 0..count {
        let value = next.checked_add(read(reader, what)?).filter(|value| *value < limit);
        let value = value.ok_or(DecodeError::Invalid { what, why: "a number is out of range" })?;
        values.push(value);
        next = value + 1;
    }
    Ok(values)
}

/// Reads a count of items of at least one byte each, so that no more is reserved than bytes are there.
pub(super) fn read_count(reader: &mut Reader<'_>, what: &'static str, limit: u64) -> Result<usize, DecodeError> {
    let count = read(reader, what)?;
    let limit = limit.min(reader.remaining() as u64);
    if count > limit {
        let length = usize::try_from(count).unwrap_or(usize::MAX);
        return Err(DecodeError::TooLong { what, length, limit: usize::try_from(limit).unwrap_or(usize::MAX) });
    }
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_read_back(value: u64) {
            let mut writer = Writer::default();
            write(&mut writer, value);
            let bytes = writer.finish();
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(read(&mut reader, "n").unwrap(), value);
            prop_assert!(reader.finish().is_ok());
        }

        #[test]
        fn what_is_read_is_written_alike(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            let mut reader = Reader::new(&bytes);
            if let Ok(value) = read(&mut reader, "n") {
                let mut writer = Writer::default();
                write(&mut writer, value);
                prop_assert_eq!(&writer.finish()[..], &bytes[..bytes.len() - reader.remaining()]);
            }
        }
    }
}
