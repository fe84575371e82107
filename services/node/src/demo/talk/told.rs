//! What is told of people who talked, for programs and in plain words, and what of it has to be true.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::demo::secrecy::Search;

/// How soon after a withdrawal nothing more reaches a device.
pub(in crate::demo) const WITHDRAWAL: Duration = Duration::from_secs(5);

/// Somebody who takes part in a channel.
#[derive(Debug, Clone, Serialize)]
pub(in crate::demo) struct Person {
    /// How the person wishes to be called, told to the channel's members alone.
    pub(in crate::demo) name: String,
    /// clinician or patient.
    pub(in crate::demo) role: &'static str,
    /// Whose clinician or patient.
    pub(in crate::demo) hospital: String,
}

/// Something that was said.
#[derive(Debug, Clone, Serialize)]
pub(in crate::demo) struct Said {
    /// By whom.
    pub(in crate::demo) by: String,
    /// What.
    pub(in crate::demo) text: String,
    /// On whose devices it was read, the speaker's own included.
    pub(in crate::demo) read_by: Vec<String>,
}

impl Said {
    fn is_read_by_all(&self, people: &[Person]) -> bool {
        people.iter().all(|person| self.read_by.contains(&person.name))
    }
}

/// A channel in which people spoke.
#[derive(Debug, Clone, Serialize)]
pub(in crate::demo) struct Conversation {
    /// The channel.
    pub(in crate::demo) channel: String,
    /// The hospital that orders and delivers what is said.
    pub(in crate::demo) hub: String,
    /// Who takes part.
    pub(in crate::demo) people: Vec<Person>,
    /// What was said, in order.
    pub(in crate::demo) said: Vec<Said>,
}

impl Conversation {
    /// Whether each of so many people, of at least so many hospitals, said something and read everything.
    fn is_shared(&self, people: usize, hospitals: usize) -> bool {
        let of: BTreeSet<_> = self.people.iter().map(|person| &person.hospital).collect();
        let spoke = |person: &Person| self.said.iter().any(|said| said.by == person.name);
        self.people.len() >= people
            && of.len() >= hospitals
            && self.people.iter().all(spoke)
            && self.said.iter().all(|said| said.is_read_by_all(&self.people))
    }

    fn tell(&self, text: &mut String) {
        for Said { by, text: said, read_by } in &self.said {
            let who = self.people.iter().find(|person| person.name == *by);
            let who = who.map(|Person { role, hospital, .. }| format!(" ({role} of {hospital})")).unwrap_or_default();
            let all = self.people.len();
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {by}{who}: “{said}” [read by {} of {all}]", read_by.len());
        }
        text.push('\n');
    }
}

/// A channel that came from a look-up.
#[derive(Debug, Clone, Serialize)]
pub(in crate::demo) struct Met {
    /// The introduction on the ledger.
    pub(in crate::demo) introduction: String,
    /// The look-up it was proposed on.
    pub(in crate::demo) lookup: String,
    /// The hospital that asked for it.
    pub(in crate::demo) asked: String,
    /// The hospital that accepted.
    pub(in crate::demo) accepted: String,
    /// What was said.
    #[serde(flatten)]
    pub(in crate::demo) conversation: Conversation,
}

impl Met {
    /// Whether two clinicians and a patient of two hospitals read each other.
    pub(in crate::demo) fn holds(&self) -> bool {
        let patients = self.conversation.people.iter().filter(|person| person.role == "patient").count();
        self.conversation.is_shared(3, 2) && patients == 1
    }

    pub(in crate::demo) fn tell(&self, text: &mut String) {
        let Self { asked, accepted, lookup, .. } = self;
        let short = lookup.get(..12).unwrap_or(lookup);
        let _ = writeln!(
            text,
            "{asked} asked for an introduction on its look-up {short}…, {accepted} accepted; in their channel:"
        );
        self.conversation.tell(text);
    }
}

/// To about how many of its patients a hospital offers a group.
#[derive(Debug, Clone, Serialize)]
pub(in crate::demo) struct Offered {
    /// The hospital.
    pub(in crate::demo) hospital: String,
    /// The band of their number.
    pub(in crate::demo) size: &'static str,
}

/// A symptom group.
#[derive(Debug, Clone, Serialize)]
pub(in crate::demo) struct Group {
    /// What it is about, as it was sealed to the hospitals.
    pub(in crate::demo) topic: Vec<String>,
    /// To whom each hospital offers it, found by that hospital.
    pub(in crate::demo) offers: Vec<Offered>,
    /// What was said.
    #[serde(flatten)]
    pub(in crate::demo) conversation: Conversation,
}

/// Hospitals of which somebody takes part in the group, where there are as many.
pub(in crate::demo) const SPANNED: usize = 3;

impl Group {
    /// Whether people of three hospitals, or of all that there are, read each other.
    pub(in crate::demo) fn holds(&self) -> bool {
        let spanned = self.offers.len().min(SPANNED);
        self.conversation.is_shared(spanned, spanned)
    }

