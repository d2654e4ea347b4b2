//! Which devices are in their user's hand, as the gateways announce them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use barrage_backoff::Backoff;
use barrage_bus::{Attachments, Mail, UserHash};
use barrage_protocol::UserId;
use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;

/// Silence of a gateway after which its devices count as away. It announces all of them every ten seconds.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Names that are kept of all gateways, 50 bytes each. Beyond, further devices get notifications that their users see
/// already.
const NAMES_MAX: usize = 2_000_000;
/// Gateways that are kept; beyond, further ones are ignored in the same way.
const GATEWAYS_MAX: usize = 4_096;

/// Says which devices are attached with their page or app in front.
pub trait Presence: Send + Sync + std::fmt::Debug {
    /// Returns whether a device shows its page now, as far as the gateways say.
    fn looks(&self, user: &UserId, device: &str) -> bool;
}

/// No gateway says anything: each device gets each notification.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unknown;

impl Presence for Unknown {
    fn looks(&self, _: &UserId, _: &str) -> bool {
        false
    }
}

/// What the gateways announce on the way of mail.
#[derive(Debug, Default)]
pub struct Announced {
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    gateways: HashMap<String, Gateway>,
    names: usize,
}

#[derive(Debug)]
struct Gateway {
    heard_at: Duration,
    names: HashSet<UserHash>,
    /// The part of a snapshot that comes next, and the names of those before it.
    snapshot: Option<(u16, HashSet<UserHash>)>,
}

impl Presence for Announced {
    fn looks(&self, user: &UserId, device: &str) -> bool {
        let name = UserHash::of_device(user, device);
        self.state.read().gateways.values().any(|gateway| gateway.names.contains(&name))
    }
}

