//! Queries about channels and symptom groups.

use semblance_core::channel::SealedTopic;

use crate::call::Call;
use crate::state::ChannelRecord;
use crate::wire::{ChannelArgument, GroupTopicArgument, Maybe, Page, PageRequest};
use crate::{ContractError, key};

/// `channel`: one channel, as its hub opened it last.
pub(crate) fn channel(
    call: &mut Call<'_>,
    ChannelArgument(id): ChannelArgument,
) -> Result<Maybe<ChannelRecord>, ContractError> {
    call.load(&key::channel(id)).map(Maybe)
}

/// `channels`: all channels, symptom groups too.
pub(crate) fn channels(call: &mut Call<'_>, page: PageRequest) -> Result<Page<ChannelRecord>, ContractError> {
    call.page(key::CHANNELS, &page)?.records()
}

/// `group_topic`: what a symptom group is about, as it was sealed to one hospital.
pub(crate) fn group_topic(
    call: &mut Call<'_>,
    argument: GroupTopicArgument,
) -> Result<Maybe<SealedTopic>, ContractError> {
    call.load(&key::group_topic(argument.group, &argument.hospital)).map(Maybe)
}
