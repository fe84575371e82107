//! Whose signatures a write needs: `n` of these members' peers.

use std::collections::BTreeSet;

use prost::Message;

use crate::proto::common::msp_principal::Classification;
use crate::proto::common::msp_role::MspRoleType;
use crate::proto::common::signature_policy::{NOutOf, Type};
use crate::proto::common::{MspPrincipal, MspRole, SignaturePolicy, SignaturePolicyEnvelope};

/// Deepest nesting of a policy that is read.
const DEPTH_MAX: usize = 8;

/// A rule over members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// A signature of somebody of this member in this role.
    Signed(String, MspRoleType),
    /// At least so many of these.
    OutOf(usize, Vec<Rule>),
}

impl Rule {
    /// A member's peer.
    #[must_use]
    pub fn peer(member: &str) -> Self {
        Self::Signed(member.to_owned(), MspRoleType::Peer)
    }

    /// At least so many of these members' peers.
    #[must_use]
    pub fn peers<'a>(count: usize, members: impl IntoIterator<Item = &'a str>) -> Self {
        Self::OutOf(count, members.into_iter().map(Self::peer).collect())
    }

    /// As Fabric writes it: the same rule always gives the same bytes.
    #[must_use]
    pub fn envelope(&self) -> SignaturePolicyEnvelope {
        let mut names = BTreeSet::new();
        self.collect(&mut names);
        let names: Vec<_> = names.into_iter().collect();
        let identities = names.iter().map(|(member, role)| MspPrincipal {
            principal_classification: Classification::Role.into(),
            principal: MspRole { msp_identifier: member.clone(), role: *role }.encode_to_vec(),
        });
        let identities = identities.collect();
        SignaturePolicyEnvelope { version: 0, rule: Some(self.rule(&names)), identities }
    }

    fn collect(&self, names: &mut BTreeSet<(String, i32)>) {
        match self {
            Self::Signed(member, role) => {
                names.insert((member.clone(), i32::from(*role)));
            }
            Self::OutOf(_, rules) => rules.iter().for_each(|rule| rule.collect(names)),
        }
    }

    fn rule(&self, names: &[(String, i32)]) -> SignaturePolicy {
        let place = |wanted: usize| i32::try_from(wanted).unwrap_or(i32::MAX);
        let rule = match self {
            Self::Signed(member, role) => {
                let name = (member.clone(), i32::from(*role));
                Type::SignedBy(place(names.iter().position(|other| *other == name).unwrap_or(usize::MAX)))
            }
            Self::OutOf(count, rules) => {
                Type::NOutOf(NOutOf { n: place(*count), rules: rules.iter().map(|rule| rule.rule(names)).collect() })
            }
        };
        SignaturePolicy { r#type: Some(rule) }
    }

    /// Reads a policy; none if it is malformed or asks for something else than roles of members.
    #[must_use]
    pub fn read(envelope: &SignaturePolicyEnvelope) -> Option<Self> {
        let names = envelope.identities.iter().map(|identity| {
            let role = MspRole::decode(identity.principal.as_slice()).ok()?;
            let kind = MspRoleType::try_from(role.role).ok()?;
            (identity.principal_classification == i32::from(Classification::Role))
                .then_some((role.msp_identifier, kind))
        });
        let names: Vec<_> = names.collect::<Option<_>>()?;
        read(envelope.rule.as_ref()?, &names, DEPTH_MAX)
    }

    /// The members it names.
    #[must_use]
    pub fn members(&self) -> BTreeSet<&str> {
        match self {
            Self::Signed(member, _) => BTreeSet::from([member.as_str()]),
            Self::OutOf(_, rules) => rules.iter().flat_map(Self::members).collect(),
        }
    }

    /// Whether peers of these members satisfy it.
    #[must_use]
    pub fn satisfied(&self, peers: &BTreeSet<&str>) -> bool {
        match self {
            Self::Signed(member, role) => {
                matches!(role, MspRoleType::Peer | MspRoleType::Member) && peers.contains(member.as_str())
            }
            Self::OutOf(count, rules) => rules.iter().filter(|rule| rule.satisfied(peers)).count() >= *count,
        }
    }
}

fn read(policy: &SignaturePolicy, names: &[(String, MspRoleType)], depth: usize) -> Option<Rule> {
    match policy.r#type.as_ref()? {
        Type::SignedBy(place) => {
            let (member, role) = names.get(usize::try_from(*place).ok()?)?;
            Some(Rule::Signed(member.clone(), *role))
        }
        Type::NOutOf(NOutOf { n, rules }) => {
            let depth = depth.checked_sub(1)?;
            let rules = rules.iter().map(|rule| read(rule, names, depth)).collect::<Option<_>>()?;
            Some(Rule::OutOf(usize::try_from(*n).ok()?, rules))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_read_back_and_decide() {
        let rule = Rule::OutOf(2, vec![Rule::peer("h1"), Rule::peers(1, ["m1", "m2"])]);
        assert_eq!(Rule::read(&rule.envelope()), Some(rule.clone()));
        let satisfied = |peers: &[&str]| rule.satisfied(&peers.iter().copied().collect());
        assert!(satisfied(&["h1", "m2"]) && satisfied(&["h1", "m1", "h2"]));
        assert_eq!(rule.members(), ["h1", "m1", "m2"].into());
        assert!(!satisfied(&["m1", "m2"]) && !satisfied(&["h1", "h2"]) && !satisfied(&[]));
    }

    #[test]
    fn a_malformed_policy_is_none() {
        assert_eq!(Rule::read(&SignaturePolicyEnvelope::default()), None);
        let mut envelope = Rule::peer("h1").envelope();
        envelope.rule = Some(SignaturePolicy { r#type: Some(Type::SignedBy(7)) });
        assert_eq!(Rule::read(&envelope), None);
        let mut deep = SignaturePolicy { r#type: Some(Type::SignedBy(0)) };
        for _ in 0..100 {
            deep = SignaturePolicy { r#type: Some(Type::NOutOf(NOutOf { n: 1, rules: vec![deep] })) };
        }
        envelope.rule = Some(deep);
        assert_eq!(Rule::read(&envelope), None);
    }
}
