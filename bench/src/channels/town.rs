//! Three hospitals with their offices on disk, and the line between a device and its hospital's node: the calls that a
//! node makes, without the network in between.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::SystemTime;

use anyhow::Context as _;
use semblance_channels::driver::Line;
use semblance_channels::limits::{ITEMS_MAX, KEY_PACKAGE_MILLIS};
use semblance_channels::office::{DeviceId, Office, OfficeError, Outbound, Speaker};
use semblance_channels::testing::{Hospital, NETWORK, World};
use semblance_channels::wire::{Answer, Charter, DeviceCall, Facts, Item, Refusal, Submission};
use semblance_core::attestation::{LeafAttestation, LeafPledge, LeafProof, PersonRole};
use semblance_core::id::{ChannelId, ConsentId, ParticipantId};
use semblance_core::record::Record;
use semblance_core::signature::{Statement, VerifyingKey};
use semblance_core::time::Timestamp;
use tempfile::TempDir;

/// Hospitals in a town.
pub(crate) const HOSPITALS: usize = 3;
/// The one that is the hub.
const HUB: usize = 0;
const YEAR: u64 = 365 * 86_400_000;

/// What devices hand in, with who they are.
pub(crate) type Handed = (ChannelId, Speaker, Submission);

/// The hospitals and one symptom group, whose hub is the first.
pub(crate) struct Town {
    pub(crate) world: World,
    pub(crate) channel: ChannelId,
    pub(crate) charter: Charter,
    /// While there is a list, what is handed in waits in it, to be taken at one time.
    pub(crate) held: Option<Vec<Handed>>,
    pub(crate) folder: TempDir,
}

/// A device's consent and its name at its hospital.
#[derive(Clone, Copy)]
pub(crate) struct Papers {
    pub(crate) hospital: usize,
    pub(crate) device: DeviceId,
    pub(crate) consent: ConsentId,
}

/// openmls reads the system's clock when it checks a key package; the town's begins at the same moment.
#[expect(clippy::disallowed_methods, reason = "openmls checks lifetimes against this clock")]
pub(crate) fn clock() -> anyhow::Result<Timestamp> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(Timestamp::from_millis(u64::try_from(since.as_millis())?))
}

