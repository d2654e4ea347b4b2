//! One publish, and what is known of each of its messages. No I/O.

use std::collections::HashMap;

use async_nats::HeaderMap;
use barrage_protocol::{Class, Sequence};
use bytes::Bytes;

use super::envelope::{Envelope, message_id};
use super::names::Names;
use crate::bus::{BusError, Draft, Receipt, one_topic};

/// Messages that the server takes in one atomic batch.
const MESSAGES_MAX: usize = 1_000;

/// One message on its way.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) subject: String,
    pub(crate) message_id: String,
    pub(crate) envelope: Envelope,
    pub(crate) body: Bytes,
    /// The same message earlier in this package.
    twin: Option<usize>,
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
    /// Where all of them go.
    pub(crate) partition: u16,
    messages: Vec<Outgoing>,
}

impl Package {
    pub(crate) fn new(drafts: Vec<Draft>, names: &Names, at_ms: u64, call: u64) -> Result<Self, BusError> {
        let partition = one_topic(&drafts)?.map_or(0, |topic| names.partition(&topic));
        if drafts.len() > MESSAGES_MAX {
            return Err(BusError::Full("message in one package"));
        }
        let mut first: HashMap<String, usize> = HashMap::new();
        let mut outgoing: Vec<Outgoing> = Vec::with_capacity(drafts.len());
        for (index, draft) in drafts.into_iter().enumerate() {
            let message_id = message_id(&draft, call, index);
            let twin = first.get(&message_id).copied();
            if twin.is_some_and(|twin| outgoing[twin].envelope.fingerprint != draft.fingerprint) {
                return Err(BusError::Conflict);
            }
            first.entry(message_id.clone()).or_insert(index);
            outgoing.push(Outgoing {
                subject: names.input(&draft.topic()),
                message_id,
                envelope: Envelope::new(&draft, at_ms, call),
                body: draft.body,
                twin,
                receipt: None,
            });
        }
        Ok(Package { partition, messages: outgoing })
    }

    pub(crate) fn message(&self, index: usize) -> &Outgoing {
        &self.messages[index]
    }

    /// Messages that have no place yet.
    pub(crate) fn open(&self) -> Vec<usize> {
        let is_open =
            |index: &usize| self.messages[*index].twin.is_none() && self.messages[*index].receipt.is_none();
        (0..self.messages.len()).filter(is_open).collect()
    }

    /// The server stored it now.
    pub(crate) fn stored(&mut self, index: usize, sequence: Sequence) {
        let at_ms = self.messages[index].envelope.at_ms;
        self.messages[index].receipt = Some(Receipt { sequence, at_ms, duplicate: false });
    }

    /// The server knows its id; `found` is what it holds there, unless that has left.
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
            // This call's own earlier attempt, whose acknowledgement was lost.
            self.stored(index, sequence);
        } else {
            self.messages[index].receipt = Some(Receipt { sequence, at_ms: 0, duplicate: true });
        }
        Ok(())
    }

    /// Class and receipt of each, once none is open.
    pub(crate) fn receipts(&self) -> Vec<(Class, Receipt)> {
        let receipt = |message: &Outgoing| {
            let receipt = match message.twin {
                None => message.receipt,
                Some(twin) => {
                    self.messages[twin].receipt.map(|first| Receipt { at_ms: 0, duplicate: true, ..first })
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
            body: Bytes::from_static(b"{}"),
        }
    }

    fn package(drafts: Vec<Draft>, call: u64) -> Result<Package, BusError> {
        Package::new(drafts, &Names::new("p", 1).unwrap(), 5, call)
    }

    #[test]
    fn a_lost_acknowledgement_is_no_duplicate_and_another_call_is_one() {
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
    fn a_twin_is_sent_once_and_answered_twice() {
        let mut twins = package(vec![draft("a", 1), draft("b", 1), draft("a", 1)], 1).unwrap();
        assert_eq!(twins.open(), [0, 1]);
        twins.stored(0, Sequence(3));
        assert_eq!(twins.open(), [1]);
        twins.stored(1, Sequence(4));
        let receipts: Vec<_> = twins.receipts().iter().map(|(_, it)| (it.sequence.0, it.duplicate)).collect();
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
    fn what_has_no_id_is_never_a_twin() {
        let nameless = || Draft { id: None, ..draft("a", 1) };
        assert_eq!(package(vec![nameless(), nameless()], 1).unwrap().open().len(), 2);
    }
}
