//! Sealed receipts: ten slots of equal size in every look-up's entry, whatever was found.
//!
//! Each found case takes a slot, sealed to its hospital; the rest is sealed to a key that is thrown away. No slot names
//! its recipient, so every hospital tries its own keys on each, and nobody sees how many cases were found, or whose.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::encode::{DecodeError, Reader, Writer, domain};
use crate::id::{CaseHandle, Digest, NetworkId};
use crate::limits::ANSWER_MAX;
use crate::random::RandomSource;
use crate::sealing::{SEALING_OVERHEAD, SealingError, SealingPublicKey, SealingSecret};

/// Bytes of a receipt before sealing.
const RECEIPT_BYTES: usize = 32;
/// Bytes of a slot.
pub const SLOT_BYTES: usize = RECEIPT_BYTES + SEALING_OVERHEAD;
const PADDING: usize = 6;

/// What the hospital of a found case learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// Which of its cases was disclosed.
    pub handle: CaseHandle,
    /// At which place of the answer, from 1.
    pub rank: u8,
    /// The block that the answer's index had reached.
    pub index_height: u64,
}

impl Receipt {
    /// The 32 bytes that are sealed: version 1, handle, rank, index height, six zero bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::record(1);
        self.handle.write(&mut writer);
        writer.u8(self.rank).u64(self.index_height).raw(&[0; PADDING]).finish()
    }

    /// Reads the 32 bytes that were sealed.
    ///
    /// # Errors
    /// Not the exact bytes of a receipt.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (_, mut reader) = Reader::record(bytes, "receipt", 1)?;
        let receipt = Self {
            handle: CaseHandle::read(&mut reader)?,
            rank: reader.u8("rank")?,
            index_height: reader.u64("height")?,
        };
        if !(1..=ANSWER_MAX).contains(&usize::from(receipt.rank)) {
            return Err(DecodeError::Invalid { what: "rank", why: "no place of an answer" });
        }
        if reader.array::<PADDING>("padding")? != [0; PADDING] {
            return Err(DecodeError::Invalid { what: "padding", why: "not zero" });
        }
        reader.finish().map(|()| receipt)
    }
}

/// The place of a slot among the ten, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotIndex(u8);

impl SlotIndex {
    /// Checks a place, below ten.
    #[must_use]
    pub fn new(index: u8) -> Option<Self> {
        (usize::from(index) < ANSWER_MAX).then_some(Self(index))
    }

    /// The place, from 0.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// The randomness that one slot was sealed with; whoever holds it can seal the slot again. Wipes itself; debug output
/// shows nothing.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct SlotSeed([u8; 32]);

impl SlotSeed {
    /// Takes the bytes as they are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for SlotSeed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SlotSeed(..)")
    }
}

/// Where a found case's receipt stands and what it was sealed with; the matcher tells the asker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotKey {
    /// Where.
    pub slot: SlotIndex,
    /// With what.
    pub seed: SlotSeed,
}

impl SlotKey {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let slot = SlotIndex::new(reader.u8("receipt slot")?)
            .ok_or(DecodeError::Invalid { what: "receipt slot", why: "there are ten" })?;
        Ok(Self { slot, seed: SlotSeed(reader.array("slot seed")?) })
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.u8(self.slot.0).raw(&self.seed.0);
    }
}

/// The ten slots of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReceiptSlots([[u8; SLOT_BYTES]; ANSWER_MAX]);

/// A slot that opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedSlot {
    /// Which one.
    pub slot: SlotIndex,
    /// What was in it; malformed if whoever sealed it did not keep to the rules.
    pub receipt: Result<Receipt, DecodeError>,
}

impl ReceiptSlots {
    /// Tries each secret on each slot. `request` is the digest of the entry's signed request. Costs about a tenth of a
    /// millisecond for each slot and secret.
    #[must_use]
    pub fn open(&self, network: NetworkId, request: &Digest, secrets: &[SealingSecret]) -> Vec<OpenedSlot> {
        let mut opened = Vec::new();
        for (bytes, slot) in self.0.iter().zip((0..).map(SlotIndex)) {
            let info = info(network, request, slot);
            let plaintext = secrets.iter().find_map(|secret| secret.open(&info, &[], bytes).ok());
            if let Some(plaintext) = plaintext {
                opened.push(OpenedSlot { slot, receipt: Receipt::decode(&plaintext) });
            }
        }
        opened
    }