    pub(in crate::demo) fn tell(&self, text: &mut String) {
        let topic = self.topic.join(" and ");
        let offers = self.offers.iter().map(|Offered { hospital, size }| format!("{size} of {hospital}"));
        let offers = offers.collect::<Vec<_>>().join(", ");
        let _ = writeln!(
            text,
            "a symptom group about {topic}; each hospital finds among its own patients whom it is for: {offers}; in it:"
        );
        self.conversation.tell(text);
    }
}

/// A channel after somebody's part in it ended.
#[derive(Debug, Clone, Serialize)]
pub(in crate::demo) struct WentOn {
    /// Which one: match or group.
    pub(in crate::demo) kind: &'static str,
    /// The epoch of its keys before.
    pub(in crate::demo) epoch_before: u64,
    /// The epoch since.
    pub(in crate::demo) epoch: u64,
    /// Who is left.
    pub(in crate::demo) people: Vec<Person>,
    /// What was said since.
    pub(in crate::demo) said: Said,
}

/// A patient's withdrawal as it is felt in channels.
#[derive(Debug, Clone, Serialize)]
pub(in crate::demo) struct Parting {
    /// Who withdrew.
    pub(in crate::demo) who: String,
    /// Whose part in the match rested on the same consent.
    pub(in crate::demo) also: Vec<String>,
    /// Seconds from the withdrawal on the ledger until the device was cut off in all its channels.
    pub(in crate::demo) seconds: f64,
    /// Files of the device in which what was said before is found.
    pub(in crate::demo) files_with_earlier: usize,
    /// Files of the device in which something said since is found.
    pub(in crate::demo) files_with_later: usize,
    /// Its channels, without it.
    pub(in crate::demo) went_on: Vec<WentOn>,
}

impl Parting {
    /// What did not come true.
    pub(in crate::demo) fn broken(&self) -> Option<String> {
        let goes_on = |one: &WentOn| one.epoch > one.epoch_before && one.said.is_read_by_all(&one.people);
        if self.seconds > WITHDRAWAL.as_secs_f64() {
            Some(format!("a device was cut off only {:.1} s after its patient withdrew", self.seconds))
        } else if self.files_with_later > 0 {
            Some("a message reached the device of a patient who had withdrawn".to_owned())
        } else if self.files_with_earlier == 0 {
            Some("the device of the patient who withdrew does not hold what she read before".to_owned())
        } else if self.went_on.len() < 2 || !self.went_on.iter().all(goes_on) {
            Some("the others do not go on with new keys after a withdrawal".to_owned())
        } else {
            None
        }
    }

    pub(in crate::demo) fn tell(&self, text: &mut String) {
        let Self { who, also, seconds, .. } = self;
        let bound = WITHDRAWAL.as_secs();
        let also = if also.is_empty() { String::new() } else { format!(", and {} with her", also.join(", ")) };
        let _ = writeln!(
            text,
            "in the channels: {seconds:.1} s after that stood on the ledger {who} was cut off{also} (at most {bound} s)"
        );
        for WentOn { kind, epoch_before, epoch, said, .. } in &self.went_on {
            let readers = said.read_by.join(", ");
            let _ = writeln!(
                text,
                "  the {kind} goes on, epoch {epoch_before} became {epoch}: {}: “{}” [read by {readers}]",
                said.by, said.text
            );
        }
        let reached = if self.files_with_later == 0 { "none of it is" } else { "IT IS" };
        let _ = writeln!(text, "  {reached} on {who}'s device\n");
    }
}

/// Whether hubs and ledgers know what was said and by whom.
#[derive(Debug, Clone, Serialize)]
pub(in crate::demo) struct Overheard {
    /// Their files.
    #[serde(flatten)]
    pub(in crate::demo) search: Search,
    /// Hospitals whose channels' files were among them.
    pub(in crate::demo) hubs: usize,
    /// Files of the people's own devices in which the same search finds it.
    pub(in crate::demo) files_of_devices: usize,
}

impl Overheard {
    /// What did not come true.
    pub(in crate::demo) fn broken(&self) -> Option<String> {
        if let Some(file) = self.search.found.first() {
            return Some(format!("{} holds what was said in a channel, or who said it", file.display()));
        }
        let looked = self.hubs > 0 && self.search.files > self.hubs as u64 && self.search.words > 0;
        let finds = self.files_of_devices > 0;
        (!looked || !finds).then(|| "the hubs' files were not searched for what was said".to_owned())
    }

    pub(in crate::demo) fn tell(&self, text: &mut String) {
        let Search { files, bytes, words, found } = &self.search;
        let secrecy = if found.is_empty() { "nothing said and nobody's name" } else { "WHAT WAS SAID" };
        let _ = writeln!(
            text,
            "hubs' and ledgers' files: {files} files, {bytes} bytes, {secrecy} in them (searched for {words} texts and \
             names; the same search finds them in {} files of the people's own devices)",
            self.files_of_devices
        );
    }
}
