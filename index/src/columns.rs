//! What a sweep needs to know of each case, kept in RAM: 16 bytes a case.

use semblance_core::time::Timestamp;

/// Ordinal, hospital, length, expiry and life of a part's cases, by their number in the part.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    ordinals: Vec<u32>,
    facts: Vec<Facts>,
    expires: Vec<Timestamp>,
    /// No live case expires before this.
    earliest: Option<Timestamp>,
    /// No case is shorter than this.
    shortest: Option<u8>,
}

/// Hospital, length and life of one case in one word, so that a sweep looks once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts(u32);

impl Facts {
    const DEAD: u32 = 1 << 31;

    pub(crate) const fn hospital(self) -> u16 {
        self.0 as u16
    }

    pub(crate) const fn length(self) -> u8 {
        (self.0 >> 16) as u8 & 0x7f
    }

    pub(crate) const fn is_live(self) -> bool {
        self.0 & Self::DEAD == 0
    }
}

impl Columns {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self {
            ordinals: Vec::with_capacity(capacity),
            facts: Vec::with_capacity(capacity),
            expires: Vec::with_capacity(capacity),
            earliest: None,
            shortest: None,
        }
    }

    /// Appends a live case; lengths are at most 40.
    pub(crate) fn push(&mut self, ordinal: u32, hospital: u16, length: u8, expires: Timestamp) {
        self.ordinals.push(ordinal);
        self.facts.push(Facts(u32::from(hospital) | u32::from(length & 0x7f) << 16));
        self.expires.push(expires);
        self.earliest = Some(self.earliest.map_or(expires, |earliest| earliest.min(expires)));
        self.shortest = Some(self.shortest.map_or(length, |shortest| shortest.min(length)));
    }

    pub(crate) fn len(&self) -> u32 {
        // Tantivy numbers documents with 32 bits; so does the tail.
        self.ordinals.len() as u32
    }

    /// How many tokens the shortest case has, the dead included.
    pub(crate) fn shortest(&self) -> u8 {
        self.shortest.unwrap_or(0)
    }

    /// How many tokens each case has, the dead included.
    pub(crate) fn lengths(&self) -> impl Iterator<Item = u8> {
        self.facts.iter().map(|facts| facts.length())
    }

    pub(crate) fn ordinals(&self) -> &[u32] {
        &self.ordinals
    }

    pub(crate) fn ordinal(&self, case: u32) -> Option<u32> {
        self.ordinals.get(case as usize).copied()
    }

    /// The facts of a case if it is live.
    pub(crate) fn live(&self, case: u32) -> Option<Facts> {
        self.facts.get(case as usize).copied().filter(|facts| facts.is_live())
    }

    /// The live cases with their facts.
    pub(crate) fn all_live(&self) -> impl Iterator<Item = (u32, Facts)> {
        (0..).zip(self.facts.iter().copied()).filter(|(_, facts)| facts.is_live())
    }

    /// The ordinals of the dead.
    pub(crate) fn dead_ordinals(&self) -> impl Iterator<Item = u32> {
        self.ordinals.iter().zip(&self.facts).filter(|(_, facts)| !facts.is_live()).map(|(ordinal, _)| *ordinal)
    }

    pub(crate) fn kill(&mut self, case: u32) {
        if let Some(facts) = self.facts.get_mut(case as usize) {
            facts.0 |= Facts::DEAD;
        }
    }

    /// The live cases that are expired at this time. Costs nothing while there are none.
    pub(crate) fn expired(&self, now: Timestamp) -> Vec<u32> {
        if self.earliest.is_none_or(|earliest| earliest > now) {
            return Vec::new();
        }
        self.all_live().map(|(case, _)| case).filter(|case| self.expiry(*case).is_some_and(|at| at <= now)).collect()
    }

    /// Finds the earliest expiry again, after cases have died.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        if self.earliest.is_some_and(|earliest| earliest <= now) {
            self.earliest = self.all_live().filter_map(|(case, _)| self.expiry(case)).min();
        }
    }

    fn expiry(&self, case: u32) -> Option<Timestamp> {
        self.expires.get(case as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_fit_one_word() {
        let mut columns = Columns::default();
        columns.push(7, u16::MAX, 40, Timestamp::from_millis(5));
        let facts = columns.live(0).unwrap();
        assert_eq!((facts.hospital(), facts.length()), (u16::MAX, 40));
        columns.kill(0);
        assert!(columns.live(0).is_none());
        assert_eq!(columns.dead_ordinals().collect::<Vec<_>>(), [7]);
    }

    #[test]
    fn a_case_expires_at_its_expiry() {
        let mut columns = Columns::default();
        for expires in [30, 10, 20] {
            columns.push(expires, 0, 8, Timestamp::from_millis(u64::from(expires)));
        }
        assert!(columns.expired(Timestamp::from_millis(9)).is_empty());
        assert_eq!(columns.expired(Timestamp::from_millis(20)), [1, 2]);
        columns.kill(1);
        columns.kill(2);
        columns.settle(Timestamp::from_millis(20));
        assert!(columns.expired(Timestamp::from_millis(29)).is_empty());
        assert_eq!(columns.expired(Timestamp::from_millis(30)), [0]);
    }
}
