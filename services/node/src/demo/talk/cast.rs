//! Who talks.

use semblance_core::attestation::PersonRole;
use semblance_hospital::store::case::LocalCaseId;

use super::Stage;
use super::device::{Device, Owner, each};
use super::told::Person;
use crate::demo::ask::Meeting;
use crate::demo::parties::Running;

/// How the people wish to be called. No hospital knows these names.
const CLINICIAN: &str = "Dr Helena Northcott";
const COLLEAGUE: &str = "Dr Samuel Underhill";
const PATIENT: &str = "Marla Westerby";
const OWN_PATIENT: &str = "Jonas Albrecht";
const GUEST: &str = "Ines Carvalho";

/// The people with their devices.
pub(super) struct Cast {
    /// The clinician who asked.
    pub(super) clinician: Device,
    /// The clinician of the case that she found.
    pub(super) colleague: Device,
    /// That case's patient: in the match's channel and in the group with the same device.
    pub(super) patient: Device,
    /// The patient of the case that asked.
    pub(super) own_patient: Device,
    /// A patient of a hospital that is not part of the match, if there is one.
    pub(super) guest: Option<Device>,
}

impl Cast {
    /// Registers everybody's device and lets it leave key packages.
    pub(super) async fn register(stage: &Stage<'_>, guest: Option<(usize, LocalCaseId)>) -> anyhow::Result<Self> {
        let Meeting { asker, owner, asked, case, .. } = stage.meeting;
        let register = async |hospital: &Running, name: &str, known_as: &str, role: PersonRole| {
            let person =
                Person { name: name.to_owned(), role: role.word(), hospital: hospital.party.organisation.to_string() };
            let owner = Owner { person, known_as: known_as.to_owned(), role };
            Device::register(hospital, owner, &stage.devices).await
        };
        let (clinician, patient) = (PersonRole::Clinician, PersonRole::Patient);
        let guest = match &guest {
            Some((place, case)) => match stage.parties.hospitals.get(*place) {
                Some(hospital) => Some(register(hospital, GUEST, case.as_str(), patient).await?),
                None => None,
            },
            None => None,
        };
        let mut cast = Self {
            clinician: register(asker, CLINICIAN, stage.clinician, clinician).await?,
            colleague: register(owner, COLLEAGUE, stage.colleague, clinician).await?,
            patient: register(owner, PATIENT, case.as_str(), patient).await?,
            own_patient: register(asker, OWN_PATIENT, &asked.report.case, patient).await?,
            guest,
        };
        each(&mut cast.all(), Device::provision).await?;
        Ok(cast)
    }

    /// Who talks in the channel of the match.
    pub(super) fn of_match(&mut self) -> Vec<&mut Device> {
        vec![&mut self.clinician, &mut self.colleague, &mut self.patient]
    }

    /// Who talks in the symptom group.
    pub(super) fn of_group(&mut self) -> Vec<&mut Device> {
        let mut devices = vec![&mut self.own_patient, &mut self.patient];
        devices.extend(&mut self.guest);
        devices
    }

    /// Everybody's device, to be looked at.
    pub(super) fn devices(&self) -> Vec<&Device> {
        let mut devices = vec![&self.clinician, &self.colleague, &self.patient, &self.own_patient];
        devices.extend(&self.guest);
        devices
    }

    fn all(&mut self) -> Vec<&mut Device> {
        let mut devices = vec![&mut self.clinician, &mut self.colleague, &mut self.patient, &mut self.own_patient];
        devices.extend(&mut self.guest);
        devices
    }
}
