//! Queries about look-ups and denials.

use semblance_core::denial::Denial;
use semblance_core::organisation::OrganisationKind;

use crate::call::{Call, decode};
use crate::state::{LookupRecord, LookupRow};
use crate::wire::{Maybe, OfDay, OfOrganisationOnDay, Page, RequestArgument};
use crate::{Code, ContractError, check, key};

/// `lookup`: one look-up's entry.
pub(crate) fn lookup(
    call: &mut Call<'_>,
    RequestArgument(request): RequestArgument,
) -> Result<Maybe<LookupRecord>, ContractError> {
    call.load(&key::lookup(request)).map(Maybe)
}

/// `lookups_of_hospital`: a hospital's look-ups of a day, by slot.
pub(crate) fn of_hospital(
    call: &mut Call<'_>,
    argument: OfOrganisationOnDay,
) -> Result<Page<LookupRow>, ContractError> {
    call.page(&key::lookup_slots(&argument.organisation, argument.day), &argument.page)?.records()
}

/// `lookups_of_day`: all hospitals' look-ups of a day, by hospital and slot.
pub(crate) fn of_day(call: &mut Call<'_>, argument: OfDay) -> Result<Page<LookupRow>, ContractError> {
    let prefixes: Vec<_> = check::organisations(call)?
        .into_iter()
        .filter(|member| member.kind == OrganisationKind::Hospital)
        .map(|hospital| key::lookup_slots(&hospital.id, argument.day))
        .collect();
    let bookmark = argument.page.bookmark();
    if bookmark.is_some_and(|bookmark| !prefixes.iter().any(|prefix| bookmark.starts_with(prefix))) {
        return Err(ContractError::new(Code::InvalidBookmark, "the bookmark is not one of this query"));
    }
    // Members are in order of name, which with the '/' behind it may not be the order of keys: start by prefix.
    let remaining =
        prefixes.iter().skip_while(|prefix| bookmark.is_some_and(|bookmark| !bookmark.starts_with(prefix.as_str())));
    let limit = argument.page.limit();
    let mut rows = Vec::new();
    for prefix in remaining {
        let start = bookmark.filter(|bookmark| bookmark.starts_with(prefix.as_str())).unwrap_or(prefix);
        let mut found = call.stub().range(start, &key::end(prefix), limit - rows.len() + 1)?;
        let next = if found.len() + rows.len() > limit { found.pop().map(|(key, _)| key) } else { None };
        for (key, value) in &found {
            rows.push(decode(key, value)?);
        }
        if next.is_some() {
            return Ok(Page { rows, next });
        }
    }
    Ok(Page { rows, next: None })
}

/// `denials`: an organisation's denials of a day.
pub(crate) fn denials(call: &mut Call<'_>, argument: OfOrganisationOnDay) -> Result<Page<Denial>, ContractError> {
    call.page(&key::denials_on(&argument.organisation, argument.day), &argument.page)?.records()
}
