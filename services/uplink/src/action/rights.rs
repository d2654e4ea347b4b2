//! Who may take which action on whom. Pure.

use barrage_protocol::action::Action;
use barrage_protocol::code::Refusal;
use barrage_protocol::speak::SpeakRule;
use barrage_protocol::{Code, UserId};
use barrage_token::Role;

use crate::room::role;

/// A user with the role that counts in the room.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Actor<'a> {
    pub(crate) user: &'a UserId,
    pub(crate) role: Role,
}

/// Refuses an action that the role does not permit, whomever it concerns.
pub(super) fn by_role(action: &Action, by: Role) -> Result<(), Refusal> {
    let needed = match action {
        Action::Role { .. } | Action::AttributeRules { .. } | Action::ShieldBundle { .. } => Role::Host,
        // A rule that would silence those who set it.
        Action::Speak { rule: SpeakRule::RoleMin(least) } => role(*least).max(Role::Moderator),
        _ => Role::Moderator,
    };
    if by >= needed {
        return Ok(());
    }
    let message = format!(
        "{}: your role in this room is {}, and the action needs {}",
        action.label(),
        by.label(),
        needed.label()
    );
    Err(Refusal::new(Code::Forbidden, message))
}

/// Refuses an action on a user whose role is not lower, on oneself where that has no sense, and the
/// gift of a role that the giver does not outrank.
pub(crate) fn on(action: &Action, by: Actor<'_>, target: Actor<'_>) -> Result<(), Refusal> {
    let forbidden = |message: String| Err(Refusal::new(Code::Forbidden, message));
    if target.user == by.user {
        return match action {
            Action::Recall { .. } | Action::RemoveMedia { .. } | Action::Purge { .. } => Ok(()),
            _ => forbidden(format!("{}: not on yourself", action.label())),
        };
    }
    // An admin's token is the platform's: it acts on hosts and on other admins.
    if by.role != Role::Admin && target.role >= by.role {
        let (yours, theirs) = (by.role.label(), target.role.label());
        return forbidden(format!("{}: a {yours} cannot act on a {theirs}", action.label()));
    }
    match action {
        Action::Role { role: given, .. } if role(*given) >= by.role => {
            forbidden(format!("role: a {} cannot give the role {}", by.role.label(), role(*given).label()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: [Role; 5] = [Role::Probe, Role::Viewer, Role::Moderator, Role::Host, Role::Admin];

    fn action(json: &str) -> Action {
        serde_json::from_str(json).unwrap()
    }

    fn allowed(action: &Action, by: (&str, Role), target: Option<(&str, Role)>) -> bool {
        let (by_user, by_role): (UserId, Role) = (by.0.parse().unwrap(), by.1);
        let on_target = target.is_none_or(|(user, role)| {
            let user: UserId = user.parse().unwrap();
            on(action, Actor { user: &by_user, role: by_role }, Actor { user: &user, role }).is_ok()
        });
        super::by_role(action, by_role).is_ok() && on_target
    }

    #[test]
    fn actions_on_a_user_need_a_greater_role() {
        for json in [
            r#"{"type":"purge","user":"b"}"#,
            r#"{"type":"mute","user":"b","secs":1}"#,
            r#"{"type":"unmute","user":"b"}"#,
            r#"{"type":"kick","user":"b"}"#,
            r#"{"type":"ban","user":"b","secs":1}"#,
            r#"{"type":"unban","user":"b"}"#,
            r#"{"type":"warn","user":"b","text":"x"}"#,
            r#"{"type":"recall","sequence":1}"#,
            r#"{"type":"remove_media","sequence":1}"#,
        ] {
            let action = action(json);
            for by in ROLES {
                for target in ROLES {
                    let expected = by == Role::Admin || (by >= Role::Moderator && by > target);
                    let is_allowed = allowed(&action, ("a", by), Some(("b", target)));
                    assert_eq!(is_allowed, expected, "{json} by {by:?} on {target:?}");
                }
            }
        }
    }

    #[test]
    fn actions_on_the_room_need_a_moderator() {
        for json in [
            r#"{"type":"clear"}"#,
            r#"{"type":"slow_mode","secs":1}"#,
            r#"{"type":"mute_all","on":true}"#,
            r#"{"type":"pin","sequence":1}"#,
            r#"{"type":"unpin"}"#,
            r#"{"type":"announce","text":"x"}"#,
            r#"{"type":"speak","rule":{"emote_only":true}}"#,
            r#"{"type":"speak","rule":{"role_min":"moderator"}}"#,
            r#"{"type":"shield","on":true}"#,
            r#"{"type":"moderation_delay","secs":1}"#,
            r#"{"type":"reactions","names":["fire"]}"#,
            r#"{"type":"super_chat_read","sequence":1,"on":true}"#,
        ] {
            let by: Vec<_> =
                ROLES.into_iter().filter(|by| allowed(&action(json), ("a", *by), None)).collect();
            assert_eq!(by, [Role::Moderator, Role::Host, Role::Admin], "{json}");
        }
    }

    #[test]
    fn the_bundle_of_the_shield_and_a_rule_for_hosts_need_a_host() {
        for json in [
            r#"{"type":"shield_bundle","rules":[],"slow_mode_secs":5}"#,
            r#"{"type":"speak","rule":{"role_min":"host"}}"#,
            r#"{"type":"attribute_rules","rules":[]}"#,
        ] {
            let by: Vec<_> =
                ROLES.into_iter().filter(|by| allowed(&action(json), ("a", *by), None)).collect();
            assert_eq!(by, [Role::Host, Role::Admin], "{json}");
        }
    }

    #[test]
    fn a_role_is_given_by_a_greater_role_of_host_and_above() {
        for (given, by) in [
            ("viewer", vec![Role::Host, Role::Admin]),
            ("moderator", vec![Role::Host, Role::Admin]),
            ("host", vec![Role::Admin]),
        ] {
            let action = action(&format!(r#"{{"type":"role","user":"b","role":"{given}"}}"#));
            let givers: Vec<_> = ROLES
                .into_iter()
                .filter(|by| allowed(&action, ("a", *by), Some(("b", Role::Viewer))))
                .collect();
            assert_eq!(givers, by, "{given}");
            assert!(!allowed(&action, ("a", Role::Host), Some(("b", Role::Host))), "{given}");
            assert!(!allowed(&action, ("a", Role::Admin), Some(("a", Role::Admin))), "{given} to oneself");
        }
    }

    #[test]
    fn moderators_act_on_their_own_messages_alone() {
        let own = Some(("a", Role::Moderator));
        let by_moderator = |json: &str| allowed(&action(json), ("a", Role::Moderator), own);
        assert!(
            by_moderator(r#"{"type":"recall","sequence":1}"#)
                && by_moderator(r#"{"type":"purge","user":"a"}"#)
        );
        for json in [r#"{"type":"mute","user":"a","secs":1}"#, r#"{"type":"unmute","user":"a"}"#] {
            assert!(!by_moderator(json), "{json}");
        }
    }
}
