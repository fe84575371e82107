//! Whose endorsement a write needs: the ordinary rule, the policy of a key, the policy of a private collection.

use std::collections::BTreeSet;

use semblance_contract::stub::KeyPolicy;
use semblance_core::encode::{DecodeError, Reader, Writer};
use semblance_core::id::OrganisationId;
use semblance_core::limits::ORGANISATIONS_MAX;

/// How many organisations must endorse any transaction.
pub(super) const ORDINARY: usize = 2;

/// How many must in a network of so many members: all of them where there are fewer.
pub(super) fn ordinary(members: usize) -> usize {
    ORDINARY.min(members.max(1))
}

/// Says whether these endorsers satisfy the policy of a key.
pub(super) fn key_satisfied(policy: &KeyPolicy, endorsers: &BTreeSet<&OrganisationId>) -> bool {
    match policy {
        KeyPolicy::AllOf(organisations) => organisations.iter().all(|organisation| endorsers.contains(organisation)),
        KeyPolicy::AnyOf(organisations) => organisations.iter().any(|organisation| endorsers.contains(organisation)),
    }
}

pub(super) fn write_policy(writer: &mut Writer, policy: &KeyPolicy) {
    let (kind, organisations) = match policy {
        KeyPolicy::AllOf(organisations) => (1, organisations),
        KeyPolicy::AnyOf(organisations) => (2, organisations),
    };
    writer.u8(kind).count(organisations.len());
    for organisation in organisations {
        organisation.write(writer);
    }
}

pub(super) fn read_policy(reader: &mut Reader<'_>) -> Result<KeyPolicy, DecodeError> {
    let kind = reader.u8("policy")?;
    let count = reader.count("organisations of a policy", ORGANISATIONS_MAX)?;
    let organisations = (0..count).map(|_| OrganisationId::read(reader)).collect::<Result<_, _>>()?;
    match kind {
        1 => Ok(KeyPolicy::AllOf(organisations)),
        2 => Ok(KeyPolicy::AnyOf(organisations)),
        _ => Err(DecodeError::Invalid { what: "policy", why: "unknown kind" }),
    }
}

/// The bytes of a policy in the state table.
pub(super) fn policy_bytes(policy: &KeyPolicy) -> Vec<u8> {
    let mut writer = Writer::record(1);
    write_policy(&mut writer, policy);
    writer.finish()
}

pub(super) fn policy_from_bytes(bytes: &[u8]) -> Result<KeyPolicy, DecodeError> {
    let (_, mut reader) = Reader::record(bytes, "policy", 1)?;
    let policy = read_policy(&mut reader)?;
    reader.finish()?;
    Ok(policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_read_back_and_decide() {
        let [north, south] = ["north", "south"].map(|name| OrganisationId::new(name).unwrap());
        let all = KeyPolicy::AllOf(vec![north.clone(), south.clone()]);
        let any = KeyPolicy::AnyOf(vec![north.clone(), south.clone()]);
        for policy in [&all, &any] {
            assert_eq!(policy_from_bytes(&policy_bytes(policy)).unwrap(), *policy);
        }
        let one = BTreeSet::from([&north]);
        assert!(!key_satisfied(&all, &one) && key_satisfied(&any, &one));
        assert!(key_satisfied(&all, &BTreeSet::from([&north, &south])));
        assert!(!key_satisfied(&KeyPolicy::AnyOf(vec![]), &one));
    }

    #[test]
    fn the_ordinary_rule_asks_all_where_there_are_fewer() {
        assert_eq!([0, 1, 2, 3, 9].map(ordinary), [1, 1, 2, 2, 2]);
    }
}
