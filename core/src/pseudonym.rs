//! Weekly pseudonyms: what a look-up's audit says of who asked, until the hospital resolves it.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::encode::{Writer, domain};
use crate::id::ClinicianPseudonym;
use crate::random::RandomSource;

/// A hospital's secret behind its clinicians' pseudonyms. Wipes itself; debug output shows nothing.
#[derive(Clone)]
pub struct PseudonymSecret(Zeroizing<[u8; 32]>);

impl PseudonymSecret {
    /// Takes 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Draws a new one.
    #[must_use]
    pub fn random(source: &dyn RandomSource) -> Self {
        Self::from_bytes(source.array())
    }

    /// The bytes, for a key file.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }

    /// A clinician's pseudonym in a week (see [`crate::time::Day::week`]): HMAC-SHA256 under this secret over the tag
    /// `semblance/clinician-pseudonym`, version 1, the week as four bytes and the clinician's local id.
    #[must_use]
    pub fn clinician(&self, week: u32, clinician: &str) -> ClinicianPseudonym {
        let mut writer = Writer::default();
        writer.text(domain::CLINICIAN_PSEUDONYM).u8(1).u32(week).text(clinician);
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length, RFC 2104 section 3")]
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice()).expect("a key of any length");
        mac.update(&writer.finish());
        ClinicianPseudonym::from_bytes(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for PseudonymSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PseudonymSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_changes_with_week_clinician_and_hospital() {
        let of = |secret, week, clinician| PseudonymSecret::from_bytes([secret; 32]).clinician(week, clinician);
        assert_eq!(of(1, 2900, "dr-a"), of(1, 2900, "dr-a"));
        for other in [of(2, 2900, "dr-a"), of(1, 2901, "dr-a"), of(1, 2900, "dr-b")] {
            assert_ne!(of(1, 2900, "dr-a"), other);
        }
    }
}