impl Announced {
    /// Follows the announcements until `shutdown`.
    pub async fn run(self: Arc<Self>, mail: Arc<dyn Mail>, shutdown: CancellationToken) {
        let again = || Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        let mut backoff = again();
        while !shutdown.is_cancelled() {
            match mail.attachments().await {
                Ok(mut announced) => {
                    backoff = again();
                    // Gateways announce everything at once, and not only at their next snapshot.
                    mail.call_roll();
                    loop {
                        tokio::select! {
                            next = announced.next() => match next {
                                Some(next) => self.take(&next, now()),
                                None => break,
                            },
                            () = tokio::time::sleep(SILENCE_MAX) => self.expire(now()),
                            () = shutdown.cancelled() => return,
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "gateways' announcements cannot be read; trying again"),
            }
            shutdown.run_until_cancelled(tokio::time::sleep(backoff.next_wait(rand::random()))).await;
        }
    }

    fn take(&self, announced: &Attachments, now: Duration) {
        self.expire(now);
        let mut state = self.state.write();
        let State { gateways, names } = &mut *state;
        if !gateways.contains_key(&announced.gateway) && gateways.len() >= GATEWAYS_MAX {
            return;
        }
        let gateway = gateways.entry(announced.gateway.clone()).or_insert_with(|| Gateway {
            heard_at: now,
            names: HashSet::new(),
            snapshot: None,
        });
        gateway.heard_at = now;
        let before = gateway.names.len();
        let free = NAMES_MAX.saturating_sub(*names);
        match announced.snapshot {
            None => {
                for name in &announced.detached {
                    gateway.names.remove(name);
                    if let Some((_, begun)) = &mut gateway.snapshot {
                        begun.remove(name);
                    }
                }
                let arrived = announced.attached.iter().copied().take(free);
                gateway.snapshot.iter_mut().for_each(|(_, begun)| begun.extend(arrived.clone()));
                gateway.names.extend(arrived);
            }
            Some(place) => {
                let begun = gateway.snapshot.take().filter(|(next, _)| *next == place.part && place.part > 0);
                let mut begun = match begun {
                    Some((_, begun)) => begun,
                    None if place.part == 0 => HashSet::new(),
                    // A part before it was lost: the next snapshot is whole again.
                    None => return,
                };
                begun.extend(announced.attached.iter().copied().take(free + before));
                if place.part + 1 == place.parts {
                    gateway.names = begun;
                } else {
                    gateway.snapshot = Some((place.part + 1, begun));
                }
            }
        }
        *names = (*names + gateway.names.len()).saturating_sub(before);
    }

    /// Forgets gateways that are silent.
    fn expire(&self, now: Duration) {
        let is_silent = |gateway: &Gateway| now.saturating_sub(gateway.heard_at) > SILENCE_MAX;
        if !self.state.read().gateways.values().any(is_silent) {
            return;
        }
        let mut state = self.state.write();
        state.gateways.retain(|_, gateway| !is_silent(gateway));
        state.names = state.gateways.values().map(|gateway| gateway.names.len()).sum();
    }
}

fn now() -> Duration {
    Duration::from_millis(barrage_clock::steady_ms())
}

#[cfg(test)]
mod tests {
    use barrage_bus::SnapshotPart;

    use super::*;

    const NOW: Duration = Duration::ZERO;

    fn user() -> UserId {
        UserId::parse("ann").unwrap()
    }

    fn announce(gateway: &str, part: Option<(u16, u16)>, arrived: &[&str], gone: &[&str]) -> Attachments {
        let names =
            |devices: &[&str]| devices.iter().map(|device| UserHash::of_device(&user(), device)).collect();
        Attachments {
            gateway: gateway.into(),
            snapshot: part.map(|(part, parts)| SnapshotPart { part, parts }),
            attached: names(arrived),
            detached: names(gone),
        }
    }

    fn looking(announced: &Announced) -> String {
        let devices = ["a", "b", "c", "d"];
        devices.into_iter().filter(|device| announced.looks(&user(), device)).collect()
    }

    #[test]
    fn device_looks_while_a_gateway_says_so() {
        let announced = Announced::default();
        announced.take(&announce("one", None, &["a", "b"], &[]), NOW);
        announced.take(&announce("two", None, &["b", "c"], &[]), NOW);
        assert_eq!(looking(&announced), "abc");
        announced.take(&announce("one", None, &[], &["a", "b"]), NOW);
        assert_eq!(looking(&announced), "bc", "the other gateway has it still");
        assert!(!announced.looks(&UserId::parse("ben").unwrap(), "b"), "another user's device of that name");
        assert_eq!(announced.state.read().names, 2);
    }

    #[test]
    fn whole_snapshot_replaces_what_was_known_and_a_part_of_one_does_not() {
        let announced = Announced::default();
        announced.take(&announce("one", None, &["a", "b"], &[]), NOW);
        announced.take(&announce("one", Some((0, 2)), &["a"], &[]), NOW);
        announced.take(&announce("one", None, &["d"], &[]), NOW);
        assert_eq!(looking(&announced), "abd");
        announced.take(&announce("one", Some((1, 2)), &["c"], &[]), NOW);
        assert_eq!(looking(&announced), "acd", "what arrived in between is there");
        announced.take(&announce("one", Some((1, 2)), &["b"], &[]), NOW);
        assert_eq!(looking(&announced), "acd", "its first part was lost");
        announced.take(&announce("one", Some((0, 1)), &[], &[]), NOW);
        assert_eq!((looking(&announced).as_str(), announced.state.read().names), ("", 0));
    }

    #[test]
    fn devices_of_a_silent_gateway_are_away() {
        let announced = Announced::default();
        announced.take(&announce("one", None, &["a"], &[]), NOW);
        announced.take(&announce("two", None, &["b"], &[]), SILENCE_MAX);
        assert_eq!(looking(&announced), "ab");
        announced.take(&announce("two", None, &[], &[]), SILENCE_MAX + Duration::from_secs(1));
        assert_eq!((looking(&announced).as_str(), announced.state.read().names), ("b", 1));
    }
}
