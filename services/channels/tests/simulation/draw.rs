//! Chance from a seed, and what a seed stands for.

use crate::plan::{ChannelPlan, DevicePlan, Fault, Forgery, Operation, Plan, Pulling, Relaying};

/// SplitMix64: the same numbers from a seed everywhere and for ever.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// True so many times in a hundred.
    pub(crate) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// The whole story of a seed.
pub(crate) fn plan(seed: u64) -> Plan {
    let mut dice = Dice::new(seed);
    let hospitals = 2 + dice.below(3);
    let consents: Vec<usize> = (0..hospitals + dice.below(3)).map(|number| number % hospitals).collect();
    let devices = (0..2 + dice.below(7)).map(|_| device(&mut dice, &consents)).collect::<Vec<_>>();
    let mut channels = (0..1 + dice.below(2))
        .map(|_| ChannelPlan { hub: dice.below(hospitals), group: dice.percent(40), first: dice.below(devices.len()) })
        .collect::<Vec<_>>();
    for channel in &mut channels {
        let first = &devices[channel.first];
        // A clinician opens a group at the own hospital alone.
        if channel.group && !first.patient {
            channel.hub = consents[first.consent];
        }
    }
    let count = 25 + dice.below(40);
    let mut operations = beginning(&mut dice, devices.len(), &channels, hospitals);
    operations.extend((0..count).map(|_| {
        let sizes = Sizes { hospitals, consents: consents.len(), devices: devices.len(), channels: channels.len() };
        operation(&mut dice, &sizes)
    }));
    Plan { seed, hospitals, consents, devices, channels, on_disk: dice.percent(10), operations }
}

/// Most devices come in before anything goes wrong.
fn beginning(dice: &mut Dice, devices: usize, channels: &[ChannelPlan], hospitals: usize) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (channel, plan) in channels.iter().enumerate() {
        let advance = Operation::Advance { device: plan.first, channel, fault: Fault::None };
        operations.push(advance.clone());
        let coming = (0..devices).filter(|_| dice.percent(75)).collect::<Vec<_>>();
        operations.extend(coming.into_iter().map(|device| Operation::Admit { device, channel, fault: Fault::None }));
        operations.extend([advance, Operation::Pull { device: plan.first, way: Pulling::All }]);
    }
    operations.extend((0..hospitals).map(|hospital| Operation::Relay { hospital, way: Relaying::All }));
    operations.extend((0..devices).map(|device| Operation::Pull { device, way: Pulling::All }));
    operations
}

fn device(dice: &mut Dice, consents: &[usize]) -> DevicePlan {
    DevicePlan {
        consent: dice.below(consents.len()),
        patient: dice.percent(40),
        packages: dice.pick(&[0, 1, 2, 4]),
        last_resort: dice.percent(60),
        short: dice.percent(15),
    }
}

struct Sizes {
    hospitals: usize,
    consents: usize,
    devices: usize,
    channels: usize,
}

fn operation(dice: &mut Dice, sizes: &Sizes) -> Operation {
    let (device, channel) = (dice.below(sizes.devices), dice.below(sizes.channels));
    let (hospital, consent) = (dice.below(sizes.hospitals), dice.below(sizes.consents));
    match dice.below(100) {
        0..16 => Operation::Say { device, channel },
        16..32 => Operation::Advance { device, channel, fault: fault(dice) },
        32..37 => Operation::Prepare { device, channel },
        37..42 => Operation::Submit { device, channel, fault: fault(dice) },
        42..45 => Operation::Refresh { device, channel, fault: fault(dice) },
        45..60 => Operation::Pull { device, way: pulling(dice) },
        60..70 => Operation::Relay { hospital, way: relaying(dice) },
        70..73 => Operation::Arrive { order: dice.next() as u32 },
        73..79 => Operation::Admit { device, channel, fault: fault(dice) },
        79..80 => Operation::Stock { device, packages: dice.below(3), last_resort: dice.percent(30) },
        80 => Operation::Withdraw { consent },
        81 => Operation::Expire { consent },
        82..85 => Operation::Follow { hospital, fault: fault(dice) },
        85 => Operation::Leave { device, channel, fault: fault(dice) },
        86..89 => Operation::Switch { hospital },
        89..91 => Operation::Rejoin { device, channel, fault: fault(dice) },
        91..96 => Operation::Forge { device, channel, forgery: forgery(dice), at: dice.next() as u32 },
        96 => Operation::Reopen { hospital },
        97 => Operation::Restart { device },
        98 => Operation::Press { hospital },
        _ if dice.percent(30) => Operation::Clean { hospital },
        _ => Operation::Wait { seconds: dice.below(40) as u64 },
    }
}

fn fault(dice: &mut Dice) -> Fault {
    match dice.below(100) {
        0..45 => Fault::None,
        45..52 => Fault::RequestLost,
        52..60 => Fault::AnswerLost,
        60..66 => Fault::Twice,
        66..84 => Fault::Crash { after: dice.below(60) as u32 },
        84..91 => Fault::CrashAtCommit,
        91..96 => Fault::Forgets,
        _ => Fault::FallsBack,
    }
}

fn pulling(dice: &mut Dice) -> Pulling {
    match dice.below(10) {
        0..4 => Pulling::All,
        4 => Pulling::Some { count: 1 + dice.below(3) },
        5 => Pulling::Again,
        6 => Pulling::Shuffled { order: dice.next() as u32 },
        7 => Pulling::Unacknowledged,
        8 => Pulling::Forgets { after: dice.below(4) },
        _ => Pulling::Some { count: 1 },
    }
}

fn relaying(dice: &mut Dice) -> Relaying {
    match dice.below(10) {
        0..4 => Relaying::All,
        4 => Relaying::Some { count: 1 + dice.below(2) },
        5 => Relaying::AnswerLost,
        6 | 7 => Relaying::Late,
        8 => Relaying::Crash { after: dice.below(40) as u32 },
        _ => Relaying::CrashAtCommit,
    }
}

fn forgery(dice: &mut Dice) -> Forgery {
    dice.pick(&[
        Forgery::FlippedMessage,
        Forgery::FlippedCommit,
        Forgery::FlippedWelcome,
        Forgery::FlippedInfo,
        Forgery::Invented,
        Forgery::Removed,
        Forgery::OtherChannel,
        Forgery::Replayed,
        Forgery::Stranger,
        Forgery::Spoofed,
    ])
}
