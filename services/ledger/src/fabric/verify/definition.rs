//! Which endorsement a chaincode's definition asks for, as the state of `_lifecycle` has it.

use prost::Message;
use semblance_fabric::block::{Namespace, Write};
use semblance_fabric::policy::Rule;
use semblance_fabric::proto::lifecycle::state_data::Type as Field;
use semblance_fabric::proto::lifecycle::{ChaincodeValidationInfo, StateData};
use semblance_fabric::proto::protos::ApplicationPolicy;
use semblance_fabric::proto::protos::application_policy::Type as Policy;

/// The chaincode that holds the definitions.
const LIFECYCLE: &str = "_lifecycle";

/// The rule that a transaction gives a chaincode; none if it does not define it.
///
/// # Errors
/// The definition is malformed, or its rule is none of this kind.
pub(super) fn defined(namespaces: &[Namespace], chaincode: &str) -> Result<Option<Rule>, String> {
    let key = format!("namespaces/fields/{chaincode}/ValidationInfo");
    let writes = namespaces.iter().filter(|namespace| namespace.name == LIFECYCLE).flat_map(|one| &one.writes);
    let mut values = writes.filter(|(written, _)| *written == key);
    match values.next_back() {
        None => Ok(None),
        Some((_, Write::Put(value))) => rule(value)
            .map(Some)
            .ok_or_else(|| "the chaincode's definition does not say which members must endorse".to_owned()),
        Some((_, Write::Delete)) => Err("the chaincode's definition was removed".to_owned()),
    }
}

fn rule(value: &[u8]) -> Option<Rule> {
    let Field::Bytes(info) = StateData::decode(value).ok()?.r#type? else { return None };
    let info = ChaincodeValidationInfo::decode(info.as_slice()).ok()?;
    match ApplicationPolicy::decode(info.validation_parameter.as_slice()).ok()?.r#type? {
        Policy::SignaturePolicy(envelope) => Rule::read(&envelope),
        Policy::ChannelConfigPolicyReference(_) => None,
    }
}
