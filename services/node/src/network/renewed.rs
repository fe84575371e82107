//! New keys of a member: what a rotation brings.

use std::path::Path;

use semblance_core::organisation::{Organisation, SealingKey};
use semblance_core::random::RandomSource;
use semblance_core::sealing::{SealingKeyId, SealingSecret};
use semblance_core::signature::SigningKey;
use semblance_core::time::Clock;

use super::files::{SECRET, refuse_content, write_sealing, write_signing};
use super::plan::with_this_machine;
use super::tls::PartyTls;
use crate::folder;

/// What shall be new.
pub(crate) struct Renewal<'a> {
    /// The signing key.
    pub(crate) signing: bool,
    /// The sealing key.
    pub(crate) sealing: bool,
    /// The root, with certificates for these hosts.
    pub(crate) hosts: Option<&'a [String]>,
}

/// The new secrets; nothing of them is written yet.
pub(crate) struct Renewed {
    signing: Option<SigningKey>,
    sealing: Option<SealingSecret>,
    tls: Option<PartyTls>,
}

impl Renewed {
    /// Draws them, and makes the record that the member would have.
    ///
    /// # Errors
    /// A host name is none, or a key cannot be drawn.
    pub(crate) fn draw(
        present: &Organisation,
        wanted: &Renewal<'_>,
        clock: &dyn Clock,
        random: &dyn RandomSource,
    ) -> anyhow::Result<(Self, Organisation)> {
        let mut next = present.clone();
        let signing = wanted.signing.then(|| SigningKey::random(random));
        let sealing = wanted.sealing.then(|| SealingSecret::random(random)).transpose()?;
        let tls = match wanted.hosts {
            Some(hosts) => Some(PartyTls::issue(&present.id, &with_this_machine(hosts), clock)?),
            None => None,
        };
        if let Some(key) = &signing {
            next.verifying_key = key.verifying_key();
        }
        if let Some(key) = &sealing {
            let id = SealingKeyId(present.sealing_key.id.0.saturating_add(1));
            next.sealing_key = SealingKey { id, public: *key.public() };
        }
        if let Some(tls) = &tls {
            next.tls_root = tls.root.clone();
        }
        Ok((Self { signing, sealing, tls }, next))
    }

    /// Writes them into a folder that is empty or not there yet.
    ///
    /// # Errors
    /// The folder holds something, or cannot be written.
    pub(crate) fn write(&self, out: &Path) -> anyhow::Result<()> {
        refuse_content(out)?;
        folder::make(&out.join(SECRET))?;
        if let Some(key) = &self.signing {
            write_signing(out, key)?;
        }
        if let Some(key) = &self.sealing {
            write_sealing(out, key)?;
        }
        self.tls.as_ref().map_or(Ok(()), |tls| tls.write(out, &out.join("authority.key")))
    }
}
