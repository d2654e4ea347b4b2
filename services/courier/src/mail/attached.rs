//! Which users are attached to which gateways, as the gateways announce it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{Attachments, UserHash};

/// Maximum number of gateways; announcements of further ones are ignored.
const GATEWAYS_MAX: usize = 1_024;
/// Silence after which a gateway is forgotten. It announces everything every ten seconds.
const SILENCE_MAX: Duration = Duration::from_secs(35);

/// Number of a gateway in this map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct GatewayNumber(u16);

/// A user at a gateway, as of one of its snapshots.
#[derive(Debug, Clone, Copy)]
struct Place {
    gateway: GatewayNumber,
    /// Whether the user has other places as well.
    has_others: bool,
    generation: u32,
}

#[derive(Debug)]
struct Gateway {
    name: Arc<str>,
    /// Generation of the places that arrive now.
    generation: u32,
    /// Places of earlier generations are over.
    valid_from: u32,
    /// Part of the snapshot that comes next; `None` outside of one.
    next_part: Option<u16>,
    heard_at: Duration,
    is_live: bool,
}

/// Map of all attached users, at most 48 bytes each.
#[derive(Debug)]
pub(super) struct AttachedMap {
    /// One place of each user: nearly every user is at one gateway.
    users: HashMap<UserHash, Place>,
    /// Places of the users who are at several gateways, without the one in `users`; never empty.
    others: HashMap<UserHash, Vec<Place>>,
    gateways: Vec<Gateway>,
    users_max: usize,
}

/// What an announcement changed.
#[derive(Debug, Default)]
pub(super) struct Announced {
    /// Gateway that announced; `None` when there are too many.
    pub(super) gateway: Option<GatewayNumber>,
    /// The gateway was unknown: it must announce all its users.
    pub(super) is_new: bool,
    /// Users who were not known to be at the gateway.
    pub(super) arrived: Vec<UserHash>,
    /// Users who were ignored, because there are too many.
    pub(super) ignored: u64,
}

impl AttachedMap {
    pub(super) fn new(users_max: usize) -> Self {
        AttachedMap { users: HashMap::new(), others: HashMap::new(), gateways: Vec::new(), users_max }
    }

    /// Takes an announcement of a gateway.
    pub(super) fn announce(&mut self, attachments: &Attachments, now: Duration) -> Announced {
        let mut announced = Announced::default();
        let Some((number, is_new)) = self.gateway(&attachments.gateway, now) else { return announced };
        (announced.gateway, announced.is_new) = (Some(number), is_new);
        let gateway = &mut self.gateways[usize::from(number.0)];
        gateway.heard_at = now;
        let mut is_complete = false;
        if let Some(part) = attachments.snapshot {
            if part.part == 0 {
                gateway.generation += 1;
                gateway.next_part = Some(0);
            }
            // A snapshot with a part missing removes nobody.
            gateway.next_part = (gateway.next_part == Some(part.part)).then_some(part.part + 1);
            is_complete = gateway.next_part == Some(part.parts);
        }
        for user in &attachments.attached {
            match self.attach(*user, number) {
                Some(true) => announced.arrived.push(*user),
                Some(false) => {}
                None => announced.ignored += 1,
            }
        }
        for user in &attachments.detached {
            self.detach(user, number);
        }
        if is_complete {
            let gateway = &mut self.gateways[usize::from(number.0)];
            (gateway.valid_from, gateway.next_part) = (gateway.generation, None);
        }
        announced
    }

