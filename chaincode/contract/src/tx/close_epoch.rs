//! `close_epoch`: ends a key period; nothing is published into it or asked of it any more.
//!
//! While a newer epoch exists any hospital's administrator may close the older one. The newest is closed by the
//! hospital that opened it alone, so that no other can stop the network.

use semblance_core::token::EpochNumber;

use crate::call::Call;
use crate::check;
use crate::event::Event;
use crate::wire::{Empty, EpochArgument};
use crate::{Code, ContractError, key};

pub(crate) fn run(call: &mut Call<'_>, EpochArgument(number): EpochArgument) -> Result<Empty, ContractError> {
    let mut epoch = check::open_epoch(call, number)?;
    let has_successor = call.exists(&key::epoch(EpochNumber(number.0.saturating_add(1))))?;
    if !has_successor && epoch.opener != *call.caller() {
        let message = format!("epoch {number} is the newest: only {} may close it, or open the next one", epoch.opener);
        return Err(ContractError::new(Code::NotOwner, message));
    }
    epoch.closed = Some(call.now());
    call.save(&key::epoch(number), &epoch)?;
    call.emit(&Event::EpochClosed(number))?;
    Ok(Empty)
}
