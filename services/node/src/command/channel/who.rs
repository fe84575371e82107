//! Who is in a channel and who said something: a name is what a person says of themselves, so that hospital and role,
//! which the hospital vouches for, stand beside it.

use std::collections::{BTreeMap, BTreeSet};

use semblance_channels::client::Member;
use semblance_core::id::{ChannelId, ParticipantId};
use serde::Serialize;

use super::device::OpenDevice;
use super::talk::ChannelArguments;
use crate::output::Output;
use crate::show::in_line;

/// A person's device in a channel.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Speaker {
    participant: String,
    name: Option<String>,
    /// None of one who is not in the channel, nor is the role.
    hospital: Option<String>,
    role: Option<&'static str>,
    /// Whether the name does not tell them from another.
    #[serde(skip)]
    unclear: bool,
}

impl Speaker {
    /// The name, as the person wrote it.
    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("no name yet")
    }

    /// As people read it.
    pub(super) fn shown(&self) -> String {
        let (name, mark) = (in_line(self.name()), self.participant.get(..4).unwrap_or_default());
        match (self.role, &self.hospital) {
            (Some(role), Some(hospital)) if self.unclear => format!("{name} [{mark}] ({role} of {hospital})"),
            (Some(role), Some(hospital)) => format!("{name} ({role} of {hospital})"),
            _ => format!("{name} [{mark}] (not in the channel)"),
        }
    }
}

/// The people whom a channel's messages come from.
pub(super) struct Who {
    speakers: BTreeMap<ParticipantId, Speaker>,
}

impl Who {
    /// Those who are in a channel, and these who said something there.
    ///
    /// # Errors
    /// The device's store failed.
    pub(super) fn of(
        device: &mut OpenDevice,
        channel: ChannelId,
        senders: impl IntoIterator<Item = ParticipantId>,
    ) -> anyhow::Result<Self> {
        let client = device.phone.client();
        let members = client.members(channel)?;
        let senders: BTreeSet<_> = senders.into_iter().collect();
        let named = senders.into_iter().map(|sender| Ok((sender, client.name(channel, sender)?)));
        let named: Vec<_> = named.collect::<anyhow::Result<_>>()?;
        Ok(Self::new(members, named))
    }

    pub(super) fn new(members: Vec<Member>, named: impl IntoIterator<Item = (ParticipantId, Option<String>)>) -> Self {
        let mut speakers = BTreeMap::new();
        for (participant, name) in named {
            let speaker =
                Speaker { participant: participant.to_string(), name, hospital: None, role: None, unclear: false };
            speakers.insert(participant, speaker);
        }
        for Member { leaf, name, .. } in members {
            let (participant, hospital) = (leaf.participant.to_string(), Some(leaf.hospital.to_string()));
            let role = Some(leaf.role.word());
            speakers.insert(leaf.participant, Speaker { participant, name, hospital, role, unclear: false });
        }
        let mut held = BTreeMap::new();
        for speaker in speakers.values() {
            *held.entry(folded(speaker.name())).or_insert(0) += 1;
        }
        for speaker in speakers.values_mut() {
            speaker.unclear = held.get(&folded(speaker.name())).is_some_and(|held| *held > 1);
        }
        Self { speakers }
    }

    pub(super) fn speaker(&self, participant: ParticipantId) -> Speaker {
        let unknown =
            || Speaker { participant: participant.to_string(), name: None, hospital: None, role: None, unclear: true };
        self.speakers.get(&participant).cloned().unwrap_or_else(unknown)
    }
}

/// What two names have in common that people take for one: neither case nor spaces tell them apart.
fn folded(name: &str) -> String {
    in_line(name).split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

#[derive(Serialize)]
struct MemberRow {
    #[serde(flatten)]
    speaker: Speaker,
    own: bool,
}

pub(super) fn members(arguments: &ChannelArguments, output: &Output) -> anyhow::Result<()> {
    crate::command::block_on(async {
        let mut device = OpenDevice::open(&arguments.folder.device)?;
        device.sync(output).await?;
        let members = device.phone.client().members(arguments.channel)?;
        let own: Vec<_> = members.iter().map(|member| (member.leaf.participant, member.own)).collect();
        let who = Who::new(members, []);
        let row = |(participant, own)| MemberRow { speaker: who.speaker(participant), own };
        let rows: Vec<_> = own.into_iter().map(row).collect();
        output.result(&rows, |rows| {
            let line =
                |row: &MemberRow| format!("{}{}", row.speaker.shown(), if row.own { ", this device" } else { "" });
            rows.iter().map(line).collect::<Vec<_>>().join("\n")
        })
    })
}

#[cfg(test)]
pub(super) mod tests {
    use semblance_core::attestation::{LeafAttestation, PersonRole};
    use semblance_core::id::{ConsentId, NetworkId, OrganisationId};
    use semblance_core::signature::SigningKey;
    use semblance_core::time::Timestamp;

    use super::*;

    pub(in crate::command::channel) fn participant(number: u8) -> ParticipantId {
        ParticipantId::from_bytes([number; 16])
    }

    pub(in crate::command::channel) fn member(number: u8, name: Option<&str>, own: bool) -> Member {
        let leaf = LeafAttestation {
            network: NetworkId::from_bytes([7; 16]),
            channel: ChannelId::from_bytes([7; 16]),
            hospital: OrganisationId::new("north").unwrap(),
            participant: participant(number),
            leaf_key: SigningKey::from_seed(&[number; 32]).verifying_key(),
            role: PersonRole::Clinician,
            consent: ConsentId::from_bytes([7; 16]),
            expires: Timestamp::from_millis(1),
        };
        Member { leaf, name: name.map(str::to_owned), own }
    }

    #[test]
    fn a_name_that_two_hold_tells_who_of_them_it_is() {
        let who = Who::new(vec![member(1, Some("Ann Lee"), true), member(2, Some("ann  lee"), false)], []);
        assert_eq!(who.speaker(participant(1)).shown(), "Ann Lee [0101] (clinician of north)");
        assert_eq!(who.speaker(participant(2)).shown(), "ann  lee [0202] (clinician of north)");
        let who = Who::new(vec![member(1, Some("Ann Lee"), true), member(2, Some("Bea"), false)], []);
        assert_eq!(who.speaker(participant(1)).shown(), "Ann Lee (clinician of north)");
    }

    #[test]
    fn of_one_who_left_only_name_and_participant_are_known_and_their_name_is_not_taken_over() {
        let left = (participant(3), Some("Ann Lee".to_owned()));
        let who = Who::new(vec![member(1, Some("Ann Lee"), false)], [left]);
        assert_eq!(who.speaker(participant(1)).shown(), "Ann Lee [0101] (clinician of north)");
        let speaker = who.speaker(participant(3));
        assert_eq!(speaker.shown(), "Ann Lee [0303] (not in the channel)");
        let json = serde_json::to_value(speaker).unwrap();
        assert_eq!(json["participant"], participant(3).to_string());
        assert!(json["hospital"].is_null() && json["role"].is_null());
    }

    #[test]
    fn a_name_obeys_no_terminal_and_stays_in_its_line() {
        let who = Who::new(vec![member(1, Some("Ann\n\u{1b}[31m\u{202e}"), false)], []);
        let shown = who.speaker(participant(1)).shown();
        assert_eq!(shown, "Ann\\u{a}\\u{1b}[31m\\u{202e} (clinician of north)");
    }
}
