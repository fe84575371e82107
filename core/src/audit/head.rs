//! The signed head of a ledger's history, to print and keep elsewhere.

use std::fmt;

use crate::encode::{DecodeError, Reader, Writer, domain};
use crate::id::{Digest, NetworkId, OrganisationId};
use crate::signature::{Signature, Signed, SignedBytes, Statement, Unverified};
use crate::time::Timestamp;

/// An organisation's word that the history up to a block ended with this hash; signed by its node. Whoever keeps it
/// can show later that the history was rewritten.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AuditHead {
    /// The network.
    pub network: NetworkId,
    /// Who says so, and signs.
    pub organisation: OrganisationId,
    /// The last block's number.
    pub height: u64,
    /// The last block's hash.
    pub block: Digest,
    /// When it was said.
    pub time: Timestamp,
}

impl Statement for AuditHead {
    const DOMAIN: &'static str = domain::AUDIT_HEAD;

    fn network(&self) -> NetworkId {
        self.network
    }

    fn write(&self, writer: &mut Writer) {
        self.organisation.write(writer);
        writer.u64(self.height);
        self.block.write(writer);
        self.time.write(writer);
    }

    fn read(network: NetworkId, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            network,
            organisation: OrganisationId::read(reader)?,
            height: reader.u64("height")?,
            block: Digest::read(reader)?,
            time: Timestamp::read(reader, "time")?,
        })
    }
}

/// Why a text is no signed head.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadTextError {
    /// Not one line of the right fields.
    #[error(
        "not a signed head: expected one line, semblance-head-1 network=… organisation=… height=… block=… time=… signature=… check=…"
    )]
    Form,
    /// The check does not fit: a letter was changed or lost.
    #[error("the head's check does not fit: a character was changed or lost in copying")]
    Check,
}

/// A signed head as one line of text, with a check against errors in copying.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HeadText {
    head: AuditHead,
    signature: Signature,
}

impl From<&Signed<AuditHead>> for HeadText {
    fn from(signed: &Signed<AuditHead>) -> Self {
        Self { head: signed.statement().clone(), signature: *signed.source().signature() }
    }
}

impl HeadText {
    /// The head, to verify with its organisation's key.
    ///
    /// # Errors
    /// None known: whatever was parsed decodes.
    pub fn claim(&self) -> Result<Unverified<AuditHead>, DecodeError> {
        SignedBytes::new(self.head.encode(), self.signature).claim(self.head.network)
    }

    fn line(&self) -> String {
        let AuditHead { network, organisation, height, block, time } = &self.head;
        let signature = hex::encode(self.signature.as_bytes());
        let time = time.millis();
        format!(
            "semblance-head-1 network={network} organisation={organisation} height={height} block={block} time={time} \
             signature={signature}"
        )
    }
}

/// The first four bytes of BLAKE3 of the line before it, in hexadecimal.
fn check(line: &str) -> String {
    Digest::of(line.as_bytes()).to_string().chars().take(8).collect()
}

impl fmt::Display for HeadText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line();
        write!(formatter, "{line} check={}", check(&line))
    }
}

impl std::str::FromStr for HeadText {
    type Err = HeadTextError;

    /// Reads the line back; white space around it is ignored.
    fn from_str(text: &str) -> Result<Self, HeadTextError> {
        let (line, found) = text.trim().rsplit_once(" check=").ok_or(HeadTextError::Form)?;
        if check(line) != found {
            return Err(HeadTextError::Check);
        }
        let parsed = parse(line).ok_or(HeadTextError::Form)?;
        // One head has one text: no leading zeros, no capital digits.
        if parsed.line() == line { Ok(parsed) } else { Err(HeadTextError::Form) }
    }
}

fn parse(line: &str) -> Option<HeadText> {
    let mut words = line.strip_prefix("semblance-head-1 ")?.split(' ');
    let mut field = |name: &str| words.next()?.strip_prefix(name)?.strip_prefix('=');
    let head = AuditHead {
        network: field("network")?.parse().ok()?,
        organisation: field("organisation")?.parse().ok()?,
        height: field("height")?.parse().ok()?,
        block: field("block")?.parse().ok()?,
        time: Timestamp::from_millis(field("time")?.parse().ok()?),
    };
    let mut signature = [0; 64];
    hex::decode_to_slice(field("signature")?, &mut signature).ok()?;
    words.next().is_none().then_some(HeadText { head, signature: Signature::from_bytes(signature) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::assert_strict;
    use crate::signature::SigningKey;

    fn head() -> AuditHead {
        AuditHead {
            network: NetworkId::from_bytes([7; 16]),
            organisation: OrganisationId::new("north").unwrap(),
            height: 12,
            block: Digest::from_bytes([1; 32]),
            time: Timestamp::from_millis(1_700_000_000_000),
        }
    }

    fn text() -> String {
        HeadText::from(&head().sign(&SigningKey::from_seed(&[1; 32]))).to_string()
    }

    #[test]
    fn the_text_reads_back_and_verifies() {
        let parsed: HeadText = format!("\n{} \n", text()).parse().unwrap();
        let key = SigningKey::from_seed(&[1; 32]).verifying_key();
        assert_eq!(parsed.claim().unwrap().verify(&key).unwrap().statement(), &head());
        assert_eq!(parsed.to_string(), text());
        assert!(!text().contains('\n'));
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let text = text();
        for place in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[place] = if changed[place] == b'1' { b'2' } else { b'1' };
            assert!(String::from_utf8(changed).unwrap().parse::<HeadText>().is_err(), "character {place}");
        }
    }

    #[test]
    fn another_text_of_the_same_head_is_refused() {
        for (from, to) in [("height=12", "height=012"), ("height=12", "height=+12"), ("0707", "0707 ")] {
            let line = HeadText::from(&head().sign(&SigningKey::from_seed(&[1; 32]))).line().replacen(from, to, 1);
            let forged = format!("{line} check={}", check(&line));
            assert_eq!(forged.parse::<HeadText>(), Err(HeadTextError::Form), "{to}");
        }
    }

    #[test]
    fn the_decoder_is_strict() {
        assert_strict(&head().encode(), |bytes| AuditHead::decode(bytes, head().network), Statement::encode);
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "(semblance-head-1 )?[a-z=0-9 é]{0,80}( check=[0-9a-f]{0,8})?") {
            prop_assert!(text.parse::<HeadText>().is_err());
        }
    }
}
