//! Brings to the ledger what it takes one at a time: introductions, answers, openings of channels.
//!
//! Whatever the ledger refuses is looked up there: the operation carries a random id of our own, so what stands under it
//! with the same bytes is an earlier try whose acknowledgement was lost.

use semblance_contract::wire::OpenGroup;
use semblance_core::encode::DecodeError;
use semblance_core::record::Record;
use semblance_ledger::LedgerError;

use crate::error::ledger_code;
use crate::send::{Settled, damaged, signed_bytes};
use crate::service::HospitalService;
use crate::store::outbox::{Kind, Waiting};

impl HospitalService {
    /// Sends operations of one kind, and says whether the ledger could not be reached.
    pub(crate) async fn send_single(&self, kind: Kind, batch: &[Waiting]) -> (Vec<Settled>, bool) {
        let (mut settled, mut unreachable) = (Vec::with_capacity(batch.len()), false);
        for waiting in batch {
            settled.push(match self.submit(kind, waiting).await {
                Ok(()) => Settled::Done,
                Err(LedgerError::Refused { code, .. }) => match self.stands(kind, waiting).await {
                    Ok(true) => Settled::Done,
                    Ok(false) => Settled::Refused(code),
                    Err(error) => Settled::Later(ledger_code(&error).to_owned()),
                },
                Err(error) => {
                    unreachable |= matches!(error, LedgerError::Unavailable(_) | LedgerError::OutcomeUnknown { .. });
                    Settled::Later(ledger_code(&error).to_owned())
                }
            });
        }
        (settled, unreachable)
    }

    async fn submit(&self, kind: Kind, waiting: &Waiting) -> Result<(), LedgerError> {
        let chain = &self.inner.chain;
        let source = || signed_bytes(&waiting.payload).map_err(|error| damaged(&error));
        match kind {
            Kind::Propose => chain.propose(source()?).await,
            Kind::Answer => chain.answer(source()?).await,
            Kind::OpenChannel => chain.open_channel(source()?).await,
            _ => chain.open_group(&group(waiting)?).await,
        }
    }

    /// Whether exactly this operation stands on the ledger.
    async fn stands(&self, kind: Kind, waiting: &Waiting) -> Result<bool, LedgerError> {
        let chain = &self.inner.chain;
        let ours = match kind {
            Kind::OpenGroup => group(waiting)?.opening,
            _ => signed_bytes(&waiting.payload).map_err(|error| damaged(&error))?,
        };
        Ok(match kind {
            Kind::Propose => {
                chain.introduction(subject(waiting)?).await?.is_some_and(|row| row.record.proposal == ours)
            }
            Kind::Answer => {
                let answer = chain.introduction(subject(waiting)?).await?.and_then(|row| row.answer);
                answer.is_some_and(|record| record.answer == ours)
            }
            _ => chain.channel(subject(waiting)?).await?.is_some_and(|record| record.opening == ours),
        })
    }
}

fn group(waiting: &Waiting) -> Result<OpenGroup, LedgerError> {
    OpenGroup::decode(&waiting.payload).map_err(|error| damaged(&error))
}

fn subject<T: std::str::FromStr>(waiting: &Waiting) -> Result<T, LedgerError> {
    let error = DecodeError::Invalid { what: "subject", why: "no id" };
    waiting.subject.parse().map_err(|_| damaged(&error))
}
