//! Reading what was said.

use openmls::prelude::{GroupEpoch, MlsGroup, ProcessedMessageContent, Sender};
use semblance_core::id::ParticipantId;
use semblance_core::record::Record;
use zeroize::Zeroizing;

use super::content::Content;
use super::mark::Mark;
use super::receive::Event;
use super::records::Message;
use super::{ClientError, Desk};
use crate::mls;
use crate::store::KeyValue;
use crate::wire::Item;

/// How much a device may have said that it does not remember, and still find out.
const FORGOTTEN_MAX: u64 = 1 << 16;

impl<K: KeyValue> Desk<'_, K> {
    pub(super) fn read_message(
        &self,
        group: &mut MlsGroup,
        item: &Item,
        bytes: &[u8],
    ) -> Result<Vec<Event>, ClientError> {
        let own = self.own_message(item)?;
        if !own.is_empty() {
            return Ok(own);
        }
        let (from, content) = self.decrypt(group, bytes)?;
        self.show(item, from, content)
    }

    /// A message of our own that comes back: now it has its place, and is no longer to be sent.
    pub(super) fn own_message(&self, item: &Item) -> Result<Vec<Event>, ClientError> {
        let Some(own) = self.rows.find_outgoing(item.key)? else { return Ok(Vec::new()) };
        let Some(said) = own.said else { return Ok(Vec::new()) };
        let content = self.rows.find_waiting(said)?;
        self.rows.remove_outgoing(item.key)?;
        self.rows.remove_waiting(said)?;
        let leaf = self.rows.own_leaf()?.ok_or(ClientError::Phase)?;
        self.show(item, leaf.participant, content)
    }

    fn show(&self, item: &Item, from: ParticipantId, content: Option<Content>) -> Result<Vec<Event>, ClientError> {
        if let Some(Content::Introduce { name }) = &content {
            self.rows.set_name(from, name)?;
        }
        let message = Message { sequence: item.sequence, at: item.at, from, content };
        self.rows.add_message(&message)?;
        Ok(vec![Event::Message(message)])
    }

    /// Whether a message bears the mark of something that this device says next, or is yet to say: then its store is older
    /// than what others have seen. It would use the same keys again, and joins anew.
    fn is_forgotten(&self, mark: Option<Mark>, epoch: GroupEpoch) -> Result<bool, ClientError> {
        let (Some(mark), Some(leaf)) = (mark, self.rows.own_leaf()?) else { return Ok(false) };
        let next = self.rows.channel()?.said;
        let waiting = self.rows.waiting()?.into_iter().map(|(said, _)| said);
        let mut numbers = waiting.chain(next..next.saturating_add(FORGOTTEN_MAX));
        let maker = leaf.marks(self.channel, epoch);
        Ok(numbers.any(|said| maker.of(said) == mark))
    }

    /// Decrypts a message. One that cannot be read stops nobody: any member could have made it so.
    fn decrypt(&self, group: &mut MlsGroup, bytes: &[u8]) -> Result<(ParticipantId, Option<Content>), ClientError> {
        let unreadable = (ParticipantId::from_bytes([0; 16]), None);
        let Ok(message) = mls::read_protocol(bytes, self.channel) else { return Ok(unreadable) };
        if message.epoch() != group.epoch() {
            return Ok(unreadable);
        }
        let processed = group.process_message(&self.provider, message).map_err(ClientError::mls);
        let processed = match self.provider.settle(processed) {
            Ok(processed) => processed,
            Err(error) if error.is_of_store() => return Err(error),
            Err(_) => return Ok(unreadable),
        };
        let Sender::Member(index) = *processed.sender() else { return Ok(unreadable) };
        let mark = Mark::read(processed.aad());
        let plain = match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(plain) => plain,
            // That it is this device's own is what anybody could have made it look like; its mark is not.
            ProcessedMessageContent::OwnPrivateMessage if self.is_forgotten(mark, group.epoch())? => {
                return Err(ClientError::Forgotten);
            }
            _ => return Ok(unreadable),
        };
        let Some(leaf) = group.public_group().leaf(index) else { return Ok(unreadable) };
        let (participant, _) = mls::identity_of(leaf)?;
        Ok((participant, Content::decode(&Zeroizing::new(plain.into_bytes())).ok()))
    }
}
