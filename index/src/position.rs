//! How far along the ledger an index is.

use semblance_core::time::Timestamp;

use crate::error::IndexError;

/// A place on the ledger: everything up to and with this block is in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// The block's number.
    pub block: u64,
    /// The block's time; cases that expire at it or before are gone.
    pub time: Timestamp,
}

/// What a commit carries beside the data, in tantivy's own commit payload and so atomic with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub(crate) position: Position,
    /// The largest ordinal ever added, also if its case is gone.
    pub(crate) ordinal: Option<u32>,
}

impl Mark {
    const VERSION: &'static str = "1";

    /// One line of text: version, block, time in milliseconds, ordinal or `-`.
    #[must_use]
    pub fn encode(self) -> String {
        let ordinal = self.ordinal.map_or_else(|| "-".to_owned(), |ordinal| ordinal.to_string());
        format!("{} {} {} {ordinal}", Self::VERSION, self.position.block, self.position.time.millis())
    }

    /// Reads exactly what [`Mark::encode`] writes.
    ///
    /// # Errors
    /// Anything else, or a newer version.
    pub fn decode(text: &str) -> Result<Self, IndexError> {
        let unusable = || IndexError::Unusable("its commit mark is unreadable or of a newer version");
        let mut words = text.split(' ');
        let mut word = || words.next().ok_or_else(unusable);
        if word()? != Self::VERSION {
            return Err(unusable());
        }
        let block = word()?.parse().map_err(|_| unusable())?;
        let millis = word()?.parse().map_err(|_| unusable())?;
        let ordinal = match word()? {
            "-" => None,
            digits => Some(digits.parse().map_err(|_| unusable())?),
        };
        let mark = Self { position: Position { block, time: Timestamp::from_millis(millis) }, ordinal };
        // One encoding for one mark: anything after it, a sign or a leading zero is refused.
        if mark.encode() == text { Ok(mark) } else { Err(unusable()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_exact_marks_are_read() {
        for bad in ["", "1", "2 3 4 5", "1 3 4", "1 3 4 5 6", "1 03 4 5", "1 +3 4 5", "1 3 4 4294967296", "1  3 4 5"] {
            assert!(Mark::decode(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn marks_read_back(block: u64, millis: u64, ordinal: Option<u32>) {
            let mark = Mark { position: Position { block, time: Timestamp::from_millis(millis) }, ordinal };
            prop_assert_eq!(Mark::decode(&mark.encode()).unwrap(), mark);
        }

        #[test]
        fn no_text_brings_the_decoder_down(text: String) {
            let _ = Mark::decode(&text);
        }
    }
}
