//! Identifiers. Each is a type of its own, so that a handle never passes for a request.

use std::fmt;

use crate::encode::{DecodeError, Reader, Writer};
use crate::random::RandomSource;

macro_rules! random_id {
    ($(#[$meta:meta])* $name:ident, $length:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $length]);

        impl $name {
            /// Takes the bytes as they are.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            /// Draws a new one.
            #[must_use]
            pub fn random(source: &dyn RandomSource) -> Self {
                Self(source.array())
            }

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }

            /// Reads it from a layout.
            ///
            /// # Errors
            /// Too few bytes left.
            pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                reader.array(stringify!($name)).map(Self)
            }

            /// Writes it to a layout.
            pub fn write(&self, writer: &mut Writer) {
                writer.raw(&self.0);
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!(stringify!($name), "({})"), self)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let mut bytes = [0; $length];
                hex::decode_to_slice(text, &mut bytes)
                    .map_err(|_| IdError::Hex { what: stringify!($name), digits: $length * 2 })?;
                Ok(Self(bytes))
            }
        }
    };
}

random_id! {
    /// The id of a network of hospitals, drawn once at genesis.
    NetworkId, 16
}
random_id! {
    /// The random public name of a published case.
    CaseHandle, 16
}
random_id! {
    /// The random name of a consent; once withdrawn it is dead for ever.
    ConsentId, 16
}
random_id! {
    /// The random name of a request; the key by which replays are recognised.
    RequestId, 16
}
random_id! {
    /// The name of a ledger transaction: a hash of its proposal.
    TransactionId, 32
}
random_id! {
    /// The random name of a denial.
    DenialId, 16
}
random_id! {
    /// What stands for a clinician for a week; only the hospital knows whom it means.
    ClinicianPseudonym, 32
}
random_id! {
    /// The random name of an introduction.
    IntroductionId, 16
}
random_id! {
    /// The random name of a channel, on the ledger and of its MLS group.
    ChannelId, 16
}
random_id! {
    /// What stands for one device in one channel; only its hospital knows whose it is.
    ParticipantId, 16
}
random_id! {
    /// A BLAKE3 hash or commitment.
    Digest, 32
}

impl Digest {
    /// The BLAKE3 hash of bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

/// Why a text is no identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not the right number of hexadecimal digits.
    #[error("{what} must be {digits} hexadecimal digits")]
    Hex {
        /// The kind of identifier.
        what: &'static str,
        /// How many digits it has.
        digits: usize,
    },
    /// Not an organisation's name.
    #[error("an organisation's name has 1 to {limit} characters from a-z, 0-9 and '-', and starts with a letter")]
    Organisation {
        /// The longest name allowed.
        limit: usize,
    },
}

/// The name of a member organisation, a hospital or a matcher, for example `hospital-north`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrganisationId(String);

impl OrganisationId {
    /// The longest name, in characters.
    pub const LIMIT: usize = 40;

    /// Checks a name.
    ///
    /// # Errors
    /// Characters outside a–z, 0–9 and '-', another first character than a letter, or a wrong length.
    pub fn new(name: &str) -> Result<Self, IdError> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let starts = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        if !starts || name.len() > Self::LIMIT || !name.bytes().all(allowed) {
            return Err(IdError::Organisation { limit: Self::LIMIT });
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads it from a layout.
    ///
    /// # Errors
    /// Not an organisation's name.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::new(reader.text("organisation", Self::LIMIT)?)
            .map_err(|_| DecodeError::Invalid { what: "organisation", why: "not an organisation's name" })
    }

    /// Writes it to a layout.
    pub fn write(&self, writer: &mut Writer) {
        writer.text(&self.0);
    }
}

impl fmt::Display for OrganisationId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::str::FromStr for OrganisationId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for good in ["a", "hospital-north", "m1"] {
            assert_eq!(OrganisationId::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "1a", "-a", "A", "a b", "a/b", "é", &"a".repeat(41)] {
            assert!(OrganisationId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn hexadecimal_reads_back() {
        let handle = CaseHandle::from_bytes([0xab; 16]);
        assert_eq!(handle.to_string().parse::<CaseHandle>().unwrap(), handle);
        assert!("ab".parse::<CaseHandle>().is_err());
    }
}
