//! Gateways that the probe examines, with the alarm of each. Pure: time is a parameter.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use barrage_protocol::entry::ProbeGateway;

use crate::alarm::Alarm;

/// Time for which a gateway is examined that has left the registry without a drain: it may have lost
/// NATS, and its viewers.
const FORGET_AFTER: Duration = Duration::from_secs(60);

/// A gateway with its alarm.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) gateway: ProbeGateway,
    pub(crate) alarm: Alarm,
    listed_at: Instant,
}

/// Watched gateways by their ids.
#[derive(Debug, Default)]
pub(crate) struct WatchList(BTreeMap<String, Watched>);

impl WatchList {
    /// Takes the newest list of entry. Returns the ids that are no longer examined: gateways that have
    /// left after a drain, and others a while after they were listed last.
    pub(crate) fn update(&mut self, listed: Vec<ProbeGateway>, now: Instant) -> Vec<String> {
        for gateway in listed {
            let watched = self.0.entry(gateway.id.clone()).or_insert_with(|| Watched {
                gateway: gateway.clone(),
                alarm: Alarm::default(),
                listed_at: now,
            });
            watched.gateway = gateway;
            watched.listed_at = now;
        }
        let is_gone = |watched: &Watched| {
            let age = now.saturating_duration_since(watched.listed_at);
            age > FORGET_AFTER || (watched.gateway.draining && !age.is_zero())
        };
        let gone: Vec<_> =
            self.0.iter().filter(|(_, watched)| is_gone(watched)).map(|(id, _)| id.clone()).collect();
        for id in &gone {
            self.0.remove(id);
        }
        gone
    }

    /// Returns the gateways to examine. One that drains refuses joins, and is none.
    pub(crate) fn examined(&self) -> Vec<ProbeGateway> {
        let open = self.0.values().filter(|watched| !watched.gateway.draining);
        open.map(|watched| watched.gateway.clone()).collect()
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Watched> {
        self.0.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Watched> {
        self.0.get_mut(id)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateway(id: &str, draining: bool) -> ProbeGateway {
        ProbeGateway { id: id.into(), url: format!("ws://{id}"), draining }
    }

    fn ids(list: &WatchList) -> Vec<String> {
        list.examined().into_iter().map(|gateway| gateway.id).collect()
    }

    #[test]
    fn drained_gateway_is_forgotten_at_once_and_a_lost_one_after_a_while() {
        let (mut list, start) = (WatchList::default(), barrage_clock::now());
        let at = |secs| start + Duration::from_secs(secs);
        assert!(list.update(vec![gateway("a", false), gateway("b", false)], at(0)).is_empty());
        assert!(list.update(vec![gateway("a", true), gateway("b", false)], at(2)).is_empty());
        assert_eq!(ids(&list), ["b"], "a gateway that drains is not examined");
        assert_eq!(list.update(Vec::new(), at(4)), ["a"]);
        assert_eq!(ids(&list), ["b"]);
        assert_eq!(list.update(Vec::new(), at(63)), ["b"]);
    }
}