impl Town {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let (now, folder) = (clock()?, tempfile::tempdir()?);
        let mut world = World::new([1; 32], HOSPITALS, now);
        for hospital in &mut world.hospitals {
            let path = folder.path().join(format!("{}.sqlite", hospital.id));
            hospital.office = Office::open(&path, NETWORK, hospital.id.clone(), world.random.clone())?;
        }
        let consent = world.consent(HUB);
        let charter = world.open_group(HUB, consent);
        let channel = charter.trusted(NETWORK)?.channel;
        Ok(Self { world, channel, charter, held: None, folder })
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) fn hospital(&mut self, hospital: usize) -> anyhow::Result<&mut Hospital> {
        self.world.hospitals.get_mut(hospital).context("no such hospital")
    }

    /// A patient of a hospital with a consent and a device.
    pub(crate) fn register(&mut self, number: usize) -> anyhow::Result<Papers> {
        let (hospital, now) = (number % HOSPITALS, self.world.now);
        let consent = self.world.consent(hospital);
        let person = format!("person-{number}");
        let (device, _) = self.hospital(hospital)?.office.register_device(&person, PersonRole::Patient, now)?;
        Ok(Papers { hospital, device, consent })
    }

    /// The proof of a patient's leaf: their hospital's word and their own.
    pub(crate) fn prove(
        &mut self,
        papers: Papers,
        participant: ParticipantId,
        leaf_key: VerifyingKey,
    ) -> anyhow::Result<LeafProof> {
        let (channel, expires) = (self.channel, self.world.now.plus(YEAR));
        let pledge = LeafPledge { network: NETWORK, consent: papers.consent, leaf_key };
        let key = self.world.patient_key(papers.consent).context("a consent without a key")?;
        let pledge = Some(pledge.sign(key).into_parts().1);
        let hospital = self.hospital(papers.hospital)?;
        let attestation = LeafAttestation {
            network: NETWORK,
            channel,
            hospital: hospital.id.clone(),
            participant,
            leaf_key,
            role: PersonRole::Patient,
            consent: papers.consent,
            expires,
        };
        Ok(LeafProof { attestation: attestation.sign(&hospital.signing).into_parts().1, pledge })
    }

    /// A device's hospital hands one of its key packages to the hub.
    pub(crate) fn admit(&mut self, papers: Papers) -> anyhow::Result<()> {
        let (channel, now) = (self.channel, self.world.now);
        let next = self.hospital(papers.hospital)?.office.next_package(papers.device, channel, now)?;
        let proof = self.prove(papers, next.participant, next.leaf_key)?;
        let hub = self.hospital(HUB)?.id.clone();
        let home = self.hospital(papers.hospital)?;
        let id = home.id.clone();
        let admission = home.office.hand_out(papers.device, channel, &hub, &next, proof, now)?;
        let facts = self.world.facts.clone();
        Ok(self.hospital(HUB)?.office.admit(&id, &admission, &facts, now)?)
    }

    /// The first device's leaf is bound to it, so that it hears of its channel.
    pub(crate) fn bind(&mut self, papers: Papers, proof: &LeafProof) -> anyhow::Result<()> {
        let (hub, now) = (self.hospital(HUB)?.id.clone(), self.world.now);
        Ok(self.hospital(papers.hospital)?.office.bind_leaf(papers.device, proof, &hub, now)?)
    }

    /// The hub takes what was held, all at one time.
    pub(crate) fn take_held(&mut self) -> anyhow::Result<Vec<(ParticipantId, Result<u64, OfficeError>)>> {
        let (held, now) = (self.held.take().unwrap_or_default(), self.world.now);
        let from: Vec<_> = held.iter().map(|(_, speaker, _)| speaker.participant).collect();
        let taken = self.hospital(HUB)?.office.submit(held, &Facts::default(), now)?;
        Ok(from.into_iter().zip(taken).collect())
    }

    /// Carries what the hub has for the other hospitals.
    pub(crate) fn relay(&mut self) -> anyhow::Result<()> {
        let now = self.world.now;
        let (hub, homes) = self.world.hospitals.split_first_mut().context("no hub")?;
        for home in homes {
            while carry(&mut hub.office, &mut home.office, now)? {}
        }
        Ok(())
    }

    fn answer(&mut self, papers: Papers, call: DeviceCall) -> Result<Answer, OfficeError> {
        let now = self.world.now;
        let refused = || OfficeError::Refused(Refusal::Failed);
        match call {
            DeviceCall::Offers => return Ok(Answer::Offers(Vec::new())),
            DeviceCall::Facts(consents) => return Ok(Answer::Facts(self.world.facts.about(&consents))),
            _ => {}
        }
        let (hub, homes) = self.world.hospitals.split_first_mut().ok_or_else(refused)?;
        let mut home = papers.hospital.checked_sub(1).and_then(|home| homes.get_mut(home));
        let mut at_home = |work: &mut dyn FnMut(&mut Office) -> Result<Answer, OfficeError>| match &mut home {
            Some(home) => work(&mut home.office),
            None => work(&mut hub.office),
        };
        let mut speaker = None;
        match &call {
            DeviceCall::Kept(position) => {
                return at_home(&mut |office| {
                    office.keep_until(papers.device, *position);
                    Ok(Answer::Done)
                });
            }
            DeviceCall::Submit(channel, submission) => {
                at_home(&mut |office| {
                    if let Submission::Message(_) = submission {
                        office.count_spoken(papers.device, now)?;
                    }
                    speaker = Some(office.speaker(papers.device, *channel, now)?.0);
                    Ok(Answer::Done)
                })?;
            }
            DeviceCall::Items(channel, _) | DeviceCall::Admissions(channel) => {
                at_home(&mut |office| {
                    speaker = Some(office.speaker(papers.device, *channel, now)?.0);
                    Ok(Answer::Done)
                })?;
            }
            _ => return Err(refused()),
        }
        let from = speaker.ok_or_else(refused)?;
        match call {
            DeviceCall::Items(channel, first) => hub.office.items(channel, &from, first, now).map(Answer::Items),
            DeviceCall::Admissions(channel) => hub.office.admissions(channel, &from, now).map(Answer::Admissions),
            DeviceCall::Submit(channel, submission) => {
                if let Some(held) = &mut self.held {
                    held.push((channel, from, submission));
                    return Ok(Answer::Number(0));
                }
                let taken = hub.office.submit(vec![(channel, from, submission)], &self.world.facts, now)?.pop();
                taken.unwrap_or_else(|| Err(refused())).map(Answer::Number)
            }
            _ => Err(refused()),
        }
    }
}

/// Carries what waits for one peer; whether there was anything.
fn carry(hub: &mut Office, home: &mut Office, now: Timestamp) -> anyhow::Result<bool> {
    let outbound = hub.outbound(home.organisation(), ITEMS_MAX, now)?;
    if outbound.is_empty() {
        return Ok(false);
    }
    let mut arrived = Vec::new();
    for one in outbound {
        // It comes as bytes.
        arrived.push(Outbound { number: one.number, delivery: Record::decode(&one.delivery.encode())? });
    }
    let number = home.take(hub.organisation(), &arrived, now)?;
    hub.acknowledged(home.organisation(), number);
    Ok(true)
}

/// A device's line to its hospital.
pub(crate) struct TownLine {
    pub(crate) town: Rc<RefCell<Town>>,
    pub(crate) papers: Papers,
}

impl Line for TownLine {
    async fn call(&mut self, call: DeviceCall) -> Result<Answer, Refusal> {
        self.town.borrow_mut().answer(self.papers, call).map_err(|error| error.refusal())
    }

    async fn listen(&mut self, after: u64, _wait: bool) -> Result<Vec<(u64, Item)>, Refusal> {
        let mut town = self.town.borrow_mut();
        let now = town.world.now;
        let home = town.hospital(self.papers.hospital).map_err(|_| Refusal::Failed)?;
        let queued = home.office.queue(self.papers.device, after, ITEMS_MAX, now);
        let queued = queued.map_err(|error| error.refusal())?;
        Ok(queued.into_iter().map(|one| (one.position, one.item)).collect())
    }
}

/// How long key packages made here live.
pub(crate) const LIFE: u64 = KEY_PACKAGE_MILLIS;
