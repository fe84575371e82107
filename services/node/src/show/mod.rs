//! Results as people read them; programs get the same values as JSON.

mod finding;
mod plain;

pub(crate) use finding::finding;
pub(crate) use plain::{in_line, shown};

/// A moment in UTC, to the second, from milliseconds since 1970.
pub(crate) fn moment(millis: u64) -> String {
    let time = i64::try_from(millis).ok().and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    time.map_or_else(|| format!("{millis} ms"), |time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

#[cfg(test)]
mod tests {
    #[test]
    fn moments_are_told_in_utc() {
        assert_eq!(super::moment(86_399_999), "1970-01-01 23:59:59 UTC");
        assert_eq!(super::moment(u64::MAX), "18446744073709551615 ms");
    }
}
