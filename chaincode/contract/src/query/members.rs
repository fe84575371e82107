//! Queries about the network, its members and its epochs.

use semblance_core::epoch::{Epoch, SealedEpochKey};
use semblance_core::organisation::{Network, Organisation};

use crate::call::Call;
use crate::key;
use crate::state::RotationRecord;
use crate::wire::{
    ContractVersion, Empty, EpochArgument, EpochKeyArgument, Maybe, OfOrganisation, OrganisationArgument, Page,
    PageRequest,
};
use crate::{ContractError, VERSION};

/// `version`: which release of the contract this peer runs.
pub(crate) fn version(_: &mut Call<'_>, _: Empty) -> Result<ContractVersion, ContractError> {
    Ok(ContractVersion(VERSION.to_owned()))
}

/// `network`: what the network is.
pub(crate) fn network(call: &mut Call<'_>, _: Empty) -> Result<Network, ContractError> {
    Ok(call.network().clone())
}

/// `organisation`: one member.
pub(crate) fn organisation(
    call: &mut Call<'_>,
    OrganisationArgument(id): OrganisationArgument,
) -> Result<Maybe<Organisation>, ContractError> {
    call.load(&key::organisation(&id)).map(Maybe)
}

/// `organisations`: all members, by name.
pub(crate) fn organisations(call: &mut Call<'_>, page: PageRequest) -> Result<Page<Organisation>, ContractError> {
    call.page(key::ORGANISATIONS, &page)?.records()
}

/// `rotations`: how a member's keys were replaced, oldest first.
pub(crate) fn rotations(call: &mut Call<'_>, argument: OfOrganisation) -> Result<Page<RotationRecord>, ContractError> {
    call.page(&key::rotations(&argument.organisation), &argument.page)?.records()
}

/// `epoch`: one epoch.
pub(crate) fn epoch(call: &mut Call<'_>, EpochArgument(number): EpochArgument) -> Result<Maybe<Epoch>, ContractError> {
    call.load(&key::epoch(number)).map(Maybe)
}

/// `epochs`: all epochs, oldest first.
pub(crate) fn epochs(call: &mut Call<'_>, page: PageRequest) -> Result<Page<Epoch>, ContractError> {
    call.page(key::EPOCHS, &page)?.records()
}

/// `epoch_key`: an epoch's key as it was sealed to one hospital.
pub(crate) fn epoch_key(
    call: &mut Call<'_>,
    argument: EpochKeyArgument,
) -> Result<Maybe<SealedEpochKey>, ContractError> {
    call.load(&key::epoch_key(argument.epoch, &argument.hospital)).map(Maybe)
}
