//! One publish and the state of each of its messages. No I/O.

use std::collections::HashMap;

use async_nats::HeaderMap;
use barrage_protocol::{Class, Sequence};
use bytes::Bytes;

use crate::error::BusError;
use crate::log::{Draft, Receipt, Topic, common_topic};
use crate::nats::stream::envelope::{Envelope, message_id};
use crate::settings::room_place::Segment;

/// Maximum number of messages in an atomic batch of the server.
const MESSAGES_MAX: usize = 1_000;

/// One message to publish, and its receipt once the server has stored it.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) message_id: String,
    pub(crate) envelope: Envelope,
    pub(crate) body: Bytes,
    /// Index of an earlier message of this package with the same id.
    same_as: Option<usize>,
    receipt: Option<Receipt>,
}

impl Outgoing {
    pub(crate) fn headers(&self) -> HeaderMap {
        self.envelope.headers(&self.message_id)
    }

    pub(crate) fn class(&self) -> Class {
        self.envelope.class
    }
}

/// Messages of one topic, to be stored together or not at all.
#[derive(Debug)]
pub(crate) struct Package {
    /// Topic of all messages; `None` without messages.
    pub(crate) topic: Option<Topic>,
    /// Where the topic is, as far as it is known. Set before the first attempt, and again after each move.
    pub(crate) home: Option<Segment>,
    messages: Vec<Outgoing>,
}

impl Package {
    pub(crate) fn new(drafts: Vec<Draft>, at_ms: u64, call: u64) -> Result<Self, BusError> {
        let topic = common_topic(&drafts)?;
        if drafts.len() > MESSAGES_MAX {
            return Err(BusError::Full("message in one package"));
        }
        let mut first: HashMap<String, usize> = HashMap::new();
        let mut outgoing: Vec<Outgoing> = Vec::with_capacity(drafts.len());
        for (index, draft) in drafts.into_iter().enumerate() {
            let message_id = message_id(&draft, call, index);
            let same_as = first.get(&message_id).copied();
            if same_as.is_some_and(|same_as| outgoing[same_as].envelope.fingerprint != draft.fingerprint) {
                return Err(BusError::Conflict);
            }
            first.entry(message_id.clone()).or_insert(index);
            outgoing.push(Outgoing {
                message_id,
                envelope: Envelope::new(&draft, at_ms, call),
                body: draft.body,
                same_as,
                receipt: None,
            });
        }
        Ok(Package { topic, home: None, messages: outgoing })
    }

    /// Directs the messages without a position to another stay of the topic.
    pub(crate) fn direct(&mut self, home: Segment) {
        self.home = Some(home);
        for message in &mut self.messages {
            message.envelope.chain = home.chain;
        }
    }

    pub(crate) fn message(&self, index: usize) -> &Outgoing {
        &self.messages[index]
    }

    /// Returns the indexes of messages without a position.
    pub(crate) fn open(&self) -> Vec<usize> {
        let is_open = |index: &usize| {
            self.messages[*index].same_as.is_none() && self.messages[*index].receipt.is_none()
        };
        (0..self.messages.len()).filter(is_open).collect()
    }

    /// Records that the server has stored a message, at this position of the room.
    pub(crate) fn stored(&mut self, index: usize, sequence: Sequence) {
        let at_ms = self.messages[index].envelope.at_ms;
        self.messages[index].receipt = Some(Receipt { sequence, at_ms, duplicate: false });
    }

    /// Records that the server has a message's id already. `found` is the message that it holds,
    /// unless that has left the stream.
    pub(crate) fn known(
        &mut self,
        index: usize,
        sequence: Sequence,
        found: Option<&Envelope>,
    ) -> Result<(), BusError> {
        let own = &self.messages[index].envelope;
        if found.is_some_and(|found| found.fingerprint != own.fingerprint) {
            return Err(BusError::Conflict);
        }
        if found.is_some_and(|found| found.call == own.call) {
            // An earlier attempt of this call, whose acknowledgement was lost.
            self.stored(index, sequence);
        } else {
            self.messages[index].receipt = Some(Receipt { sequence, at_ms: 0, duplicate: true });
        }
        Ok(())
    }

