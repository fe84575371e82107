//! Time as an argument.

use std::fmt;

use crate::encode::{DecodeError, Reader, Writer};

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From milliseconds since 1970.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// The day it falls on, in UTC.
    #[must_use]
    pub const fn day(self) -> Day {
        // Saturation is out of reach: it would be eleven million years from now.
        let days = self.0 / Day::MILLIS;
        Day(if days > u32::MAX as u64 { u32::MAX } else { days as u32 })
    }

    /// So much later.
    #[must_use]
    pub const fn plus(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// The distance to another moment, in milliseconds, whichever comes first.
    #[must_use]
    pub const fn distance(self, other: Self) -> u64 {
        self.0.abs_diff(other.0)
    }

    /// Reads it from a layout.
    ///
    /// # Errors
    /// Too few bytes left.
    pub fn read(reader: &mut Reader<'_>, what: &'static str) -> Result<Self, DecodeError> {
        reader.u64(what).map(Self)
    }

    /// Writes it to a layout.
    pub fn write(self, writer: &mut Writer) {
        writer.u64(self.0);
    }
}

/// A day in UTC, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u32);

impl Day {
    /// Milliseconds of a day.
    pub const MILLIS: u64 = 86_400_000;

    /// From days since 1970.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }

    /// Days since 1970.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The week it falls in, counted from Monday 1969-12-29; clinicians' pseudonyms change with it.
    #[must_use]
    pub const fn week(self) -> u32 {
        // 1970-01-01 was a Thursday, three days into its week.
        self.0.saturating_add(3) / 7
    }
}

impl fmt::Display for Day {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// Tells the time. The program passes the system's clock in; tests pass one they set.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// A clock that stands until it is moved.
#[derive(Debug, Default)]
pub struct ManualClock(std::sync::atomic::AtomicU64);

impl ManualClock {
    /// Stands at this moment.
    #[must_use]
    pub fn at(start: Timestamp) -> Self {
        Self(std::sync::atomic::AtomicU64::new(start.0))
    }

    /// Moves on by so many milliseconds.
    pub fn advance(&self, millis: u64) {
        self.0.fetch_add(millis, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_start_on_monday() {
        // 1970-01-05 was a Monday.
        assert_eq!(Day::from_number(3).week() + 1, Day::from_number(4).week());
        assert_eq!(Day::from_number(4).week(), Day::from_number(10).week());
    }
}
