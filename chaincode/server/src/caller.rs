//! Who submitted a transaction. The peer has verified certificate and signature already, and that the member issued it.

use prost::Message;
use semblance_contract::error::wire::Refusal;
use semblance_contract::stub::Caller;
use semblance_core::id::OrganisationId;
use semblance_fabric::block::Certificate;
use semblance_fabric::proto::msp::SerializedIdentity;
use sha2::{Digest, Sha256};

use crate::transaction::malformed;

/// Reads the creator of a proposal: the organisation is the MSP's id, the role stands in the certificate.
pub(crate) fn read(creator: &[u8]) -> Result<Caller, Refusal> {
    let identity = SerializedIdentity::decode(creator).map_err(|_| malformed("creator"))?;
    let organisation =
        OrganisationId::new(&identity.mspid).map_err(|error| Refusal::Identity(format!("the MSP's id: {error}")))?;
    let certificate =
        Certificate::from_pem(&identity.id_bytes).map_err(|error| Refusal::Identity(error.to_string()))?;
    let digest = Sha256::digest(certificate.der()).into();
    Caller::with_units(organisation, certificate.units(), digest).ok_or_else(|| {
        let text = "the certificate's organisational unit is not `client` or `admin`: use a node's or administrator's";
        Refusal::Identity(text.to_owned())
    })
}
