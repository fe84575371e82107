//! What people say to each other: the plaintext inside an encrypted message.

use std::fmt;

use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::id::Digest;
use semblance_core::record::Record;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::limits::{ATTACHMENT_BYTES_MAX, NAME_BYTES_MAX, TEXT_BYTES_MAX};

/// The secret of one attachment. Wipes itself; debug output shows nothing.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct AttachmentKey(pub(crate) [u8; 32]);

impl fmt::Debug for AttachmentKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AttachmentKey(..)")
    }
}

/// A file that lies encrypted at the hub.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The file's name.
    pub name: String,
    /// Its size in bytes, before encryption.
    pub size: u64,
    /// The digest of the encrypted bytes, by which the hub knows it.
    pub blob: Digest,
    /// What it was encrypted with.
    pub key: AttachmentKey,
}

/// What one message says.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// Who the sender is: the first thing a device says.
    Introduce {
        /// As the person wishes to be called.
        name: String,
    },
    /// Plain text.
    Text(String),
    /// A file.
    File(Attachment),
}

impl Content {
    /// Whether it keeps to the limits of a message.
    #[must_use]
    pub fn fits(&self) -> bool {
        match self {
            Self::Introduce { name } => !name.is_empty() && name.len() <= NAME_BYTES_MAX,
            Self::Text(text) => !text.is_empty() && text.len() <= TEXT_BYTES_MAX,
            Self::File(file) => file.name.len() <= NAME_BYTES_MAX && file.size <= ATTACHMENT_BYTES_MAX,
        }
    }
}

/// No text in debug output, which ends up in logs.
impl fmt::Debug for Content {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Introduce { .. } => "Introduce(..)",
            Self::Text(_) => "Text(..)",
            Self::File(_) => "File(..)",
        })
    }
}

impl Record for Content {
    const NAME: &'static str = "message content";

    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Introduce { name } => {
                writer.u8(1).text(name);
            }
            Self::Text(text) => {
                writer.u8(2).text(text);
            }
            Self::File(file) => {
                writer.u8(3).text(&file.name).u64(file.size);
                file.blob.write(writer);
                writer.raw(&file.key.0);
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match reader.u8("content")? {
            1 => Self::Introduce { name: reader.text("name", NAME_BYTES_MAX)?.to_owned() },
            2 => Self::Text(reader.text("text", TEXT_BYTES_MAX)?.to_owned()),
            3 => Self::File(Attachment {
                name: reader.text("file name", NAME_BYTES_MAX)?.to_owned(),
                size: match reader.u64("file size")? {
                    size if size <= ATTACHMENT_BYTES_MAX => size,
                    _ => return Err(DecodeError::Invalid { what: "file size", why: "above the limit" }),
                },
                blob: Digest::read(reader)?,
                key: AttachmentKey(reader.array("attachment key")?),
            }),
            _ => return Err(DecodeError::Invalid { what: "content", why: "unknown code" }),
        })
    }
}
