//! The chaincode's definition as the channel has it, and whether it is the one that Semblance rests on.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use semblance_contract::stub::fingerprint_collection;
use semblance_core::id::OrganisationId;
use semblance_core::organisation::{Organisation, OrganisationKind};
use semblance_fabric::policy::Rule;
use semblance_fabric::proto::common::SignaturePolicyEnvelope;
use semblance_fabric::proto::lifecycle::{QueryChaincodeDefinitionArgs, QueryChaincodeDefinitionResult};
use semblance_fabric::proto::protos::application_policy::Type as Policy;
use semblance_fabric::proto::protos::collection_config::Payload;
use semblance_fabric::proto::protos::collection_policy_config::Payload as Members;
use semblance_fabric::proto::protos::{ApplicationPolicy, StaticCollectionConfig};

use super::FabricLedger;
use super::failure::{call_failed, nonsense, unsigned};
use crate::LedgerError;

/// The chaincode that holds the definitions.
const LIFECYCLE: &str = "_lifecycle";

/// A chaincode's definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its version, as the members agreed to call it.
    pub version: String,
    /// How often it was defined.
    pub sequence: i64,
    /// Which members approved it.
    pub approvals: BTreeMap<String, bool>,
    /// Whose endorsement a write needs; none if the definition does not name members.
    pub rule: Option<Rule>,
    /// The private collections, by name.
    pub collections: BTreeMap<String, Collection>,
}

/// A private collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    /// Whose peers keep it.
    pub keepers: BTreeSet<String>,
    /// Whose endorsement a write needs; none if that is the chaincode's rule.
    pub rule: Option<Rule>,
    /// After how many blocks it is dropped; 0 is never.
    pub block_to_live: u64,
    /// Whether peers of others refuse to read it.
    pub member_only_read: bool,
}

impl FabricLedger {
    /// The chaincode's definition as the first peer that answers has it; none if there is none.
    ///
    /// # Errors
    /// No peer answers, or one answers nonsense.
    pub async fn definition(&self) -> Result<Option<Definition>, LedgerError> {
        let argument = QueryChaincodeDefinitionArgs { name: self.chaincode().to_owned() }.encode_to_vec();
        let mut last = LedgerError::Unavailable("no peer is configured".to_owned());
        for network in self.networks() {
            let proposal = network.contract(LIFECYCLE).proposal("QueryChaincodeDefinition");
            let proposal = proposal.arguments([argument.clone()]).organisations([self.organisation.to_string()]);
            let proposal = proposal.build().map_err(|error| call_failed(&unsigned(&error)))?;
            match proposal.evaluate().await {
                Ok(answer) => return Definition::read(&answer).map(Some).ok_or_else(|| call_failed(&nonsense())),
                Err(error) if error.text().contains("is not defined") => return Ok(None),
                Err(error) => last = call_failed(&error),
            }
        }
        Err(last)
    }
}

impl Definition {
    fn read(answer: &[u8]) -> Option<Self> {
        let found = QueryChaincodeDefinitionResult::decode(answer).ok()?;
        let collections = found.collections.unwrap_or_default().config.into_iter();
        Some(Self {
            version: found.version,
            sequence: found.sequence,
            approvals: found.approvals.into_iter().collect(),
            rule: application_rule(&ApplicationPolicy::decode(found.validation_parameter.as_slice()).ok()?),
            collections: collections.map(|config| collection(config.payload?)).collect::<Option<_>>()?,
        })
    }

    /// What is wrong with it for a network of these members, in words; nothing if it is as it must be.
    #[must_use]
    pub fn problems(&self, members: &[Organisation]) -> Vec<String> {
        let names = |kind| members.iter().filter(move |member| member.kind == kind).map(|member| &member.id);
        let everybody: BTreeSet<&str> = members.iter().map(|member| member.id.as_str()).collect();
        let matchers: BTreeSet<&str> = names(OrganisationKind::Matcher).map(OrganisationId::as_str).collect();
        let mut problems = Vec::new();
        if !self.rule.as_ref().is_some_and(|rule| any_two(rule, &everybody)) {
            problems
                .push("a write of the public state does not need the endorsement of exactly two members".to_owned());
        }
        for hospital in names(OrganisationKind::Hospital) {
            let name = fingerprint_collection(hospital);
            match self.collections.get(&name) {
                None => problems.push(format!("there is no collection {name}: {hospital} cannot publish")),
                Some(found) => found.problems(&name, hospital.as_str(), &matchers, &everybody, &mut problems),
            }
        }
        problems
    }
}

impl Collection {
    fn problems(
        &self,
        name: &str,
        hospital: &str,
        matchers: &BTreeSet<&str>,
        everybody: &BTreeSet<&str>,
        problems: &mut Vec<String>,
    ) {
        for keeper in self.keepers.iter().filter(|keeper| !matchers.contains(keeper.as_str())) {
            problems.push(format!("{keeper}, which is no matcher, keeps the fingerprints of {name}"));
        }
        for matcher in matchers.iter().filter(|matcher| !self.keepers.contains(**matcher)) {
            problems.push(format!("{matcher} does not keep {name}, so that it does not find its cases"));
        }
        let but_for = |out: &dyn Fn(&str) -> bool| everybody.iter().filter(|one| !out(one)).copied().collect();
        let guarded = self.rule.as_ref().is_some_and(|rule| {
            matchers.iter().all(|matcher| rule.satisfied(&BTreeSet::from([hospital, *matcher])))
                && !rule.satisfied(&but_for(&|one| one == hospital))
                && !rule.satisfied(&but_for(&|one| matchers.contains(one)))
        });
        if !guarded {
            problems.push(format!("writing to {name} does not need {hospital}'s endorsement and a matcher's"));
        }
        if self.block_to_live != 0 {
            problems.push(format!("{name} is dropped after {} blocks", self.block_to_live));
        }
        if !self.member_only_read {
            problems.push(format!("a client of any member may read {name} from a matcher's peer"));
        }
    }
}

