//! How an organisation becomes a member.

use semblance_core::encode::{DecodeError, Reader, Writer, domain};
use semblance_core::id::{NetworkId, OrganisationId};
use semblance_core::limits::ORGANISATIONS_MAX;
use semblance_core::organisation::Organisation;
use semblance_core::record::Record;
use semblance_core::signature::{Signature, SignedBytes, Statement};

/// Longest name of a release, in bytes.
const VERSION_MAX: usize = 64;

/// That an organisation, with these keys, shall be a member. The newcomer signs it to show that it holds its key, and
/// more than half of the members sign the same bytes with their nodes' keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The network.
    pub network: NetworkId,
    /// The newcomer.
    pub organisation: Organisation,
}

impl Statement for Membership {
    const DOMAIN: &'static str = domain::MEMBERSHIP;

    fn network(&self) -> NetworkId {
        self.network
    }

    fn write(&self, writer: &mut Writer) {
        self.organisation.write(writer);
    }

    fn read(network: NetworkId, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { network, organisation: Organisation::read(reader)? })
    }
}

/// The release of the contract that a peer runs, as in `0.1.0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractVersion(pub String);

impl Record for ContractVersion {
    const NAME: &'static str = "contract version";

    fn write(&self, writer: &mut Writer) {
        writer.text(&self.0);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.text("version", VERSION_MAX).map(|version| Self(version.to_owned()))
    }
}

/// One member's signature over a [`Membership`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Who approves.
    pub member: OrganisationId,
    /// The signature of its node's key.
    pub signature: Signature,
}

/// The argument of `register_hospital` and `register_matcher`: the [`Membership`] signed by the newcomer, then a count
/// and the approvals (member, signature), ascending by member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterMember {
    /// The newcomer's signed statement.
    pub membership: SignedBytes,
    approvals: Vec<Approval>,
}

impl RegisterMember {
    /// Puts the approvals in order.
    #[must_use]
    pub fn new(membership: SignedBytes, mut approvals: Vec<Approval>) -> Self {
        approvals.sort_by(|one, other| one.member.cmp(&other.member));
        approvals.dedup_by(|one, other| one.member == other.member);
        Self { membership, approvals }
    }

    /// The approvals, ascending by member, each member once.
    #[must_use]
    pub fn approvals(&self) -> &[Approval] {
        &self.approvals
    }
}

impl Record for RegisterMember {
    const NAME: &'static str = "register member";

    fn write(&self, writer: &mut Writer) {
        self.membership.write(writer);
        writer.count(self.approvals.len());
        for approval in &self.approvals {
            approval.member.write(writer);
            approval.signature.write(writer);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let membership = SignedBytes::read(reader)?;
        let count = reader.count("approvals", ORGANISATIONS_MAX)?;
        let mut approvals = Vec::<Approval>::new();
        for _ in 0..count {
            let approval = Approval { member: OrganisationId::read(reader)?, signature: Signature::read(reader)? };
            if approvals.last().is_some_and(|last| last.member >= approval.member) {
                return Err(DecodeError::Invalid { what: "approvals", why: "members ascend, each stands once" });
            }
            approvals.push(approval);
        }
        Ok(Self { membership, approvals })
    }
}

/// The argument of the query `organisation`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganisationArgument(pub OrganisationId);

impl Record for OrganisationArgument {
    const NAME: &'static str = "organisation";

    fn write(&self, writer: &mut Writer) {
        self.0.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        OrganisationId::read(reader).map(Self)
    }
}
