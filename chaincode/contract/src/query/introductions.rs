//! Queries about introductions.

use semblance_core::id::IntroductionId;

use crate::call::{Call, Rows, decode};
use crate::state::{IntroductionRow, ProposedIntroduction};
use crate::wire::{IntroductionArgument, Maybe, OfLookup, Page};
use crate::{Code, ContractError, key};

/// `introduction`: one introduction with its answer and its channel.
pub(crate) fn introduction(
    call: &mut Call<'_>,
    IntroductionArgument(id): IntroductionArgument,
) -> Result<Maybe<IntroductionRow>, ContractError> {
    row(call, id).map(Maybe)
}

/// `introductions_of_lookup`: what was proposed on a look-up, by proposer and number.
pub(crate) fn of_lookup(call: &mut Call<'_>, argument: OfLookup) -> Result<Page<IntroductionRow>, ContractError> {
    let Rows { rows, next } = call.page(&key::introductions_of(argument.request), &argument.page)?;
    let mut found = Vec::with_capacity(rows.len());
    for (number_key, value) in &rows {
        let ProposedIntroduction(id) = decode(number_key, value)?;
        let missing = || ContractError::new(Code::CorruptState, format!("record {number_key}: no such introduction"));
        found.push(row(call, id)?.ok_or_else(missing)?);
    }
    Ok(Page { rows: found, next })
}

fn row(call: &mut Call<'_>, id: IntroductionId) -> Result<Option<IntroductionRow>, ContractError> {
    let Some(record) = call.load(&key::introduction(id))? else { return Ok(None) };
    let answer = call.load(&key::introduction_answer(id))?;
    let channel = call.load(&key::introduction_channel(id))?;
    Ok(Some(IntroductionRow { record, answer, channel }))
}
