//! The members of a network, their keys, and how keys are replaced.

use std::collections::BTreeSet;

use crate::encode::{DecodeError, Reader, Writer, domain};
use crate::id::{NetworkId, OrganisationId};
use crate::limits::{NETWORK_NAME_MAX, ORGANISATIONS_MAX, TLS_ROOT_BYTES_MAX};
use crate::record::{Record, read_option, write_option};
use crate::sealing::{SealingKeyId, SealingPublicKey};
use crate::signature::{Statement, VerifyingKey};

/// Defines an enum whose values have one stable code byte and one stable word each.
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

coded! {
    /// Who acts for an organisation.
    Role, "role", {
        /// The organisation's node, in daily work.
        Node = 1 "node",
        /// Its administrator: genesis, members, keys.
        Admin = 2 "admin",
    }
}

coded! {
    /// What an organisation does in the network.
    OrganisationKind, "organisation kind", {
        /// Cares for patients, publishes their cases and asks.
        Hospital = 1 "hospital",
        /// Holds the fingerprints and searches them.
        Matcher = 2 "matcher",
    }
}

coded! {
    /// Whether matchers are run by organisations of their own.
    Separation, "separation", {
        /// No hospital runs a matcher.
        Separated = 1 "true",
        /// A trial: a hospital may run a matcher, and the pages say so.
        Pilot = 2 "pilot",
    }
}

/// Why organisations or their keys are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrganisationError {
    /// The network's name is empty, too long or has control characters.
    #[error("a network's name has 1 to {limit} bytes without control characters")]
    Name {
        /// The longest name, in bytes.
        limit: usize,
    },
    /// A root certificate is empty or too large.
    #[error("a root certificate (DER) has 1 to {limit} bytes, not {bytes}")]
    TlsRoot {
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        limit: usize,
    },
    /// No organisation, or too many.
    #[error("a network has 1 to {limit} organisations, not {count}")]
    Count {
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Two organisations share a name or a key, or their order is another one.
    #[error("organisations must stand in ascending order of name, each name and each key once: see {0}")]
    NotUnique(OrganisationId),
    /// A rotation replaces nothing.
    #[error("a rotation names at least one new key or root")]
    NothingNew,
    /// A rotation is of another organisation.
    #[error("the rotation is of {found}, not of {expected}")]
    OtherOrganisation {
        /// Whose record it was applied to.
        expected: OrganisationId,
        /// Whose rotation it is.
        found: OrganisationId,
    },
    /// A rotation is not the next one.
    #[error("the rotation has sequence number {found}, the next one is {expected}")]
    Sequence {
        /// The number that would follow.
        expected: u32,
        /// The number found.
        found: u32,
    },
    /// The new sealing key's id does not follow the present one.
    #[error("the new sealing key has id {found}, the next one is {expected}")]
    SealingKeyId {
        /// The id that would follow.
        expected: SealingKeyId,
        /// The id found.
        found: SealingKeyId,
    },
    /// A new key is the present one.
    #[error("the new key is the present one")]
    SameKey,
}

/// The certificate (X.509, DER) that an organisation's node certificates are checked against, and no other.
/// Its size is checked here, its content by whoever opens connections.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TlsRoot(Vec<u8>);

impl TlsRoot {
    /// Takes the certificate's DER bytes.
    ///
    /// # Errors
    /// Empty or larger than 4 KiB.
    pub fn new(der: Vec<u8>) -> Result<Self, OrganisationError> {
        if der.is_empty() || der.len() > TLS_ROOT_BYTES_MAX {
            return Err(OrganisationError::TlsRoot { bytes: der.len(), limit: TLS_ROOT_BYTES_MAX });
        }
        Ok(Self(der))
    }

    /// The certificate's DER bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::new(reader.bytes("root certificate", TLS_ROOT_BYTES_MAX)?.to_vec())
            .map_err(|_| DecodeError::Invalid { what: "root certificate", why: "empty" })
    }

    fn write(&self, writer: &mut Writer) {
        writer.bytes(&self.0);
    }
}

/// A sealing key with its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SealingKey {
    /// Its number.
    pub id: SealingKeyId,
    /// The public half.
    pub public: SealingPublicKey,
}

impl SealingKey {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { id: SealingKeyId::read(reader)?, public: SealingPublicKey::read(reader)? })
    }

    fn write(&self, writer: &mut Writer) {
        self.id.write(writer);
        self.public.write(writer);
    }
}

