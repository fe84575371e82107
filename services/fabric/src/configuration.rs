//! Who the members of a channel are and who orders, as a configuration block says it.
//!
//! Sources: `configtx.proto` and `configuration.proto` of fabric-protos; how many orderers must sign a block:
//! `policies.EncodeBFTBlockVerificationPolicy` of Fabric 3, the quorum of SmartBFT (Barger et al. 2021).

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;

use crate::block::{Block, BlockError, Certificate, Creator, OrdererSignature, SignatureError};
use crate::proto::configuration::{
    ConfigEnvelope, ConfigGroup, ConsensusType, FabricMspConfig, MspConfig, Orderers as OrderersMessage,
};

/// Most members that are read.
const MEMBERS_MAX: usize = 1024;
/// Most orderers that are read.
const ORDERERS_MAX: usize = 256;
/// The organisational unit of a peer's certificate.
const PEER: &str = "peer";
/// The organisational unit of an orderer's certificate.
const ORDERER: &str = "orderer";

/// The authorities of each member, by its name.
type Authorities = BTreeMap<String, Vec<Certificate>>;

/// A channel's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    members: Authorities,
    ordering: Ordering,
}

/// Whose signatures a block needs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ordering {
    /// One orderer's of these members (Raft).
    One(Authorities),
    /// A quorum of these orderers' (SmartBFT).
    Quorum(BTreeMap<u32, Certificate>),
}

impl Configuration {
    /// Reads the data of a configuration transaction.
    ///
    /// # Errors
    /// A part is missing or malformed.
    pub fn read(data: &[u8]) -> Result<Self, BlockError> {
        let envelope = ConfigEnvelope::decode(data).map_err(|_| BlockError::Malformed("configuration"))?;
        let channel = envelope.config.and_then(|config| config.channel_group).unwrap_or_default();
        let members = authorities(group(&channel, "Application")?)?;
        let orderer = group(&channel, "Orderer")?;
        let consensus: ConsensusType = value(orderer, "ConsensusType")?;
        let ordering = if consensus.r#type == "BFT" {
            Ordering::Quorum(consenters(value(orderer, "Orderers")?)?)
        } else {
            Ordering::One(authorities(orderer)?)
        };
        Ok(Self { members, ordering })
    }

    /// The names of the members that have peers, in order.
    pub fn members(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// The certificate of somebody of a member, which the member's authorities issued. Its dates are not looked at.
    ///
    /// # Errors
    /// It is no member's.
    pub fn certificate(&self, creator: &Creator) -> Result<Certificate, SignatureError> {
        issued(creator, &self.members)
    }

    /// The same of a member's peer.
    ///
    /// # Errors
    /// It is no member's peer's.
    pub fn peer(&self, creator: &Creator) -> Result<Certificate, SignatureError> {
        in_role(self.certificate(creator)?, PEER)
    }

    /// Checks that enough orderers signed a block that this configuration was in force for.
    ///
    /// # Errors
    /// Too few did.
    pub fn verify_block(&self, block: &Block) -> Result<(), SignatureError> {
        let signatures = block.signatures.iter();
        let (valid, wanted) = match &self.ordering {
            Ordering::One(orderers) => (signatures.filter(|one| by_orderer(one, orderers)).count(), 1),
            Ordering::Quorum(orderers) => {
                let signers: BTreeSet<u32> = signatures.filter_map(|one| by_consenter(one, orderers)).collect();
                (signers.len(), quorum(orderers.len()))
            }
        };
        if valid >= wanted { Ok(()) } else { Err(SignatureError::Orderers { valid, wanted }) }
    }
}

/// How many of so many must agree, so that any two quorums share an honest one: a third may be dishonest.
fn quorum(orderers: usize) -> usize {
    let dishonest = orderers.saturating_sub(1) / 3;
    (orderers + dishonest + 1).div_ceil(2)
}

fn by_orderer(signature: &OrdererSignature, orderers: &Authorities) -> bool {
    let Ok(signer) = &signature.signer else { return false };
    let certificate = issued(signer, orderers).and_then(|certificate| in_role(certificate, ORDERER));
    certificate.is_ok_and(|certificate| certificate.verify(&signature.bytes, &signature.signature).is_ok())
}

fn by_consenter(signature: &OrdererSignature, orderers: &BTreeMap<u32, Certificate>) -> Option<u32> {
    let number = signature.signer.as_ref().err()?;
    orderers.get(number)?.verify(&signature.bytes, &signature.signature).ok().map(|()| *number)
}

fn issued(creator: &Creator, members: &Authorities) -> Result<Certificate, SignatureError> {
    let roots = members.get(&creator.msp_id).ok_or_else(|| SignatureError::Stranger(creator.msp_id.clone()))?;
    let certificate = creator.certificate()?;
    certificate.issued_by(&creator.msp_id, roots)?;
    Ok(certificate)
}

fn in_role(certificate: Certificate, unit: &'static str) -> Result<Certificate, SignatureError> {
    let named = certificate.units().iter().any(|other| other == unit);
    if named { Ok(certificate) } else { Err(SignatureError::Role(unit)) }
}

fn group<'a>(parent: &'a ConfigGroup, name: &'static str) -> Result<&'a ConfigGroup, BlockError> {
    parent.groups.get(name).ok_or(BlockError::Missing(name))
}

fn value<M: Message + Default>(group: &ConfigGroup, name: &'static str) -> Result<M, BlockError> {
    let value = group.values.get(name).ok_or(BlockError::Missing(name))?;
    M::decode(value.value.as_slice()).map_err(|_| BlockError::Malformed(name))
}

fn authorities(organisations: &ConfigGroup) -> Result<Authorities, BlockError> {
    let malformed = |_| BlockError::Malformed("member's authorities");
    // None is left out: another one at each reading, for they come in no order.
    if organisations.groups.len() > MEMBERS_MAX {
        return Err(BlockError::TooMany("members", organisations.groups.len()));
    }
    let mut members = Authorities::new();
    for organisation in organisations.groups.values() {
        let msp: MspConfig = value(organisation, "MSP")?;
        let msp = FabricMspConfig::decode(msp.config.as_slice()).map_err(|_| BlockError::Malformed("MSP"))?;
        let certificates = msp.root_certs.iter().chain(&msp.intermediate_certs);
        let certificates = certificates.map(|pem| Certificate::from_pem(pem)).collect::<Result<_, _>>();
        members.insert(msp.name, certificates.map_err(malformed)?);
    }
    Ok(members)
}

fn consenters(orderers: OrderersMessage) -> Result<BTreeMap<u32, Certificate>, BlockError> {
    let count = orderers.consenter_mapping.len();
    if count > ORDERERS_MAX {
        return Err(BlockError::TooMany("orderers", count));
    }
    let consenters = orderers.consenter_mapping.into_iter().map(|consenter| {
        let certificate = Certificate::from_pem(&consenter.identity);
        Ok((consenter.id, certificate.map_err(|_| BlockError::Malformed("orderer's certificate"))?))
    });
    consenters.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quorum_outweighs_a_dishonest_third() {
        assert_eq!([1, 2, 3, 4, 5, 6, 7, 10].map(quorum), [1, 2, 2, 3, 4, 4, 5, 7]);
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        assert_eq!(Configuration::read(b""), Err(BlockError::Missing("Application")));
        assert_eq!(Configuration::read(b"\xff"), Err(BlockError::Malformed("configuration")));
    }
}
