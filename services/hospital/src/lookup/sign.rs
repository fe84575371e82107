//! Signs a question: takes one of the clinician's look-ups and one of the hospital's slots, and stores the request.

use semblance_core::case::case_commitment;
use semblance_core::encode::Writer;
use semblance_core::id::{OrganisationId, RequestId};
use semblance_core::limits::{CLINICIAN_LOOKUPS_A_DAY, CLINICIAN_LOOKUPS_A_WEEK};
use semblance_core::lookup::{LookupRequest, LookupSlot};
use semblance_core::query::{Breadth, Query, QueryPlan};
use semblance_core::signature::Statement;
use semblance_core::term::TermId;
use semblance_core::time::Day;
use semblance_core::token::Seed;

use super::ask::{Basis, LIFETIME_MILLIS, Question, breadth_word};
use crate::deny::Who;
use crate::error::{Denied, HospitalError};
use crate::matcher::MatcherPort;
use crate::service::HospitalService;
use crate::store::lookup::{self, LookupState, StoredLookup};
use crate::store::{StoreError, audit, slot};

impl HospitalService {
    /// Whether the clinician's look-ups of the day or the week are used up. The matcher counts for itself.
    fn over_budget(
        &self,
        tx: &rusqlite::Transaction<'_>,
        clinician: &str,
    ) -> Result<Option<(Denied, &'static str)>, StoreError> {
        let today = self.now().day();
        let monday = (0..7)
            .map(|back| Day::from_number(today.number().saturating_sub(back)))
            .take_while(|day| day.week() == today.week())
            .last()
            .unwrap_or(today);
        if lookup::count_since(tx, clinician, today)? >= CLINICIAN_LOOKUPS_A_DAY {
            return Ok(Some((Denied::BudgetClinician, "this clinician's look-ups of the day are used up")));
        }
        if lookup::count_since(tx, clinician, monday)? >= CLINICIAN_LOOKUPS_A_WEEK {
            return Ok(Some((Denied::BudgetClinician, "this clinician's look-ups of the week are used up")));
        }
        Ok(None)
    }

    pub(super) fn matcher(&self, wanted: Option<&OrganisationId>) -> Option<&dyn MatcherPort> {
        let named =
            |matcher: &&std::sync::Arc<dyn MatcherPort>| wanted.is_none_or(|wanted| matcher.organisation() == wanted);
        self.inner.matchers.iter().find(named).map(AsRef::as_ref)
    }

