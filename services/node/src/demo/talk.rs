//! People whom a look-up brought together talk: in a channel of the match and in a symptom group, until a patient
//! withdraws.

mod acts;
mod cast;
mod device;
mod parting;
pub(super) mod told;
mod topic;

use std::path::{Path, PathBuf};

use anyhow::Context;
use semblance_core::id::{ChannelId, IntroductionId};
use semblance_core::introduction::{Parties as Sides, Reason};
use semblance_core::term::TermId;
use semblance_core::vocabulary::Vocabulary;
use semblance_hospital::store::case::LocalCaseId;
use semblance_hospital::{HospitalService, Reply, Wish};

pub(super) use self::acts::Acts;
use self::cast::Cast;
use self::device::{Device, each, until};
use self::told::{Conversation, Group, Met, Offered, Overheard, SPANNED, Said};
use super::ask::{Meeting, come};
use super::parties::{Parties, Running};
use super::patients::Patient;
use super::secrecy;
use crate::failure::{Failure, Kind};

/// Who acts in the hospitals' local audits where no clinician does.
const ACTOR: &str = "demo";
/// The newest channels and introductions of a hospital, among which those of this demo are.
const LISTED: usize = 50;

/// What is said in the channel of the match: by the clinician who asked, by the other case's clinician, by its patient.
const OF_MATCH: [&str; 3] = [
    "Good morning. Our two cases look alike; shall we compare how they went on?",
    "Gladly. Ours has been much better since the diet was changed in spring.",
    "It is true, the nights are quiet now. Thank you for asking us.",
];
/// What is said in the symptom group, by one person of each hospital.
const OF_GROUP: [&str; SPANNED] = [
    "Hello everybody, is there a school that takes this well?",
    "Ours does, after a long talk with the teachers.",
    "We are looking for one too, and would like to come by.",
];

/// What talk needs of the demo.
pub(super) struct Stage<'a> {
    pub(super) parties: &'a Parties,
    pub(super) meeting: &'a Meeting<'a>,
    /// The asking clinician's name at her hospital.
    pub(super) clinician: &'a str,
    /// The name at the other hospital of the clinician who looks after the found case.
    pub(super) colleague: &'a str,
    /// Each hospital's patients who did not withdraw.
    pub(super) patients: Vec<Vec<&'a Patient>>,
    pub(super) vocabulary: &'a Vocabulary,
    /// Where the devices of this run lie: those of people are nobody else's.
    pub(super) devices: PathBuf,
}

/// People who talk.
pub(super) struct Talk {
    pub(super) met: Met,
    pub(super) group: Group,
    cast: Cast,
    channel_of_match: ChannelId,
    channel_of_group: ChannelId,
}

impl Talk {
    /// Introduces the two sides of a match and opens a symptom group, and lets their people speak.
    ///
    /// # Errors
    /// Something failed, or did not come about in time.
    pub(super) async fn begin(stage: &Stage<'_>) -> anyhow::Result<Self> {
        let Meeting { asker, owner, asked, .. } = stage.meeting;
        let (introduction, channel_of_match) = introduce(stage).await?;
        let topic = stage.topic()?;
        let (channel_of_group, offers) = stage.open_group(&topic).await?;
        let mut cast = Cast::register(stage, offers.guest).await?;

        let said = speak(channel_of_match, &mut cast.of_match(), &OF_MATCH).await?;
        let met = Met {
            introduction: introduction.to_string(),
            lookup: asked.report.request.clone(),
            asked: asker.party.organisation.to_string(),
            accepted: owner.party.organisation.to_string(),
            conversation: conversation(channel_of_match, owner, &mut cast.of_match(), said),
        };
        let said = speak(channel_of_group, &mut cast.of_group(), &OF_GROUP).await?;
        let label = |term: &TermId| stage.vocabulary.label(*term).unwrap_or_default().to_owned();
        let group = Group {
            topic: topic.iter().map(label).collect(),
            offers: offers.sizes,
            conversation: conversation(channel_of_group, asker, &mut cast.of_group(), said),
        };
        Ok(Self { met, group, cast, channel_of_match, channel_of_group })
    }