/// A member with its present keys, as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Organisation {
    /// Its name.
    pub id: OrganisationId,
    /// What it does.
    pub kind: OrganisationKind,
    /// Its node's signing key.
    pub verifying_key: VerifyingKey,
    /// What receipts and epoch keys are sealed to.
    pub sealing_key: SealingKey,
    /// What its certificates are checked against.
    pub tls_root: TlsRoot,
    /// How often its keys were rotated.
    pub rotations: u32,
}

impl Record for Organisation {
    const NAME: &'static str = "organisation";

    fn write(&self, writer: &mut Writer) {
        self.id.write(writer);
        self.kind.write(writer);
        self.verifying_key.write(writer);
        self.sealing_key.write(writer);
        self.tls_root.write(writer);
        writer.u32(self.rotations);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: OrganisationId::read(reader)?,
            kind: OrganisationKind::read(reader)?,
            verifying_key: VerifyingKey::read(reader, "signing key")?,
            sealing_key: SealingKey::read(reader)?,
            tls_root: TlsRoot::read(reader)?,
            rotations: reader.u32("rotations")?,
        })
    }
}

impl Organisation {
    /// The organisation after a rotation, whose signature by the present signing key has been verified.
    ///
    /// # Errors
    /// Another organisation's, not the next one, or a new key that is the present one.
    pub fn rotated(&self, rotation: &KeyRotation) -> Result<Self, OrganisationError> {
        if rotation.organisation != self.id {
            let (expected, found) = (self.id.clone(), rotation.organisation.clone());
            return Err(OrganisationError::OtherOrganisation { expected, found });
        }
        let expected = self.rotations.saturating_add(1);
        if rotation.sequence != expected {
            return Err(OrganisationError::Sequence { expected, found: rotation.sequence });
        }
        let mut next = Self { rotations: expected, ..self.clone() };
        if let Some(key) = rotation.verifying_key {
            next.verifying_key = key;
        }
        if let Some(key) = rotation.sealing_key {
            let expected = SealingKeyId(self.sealing_key.id.0.saturating_add(1));
            if key.id != expected {
                return Err(OrganisationError::SealingKeyId { expected, found: key.id });
            }
            next.sealing_key = key;
        }
        if let Some(root) = &rotation.tls_root {
            next.tls_root = root.clone();
        }
        let same_signing = rotation.verifying_key == Some(self.verifying_key);
        let same_sealing = rotation.sealing_key.is_some_and(|key| key.public == self.sealing_key.public);
        if same_signing || same_sealing { Err(OrganisationError::SameKey) } else { Ok(next) }
    }
}

/// The replacement of an organisation's keys or root, signed by its present signing key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyRotation {
    network: NetworkId,
    organisation: OrganisationId,
    sequence: u32,
    verifying_key: Option<VerifyingKey>,
    sealing_key: Option<SealingKey>,
    tls_root: Option<TlsRoot>,
}

impl KeyRotation {
    /// Makes the rotation that takes an organisation from its present record to another one.
    ///
    /// # Errors
    /// Nothing would change.
    pub fn between(network: NetworkId, present: &Organisation, next: &Organisation) -> Result<Self, OrganisationError> {
        Self {
            network,
            organisation: present.id.clone(),
            sequence: present.rotations.saturating_add(1),
            verifying_key: Some(next.verifying_key).filter(|key| *key != present.verifying_key),
            sealing_key: Some(next.sealing_key).filter(|key| *key != present.sealing_key),
            tls_root: Some(next.tls_root.clone()).filter(|root| *root != present.tls_root),
        }
        .checked()
    }

    fn checked(self) -> Result<Self, OrganisationError> {
        if self.verifying_key.is_none() && self.sealing_key.is_none() && self.tls_root.is_none() {
            return Err(OrganisationError::NothingNew);
        }
        Ok(self)
    }

    /// Whose keys they are.
    #[must_use]
    pub const fn organisation(&self) -> &OrganisationId {
        &self.organisation
    }

    /// The rotation's number, from 1.
    #[must_use]
    pub const fn sequence(&self) -> u32 {
        self.sequence
    }

    /// The new signing key.
    #[must_use]
    pub const fn verifying_key(&self) -> Option<&VerifyingKey> {
        self.verifying_key.as_ref()
    }

    /// The new sealing key.
    #[must_use]
    pub const fn sealing_key(&self) -> Option<&SealingKey> {
        self.sealing_key.as_ref()
    }