    /// Returns class and receipt of each message, once none is open.
    pub(crate) fn receipts(&self) -> Vec<(Class, Receipt)> {
        let receipt = |message: &Outgoing| {
            let receipt = match message.same_as {
                None => message.receipt,
                Some(same_as) => {
                    self.messages[same_as].receipt.map(|first| Receipt { at_ms: 0, duplicate: true, ..first })
                }
            };
            receipt.map(|receipt| (message.class(), receipt))
        };
        self.messages.iter().filter_map(receipt).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(id: &str, fingerprint: u64) -> Draft {
        Draft {
            room: "r".parse().unwrap(),
            class: Class::Gift,
            sender: Some("u".parse().unwrap()),
            id: Some(id.parse().unwrap()),
            fingerprint,
            to: None,
            trace: None,
            body: Bytes::from_static(b"{}"),
        }
    }

    fn package(drafts: Vec<Draft>, call: u64) -> Result<Package, BusError> {
        Package::new(drafts, 5, call)
    }

    #[test]
    fn an_own_earlier_attempt_is_no_duplicate_and_another_call_is_one() {
        let stored = Envelope::new(&draft("a", 1), 5, 77);
        let mut own = package(vec![draft("a", 1)], 77).unwrap();
        own.known(0, Sequence(9), Some(&stored)).unwrap();
        assert_eq!(own.receipts()[0].1, Receipt { sequence: Sequence(9), at_ms: 5, duplicate: false });
        let mut later = package(vec![draft("a", 1)], 78).unwrap();
        later.known(0, Sequence(9), Some(&stored)).unwrap();
        assert_eq!(later.receipts()[0].1, Receipt { sequence: Sequence(9), at_ms: 0, duplicate: true });
        let mut expired = package(vec![draft("a", 1)], 78).unwrap();
        expired.known(0, Sequence(9), None).unwrap();
        assert!(expired.receipts()[0].1.duplicate);
        let mut other = package(vec![draft("a", 2)], 78).unwrap();
        assert_eq!(other.known(0, Sequence(9), Some(&stored)), Err(BusError::Conflict));
    }

    #[test]
    fn a_message_repeated_in_one_package_is_sent_once_and_answered_twice() {
        let mut repeated = package(vec![draft("a", 1), draft("b", 1), draft("a", 1)], 1).unwrap();
        assert_eq!(repeated.open(), [0, 1]);
        repeated.stored(0, Sequence(3));
        assert_eq!(repeated.open(), [1]);
        repeated.stored(1, Sequence(4));
        let receipts: Vec<_> =
            repeated.receipts().iter().map(|(_, it)| (it.sequence.0, it.duplicate)).collect();
        assert_eq!(receipts, [(3, false), (4, false), (3, true)]);
        assert_eq!(package(vec![draft("a", 1), draft("a", 2)], 1).unwrap_err(), BusError::Conflict);
        let many = (0..1_001).map(|n| draft(&format!("m{n}"), 1)).collect();
        assert!(matches!(package(many, 1), Err(BusError::Full(_))));
    }

    #[test]
    fn several_topics_are_refused() {
        let elsewhere = Draft { room: "s".parse().unwrap(), ..draft("b", 1) };
        assert_eq!(package(vec![draft("a", 1), elsewhere], 1).unwrap_err(), BusError::SeveralTopics);
        let direct = Draft { to: Some("u".parse().unwrap()), ..draft("b", 1) };
        assert_eq!(package(vec![draft("a", 1), direct], 1).unwrap_err(), BusError::SeveralTopics);
        assert!(package(Vec::new(), 1).is_ok());
    }

    #[test]
    fn messages_without_an_id_are_never_duplicates() {
        let nameless = || Draft { id: None, ..draft("a", 1) };
        assert_eq!(package(vec![nameless(), nameless()], 1).unwrap().open().len(), 2);
    }
}