    /// Searches the files of hubs and ledgers for what was said and for people's names, also those of the devices, where
    /// they stand.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(super) fn overheard(&self, stage: &Stage<'_>) -> anyhow::Result<Overheard> {
        let devices = self.cast.devices();
        let texts = OF_MATCH.iter().chain(&OF_GROUP).chain(&parting::LATER).map(ToString::to_string);
        let words: Vec<String> = texts.chain(devices.iter().map(|device| device.owner.person.name.clone())).collect();
        let folders: Vec<PathBuf> = devices.iter().map(|device| device.folder.clone()).collect();
        let files_of_devices = secrecy::search(&folders, &words)?.found.len();
        // How a hospital calls its own people stands in its own files alone.
        let known_as = devices.iter().map(|device| device.owner.known_as.clone());
        let all = secrecy::telling(words.iter().cloned().chain(known_as));
        let mut search = secrecy::search(&stage.parties.shared_files()?, &all)?;
        let mut hubs = 0;
        for hospital in &stage.parties.hospitals {
            let files = secrecy::beginning_with(&hospital.party.config.data().join("hospital"), "channels.sqlite")?;
            hubs += usize::from(!files.is_empty());
            search.add(secrecy::search_files(files, &words)?);
        }
        Ok(Overheard { search, hubs, files_of_devices })
    }
}

/// To whom a group is offered.
struct Offers {
    sizes: Vec<Offered>,
    /// Somebody of a hospital that is not part of the match, by the index of the hospital.
    guest: Option<(usize, LocalCaseId)>,
}

impl Stage<'_> {
    /// What the group is about.
    fn topic(&self) -> anyhow::Result<[TermId; 2]> {
        let Meeting { asker, owner, asked, case, .. } = self.meeting;
        let patient = |of: &Running, id: &str| {
            let share = self.parties.hospitals.iter().zip(&self.patients).find(|(one, _)| std::ptr::eq(*one, of));
            let found = share.and_then(|(_, share)| share.iter().copied().find(|patient| patient.case_id == id));
            found.with_context(|| format!("{id} is no patient of {}", of.party.organisation))
        };
        let both = [patient(asker, &asked.report.case)?, patient(owner, case.as_str())?];
        topic::choose(both, &self.patients, self.vocabulary).ok_or_else(|| {
            let what = "no two symptoms are shared by patients of every hospital, so no group can be opened about them";
            Failure::new(Kind::Failed, what).hint("try more patients").into()
        })
    }

    /// A hospital that is not part of the match, with its place.
    fn third(&self) -> Option<(usize, &Running)> {
        let Meeting { asker, owner, .. } = self.meeting;
        let mut all = self.parties.hospitals.iter().enumerate();
        all.find(|(_, one)| !std::ptr::eq(*one, *asker) && !std::ptr::eq(*one, *owner))
    }

    /// Opens the group at the asking hospital, for the case that asked, and lets each hospital find whom it is for.
    async fn open_group(&self, topic: &[TermId]) -> anyhow::Result<(ChannelId, Offers)> {
        let Meeting { asker, asked, .. } = self.meeting;
        let case: LocalCaseId = asked.report.case.parse()?;
        let channel = asker.hospital()?.open_group(self.clinician, &case, topic).await?.channel;
        let mut sizes = Vec::new();
        for running in &self.parties.hospitals {
            let hospital = running.hospital()?;
            let name = hospital.organisation();
            come(&format!("{name} reads of the symptom group"), async || knows(hospital, channel).await).await?;
            let band = hospital.offers(ACTOR, channel).await?.band;
            sizes.push(Offered { hospital: name.to_string(), size: band.word() });
        }
        let mut guest = None;
        if let Some((place, running)) = self.third() {
            let offers = running.hospital()?.offers(ACTOR, channel).await?;
            guest = offers.cases.into_iter().next().map(|case| (place, case));
        }
        asker.node.serves(channel).await?;
        Ok((channel, Offers { sizes, guest }))
    }
}