    /// The new root certificate.
    #[must_use]
    pub const fn tls_root(&self) -> Option<&TlsRoot> {
        self.tls_root.as_ref()
    }
}

impl Statement for KeyRotation {
    const DOMAIN: &'static str = domain::KEY_ROTATION;

    fn network(&self) -> NetworkId {
        self.network
    }

    fn write(&self, writer: &mut Writer) {
        self.organisation.write(writer);
        writer.u32(self.sequence);
        write_option(writer, self.verifying_key.as_ref(), VerifyingKey::write);
        write_option(writer, self.sealing_key.as_ref(), SealingKey::write);
        write_option(writer, self.tls_root.as_ref(), TlsRoot::write);
    }

    fn read(network: NetworkId, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self {
            network,
            organisation: OrganisationId::read(reader)?,
            sequence: reader.u32("sequence")?,
            verifying_key: read_option(reader, "new signing key", |reader| {
                VerifyingKey::read(reader, "new signing key")
            })?,
            sealing_key: read_option(reader, "new sealing key", SealingKey::read)?,
            tls_root: read_option(reader, "new root certificate", TlsRoot::read)?,
        }
        .checked()
        .map_err(|_| DecodeError::Invalid { what: "key rotation", why: "names nothing new" })
    }
}

/// What a network is, fixed at genesis.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Network {
    id: NetworkId,
    name: String,
    separation: Separation,
}

impl Network {
    /// Checks the name: 1 to 80 bytes without control characters.
    ///
    /// # Errors
    /// Another name.
    pub fn new(id: NetworkId, name: &str, separation: Separation) -> Result<Self, OrganisationError> {
        if name.is_empty() || name.len() > NETWORK_NAME_MAX || name.chars().any(char::is_control) {
            return Err(OrganisationError::Name { limit: NETWORK_NAME_MAX });
        }
        Ok(Self { id, name: name.to_owned(), separation })
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> NetworkId {
        self.id
    }

    /// Its name, for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether matchers are run by organisations of their own.
    #[must_use]
    pub const fn separation(&self) -> Separation {
        self.separation
    }
}

impl Record for Network {
    const NAME: &'static str = "network";

    fn write(&self, writer: &mut Writer) {
        self.id.write(writer);
        writer.text(&self.name);
        self.separation.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let id = NetworkId::read(reader)?;
        let name = reader.text("network name", NETWORK_NAME_MAX)?;
        Self::new(id, name, Separation::read(reader)?)
            .map_err(|_| DecodeError::Invalid { what: "network name", why: "empty, or has control characters" })
    }
}

/// The first transaction of a network: what it is and who its first members are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Genesis {
    network: Network,
    organisations: Vec<Organisation>,
}

impl Genesis {
    /// Checks the members and puts them in order of name.
    ///
    /// # Errors
    /// None or too many, or two that share a name, a signing key or a sealing key.
    pub fn new(network: Network, mut organisations: Vec<Organisation>) -> Result<Self, OrganisationError> {
        organisations.sort_by(|left, right| left.id.cmp(&right.id));
        Self { network, organisations }.checked()
    }

    fn checked(self) -> Result<Self, OrganisationError> {
        let count = self.organisations.len();
        if count == 0 || count > ORGANISATIONS_MAX {
            return Err(OrganisationError::Count { count, limit: ORGANISATIONS_MAX });
        }
        let (mut last, mut signing, mut sealing) = (None, BTreeSet::new(), BTreeSet::new());
        for organisation in &self.organisations {
            let follows = last < Some(&organisation.id);
            let fresh = signing.insert(organisation.verifying_key) && sealing.insert(organisation.sealing_key.public);
            if !follows || !fresh {
                return Err(OrganisationError::NotUnique(organisation.id.clone()));
            }
            last = Some(&organisation.id);
        }
        Ok(self)
    }

    /// What the network is.
    #[must_use]
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// Its first members, in order of name.
    #[must_use]
    pub fn organisations(&self) -> &[Organisation] {
        &self.organisations
    }
}

impl Record for Genesis {
    const NAME: &'static str = "genesis";

