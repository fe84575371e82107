//! Batches: lists with a limit, and one outcome for each item.

use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::record::Record;

use crate::{Code, ContractError};

/// Longest code and message of a refusal, in bytes.
const CODE_MAX: usize = 64;
const MESSAGE_MAX: usize = 512;
/// Most outcomes in one response: no batch is longer.
const OUTCOMES_MAX: usize = 1000;

/// Between one and `LIMIT` items: a count, then each item's fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T, const LIMIT: usize>(Vec<T>);

impl<T: Record, const LIMIT: usize> List<T, LIMIT> {
    /// Checks the number of items.
    ///
    /// # Errors
    /// None, or more than `LIMIT`.
    pub fn new(items: Vec<T>) -> Result<Self, DecodeError> {
        if items.is_empty() {
            return Err(DecodeError::Invalid { what: T::NAME, why: "a batch has at least one item" });
        }
        if items.len() > LIMIT {
            return Err(DecodeError::TooLong { what: T::NAME, length: items.len(), limit: LIMIT });
        }
        Ok(Self(items))
    }

    /// The items.
    #[must_use]
    pub fn items(&self) -> &[T] {
        &self.0
    }

    /// The items, taken out.
    #[must_use]
    pub fn into_items(self) -> Vec<T> {
        self.0
    }
}

impl<T: Record, const LIMIT: usize> Record for List<T, LIMIT> {
    const NAME: &'static str = T::NAME;

    fn write(&self, writer: &mut Writer) {
        writer.count(self.0.len());
        for item in &self.0 {
            item.write(writer);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = reader.count(T::NAME, LIMIT)?;
        Self::new((0..count).map(|_| T::read(reader)).collect::<Result<_, _>>()?)
    }
}

/// Why one item of a batch took no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    code: String,
    message: String,
}

impl Refusal {
    /// The stable word.
    #[must_use]
    pub fn word(&self) -> &str {
        &self.code
    }

    /// The code, unless a newer contract made it up.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        Code::from_word(&self.code)
    }

    /// What, where and what to do, for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// One outcome for each item of a batch, in the batch's order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcomes(Vec<Result<(), Refusal>>);

impl Outcomes {
    /// The outcomes.
    #[must_use = "an item may have been refused"]
    pub fn items(&self) -> &[Result<(), Refusal>] {
        &self.0
    }

    /// Whether every item took effect.
    #[must_use]
    pub fn all_succeeded(&self) -> bool {
        self.0.iter().all(Result::is_ok)
    }

    pub(crate) fn succeeded(&mut self) {
        self.0.push(Ok(()));
    }

    pub(crate) fn refused(&mut self, error: &ContractError) {
        let mut message = error.message().to_owned();
        message.truncate(message.floor_char_boundary(MESSAGE_MAX));
        self.0.push(Err(Refusal { code: error.code().as_str().to_owned(), message }));
    }
}

impl Record for Outcomes {
    const NAME: &'static str = "outcomes";

    fn write(&self, writer: &mut Writer) {
        writer.count(self.0.len());
        for outcome in &self.0 {
            match outcome {
                Ok(()) => {
                    writer.bool(true);
                }
                Err(refusal) => {
                    writer.bool(false).text(&refusal.code).text(&refusal.message);
                }
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = reader.count("outcomes", OUTCOMES_MAX)?;
        let mut outcomes = Vec::with_capacity(count);
        for _ in 0..count {
            outcomes.push(if reader.bool("outcome")? {
                Ok(())
            } else {
                let code = reader.text("code", CODE_MAX)?.to_owned();
                Err(Refusal { code, message: reader.text("message", MESSAGE_MAX)?.to_owned() })
            });
        }
        Ok(Self(outcomes))
    }
}