async fn knows(hospital: &HospitalService, channel: ChannelId) -> anyhow::Result<Option<()>> {
    let channels = hospital.channels(0, LISTED).await?;
    let name = channel.to_string();
    Ok(channels.iter().any(|one| one.channel == name && one.state == "open").then_some(()))
}

/// From the look-up to a channel: the asking hospital proposes, the other one accepts and opens.
async fn introduce(stage: &Stage<'_>) -> anyhow::Result<(IntroductionId, ChannelId)> {
    let Stage { clinician, colleague, .. } = stage;
    let Meeting { asker, owner, asked, found, case } = stage.meeting;
    let (asking, owning) = (asker.hospital()?, owner.hospital()?);
    let wish = Wish { parties: Sides { clinicians: true, patient: false }, reason: Reason::Compare };
    let lookup = asked.report.request.parse()?;
    let proposed = asking.introduce_match(clinician, lookup, found.rank, wish).await?;
    let id: IntroductionId = proposed.introduction.parse()?;
    stands(owning, id, "proposed").await?;
    owning.assign_clinician(ACTOR, case, colleague).await?;
    let reply = Reply::Accept(Sides { clinicians: true, patient: true });
    owning.answer_introduction(colleague, id, reply).await?;
    stands(owning, id, "accepted").await?;
    let channel = owning.open_channel(colleague, id).await?.channel;
    let name = asking.organisation();
    come(&format!("{name} reads of the channel"), async || knows(asking, channel).await).await?;
    owner.node.serves(channel).await?;
    Ok((id, channel))
}

/// Waits until an introduction got so far at a hospital.
async fn stands(hospital: &HospitalService, id: IntroductionId, state: &str) -> anyhow::Result<()> {
    let (name, id) = (hospital.organisation(), id.to_string());
    come(&format!("an introduction is {state} at {name}"), async || {
        let all = hospital.introductions(0, LISTED).await?;
        Ok(all.iter().any(|one| one.introduction == id && one.state == state).then_some(()))
    })
    .await
}

/// The first one's device makes the group, the others join; each says something and reads everything.
async fn speak(channel: ChannelId, devices: &mut [&mut Device], texts: &[&'static str]) -> anyhow::Result<Vec<Said>> {
    let everybody = devices.len();
    let (first, others) = devices.split_at_mut(1);
    for joining in [first, others] {
        each(joining, |device| device.join(channel)).await?;
    }
    until(devices, "everybody is in the channel", |device| {
        Ok(device.is_member(channel)? && device.members(channel)? == everybody)
    })
    .await?;
    let mut said = Vec::new();
    for (speaker, text) in devices.iter_mut().zip(texts) {
        each(&mut [&mut **speaker], |device| device.say(channel, text)).await?;
        said.push(Said { by: speaker.owner.person.name.clone(), text: (*text).to_owned(), read_by: Vec::new() });
    }
    read(channel, devices, said).await
}

/// Waits until everybody has read everything, and notes on whose devices it stands.
async fn read(channel: ChannelId, devices: &mut [&mut Device], mut said: Vec<Said>) -> anyhow::Result<Vec<Said>> {
    let texts: Vec<(String, String)> = said.iter().map(|one| (one.by.clone(), one.text.clone())).collect();
    until(devices, "everybody reads what was said", |device| {
        let mut all = true;
        for (by, text) in &texts {
            all &= device.has_read(channel, by, text)?;
        }
        Ok(all)
    })
    .await?;
    for one in &mut said {
        for device in devices.iter_mut() {
            if device.has_read(channel, &one.by, &one.text)? {
                one.read_by.push(device.owner.person.name.clone());
            }
        }
    }
    Ok(said)
}

fn conversation(channel: ChannelId, hub: &Running, devices: &mut [&mut Device], said: Vec<Said>) -> Conversation {
    Conversation {
        channel: channel.to_string(),
        hub: hub.party.organisation.to_string(),
        people: devices.iter().map(|device| device.owner.person.clone()).collect(),
        said,
    }
}

/// Where the devices of a run lie in the demo's folder, apart from all nodes.
pub(super) fn devices_of_run(data: &Path, run: u32) -> PathBuf {
    data.join("devices").join(format!("run-{run}"))
}
