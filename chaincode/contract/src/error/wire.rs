//! How a refusal travels through Fabric, which carries a status and a text and shows the client the text alone:
//! `code: message`. The code is stable, for programs; where a program needs numbers too, the message begins with them, as
//! in `too-large: 7 5: …`.

use std::fmt;

use super::{Code, ContractError};

/// The status of a response that refuses.
const REFUSED: i32 = 409;
/// The status of one that the ledger's state is to blame for.
pub const BROKEN: i32 = 500;

const SKEW: &str = "clock-skew";
/// Also a code of the contract's own, which has no numbers.
const TOO_LARGE: &str = Code::TooLarge.as_str();
const IDENTITY: &str = "identity";

/// Why a chaincode server refuses a call: by a check of its own, or because the contract does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The proposal's time is too far from the peer's clock.
    Skew {
        /// How far.
        off_by_millis: u64,
        /// How far it may be.
        allowed_millis: u64,
    },
    /// The proposal is too large.
    TooLarge {
        /// Its bytes, with its private input.
        bytes: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// The certificate is not one of a member's node or administrator.
    Identity(String),
    /// Anything else, by the contract's code or one of the server's.
    Other {
        /// The stable code.
        code: String,
        /// For people.
        message: String,
    },
}

impl Refusal {
    /// A refusal by a code.
    #[must_use]
    pub fn other(code: &str, message: impl Into<String>) -> Self {
        Self::Other { code: code.to_owned(), message: message.into() }
    }

    /// Reads the text of a response. A text without a code is taken for a ledger that could not serve.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let Some((code, message)) = text.split_once(": ") else { return Self::other(Code::LedgerState.as_str(), text) };
        match (code, numbers(message)) {
            (SKEW, Some((off_by_millis, allowed_millis))) => Self::Skew { off_by_millis, allowed_millis },
            (TOO_LARGE, Some((bytes, limit))) => Self::TooLarge { bytes, limit },
            (IDENTITY, _) => Self::Identity(message.to_owned()),
            _ => Self::other(code, message),
        }
    }

    /// The status of the response: 400 or more, or it would be endorsed.
    #[must_use]
    pub fn status(&self) -> i32 {
        match self {
            Self::Other { code, .. } if Code::from_word(code).is_some_and(Code::is_fatal) => BROKEN,
            _ => REFUSED,
        }
    }
}

/// The two numbers that a message begins with.
fn numbers(message: &str) -> Option<(u64, u64)> {
    let (first, second) = message.split_once(':')?.0.split_once(' ')?;
    Some((first.parse().ok()?, second.parse().ok()?))
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skew { off_by_millis, allowed_millis } => write!(
                formatter,
                "{SKEW}: {off_by_millis} {allowed_millis}: the proposal's time is so many ms off this peer's clock, that \
                 many are allowed; set the clocks"
            ),
            Self::TooLarge { bytes, limit } => write!(
                formatter,
                "{TOO_LARGE}: {bytes} {limit}: the proposal has so many bytes with its private input, that many are \
                 allowed; send less at once"
            ),
            Self::Identity(why) => write!(formatter, "{IDENTITY}: {why}"),
            Self::Other { code, message } => write!(formatter, "{code}: {message}"),
        }
    }
}

impl From<ContractError> for Refusal {
    fn from(error: ContractError) -> Self {
        Self::other(error.code.as_str(), error.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_read_back() {
        let skew = Refusal::Skew { off_by_millis: 300_001, allowed_millis: 300_000 };
        assert!(skew.to_string().starts_with("clock-skew: 300001 300000: "));
        assert_eq!(Refusal::parse(&skew.to_string()), skew);
        let large = Refusal::TooLarge { bytes: u64::MAX, limit: 0 };
        assert_eq!(Refusal::parse(&large.to_string()), large);
        let identity = Refusal::Identity("1 2: the unit is missing".to_owned());
        assert_eq!(Refusal::parse(&identity.to_string()), identity);
        for code in Code::ALL {
            let refusal = Refusal::from(ContractError::new(*code, "slot 3: taken"));
            assert_eq!(Refusal::parse(&refusal.to_string()), refusal);
            let fatal = matches!(code, Code::LedgerState | Code::CorruptState);
            assert_eq!(refusal.status(), if fatal { 500 } else { 409 });
        }
    }

    #[test]
    fn what_only_resembles_is_something_else() {
        for text in ["too-large: send less at once", "too-large: 1: 2", "too-large: 1 2 3: no", "clock-skew: -1 5: no"]
        {
            assert!(matches!(Refusal::parse(text), Refusal::Other { .. }), "{text}");
        }
        for text in ["", "no code at all", ":", "code:message"] {
            assert_eq!(Refusal::parse(text), Refusal::other("ledger-state", text));
        }
    }
}
