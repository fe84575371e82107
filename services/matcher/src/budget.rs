//! Budgets of look-ups, by clinician's weekly pseudonym, by hospital and by what is in flight.
//!
//! The ledger is the truth: counts are rebuilt from its entries after a restart and grow with each entry that any
//! matcher records. A look-up that is under way holds a reservation until its entry is seen or it has failed.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use semblance_core::id::{ClinicianPseudonym, OrganisationId, RequestId};
use semblance_core::limits;
use semblance_core::lookup::{LookupRequest, LookupSlot};
use semblance_core::time::Day;

/// How many look-ups are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetLimits {
    /// By one clinician on one day (UTC).
    pub clinician_day: u32,
    /// By one clinician in one week (Monday to Sunday, UTC).
    pub clinician_week: u32,
    /// By one hospital on one day (UTC).
    pub hospital_day: u32,
    /// By one hospital at the same time.
    pub hospital_in_flight: u32,
    /// By all hospitals at the same time.
    pub in_flight: u32,
}

impl Default for BudgetLimits {
    fn default() -> Self {
        Self {
            clinician_day: limits::CLINICIAN_LOOKUPS_A_DAY,
            clinician_week: limits::CLINICIAN_LOOKUPS_A_WEEK,
            hospital_day: u32::from(limits::LOOKUP_SLOTS_A_DAY),
            hospital_in_flight: 16,
            in_flight: 128,
        }
    }
}

/// Why a look-up has no budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// The clinician's day is used up.
    #[error("this clinician has used the {limit} look-ups of the day: try again tomorrow (UTC)")]
    ClinicianDay {
        /// The limit.
        limit: u32,
    },
    /// The clinician's week is used up.
    #[error("this clinician has used the {limit} look-ups of the week: try again on Monday (UTC)")]
    ClinicianWeek {
        /// The limit.
        limit: u32,
    },
    /// The hospital's day is used up.
    #[error("this hospital has used the {limit} look-ups of the day: try again tomorrow (UTC)")]
    HospitalDay {
        /// The limit.
        limit: u32,
    },
    /// The slot is taken.
    #[error("the look-up slot is taken: take another number")]
    SlotUsed,
    /// The request is on the ledger already.
    #[error("the request is on the ledger already: draw a new request id")]
    Recorded,
    /// The request is being answered.
    #[error("the same request is under way: try again in a moment")]
    UnderWay,
    /// Too many at once.
    #[error("{limit} look-ups are already under way: try again in a moment")]
    Busy {
        /// The limit.
        limit: u32,
    },
}

/// Who asks, and when; a pseudonym changes every week, so its counts are those of one week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// The hospital.
    pub hospital: OrganisationId,
    /// The clinician's pseudonym of the week.
    pub clinician: ClinicianPseudonym,
    /// The slot it takes.
    pub slot: LookupSlot,
}

impl Asker {
    /// Who asks with this request.
    #[must_use]
    pub fn of(request: &LookupRequest) -> Self {
        Self { hospital: request.hospital.clone(), clinician: request.clinician, slot: request.slot }
    }

    fn week(&self) -> u32 {
        self.slot.day().week()
    }
}

#[derive(Default)]
struct Counts {
    /// Recorded on the ledger.
    recorded: HashMap<RequestId, Asker>,
    /// Under way here.
    reserved: HashMap<RequestId, Asker>,
}

impl Counts {
    /// Whether one more look-up may be under way.
    fn check_under_way(&self, request: RequestId, asker: &Asker, limits: BudgetLimits) -> Result<(), BudgetError> {
        if self.reserved.contains_key(&request) {
            return Err(BudgetError::UnderWay);
        }
        let under_way = |of_hospital: bool| {
            let same = |other: &&Asker| !of_hospital || other.hospital == asker.hospital;
            u32::try_from(self.reserved.values().filter(same).count()).unwrap_or(u32::MAX)
        };
        for (of_hospital, limit) in [(false, limits.in_flight), (true, limits.hospital_in_flight)] {
            if under_way(of_hospital) >= limit {
                return Err(BudgetError::Busy { limit });
            }
        }
        Ok(())
    }