    /// Whether a slot holds exactly this receipt, sealed to this key with this randomness.
    ///
    /// # Errors
    /// The receipt could not be sealed again.
    pub fn holds(
        &self,
        network: NetworkId,
        request: &Digest,
        key: &SlotKey,
        recipient: &SealingPublicKey,
        receipt: &Receipt,
    ) -> Result<bool, SealingError> {
        let again = seal(network, request, key, recipient, &receipt.encode())?;
        Ok(self.0.get(usize::from(key.slot.0)) == Some(&again))
    }

    /// Reads them from a layout.
    ///
    /// # Errors
    /// Too few bytes left.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut slots = [[0; SLOT_BYTES]; ANSWER_MAX];
        for slot in &mut slots {
            *slot = reader.array("receipt slot")?;
        }
        Ok(Self(slots))
    }

    /// Writes them to a layout.
    pub fn write(&self, writer: &mut Writer) {
        for slot in &self.0 {
            writer.raw(slot);
        }
    }
}

/// Ten sealed slots, and where the found cases' receipts stand among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedReceipts {
    /// The ten slots.
    pub slots: ReceiptSlots,
    /// For each found case, in the order given, its slot and randomness.
    pub keys: Vec<SlotKey>,
}

/// Seals the receipts of a look-up's found cases, each to its hospital's key, into ten slots in random order.
/// The work and the size are the same however many there are.
///
/// # Errors
/// More than ten receipts, or one that cannot be sealed.
pub fn seal_receipts(
    network: NetworkId,
    request: &Digest,
    found: &[(Receipt, SealingPublicKey)],
    source: &dyn RandomSource,
) -> Result<SealedReceipts, ReceiptError> {
    if found.len() > ANSWER_MAX {
        return Err(ReceiptError::TooMany { count: found.len() });
    }
    let nobody = *SealingSecret::random(source)?.public();
    let mut found = found.iter();
    let (mut slots, mut keys) = ([[0; SLOT_BYTES]; ANSWER_MAX], Vec::new());
    for slot in shuffled_places(source) {
        let key = SlotKey { slot, seed: SlotSeed(source.array()) };
        let next = found.next();
        let sealed = match next {
            Some((receipt, recipient)) => seal(network, request, &key, recipient, &receipt.encode())?,
            None => seal(network, request, &key, &nobody, &[0; RECEIPT_BYTES])?,
        };
        if let Some(place) = slots.get_mut(usize::from(slot.0)) {
            *place = sealed;
        }
        if next.is_some() {
            keys.push(key);
        }
    }
    Ok(SealedReceipts { slots: ReceiptSlots(slots), keys })
}

/// Why receipts were not sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// More receipts than slots.
    #[error("an entry has {ANSWER_MAX} receipt slots, {count} receipts do not fit")]
    TooMany {
        /// How many receipts there are.
        count: usize,
    },
    /// One could not be sealed.
    #[error(transparent)]
    Sealing(#[from] SealingError),
}

/// The ten places in random order: Fisher–Yates, with draws that favour none.
fn shuffled_places(source: &dyn RandomSource) -> [SlotIndex; ANSWER_MAX] {
    let mut places = std::array::from_fn(|index| SlotIndex(index as u8));
    for last in (1..ANSWER_MAX).rev() {
        places.swap(last, below(last + 1, source));
    }
    places
}

/// A uniform draw below `limit`, which is at most ten.
fn below(limit: usize, source: &dyn RandomSource) -> usize {
    let fair = 256 - 256 % limit;
    loop {
        let drawn = usize::from(u8::from_be_bytes(source.array()));
        if drawn < fair {
            return drawn % limit;
        }
    }
}

fn seal(
    network: NetworkId,
    request: &Digest,
    key: &SlotKey,
    recipient: &SealingPublicKey,
    plaintext: &[u8],
) -> Result<[u8; SLOT_BYTES], SealingError> {
    let sealed = recipient.seal(&info(network, request, key.slot), &[], plaintext, &key.seed.0)?;
    sealed.try_into().map_err(|_| SealingError::Seal)
}

