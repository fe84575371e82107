//! Opens receipts: who found this hospital's cases, and whether the entry that says so is to be believed.
//!
//! Who asked, and what for, is shown only if that hospital signed it. A ledger that made up an entry would else put
//! words into a member's mouth.

use semblance_contract::event::RecordedLookup;
use semblance_contract::state::LookupRecord;
use semblance_core::lookup::LookupRequest;
use semblance_ledger::BlockEvents;

use crate::error::HospitalError;
use crate::follow::Change;
use crate::service::HospitalService;
use crate::store::receipt::Receipt;

impl HospitalService {
    /// Tries our sealing keys on every slot of an entry: no slot names its recipient.
    pub(crate) async fn open_slots(
        &self,
        lookup: &RecordedLookup,
        block: &BlockEvents,
    ) -> Result<Vec<Change>, HospitalError> {
        let doubt = |code| vec![Change::Doubt { action: "receipt", subject: lookup.request.to_string(), code }];
        let Some(record) = self.inner.chain.lookup(lookup.request).await? else { return Ok(doubt("no-entry")) };
        let (entry, digest) = (&record.entry, record.entry.request.digest());
        let opened = entry.slots.open(self.inner.network, &digest, self.inner.sealing.all());
        if opened.is_empty() {
            return Ok(Vec::new());
        }
        let asked = match self.believed(lookup, &record, block).await? {
            Ok(asked) => asked,
            Err(code) => {
                tracing::warn!(request = %lookup.request, code, "an entry with a receipt to us is not believed");
                return Ok(doubt(code));
            }
        };
        let mut changes = Vec::new();
        for slot in opened {
            let Ok(found) = slot.receipt else {
                changes.extend(doubt("malformed-receipt"));
                continue;
            };
            changes.push(Change::Receipt(Receipt {
                request: asked.request,
                slot: slot.slot.get(),
                handle: found.handle,
                local_id: None,
                asker: asked.hospital.clone(),
                purpose: asked.purpose.word().to_owned(),
                short: asked.short,
                matcher: asked.matcher.clone(),
                rank: found.rank,
                height: found.index_height,
                block: block.number,
                at: block.timestamp,
            }));
        }
        Ok(changes)
    }

    /// The request of an entry, if the hospital it names signed it with a key valid then and the entry is the one that
    /// the matcher it names brought to the ledger; otherwise a stable word.
    async fn believed(
        &self,
        lookup: &RecordedLookup,
        record: &LookupRecord,
        block: &BlockEvents,
    ) -> Result<Result<LookupRequest, &'static str>, HospitalError> {
        let Ok(claim) = record.entry.claim(self.inner.network) else { return Ok(Err("malformed")) };
        let asked = claim.claims();
        let told = RecordedLookup {
            request: asked.request,
            hospital: asked.hospital.clone(),
            matcher: asked.matcher.clone(),
            clinician: asked.clinician,
            slot: asked.slot,
        };
        if told != *lookup || record.entry.index_height >= block.number {
            return Ok(Err("entry-mismatch"));
        }
        let member = match self.member(&asked.hospital).await? {
            Ok(member) => member,
            Err(doubt) => return Ok(Err(doubt.as_str())),
        };
        Ok(member.verified(&claim, block.timestamp).ok_or("bad-signature"))
    }
}
