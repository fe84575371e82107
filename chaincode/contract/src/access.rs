//! Who may call what: checked before anything else, the role without reading any state.

use semblance_core::organisation::OrganisationKind;

use crate::stub::{Caller, Role};
use crate::{Code, ContractError};

/// Who may call a function, as far as role and kind of organisation decide it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    role: Option<Role>,
    kind: Option<OrganisationKind>,
}

impl Access {
    /// Any member in any role.
    pub const ANYONE: Self = Self { role: None, kind: None };
    /// The administrator of any member.
    pub const ADMIN: Self = Self { role: Some(Role::Admin), kind: None };
    /// The administrator of a hospital.
    pub const HOSPITAL_ADMIN: Self = Self { role: Some(Role::Admin), kind: Some(OrganisationKind::Hospital) };
    /// The node of any member.
    pub const NODE: Self = Self { role: Some(Role::Node), kind: None };
    /// The node of a hospital.
    pub const HOSPITAL_NODE: Self = Self { role: Some(Role::Node), kind: Some(OrganisationKind::Hospital) };
    /// The node of a matcher.
    pub const MATCHER_NODE: Self = Self { role: Some(Role::Node), kind: Some(OrganisationKind::Matcher) };

    /// The role it takes, if not any.
    #[must_use]
    pub const fn role(self) -> Option<Role> {
        self.role
    }

    /// The kind of organisation it takes, if not any.
    #[must_use]
    pub const fn kind(self) -> Option<OrganisationKind> {
        self.kind
    }

    /// Checks the caller's role.
    ///
    /// # Errors
    /// Another role is needed.
    pub fn check_role(self, caller: &Caller) -> Result<(), ContractError> {
        match self.role {
            Some(role) if role != caller.role => Err(ContractError::new(
                Code::WrongRole,
                match role {
                    Role::Admin => "this is for an organisation's administrator: use its admin certificate",
                    Role::Node => "this is for an organisation's node: use its node certificate",
                },
            )),
            _ => Ok(()),
        }
    }

    /// Checks the kind of the caller's organisation.
    ///
    /// # Errors
    /// The other kind is needed.
    pub fn check_kind(self, kind: OrganisationKind) -> Result<(), ContractError> {
        match self.kind {
            Some(needed) if needed != kind => Err(ContractError::new(
                Code::WrongKind,
                match needed {
                    OrganisationKind::Hospital => "only a hospital may do this",
                    OrganisationKind::Matcher => "only a matcher may do this",
                },
            )),
            _ => Ok(()),
        }
    }
}
