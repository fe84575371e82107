//! The fields of a document, which is a case.

use tantivy::TantivyDocument;
use tantivy::schema::{Field, NumericOptions, Schema};

use crate::case::IndexedCase;
use crate::error::IndexError;

pub(crate) const HANDLE_HIGH: &str = "handle-high";
pub(crate) const HANDLE_LOW: &str = "handle-low";
pub(crate) const HOSPITAL: &str = "hospital";
pub(crate) const LENGTH: &str = "length";
pub(crate) const EXPIRES: &str = "expires";
const TOKEN: &str = "token";
const ORDINAL: &str = "ordinal";

/// The fields by name. Tokens are indexed without frequencies and norms; the ordinal is indexed so that a case can be
/// deleted by it, and fast like the rest of the metadata, so that it can be read back.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    pub(crate) token: Field,
    pub(crate) ordinal: Field,
    handle_high: Field,
    handle_low: Field,
    hospital: Field,
    length: Field,
    expires: Field,
}

impl Fields {
    pub(crate) fn schema() -> Schema {
        let fast = || NumericOptions::default().set_fast();
        let mut builder = Schema::builder();
        builder.add_u64_field(TOKEN, NumericOptions::default().set_indexed());
        builder.add_u64_field(ORDINAL, fast().set_indexed());
        for name in [HANDLE_HIGH, HANDLE_LOW, HOSPITAL, LENGTH, EXPIRES] {
            builder.add_u64_field(name, fast());
        }
        builder.build()
    }

    pub(crate) fn of(schema: &Schema) -> Result<Self, IndexError> {
        if *schema != Self::schema() {
            return Err(IndexError::Unusable("another version of the program wrote it"));
        }
        let field = |name| schema.get_field(name).map_err(IndexError::from);
        Ok(Self {
            token: field(TOKEN)?,
            ordinal: field(ORDINAL)?,
            handle_high: field(HANDLE_HIGH)?,
            handle_low: field(HANDLE_LOW)?,
            hospital: field(HOSPITAL)?,
            length: field(LENGTH)?,
            expires: field(EXPIRES)?,
        })
    }

    pub(crate) const fn ordinal_name() -> &'static str {
        ORDINAL
    }

    pub(crate) fn document(&self, case: &IndexedCase) -> TantivyDocument {
        let handle = u128::from_be_bytes(*case.handle().as_bytes());
        let mut document = TantivyDocument::new();
        document.add_u64(self.ordinal, u64::from(case.ordinal()));
        document.add_u64(self.handle_high, (handle >> 64) as u64);
        document.add_u64(self.handle_low, handle as u64);
        document.add_u64(self.hospital, u64::from(case.hospital()));
        document.add_u64(self.length, u64::from(case.length()));
        document.add_u64(self.expires, case.expires().millis());
        for token in case.tokens() {
            document.add_u64(self.token, token.0);
        }
        document
    }
}