/// The info of a slot's HPKE message: the statement `semblance/receipt-slot` version 1 (network), the request's digest,
/// the slot's place as one byte.
fn info(network: NetworkId, request: &Digest, slot: SlotIndex) -> Vec<u8> {
    let mut writer = Writer::statement(domain::RECEIPT_SLOT, 1, network);
    request.write(&mut writer);
    writer.u8(slot.0).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededSource;
    use crate::record::assert_strict;

    const NETWORK: NetworkId = NetworkId::from_bytes([7; 16]);

    fn request() -> Digest {
        Digest::from_bytes([3; 32])
    }

    fn secret(byte: u8) -> SealingSecret {
        SealingSecret::from_bytes([byte; 32]).unwrap()
    }

    fn receipt(byte: u8, rank: u8) -> Receipt {
        Receipt { handle: CaseHandle::from_bytes([byte; 16]), rank, index_height: 12 }
    }

    fn sealed() -> (Vec<(Receipt, SealingPublicKey)>, SealedReceipts) {
        let found = vec![
            (receipt(1, 1), *secret(1).public()),
            (receipt(2, 2), *secret(2).public()),
            (receipt(3, 3), *secret(1).public()),
        ];
        let sealed = seal_receipts(NETWORK, &request(), &found, &SeededSource::new([5; 32])).unwrap();
        (found, sealed)
    }

    #[test]
    fn each_hospital_opens_its_own_and_nothing_else() {
        let (_, sealed) = sealed();
        let opened = |network, request: &Digest, secrets: &[SealingSecret]| {
            let opened = sealed.slots.open(network, request, secrets);
            let mut ranks: Vec<_> = opened.into_iter().map(|slot| slot.receipt.unwrap().rank).collect();
            ranks.sort_unstable();
            ranks
        };
        assert_eq!(opened(NETWORK, &request(), &[secret(1)]), [1, 3]);
        assert_eq!(opened(NETWORK, &request(), &[secret(9), secret(2)]), [2]);
        assert!(opened(NETWORK, &request(), &[secret(9)]).is_empty());
        assert!(opened(NETWORK, &Digest::from_bytes([4; 32]), &[secret(1)]).is_empty());
        assert!(opened(NetworkId::from_bytes([8; 16]), &request(), &[secret(1)]).is_empty());
    }

    #[test]
    fn a_slot_moved_to_another_place_does_not_open() {
        let (_, sealed) = sealed();
        let mut moved = sealed.slots.clone();
        moved.0.rotate_left(1);
        assert!(moved.open(NETWORK, &request(), &[secret(1), secret(2)]).is_empty());
    }

    #[test]
    fn the_asker_seals_again_and_compares() {
        let (found, sealed) = sealed();
        let holds = |key: &SlotKey, recipient: &SealingPublicKey, receipt: &Receipt| {
            sealed.slots.holds(NETWORK, &request(), key, recipient, receipt).unwrap()
        };
        for (key, (receipt, recipient)) in sealed.keys.iter().zip(&found) {
            assert!(holds(key, recipient, receipt));
            assert!(!holds(key, secret(9).public(), receipt));
            assert!(!holds(key, recipient, &Receipt { index_height: 11, ..*receipt }));
            assert!(!holds(&SlotKey { seed: SlotSeed([0; 32]), ..key.clone() }, recipient, receipt));
        }
        assert!(!holds(&sealed.keys[0], &found[1].1, &found[1].0));
    }

    #[test]
    fn places_are_drawn_evenly() {
        let source = SeededSource::new([6; 32]);
        let mut counts = [[0u32; ANSWER_MAX]; ANSWER_MAX];
        for _ in 0..2000 {
            for (position, place) in shuffled_places(&source).iter().enumerate() {
                counts[position][usize::from(place.0)] += 1;
            }
        }
        // 200 expected each, standard deviation 13.4.
        assert!(counts.iter().flatten().all(|count| (130..=270).contains(count)), "{counts:?}");
    }

    #[test]
    fn ten_fit_and_eleven_do_not() {
        let found = vec![(receipt(1, 1), *secret(1).public()); ANSWER_MAX + 1];
        let seal = |count| seal_receipts(NETWORK, &request(), &found[..count], &SeededSource::new([5; 32]));
        assert_eq!(seal(ANSWER_MAX).unwrap().keys.len(), ANSWER_MAX);
        assert_eq!(seal(ANSWER_MAX + 1), Err(ReceiptError::TooMany { count: 11 }));
    }

    #[test]
    fn the_decoder_is_strict() {
        assert_eq!(receipt(1, 1).encode().len(), RECEIPT_BYTES);
        assert_strict(&receipt(1, 1).encode(), Receipt::decode, Receipt::encode);
        assert!(Receipt::decode(&receipt(1, 0).encode()).is_err());
        assert!(Receipt::decode(&receipt(1, 11).encode()).is_err());
    }
}