/// Whether any two of them satisfy a rule and no single one does.
fn any_two(rule: &Rule, members: &BTreeSet<&str>) -> bool {
    members.iter().all(|one| {
        let with = |other| rule.satisfied(&BTreeSet::from([*one, other]));
        !with(one) && members.iter().filter(|other| *other != one).all(|other| with(other))
    })
}

fn application_rule(policy: &ApplicationPolicy) -> Option<Rule> {
    match policy.r#type.as_ref()? {
        Policy::SignaturePolicy(envelope) => Rule::read(envelope),
        Policy::ChannelConfigPolicyReference(_) => None,
    }
}

fn collection(payload: Payload) -> Option<(String, Collection)> {
    let Payload::StaticCollectionConfig(StaticCollectionConfig {
        name,
        member_orgs_policy,
        block_to_live,
        member_only_read,
        endorsement_policy,
        ..
    }) = payload;
    let Members::SignaturePolicy(keepers) = member_orgs_policy?.payload?;
    let collection = Collection {
        keepers: members_of(&keepers)?,
        rule: endorsement_policy.as_ref().and_then(application_rule),
        block_to_live,
        member_only_read,
    };
    Some((name, collection))
}

fn members_of(policy: &SignaturePolicyEnvelope) -> Option<BTreeSet<String>> {
    Some(Rule::read(policy)?.members().into_iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::Party;

    fn members() -> Vec<Organisation> {
        Party::all(2, 2).iter().map(Party::record).collect()
    }

    fn collection_of(hospital: &str) -> (String, Collection) {
        let collection = Collection {
            keepers: ["matcher-1".to_owned(), "matcher-2".to_owned()].into(),
            rule: Some(Rule::OutOf(2, vec![Rule::peer(hospital), Rule::peers(1, ["matcher-1", "matcher-2"])])),
            block_to_live: 0,
            member_only_read: true,
        };
        (format!("fingerprints_{hospital}"), collection)
    }

    fn sound() -> Definition {
        let everybody = ["hospital-1", "hospital-2", "matcher-1", "matcher-2"];
        Definition {
            version: "1.0".into(),
            sequence: 1,
            approvals: BTreeMap::new(),
            rule: Some(Rule::peers(2, everybody)),
            collections: ["hospital-1", "hospital-2"].map(collection_of).into(),
        }
    }

    fn problem(change: impl FnOnce(&mut Definition)) -> String {
        let mut definition = sound();
        change(&mut definition);
        let problems = definition.problems(&members());
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems[0].clone()
    }

    fn first(definition: &mut Definition) -> &mut Collection {
        definition.collections.get_mut("fingerprints_hospital-1").unwrap()
    }

    #[test]
    fn the_definition_of_the_scripts_is_sound() {
        assert_eq!(sound().problems(&members()), Vec::<String>::new());
    }

    #[test]
    fn every_loosened_definition_is_found() {
        let everybody = ["hospital-1", "hospital-2", "matcher-1", "matcher-2"];
        for rule in [None, Some(Rule::peers(1, everybody)), Some(Rule::peers(3, everybody))] {
            assert!(problem(|it| it.rule = rule).contains("exactly two members"));
        }
        assert!(problem(|it| it.collections = [collection_of("hospital-1")].into()).contains("cannot publish"));
        assert!(problem(|it| _ = first(it).keepers.insert("hospital-2".into())).contains("which is no matcher"));
        assert!(problem(|it| _ = first(it).keepers.remove("matcher-2")).contains("does not keep"));
        assert!(problem(|it| first(it).block_to_live = 9).contains("dropped after 9"));
        assert!(problem(|it| first(it).member_only_read = false).contains("may read"));
        let matchers = || Rule::peers(1, ["matcher-1", "matcher-2"]);
        let rules = [
            None,
            Some(Rule::peers(2, everybody)),
            Some(matchers()),
            Some(Rule::peer("hospital-1")),
            Some(Rule::OutOf(2, vec![Rule::peer("hospital-1"), Rule::peer("matcher-1")])),
            Some(Rule::OutOf(2, vec![Rule::peer("hospital-1"), Rule::peers(1, ["matcher-1", "hospital-2"])])),
        ];
        for rule in rules {
            assert!(problem(|it| first(it).rule = rule).contains("does not need hospital-1's endorsement"));
        }
    }

    #[test]
    fn a_malformed_definition_is_none() {
        assert_eq!(Definition::read(&[0xff]), None);
        let nothing = Definition::read(&[]).unwrap();
        assert_eq!(nothing.problems(&members()).len(), 3, "its rule, and two collections");
    }
}
