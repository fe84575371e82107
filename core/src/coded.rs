//! Enums whose values stand as one byte in layouts and as one word in texts, both of them stable.

/// Defines an enum whose values have one stable code byte and one stable word each: for what is stored or told to
/// others, in this crate and in those above it.
#[macro_export]
macro_rules! coded {
    ($(#[$meta:meta])* $name:ident, $what:literal, {
        $($(#[$variant_meta:meta])* $variant:ident = $code:literal $word:literal,)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)*
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable word.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The value of a word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }

            /// Reads it from a layout.
            ///
            /// # Errors
            /// No byte left, or a code that this program does not know.
            pub fn read(reader: &mut $crate::encode::Reader<'_>) -> Result<Self, $crate::encode::DecodeError> {
                match reader.u8($what)? {
                    $($code => Ok(Self::$variant),)*
                    _ => Err($crate::encode::DecodeError::Invalid { what: $what, why: "unknown code" }),
                }
            }

            /// Writes it to a layout.
            pub fn write(self, writer: &mut $crate::encode::Writer) {
                writer.u8(match self { $(Self::$variant => $code,)* });
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.word())
            }
        }
    };
}
pub(crate) use coded;