    /// Signs a request and stores it with everything needed to send it, before anything leaves.
    pub(super) async fn sign_request(
        &self,
        who: &Who,
        question: &Question,
        basis: &Basis,
    ) -> Result<RequestId, HospitalError> {
        let subject = question.case.as_str();
        let Some(matcher) = self.matcher(question.matcher.as_ref()).map(|found| found.organisation().clone()) else {
            let message = "no such matcher is configured";
            return self.refuse(who.clone(), "look-up", subject, Denied::UnknownMatcher, message).await;
        };
        let (query, groups) = self.query(question, basis).await?;
        let salt: [u8; 32] = self.inner.random.array();
        let (service, asked, named) = (self.clone(), question.clone(), who.clone());
        let commitment = case_commitment(&basis.key.salt, self.inner.network, &self.inner.organisation, subject);
        let (epoch, short) = (basis.epoch, basis.observed.reach().is_short());
        let stored = self
            .store()
            .run(move |tx| -> Result<Result<RequestId, (Denied, &'static str)>, StoreError> {
                let now = service.now();
                // In the transaction that takes the slot: of two calls at once the second sees the first.
                if let Some(denied) = service.over_budget(tx, &asked.clinician)? {
                    return Ok(Err(denied));
                }
                let none = (
                    Denied::BudgetHospital,
                    "this hospital's look-ups of the day are used up: try again tomorrow (UTC)",
                );
                let Some(number) = slot::first_free(tx, now.day(), 0)? else { return Ok(Err(none)) };
                let Ok(slot) = LookupSlot::new(now.day(), number) else { return Ok(Err(none)) };
                let request = LookupRequest {
                    network: service.inner.network,
                    request: RequestId::random(service.inner.random.as_ref()),
                    hospital: service.inner.organisation.clone(),
                    clinician: service.inner.pseudonyms.clinician(now.day().week(), &asked.clinician),
                    purpose: asked.purpose,
                    case: commitment,
                    epoch,
                    query: query.commitment(service.inner.network, &salt),
                    short,
                    slot,
                    matcher: matcher.clone(),
                    expires: now.plus(LIFETIME_MILLIS),
                    minimum_height: service.followed().saturating_sub(1),
                };
                let (request, source) = request.sign(&service.inner.signing).into_parts();
                let (mut signed, mut opening, mut terms) = (Writer::default(), Writer::default(), Writer::default());
                source.write(&mut signed);
                opening.raw(&salt).raw(&query.encode());
                for term in &groups {
                    terms.u32(term.number());
                }
                lookup::insert(
                    tx,
                    &StoredLookup {
                        request: request.request,
                        local_id: asked.case.clone(),
                        clinician: asked.clinician.clone(),
                        purpose: asked.purpose.word().to_owned(),
                        breadth: breadth_word(asked.breadth).to_owned(),
                        epoch,
                        matcher,
                        count: asked.count,
                        expires: request.expires,
                        day: slot.day(),
                        slot: slot.number(),
                        signed: signed.finish(),
                        opening: Some(opening.finish()),
                        groups: terms.finish(),
                        answer: None,
                        placed: None,
                        state: LookupState::Asked,
                        code: None,
                        report: None,
                        at: now,
                    },
                )?;
                audit::add_named(tx, now, named.names(), "look-up", asked.case.as_str(), "ok")?;
                Ok(Ok(request.request))
            })
            .await?;
        match stored {
            Ok(request) => Ok(request),
            Err((code, message)) => self.refuse(who.clone(), "look-up", subject, code, message).await,
        }
    }

    /// The query, and the case's term behind each of its groups.
    async fn query(&self, question: &Question, basis: &Basis) -> Result<(Query, Vec<TermId>), HospitalError> {
        let malformed = |error: &dyn std::fmt::Display| HospitalError::denied(Denied::Malformed, error.to_string());
        let plan = match question.breadth {
            Breadth::Close => QueryPlan::close(&basis.observed),
            Breadth::Wide => {
                let inner = &self.inner;
                QueryPlan::wide(&basis.observed, &inner.vocabulary, &basis.case.secret, &inner.frequencies)
                    .map_err(|error| malformed(&error))?
            }
        };
        let seeds = self.seeds_of(basis.epoch, plan.terms().iter().copied()).await?;
        let seeds: Vec<Seed> = plan.terms().iter().filter_map(|term| seeds.get(term).cloned()).collect();
        let query = plan.build(basis.epoch, &seeds, question.count).map_err(|error| malformed(&error))?;
        let groups = plan.own_terms(&seeds).map_err(|error| malformed(&error))?;
        Ok((query, groups))
    }

    /// Whether the ledger shows another request in this one's slot. Notes all slots of the day that the ledger knows
    /// of and this store does not, as after a restored backup.
    pub(super) async fn slot_is_taken(&self, request: RequestId) -> Result<bool, HospitalError> {
        let Some(ours) = self.store().run(move |tx| lookup::get(tx, request)).await? else { return Ok(false) };
        let rows = self.inner.chain.slots(ours.day).await?;
        let taken = rows.iter().any(|row| row.slot.number() == ours.slot && row.request != request);
        self.store()
            .run(move |tx| -> Result<(), StoreError> {
                rows.iter().try_for_each(|row| slot::note(tx, ours.day, row.slot.number()))
            })
            .await?;
        Ok(taken)
    }
}
