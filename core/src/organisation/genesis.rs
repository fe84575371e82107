//! What a network is, and who its first members are.

use std::collections::BTreeSet;

use super::{Organisation, OrganisationError};
use crate::coded::coded;
use crate::encode::{DecodeError, Reader, Writer};
use crate::id::NetworkId;
use crate::limits::{NETWORK_NAME_MAX, ORGANISATIONS_MAX};
use crate::record::Record;

coded! {
    /// Whether matchers are run by organisations of their own.
    Separation, "separation", {
        /// No hospital runs a matcher.
        Separated = 1 "true",
        /// A trial: a hospital may run a matcher, and the pages say so.
        Pilot = 2 "pilot",
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
mod tests {
    use super::*;
    use crate::organisation::tests::organisation;
    use crate::record::assert_strict;

    const NETWORK: NetworkId = NetworkId::from_bytes([7; 16]);

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
    fn names_are_bounded() {
        for name in ["", "a\nb", &"a".repeat(NETWORK_NAME_MAX + 1)] {
            assert!(Network::new(NETWORK, name, Separation::Separated).is_err());
        }
    }

    #[test]
    fn the_decoder_is_strict() {
        assert_strict(&genesis().encode(), Genesis::decode, Record::encode);
    }
}
