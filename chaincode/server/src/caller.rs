//! Who submitted a transaction. The peer has verified certificate and signature already, and that the member issued it.

use prost::Message;
use semblance_contract::error::wire::Refusal;
use semblance_contract::stub::{Caller, Role};
use semblance_core::id::OrganisationId;
use semblance_fabric::block::Certificate;
use semblance_fabric::proto::msp::SerializedIdentity;
use sha2::{Digest, Sha256};

use crate::transaction::malformed;

/// The organisational units by which Fabric tells roles (NodeOUs), and what they are to the contract.
const ROLES: [(&str, Role); 2] = [("admin", Role::Admin), ("client", Role::Node)];

/// Reads the creator of a proposal: the organisation is the MSP's id, the role stands in the certificate.
pub(crate) fn read(creator: &[u8]) -> Result<Caller, Refusal> {
    let identity = SerializedIdentity::decode(creator).map_err(|_| malformed("creator"))?;
    let organisation =
        OrganisationId::new(&identity.mspid).map_err(|error| Refusal::Identity(format!("the MSP's id: {error}")))?;
    let certificate =
        Certificate::from_pem(&identity.id_bytes).map_err(|error| Refusal::Identity(error.to_string()))?;
    let mut roles = ROLES.iter().filter(|(unit, _)| certificate.units().iter().any(|other| other == unit));
    let (Some((_, role)), None) = (roles.next(), roles.next()) else {
        let text = "the certificate's organisational unit is not `client` or `admin`: use a node's or administrator's";
        return Err(Refusal::Identity(text.to_owned()));
    };
    Ok(Caller { organisation, role: *role, certificate: Sha256::digest(certificate.der()).into() })
}