    fn gateway(&mut self, name: &str, now: Duration) -> Option<(GatewayNumber, bool)> {
        let numbered = |at: usize| GatewayNumber(u16::try_from(at).unwrap_or(u16::MAX));
        if let Some(at) = self.gateways.iter().position(|gateway| gateway.is_live && *gateway.name == *name) {
            return Some((numbered(at), false));
        }
        if let Some(at) = self.gateways.iter().position(|gateway| !gateway.is_live) {
            // Places of the gateway that had this number are over.
            let gateway = &mut self.gateways[at];
            gateway.generation += 1;
            gateway.valid_from = gateway.generation;
            (gateway.name, gateway.heard_at, gateway.is_live) = (name.into(), now, true);
            gateway.next_part = None;
            return Some((numbered(at), true));
        }
        if self.gateways.len() >= GATEWAYS_MAX {
            return None;
        }
        self.gateways.push(Gateway {
            name: name.into(),
            generation: 1,
            valid_from: 1,
            next_part: None,
            heard_at: now,
            is_live: true,
        });
        Some((numbered(self.gateways.len() - 1), true))
    }

    /// Returns whether the user was not known to be there; `None` when there are too many users.
    fn attach(&mut self, user: UserHash, gateway: GatewayNumber) -> Option<bool> {
        let generation = self.gateways[usize::from(gateway.0)].generation;
        let place = Place { gateway, has_others: false, generation };
        let (gateways, others) = (&self.gateways, &mut self.others);
        let Some(first) = self.users.get_mut(&user) else {
            if self.users.len() >= self.users_max {
                return None;
            }
            self.users.insert(user, place);
            return Some(true);
        };
        if first.gateway == gateway {
            let was_there = is_valid(gateways, first);
            first.generation = generation;
            return Some(!was_there);
        }
        if !first.has_others && !is_valid(gateways, first) {
            *first = place;
            return Some(true);
        }
        first.has_others = true;
        let others = others.entry(user).or_default();
        others.retain(|other| is_valid(gateways, other));
        let known = others.iter_mut().find(|other| other.gateway == gateway);
        let was_there = known.is_some();
        match known {
            Some(known) => known.generation = generation,
            None => others.push(place),
        }
        Some(!was_there)
    }

    fn detach(&mut self, user: &UserHash, gateway: GatewayNumber) {
        let Some(first) = self.users.get_mut(user) else { return };
        let is_first = first.gateway == gateway;
        let mut others =
            if first.has_others { self.others.remove(user).unwrap_or_default() } else { Vec::new() };
        others.retain(|other| other.gateway != gateway);
        if is_first {
            match others.pop() {
                Some(other) => *first = other,
                None => {
                    self.users.remove(user);
                    return;
                }
            }
        }
        first.has_others = !others.is_empty();
        if first.has_others {
            self.others.insert(*user, others);
        }
    }

    /// Returns the gateways to which a user is attached.
    pub(super) fn gateways_of(&self, user: &UserHash) -> impl Iterator<Item = GatewayNumber> {
        let first = self.users.get(user);
        let others = first.filter(|first| first.has_others).and_then(|_| self.others.get(user));
        let places = first.into_iter().chain(others.into_iter().flatten());
        places.filter(|place| is_valid(&self.gateways, place)).map(|place| place.gateway)
    }

    pub(super) fn is_attached(&self, user: &UserHash) -> bool {
        self.gateways_of(user).next().is_some()
    }

    /// Whether nobody is attached.
    pub(super) fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Returns the number of users, those whose gateway has gone included until the next sweep.
    pub(super) fn len(&self) -> usize {
        self.users.len()
    }

    pub(super) fn name(&self, gateway: GatewayNumber) -> &Arc<str> {
        &self.gateways[usize::from(gateway.0)].name
    }

    /// Returns the gateways that are heard.
    pub(super) fn gateways(&self) -> impl Iterator<Item = GatewayNumber> {
        (0..).zip(&self.gateways).filter(|(_, it)| it.is_live).map(|(number, _)| GatewayNumber(number))
    }

    /// Forgets gateways that are silent; returns them.
    pub(super) fn expire(&mut self, now: Duration) -> Vec<GatewayNumber> {
        let mut gone = Vec::new();
        for (number, gateway) in (0..).zip(&mut self.gateways) {
            if gateway.is_live && now.saturating_sub(gateway.heard_at) > SILENCE_MAX {
                (gateway.is_live, gateway.valid_from) = (false, gateway.generation + 1);
                gateway.generation += 1;
                gone.push(GatewayNumber(number));
            }
        }
        gone
    }