    /// How many look-ups, recorded or under way, satisfy a condition; one that is both counts once.
    fn matching(&self, condition: impl Fn(&Asker) -> bool) -> u32 {
        let recorded = self.recorded.values().filter(|asker| condition(asker)).count();
        let reserved =
            self.reserved.iter().filter(|(id, asker)| !self.recorded.contains_key(*id) && condition(asker)).count();
        u32::try_from(recorded + reserved).unwrap_or(u32::MAX)
    }
}

/// All budgets of one matcher.
pub struct Budgets {
    limits: BudgetLimits,
    counts: Mutex<Counts>,
}

impl Budgets {
    /// Starts empty.
    #[must_use]
    pub fn new(limits: BudgetLimits) -> Self {
        Self { limits, counts: Mutex::default() }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves one look-up. It stays reserved until [`Budgets::finish`].
    ///
    /// # Errors
    /// A budget is used up, or too many look-ups are under way.
    pub fn reserve(&self, request: RequestId, asker: Asker) -> Result<(), BudgetError> {
        let mut counts = self.counts();
        let limits = self.limits;
        if counts.recorded.contains_key(&request) {
            return Err(BudgetError::Recorded);
        }
        counts.check_under_way(request, &asker, limits)?;
        let clinician = |other: &Asker| other.clinician == asker.clinician && other.hospital == asker.hospital;
        if counts.matching(|other| other.hospital == asker.hospital && other.slot == asker.slot) > 0 {
            return Err(BudgetError::SlotUsed);
        }
        let day = asker.slot.day();
        if counts.matching(|other| other.hospital == asker.hospital && other.slot.day() == day) >= limits.hospital_day {
            return Err(BudgetError::HospitalDay { limit: limits.hospital_day });
        }
        if counts.matching(|other| clinician(other) && other.slot.day() == day) >= limits.clinician_day {
            return Err(BudgetError::ClinicianDay { limit: limits.clinician_day });
        }
        if counts.matching(|other| clinician(other) && other.week() == asker.week()) >= limits.clinician_week {
            return Err(BudgetError::ClinicianWeek { limit: limits.clinician_week });
        }
        counts.reserved.insert(request, asker);
        Ok(())
    }

    /// Reserves a look-up that had its budget before: its answer is stored, its entry perhaps recorded. It stays
    /// reserved until [`Budgets::finish`].
    ///
    /// # Errors
    /// It is under way already, or too many are.
    pub fn resume(&self, request: RequestId, asker: Asker) -> Result<(), BudgetError> {
        let mut counts = self.counts();
        counts.check_under_way(request, &asker, self.limits)?;
        counts.reserved.insert(request, asker);
        Ok(())
    }

    /// Ends a reservation. A look-up whose entry is on the ledger must have been recorded first.
    pub fn finish(&self, request: RequestId) {
        self.counts().reserved.remove(&request);
    }

    /// Counts a look-up that the ledger holds; again and again makes no difference.
    pub fn record(&self, request: RequestId, asker: Asker) {
        self.counts().recorded.insert(request, asker);
    }

    /// Forgets what lies before the week of this day.
    pub fn forget_before(&self, today: Day) {
        self.counts().recorded.retain(|_, asker| asker.week() >= today.week());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONDAY: Day = Day::from_number(4);

    fn request(number: u8) -> RequestId {
        RequestId::from_bytes([number; 16])
    }

    fn asker(hospital: &str, clinician: u8, slot: (Day, u16)) -> Asker {
        Asker {
            hospital: OrganisationId::new(hospital).unwrap(),
            clinician: ClinicianPseudonym::from_bytes([clinician; 32]),
            slot: LookupSlot::new(slot.0, slot.1).unwrap(),
        }
    }

    fn budgets() -> Budgets {
        Budgets::new(BudgetLimits {
            clinician_day: 2,
            clinician_week: 3,
            hospital_day: 4,
            hospital_in_flight: 10,
            in_flight: 20,
        })
    }

    #[test]
    fn a_clinicians_day_and_week_end() {
        let budgets = budgets();
        let tuesday = Day::from_number(5);
        budgets.record(request(1), asker("a", 1, (MONDAY, 0)));
        budgets.record(request(2), asker("a", 1, (MONDAY, 1)));
        budgets.record(request(2), asker("a", 1, (MONDAY, 1)));
        let reserve = |number, slot| budgets.reserve(request(number), asker("a", 1, slot));
        assert_eq!(reserve(3, (MONDAY, 2)), Err(BudgetError::ClinicianDay { limit: 2 }));
        reserve(3, (tuesday, 0)).unwrap();
        assert_eq!(reserve(4, (tuesday, 1)), Err(BudgetError::ClinicianWeek { limit: 3 }));
        budgets.reserve(request(5), asker("b", 1, (MONDAY, 0))).unwrap();
        budgets.forget_before(Day::from_number(11));
        budgets.finish(request(3));
        reserve(6, (tuesday, 2)).unwrap();
    }

    #[test]
    fn a_reservation_counts_once_and_ends() {
        let budgets = budgets();
        for number in 1..=4 {
            budgets.reserve(request(number), asker("a", number, (MONDAY, u16::from(number)))).unwrap();
        }
        let fifth = || budgets.reserve(request(5), asker("a", 5, (MONDAY, 5)));
        assert_eq!(fifth(), Err(BudgetError::HospitalDay { limit: 4 }));
        budgets.record(request(1), asker("a", 1, (MONDAY, 1)));
        budgets.finish(request(1));
        assert_eq!(fifth(), Err(BudgetError::HospitalDay { limit: 4 }));
        budgets.finish(request(2));
        fifth().unwrap();
    }

    #[test]
    fn a_slot_and_a_request_are_used_once() {
        let budgets = budgets();
        budgets.reserve(request(1), asker("a", 1, (MONDAY, 0))).unwrap();
        let again = |number, slot| budgets.reserve(request(number), asker("a", 2, (MONDAY, slot)));
        assert_eq!(again(1, 1), Err(BudgetError::UnderWay));
        assert_eq!(again(2, 0), Err(BudgetError::SlotUsed));
        budgets.record(request(1), asker("a", 1, (MONDAY, 0)));
        budgets.finish(request(1));
        assert_eq!(again(1, 1), Err(BudgetError::Recorded));
        assert_eq!(again(2, 0), Err(BudgetError::SlotUsed));
        again(2, 1).unwrap();
    }

    #[test]
    fn a_retry_needs_no_budget_but_is_under_way_once() {
        let budgets = budgets();
        budgets.record(request(1), asker("a", 1, (MONDAY, 0)));
        budgets.resume(request(1), asker("a", 1, (MONDAY, 0))).unwrap();
        assert_eq!(budgets.resume(request(1), asker("a", 1, (MONDAY, 0))), Err(BudgetError::UnderWay));
        budgets.reserve(request(2), asker("a", 1, (MONDAY, 1))).unwrap();
        assert_eq!(budgets.resume(request(2), asker("a", 1, (MONDAY, 1))), Err(BudgetError::UnderWay));
        budgets.finish(request(1));
        budgets.resume(request(1), asker("a", 1, (MONDAY, 0))).unwrap();
    }

    #[test]
    fn what_is_under_way_is_capped() {
        let limits = BudgetLimits { hospital_in_flight: 1, in_flight: 2, ..BudgetLimits::default() };
        let budgets = Budgets::new(limits);
        let reserve = |number, hospital| budgets.reserve(request(number), asker(hospital, 2, (MONDAY, number.into())));
        reserve(1, "a").unwrap();
        assert_eq!(reserve(2, "a"), Err(BudgetError::Busy { limit: 1 }));
        reserve(2, "b").unwrap();
        assert_eq!(reserve(3, "c"), Err(BudgetError::Busy { limit: 2 }));
    }
}
