//! The transactions of one connection, and which of them wait for an answer of the peer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use semblance_fabric::proto::protos::ChaincodeMessage;
use tokio::sync::oneshot;

/// Channel and transaction id: what identifies a transaction on a connection.
type Id = (String, String);
/// Where a transaction waits; none while it asks nothing.
type Waiting = Option<oneshot::Sender<ChaincodeMessage>>;

fn id(message: &ChaincodeMessage) -> Id {
    (message.channel_id.clone(), message.txid.clone())
}

/// All of a connection's transactions.
#[derive(Clone, Default)]
pub(crate) struct UnderWay(Arc<Mutex<HashMap<Id, Waiting>>>);

impl UnderWay {
    /// Gives a transaction its place, unless it has one already.
    pub(crate) fn begin(&self, message: &ChaincodeMessage) -> Option<Place> {
        let id = id(message);
        let mut all = self.lock();
        if all.contains_key(&id) {
            return None;
        }
        all.insert(id.clone(), None);
        Some(Place { all: self.clone(), id })
    }

    /// Hands an answer to the transaction that asked; says whether one did.
    pub(crate) fn answer(&self, message: ChaincodeMessage) -> bool {
        let waiting = self.lock().get_mut(&id(&message)).and_then(Option::take);
        waiting.is_some_and(|waiting| waiting.send(message).is_ok())
    }

    /// Whoever waits for an answer learns that there will be none.
    pub(crate) fn hang_up(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Id, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A transaction's place, given up when dropped.
pub(crate) struct Place {
    all: UnderWay,
    id: Id,
}

impl Place {
    /// Says that the transaction asks now: the next answer is its answer, an earlier one never is. (Answers have no
    /// numbers: one that came twice, the second time after the next question, could not be told from that one's.)
    /// None once there are no answers any more.
    pub(crate) fn ask(&self) -> Option<oneshot::Receiver<ChaincodeMessage>> {
        let (waiting, answer) = oneshot::channel();
        *self.all.lock().get_mut(&self.id)? = Some(waiting);
        Some(answer)
    }

    /// Takes no answers any more: what comes late could be taken for the answer to another question.
    pub(crate) fn give_up(&self) {
        self.all.lock().remove(&self.id);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.give_up();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(payload: &[u8]) -> ChaincodeMessage {
        ChaincodeMessage { payload: payload.to_vec(), ..ChaincodeMessage::default() }
    }

    #[test]
    fn an_answer_goes_to_the_question_that_waits() {
        let all = UnderWay::default();
        assert!(!all.answer(message(b"to nobody")));
        let place = all.begin(&message(b"")).unwrap();
        assert!(all.begin(&message(b"")).is_none(), "the same transaction");
        assert!(!all.answer(message(b"before it was asked")));
        let mut first = place.ask().unwrap();
        assert!(all.answer(message(b"first")) && !all.answer(message(b"first, again")));
        let mut second = place.ask().unwrap();
        assert!(all.answer(message(b"second")));
        assert_eq!(
            (first.try_recv().unwrap().payload, second.try_recv().unwrap().payload),
            (b"first".to_vec(), b"second".to_vec())
        );
    }

    #[test]
    fn who_gave_up_or_was_left_hears_no_more() {
        let all = UnderWay::default();
        let place = all.begin(&message(b"")).unwrap();
        let _answer = place.ask().unwrap();
        place.give_up();
        assert!(!all.answer(message(b"late")) && place.ask().is_none());
        drop(place);
        let place = all.begin(&message(b"")).unwrap();
        let mut answer = place.ask().unwrap();
        all.hang_up();
        assert!(answer.try_recv().is_err() && place.ask().is_none());
        drop(place);
        assert!(all.begin(&message(b"")).is_some());
    }
}
