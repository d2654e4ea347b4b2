//! Members of the groups that are written to, so that an item of a group reads no rows of members.

use std::collections::{HashMap, HashSet};

use barrage_bus::UserHash;
use barrage_inbox::ConversationNumber;

#[derive(Debug)]
struct Group {
    members: HashSet<UserHash>,
    used: u64,
}

/// Members of groups, the least recently used groups forgotten first.
#[derive(Debug)]
pub(super) struct Groups {
    groups: HashMap<ConversationNumber, Group>,
    members: usize,
    members_max: usize,
    uses: u64,
}

impl Groups {
    pub(super) fn new(members_max: usize) -> Self {
        Groups { groups: HashMap::new(), members: 0, members_max, uses: 0 }
    }

    pub(super) fn knows(&self, group: ConversationNumber) -> bool {
        self.groups.contains_key(&group)
    }

    /// Returns the members of a group that is known, and notes its use.
    pub(super) fn members(&mut self, group: ConversationNumber) -> Option<&HashSet<UserHash>> {
        self.uses += 1;
        let found = self.groups.get_mut(&group)?;
        found.used = self.uses;
        Some(&found.members)
    }

    /// Returns whether a group is known and has the member.
    pub(super) fn has(&self, group: ConversationNumber, user: &UserHash) -> bool {
        self.groups.get(&group).is_some_and(|group| group.members.contains(user))
    }

    /// Learns the members of a group, and forgets other groups beyond the bound.
    pub(super) fn learn(&mut self, group: ConversationNumber, members: HashSet<UserHash>) {
        self.forget(group);
        self.uses += 1;
        self.members += members.len();
        self.groups.insert(group, Group { members, used: self.uses });
        while self.members > self.members_max && self.groups.len() > 1 {
            let oldest = self.groups.iter().min_by_key(|(_, group)| group.used).map(|(number, _)| *number);
            let Some(oldest) = oldest else { break };
            self.forget(oldest);
        }
    }

    /// Takes a change of one member into a group that is known.
    pub(super) fn set(&mut self, group: ConversationNumber, user: UserHash, is_present: bool) {
        let Some(found) = self.groups.get_mut(&group) else { return };
        if is_present {
            self.members += usize::from(found.members.insert(user));
        } else {
            self.members -= usize::from(found.members.remove(&user));
        }
    }

    pub(super) fn forget(&mut self, group: ConversationNumber) {
        if let Some(gone) = self.groups.remove(&group) {
            self.members -= gone.members.len();
        }
    }

    /// Forgets everything, after changes that were not seen.
    pub(super) fn forget_all(&mut self) {
        self.groups.clear();
        self.members = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(numbers: std::ops::Range<u8>) -> HashSet<UserHash> {
        numbers.map(|number| UserHash::from_bytes([number; 16])).collect()
    }

    #[test]
    fn least_recently_used_group_is_forgotten_beyond_the_bound() {
        let [one, two, three] = [1, 2, 3].map(ConversationNumber);
        let mut groups = Groups::new(10);
        groups.learn(one, users(0..5));
        groups.learn(two, users(0..5));
        assert_eq!(groups.members(one).map(HashSet::len), Some(5));
        groups.learn(three, users(0..2));
        assert!(groups.knows(one) && !groups.knows(two) && groups.knows(three));
        // One that is larger than the bound stays alone.
        groups.learn(two, users(0..20));
        assert!(groups.knows(two) && !groups.knows(one) && !groups.knows(three));
        assert_eq!(groups.members, 20);
    }

    #[test]
    fn changes_of_members_reach_known_groups_alone() {
        let (group, user) = (ConversationNumber(1), UserHash::from_bytes([9; 16]));
        let mut groups = Groups::new(10);
        groups.set(group, user, true);
        assert!(!groups.knows(group));
        groups.learn(group, users(0..2));
        groups.set(group, user, true);
        groups.set(group, user, true);
        assert!(groups.has(group, &user) && groups.members == 3);
        groups.set(group, user, false);
        groups.set(group, user, false);
        assert!(!groups.has(group, &user) && groups.members == 2);
        groups.forget_all();
        assert_eq!((groups.knows(group), groups.members), (false, 0));
    }
}
