//! Mutes and kicks of a user in a room, and their ends.

use serde::{Deserialize, Serialize};

/// Right that a restriction takes from a user in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestrictionKind {
    /// The user may watch and may not post.
    Mute,
    /// The user may neither watch nor post.
    Kick,
}

/// A mute or a kick of one user in one room, and its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restriction {
    /// Kind: a mute forbids posting, a kick also watching.
    pub kind: RestrictionKind,
    /// End in Unix milliseconds; at that time it is no longer in force.
    pub until_ms: u64,
}

/// The mute and the kick of one user in one room. They are independent: neither shortens or lifts
/// the other, and each keeps the latest of the ends that were set.
///
/// Stored as `{"kind":"kick","until_ms":N,"mute_until_ms":M}`: `kind` and `until_ms` are the
/// kick if there is one, else the mute. Up to version 0.1 a user had one restriction, stored as
/// `kind` and `until_ms` alone; each version reads the other's format.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Restrictions {
    /// End of the mute in Unix milliseconds; `None` without a mute.
    pub mute_until_ms: Option<u64>,
    /// End of the kick in Unix milliseconds; `None` without a kick.
    pub kick_until_ms: Option<u64>,
}

impl Restrictions {
    /// Returns the end of the mute or the kick while that is in force.
    #[must_use]
    pub fn until_ms(&self, kind: RestrictionKind, now_ms: u64) -> Option<u64> {
        let until_ms = match kind {
            RestrictionKind::Mute => self.mute_until_ms,
            RestrictionKind::Kick => self.kick_until_ms,
        };
        until_ms.filter(|until_ms| *until_ms > now_ms)
    }

    /// Returns the kick while it is in force, else the mute while that is.
    #[must_use]
    pub fn gravest(&self, now_ms: u64) -> Option<Restriction> {
        [RestrictionKind::Kick, RestrictionKind::Mute]
            .into_iter()
            .find_map(|kind| self.until_ms(kind, now_ms).map(|until_ms| Restriction { kind, until_ms }))
    }

    /// Returns the later end; `None` when neither is set.
    #[must_use]
    pub fn ends_ms(&self) -> Option<u64> {
        self.mute_until_ms.max(self.kick_until_ms)
    }

    /// Returns whether neither the mute nor the kick is in force at `now_ms`, Unix milliseconds.
    #[must_use]
    pub fn is_over(&self, now_ms: u64) -> bool {
        self.ends_ms().is_none_or(|until_ms| until_ms <= now_ms)
    }

    /// Adds a restriction: of two ends of one kind the later counts.
    #[must_use]
    pub(crate) fn with(mut self, restriction: Restriction) -> Self {
        let until_ms = self.end_mut(restriction.kind);
        *until_ms = (*until_ms).max(Some(restriction.until_ms));
        self
    }

    /// Removes the mute or the kick; the other one stays.
    #[must_use]
    pub(crate) fn without(mut self, kind: RestrictionKind) -> Self {
        *self.end_mut(kind) = None;
        self
    }

    fn end_mut(&mut self, kind: RestrictionKind) -> &mut Option<u64> {
        match kind {
            RestrictionKind::Mute => &mut self.mute_until_ms,
            RestrictionKind::Kick => &mut self.kick_until_ms,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    kind: RestrictionKind,
    until_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mute_until_ms: Option<u64>,
}

impl From<Stored> for Restrictions {
    fn from(stored: Stored) -> Self {
        let mute = Restrictions { mute_until_ms: stored.mute_until_ms, kick_until_ms: None };
        mute.with(Restriction { kind: stored.kind, until_ms: stored.until_ms })
    }
}

impl From<Restrictions> for Stored {
    fn from(restrictions: Restrictions) -> Self {
        match restrictions.kick_until_ms {
            Some(until_ms) => {
                Stored { kind: RestrictionKind::Kick, until_ms, mute_until_ms: restrictions.mute_until_ms }
            }
            None => Stored {
                kind: RestrictionKind::Mute,
                until_ms: restrictions.mute_until_ms.unwrap_or(0),
                mute_until_ms: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn restriction() -> impl Strategy<Value = Restriction> {
        let kind = prop_oneof![Just(RestrictionKind::Mute), Just(RestrictionKind::Kick)];
        (kind, 1..1_000_u64).prop_map(|(kind, until_ms)| Restriction { kind, until_ms })
    }

    proptest! {
        #[test]
        fn no_sequence_of_restrictions_shortens_another(
            all in proptest::collection::vec(restriction(), 1..12),
            now_ms in 0..1_000_u64,
        ) {
            let mut restrictions = Restrictions::default();
            for (count, next) in all.iter().enumerate() {
                restrictions = restrictions.with(*next);
                for earlier in &all[..=count] {
                    if earlier.until_ms > now_ms {
                        prop_assert!(restrictions.until_ms(earlier.kind, now_ms) >= Some(earlier.until_ms));
                    }
                }
            }
            for kind in [RestrictionKind::Mute, RestrictionKind::Kick] {
                let other = if kind == RestrictionKind::Mute { RestrictionKind::Kick } else { RestrictionKind::Mute };
                let lifted = restrictions.without(kind);
                prop_assert_eq!(lifted.until_ms(kind, 0), None);
                prop_assert_eq!(lifted.until_ms(other, 0), restrictions.until_ms(other, 0));
            }
            let stored = serde_json::to_string(&restrictions).unwrap();
            prop_assert_eq!(serde_json::from_str::<Restrictions>(&stored).unwrap(), restrictions);
        }
    }

    #[test]
    fn the_format_of_version_0_1_is_read_and_can_read_this_one() {
        let read = |text: &str| serde_json::from_str::<Restrictions>(text).unwrap();
        let mute = read(r#"{"kind":"mute","until_ms":7}"#);
        assert_eq!(mute, Restrictions { mute_until_ms: Some(7), kick_until_ms: None });
        assert_eq!(serde_json::to_string(&mute).unwrap(), r#"{"kind":"mute","until_ms":7}"#);
        let kick = read(r#"{"kind":"kick","until_ms":9}"#);
        assert_eq!(kick, Restrictions { mute_until_ms: None, kick_until_ms: Some(9) });
        let both = mute.with(Restriction { kind: RestrictionKind::Kick, until_ms: 9 });
        let stored = serde_json::to_string(&both).unwrap();
        assert_eq!(stored, r#"{"kind":"kick","until_ms":9,"mute_until_ms":7}"#);
    }

    #[test]
    fn a_kick_outranks_a_mute_while_it_is_in_force() {
        let both = Restrictions { mute_until_ms: Some(100), kick_until_ms: Some(50) };
        assert_eq!(both.gravest(49).map(|it| it.kind), Some(RestrictionKind::Kick));
        assert_eq!(both.gravest(50).map(|it| it.kind), Some(RestrictionKind::Mute));
        assert!(both.gravest(100).is_none() && both.is_over(100) && !both.is_over(99));
    }
}
