//! Who shall be in a new network and where.

use std::path::{Path, PathBuf};

use semblance_core::id::OrganisationId;
use semblance_core::organisation::OrganisationKind;

use crate::failure::Failure;

/// A checked plan: at least one hospital and one matcher, no name twice.
#[derive(Debug, Clone)]
pub struct NetworkPlan {
    name: String,
    hospitals: Vec<OrganisationId>,
    matchers: Vec<OrganisationId>,
    pilot: bool,
    hosts: Vec<String>,
    port: u16,
    fabric: Option<PathBuf>,
}

/// The names that every node's certificate holds for: those of its own machine, then these.
pub(super) fn with_this_machine(hosts: &[String]) -> Vec<String> {
    let mut all = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    all.extend(hosts.iter().filter(|host| !matches!(host.as_str(), "localhost" | "127.0.0.1")).cloned());
    all
}

impl NetworkPlan {
    /// Checks a plan. Unless it goes on Fabric the first matcher will hold the embedded ledger; nodes listen from `port` on, matchers first.
    ///
    /// # Errors
    /// A name that is none or stands twice, or nobody of a kind.
    pub fn new(
        name: &str,
        hospitals: Vec<OrganisationId>,
        matchers: Vec<OrganisationId>,
        pilot: bool,
        hosts: &[String],
        port: u16,
    ) -> Result<Self, Failure> {
        if hospitals.is_empty() || matchers.is_empty() {
            return Err(Failure::usage("a network needs at least one hospital and one matcher"));
        }
        let mut seen = std::collections::BTreeSet::new();
        if let Some(twice) = hospitals.iter().chain(&matchers).find(|id| !seen.insert(id.as_str())) {
            let hint = "give each organisation a name of its own; matchers are members of their own";
            return Err(Failure::usage(format!("organisation `{twice}` stands twice")).hint(hint));
        }
        let last = hospitals.len() + matchers.len();
        if usize::from(port) + last > usize::from(u16::MAX) {
            return Err(Failure::usage(format!("from port {port} on there is no room for {last} nodes")));
        }
        Ok(Self {
            name: name.to_owned(),
            hospitals,
            matchers,
            pilot,
            hosts: with_this_machine(hosts),
            port,
            fabric: None,
        })
    }

    /// The same with a channel of Fabric as its ledger, which this file or this folder's describes.
    #[must_use]
    pub fn on_fabric(self, network: PathBuf) -> Self {
        Self { fabric: Some(network), ..self }
    }

    /// The description of the Fabric network that it uses; none for the embedded ledger.
    #[must_use]
    pub fn fabric(&self) -> Option<&Path> {
        self.fabric.as_deref()
    }

    /// The network's name, for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a hospital may run a matcher.
    #[must_use]
    pub const fn pilot(&self) -> bool {
        self.pilot
    }

    /// The names and addresses every node's certificate holds for.
    #[must_use]
    pub fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// The hospitals.
    #[must_use]
    pub fn hospitals(&self) -> &[OrganisationId] {
        &self.hospitals
    }

    /// The matchers; the first holds the embedded ledger.
    #[must_use]
    pub fn matchers(&self) -> &[OrganisationId] {
        &self.matchers
    }

    /// Everyone, matchers first.
    pub fn organisations(&self) -> impl Iterator<Item = (&OrganisationId, OrganisationKind)> {
        let matchers = self.matchers.iter().map(|id| (id, OrganisationKind::Matcher));
        matchers.chain(self.hospitals.iter().map(|id| (id, OrganisationKind::Hospital)))
    }

    /// The port of an organisation's node; that of the first matcher for a stranger.
    #[must_use]
    pub fn port_of(&self, id: &OrganisationId) -> u16 {
        let place = self.organisations().position(|(other, _)| other == id).unwrap_or_default();
        self.port.saturating_add(u16::try_from(place).unwrap_or_default())
    }
}