    /// Removes users whose places are over. A walk over all users.
    pub(super) fn sweep(&mut self) {
        let (gateways, others) = (&self.gateways, &mut self.others);
        others.retain(|_, places| {
            places.retain(|place| is_valid(gateways, place));
            !places.is_empty()
        });
        self.users.retain(|user, first| {
            let mut rest =
                if first.has_others { others.remove(user).unwrap_or_default() } else { Vec::new() };
            if !is_valid(gateways, first) {
                let Some(other) = rest.pop() else { return false };
                *first = other;
            }
            first.has_others = !rest.is_empty();
            if first.has_others {
                others.insert(*user, rest);
            }
            true
        });
    }
}

fn is_valid(gateways: &[Gateway], place: &Place) -> bool {
    let gateway = &gateways[usize::from(place.gateway.0)];
    gateway.is_live && place.generation >= gateway.valid_from
}

#[cfg(test)]
mod tests {
    use barrage_bus::SnapshotPart;

    use super::*;

    const NOW: Duration = Duration::ZERO;

    fn user(number: u8) -> UserHash {
        UserHash::from_bytes([number; 16])
    }

    fn delta(gateway: &str, attached: &[u8], detached: &[u8]) -> Attachments {
        let users = |numbers: &[u8]| numbers.iter().copied().map(user).collect();
        let (attached, detached) = (users(attached), users(detached));
        Attachments { gateway: gateway.into(), snapshot: None, attached, detached }
    }

    fn snapshot(gateway: &str, part: u16, parts: u16, attached: &[u8]) -> Attachments {
        Attachments { snapshot: Some(SnapshotPart { part, parts }), ..delta(gateway, attached, &[]) }
    }

    fn names(map: &AttachedMap, number: u8) -> Vec<String> {
        let mut names: Vec<_> = map.gateways_of(&user(number)).map(|it| map.name(it).to_string()).collect();
        names.sort();
        names
    }

    #[test]
    fn user_is_where_its_gateways_say() {
        let mut map = AttachedMap::new(100);
        let first = map.announce(&delta("a", &[1, 2], &[]), NOW);
        assert!(first.is_new && first.arrived.len() == 2);
        let again = map.announce(&delta("b", &[1], &[]), NOW);
        assert_eq!((again.is_new, again.arrived), (true, vec![user(1)]));
        assert!(map.announce(&delta("a", &[1], &[]), NOW).arrived.is_empty(), "it was there");
        assert_eq!(names(&map, 1), ["a", "b"]);
        map.announce(&delta("a", &[], &[1, 2, 3]), NOW);
        assert_eq!((names(&map, 1), names(&map, 2)), (vec!["b".to_owned()], Vec::new()));
    }

    #[test]
    fn whole_snapshot_removes_those_whom_it_lacks_and_a_part_of_one_removes_nobody() {
        let mut map = AttachedMap::new(100);
        map.announce(&delta("a", &[1, 2, 3], &[]), NOW);
        map.announce(&snapshot("a", 0, 2, &[1]), NOW);
        map.announce(&delta("a", &[4], &[]), NOW);
        assert_eq!(names(&map, 3), ["a"], "the second part may name it");
        let arrived = map.announce(&snapshot("a", 1, 2, &[2, 5]), NOW).arrived;
        assert_eq!(arrived, [user(5)]);
        for (number, is_there) in [(1, true), (2, true), (3, false), (4, true), (5, true)] {
            assert_eq!(map.is_attached(&user(number)), is_there, "user {number}");
        }
        // The first part is missing, then the second of three.
        for part in [snapshot("a", 1, 2, &[9]), snapshot("a", 0, 3, &[9]), snapshot("a", 2, 3, &[9])] {
            map.announce(&part, NOW);
        }
        assert!(map.is_attached(&user(1)));
        map.sweep();
        assert_eq!(map.len(), 5, "1, 2, 4, 5 and 9");
    }