    fn write(&self, writer: &mut Writer) {
        self.network.write(writer);
        writer.count(self.organisations.len());
        for organisation in &self.organisations {
            organisation.write(writer);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let network = Network::read(reader)?;
        let count = reader.count("organisations", ORGANISATIONS_MAX)?;
        let organisations = (0..count).map(|_| Organisation::read(reader)).collect::<Result<_, _>>()?;
        Self { network, organisations }.checked().map_err(|_| DecodeError::Invalid {
            what: "organisations",
            why: "none, not in ascending order of name, or a name or key stands twice",
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::record::assert_strict;
    use crate::sealing::SealingSecret;
    use crate::signature::SigningKey;

    const NETWORK: NetworkId = NetworkId::from_bytes([7; 16]);

    pub(crate) fn organisation(name: &str, seed: u8) -> Organisation {
        Organisation {
            id: OrganisationId::new(name).unwrap(),
            kind: OrganisationKind::Hospital,
            verifying_key: SigningKey::from_seed(&[seed; 32]).verifying_key(),
            sealing_key: SealingKey {
                id: SealingKeyId(1),
                public: *SealingSecret::from_bytes([seed; 32]).unwrap().public(),
            },
            tls_root: TlsRoot::new(vec![0x30, seed]).unwrap(),
            rotations: 0,
        }
    }

    fn genesis() -> Genesis {
        let network = Network::new(NETWORK, "Trial", Separation::Pilot).unwrap();
        Genesis::new(network, vec![organisation("south", 2), organisation("north", 1)]).unwrap()
    }

    #[test]
    fn genesis_refuses_shared_names_and_keys() {
        let network = || genesis().network;
        let refused = |organisations| Genesis::new(network(), organisations).unwrap_err();
        assert!(matches!(refused(vec![]), OrganisationError::Count { count: 0, .. }));
        let twice = vec![organisation("north", 1), organisation("north", 2)];
        assert!(matches!(refused(twice), OrganisationError::NotUnique(_)));
        let mut sealing = organisation("south", 2);
        sealing.sealing_key.public = organisation("north", 1).sealing_key.public;
        let mut signing = organisation("south", 2);
        signing.verifying_key = organisation("north", 1).verifying_key;
        for shared in [sealing, signing] {
            assert!(matches!(refused(vec![organisation("north", 1), shared]), OrganisationError::NotUnique(_)));
        }
        let order: Vec<_> = genesis().organisations.iter().map(|member| member.id.to_string()).collect();
        assert_eq!(order, ["north", "south"]);
    }

    #[test]
    fn rotations_follow_one_another() {
        let first = organisation("north", 1);
        let mut wanted = first.clone();
        wanted.verifying_key = SigningKey::from_seed(&[9; 32]).verifying_key();
        wanted.sealing_key =
            SealingKey { id: SealingKeyId(2), public: *SealingSecret::from_bytes([9; 32]).unwrap().public() };
        let rotation = KeyRotation::between(NETWORK, &first, &wanted).unwrap();
        let second = first.rotated(&rotation).unwrap();
        assert_eq!(second, Organisation { rotations: 1, ..wanted });
        assert!(matches!(second.rotated(&rotation), Err(OrganisationError::Sequence { expected: 2, found: 1 })));
        assert!(matches!(
            organisation("south", 2).rotated(&rotation),
            Err(OrganisationError::OtherOrganisation { .. })
        ));
        let skipped = SealingKey { id: SealingKeyId(4), public: organisation("x", 3).sealing_key.public };
        let skipping =
            KeyRotation::between(NETWORK, &second, &Organisation { sealing_key: skipped, ..second.clone() }).unwrap();
        assert!(matches!(second.rotated(&skipping), Err(OrganisationError::SealingKeyId { .. })));
        assert_eq!(KeyRotation::between(NETWORK, &first, &first), Err(OrganisationError::NothingNew));
    }

    #[test]
    fn sizes_are_bounded() {
        assert!(TlsRoot::new(vec![]).is_err());
        assert!(TlsRoot::new(vec![0; TLS_ROOT_BYTES_MAX + 1]).is_err());
        for name in ["", "a\nb", &"a".repeat(NETWORK_NAME_MAX + 1)] {
            assert!(Network::new(NETWORK, name, Separation::Separated).is_err());
        }
    }

    #[test]
    fn decoders_are_strict() {
        assert_strict(&genesis().encode(), Genesis::decode, Record::encode);
        assert_strict(&organisation("north", 1).encode(), Organisation::decode, Record::encode);
        let mut next = organisation("north", 1);
        next.tls_root = TlsRoot::new(vec![0x30, 9]).unwrap();
        let rotation = KeyRotation::between(NETWORK, &organisation("north", 1), &next).unwrap();
        assert_strict(&rotation.encode(), |bytes| KeyRotation::decode(bytes, NETWORK), Statement::encode);
    }
}