    #[test]
    fn silent_gateway_is_forgotten_and_its_number_is_another_ones() {
        let mut map = AttachedMap::new(100);
        map.announce(&delta("a", &[1], &[]), NOW);
        let later = SILENCE_MAX + Duration::from_secs(1);
        map.announce(&delta("b", &[2], &[]), later);
        assert_eq!(map.expire(later).len(), 1);
        assert_eq!((names(&map, 1), names(&map, 2)), (Vec::new(), vec!["b".to_owned()]));
        assert!(map.announce(&delta("c", &[3], &[]), later).is_new);
        assert_eq!(names(&map, 1), Vec::<String>::new(), "c has the number of a, and not its users");
        assert_eq!((names(&map, 3), map.gateways().count()), (vec!["c".to_owned()], 2));
        map.sweep();
        assert_eq!(map.len(), 2);
    }

    #[test]
    fn user_of_several_gateways_leaves_them_in_any_order() {
        let gateways = ["a", "b", "c"];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut map = AttachedMap::new(100);
            gateways.iter().for_each(|gateway| drop(map.announce(&delta(gateway, &[1], &[]), NOW)));
            let mut left = gateways.to_vec();
            for at in order {
                map.announce(&delta(gateways[at], &[], &[1]), NOW);
                left.retain(|gateway| *gateway != gateways[at]);
                assert_eq!(names(&map, 1), left, "{order:?}");
            }
            assert!(map.is_empty() && map.others.is_empty());
        }
    }

    #[test]
    fn places_at_silent_gateways_are_removed_one_by_one() {
        let mut map = AttachedMap::new(100);
        let later = SILENCE_MAX + Duration::from_secs(1);
        for (gateway, heard) in [("a", NOW), ("b", later), ("c", NOW), ("d", later)] {
            map.announce(&delta(gateway, &[1], &[]), heard);
        }
        assert_eq!(map.expire(later).len(), 2);
        assert_eq!(names(&map, 1), ["b", "d"]);
        map.sweep();
        assert_eq!((names(&map, 1), map.others.len()), (vec!["b".to_owned(), "d".to_owned()], 1));
        map.announce(&delta("b", &[], &[1]), later);
        map.sweep();
        assert_eq!((names(&map, 1), map.others.len()), (vec!["d".to_owned()], 0));
    }

    #[test]
    fn users_and_gateways_beyond_the_bounds_are_ignored() {
        let mut map = AttachedMap::new(2);
        assert_eq!(map.announce(&delta("a", &[1, 2, 3], &[]), NOW).ignored, 1);
        let mut map = AttachedMap::new(usize::MAX);
        for number in 0..=GATEWAYS_MAX {
            map.announce(&delta(&number.to_string(), &[1], &[]), NOW);
        }
        assert_eq!(map.gateways().count(), GATEWAYS_MAX);
    }

    #[test]
    fn attached_user_costs_at_most_48_bytes() {
        let mut map = AttachedMap::new(usize::MAX);
        for part in 0..7_u8 {
            let attached = (0..16_384_u32)
                .map(|number| {
                    let mut bytes = [part; 16];
                    bytes[..4].copy_from_slice(&number.to_be_bytes());
                    UserHash::from_bytes(bytes)
                })
                .collect();
            map.announce(&Attachments { attached, ..delta("a", &[], &[]) }, NOW);
        }
        // The table doubles when it is 7/8 full, with one byte of control for each slot.
        let slots = (map.users.capacity() * 8).div_ceil(7);
        let bytes = slots * (size_of::<(UserHash, Place)>() + 1) / map.len();
        assert!(bytes <= 48, "{bytes} bytes for each of {} users", map.len());
    }
}
