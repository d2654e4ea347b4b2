//! Who may speak in a room and what, by the room's rules. Pure.

use barrage_moderation::{Folded, Measure, RuleHit, glyph};
use barrage_protocol::Code;
use barrage_protocol::code::{LimitHit, Refusal};
use barrage_protocol::post::{Mode, Post};
use barrage_protocol::speak::{MediaRole, SpeakRules};
use barrage_token::{Identity, Role};
use sha2::{Digest, Sha256};

use super::compose::Content;
use super::moderate::Moderated;
use crate::room::role;

const DAY_SECS: u64 = 86_400;

/// Refuses a sender whom the rules for role and attributes do not admit. `by` has the role that counts
/// in the room.
pub(super) fn may_speak(rules: SpeakRules, by: &Identity, now_ms: u64) -> Result<(), Refusal> {
    let least = role(rules.role_min);
    if by.role < least {
        let who = if least == Role::Host { "the host" } else { "the host and moderators" };
        let refusal = Refusal::new(Code::RoomMuted, format!("only {who} may speak now"));
        return Err(limited(refusal, "role_min", "user", 0));
    }
    if by.role >= Role::Moderator {
        return Ok(());
    }
    let attrs = by.attrs.as_deref();
    let level = attrs.and_then(|attrs| attrs.level).unwrap_or(0);
    if level < rules.level_min {
        let message = format!("this room is for level {} and above; yours is {level}", rules.level_min);
        let refusal = Refusal::new(Code::Forbidden, message);
        return Err(limited(refusal, "level_min", "user", rules.level_min.into()));
    }
    let days = u64::from(rules.member_days_min);
    if days == 0 {
        return Ok(());
    }
    let now_secs = now_ms / 1_000;
    let since = attrs.and_then(|attrs| attrs.member_since).filter(|since| *since <= now_secs);
    let allowed_at = since.map(|since| since.saturating_add(days * DAY_SECS));
    if allowed_at.is_some_and(|at| at <= now_secs) {
        return Ok(());
    }
    let message = format!("this room is for members of {days} days and more");
    let mut refusal = Refusal::new(Code::Forbidden, message);
    refusal.retry_after_ms = allowed_at.map(|at| (at - now_secs).saturating_mul(1_000));
    Err(limited(refusal, "member_days_min", "user", days))
}

/// Refuses a placed danmaku of a sender whose role is too low: such a text may cover the whole picture.
pub(super) fn may_place(rules: SpeakRules, by: &Identity, post: &Post) -> Result<(), Refusal> {
    let is_placed = matches!(post, Post::Chat { style, .. } if style.mode == Mode::Placed);
    let least = role(rules.placed_role_min);
    if !is_placed || by.role >= least {
        return Ok(());
    }
    let who = if least == Role::Host { "the host" } else { "the host and moderators" };
    let message = format!("style.mode: only {who} may place a danmaku here");
    Err(limited(Refusal::new(Code::Forbidden, message), "placed_role_min", "user", 0))
}

/// Refuses a picture where the room has none, or of a sender whose role is too low. `is_text_only` is the switch of the
/// platform.
pub(super) fn may_attach(rules: SpeakRules, by: &Identity, is_text_only: bool) -> Result<(), Refusal> {
    let least = match rules.media_role_min {
        MediaRole::Viewer => Role::Viewer,
        MediaRole::Moderator => Role::Moderator,
        MediaRole::Host => Role::Host,
        MediaRole::Off => {
            let refusal = Refusal::new(Code::Forbidden, "media: this room has no pictures");
            return Err(limited(refusal, "media_role_min", "room", 0));
        }
    };
    may_show(is_text_only)?;
    if by.role >= least {
        return Ok(());
    }
    let who = if least == Role::Host { "the host" } else { "the host and moderators" };
    let refusal = Refusal::new(Code::Forbidden, format!("media: only {who} may send pictures here"));
    Err(limited(refusal, "media_role_min", "user", 0))
}

/// Refuses all pictures while the platform's switch is on.
pub(super) fn may_show(is_text_only: bool) -> Result<(), Refusal> {
    if is_text_only {
        return Err(Refusal::new(Code::Forbidden, "media: no pictures may be sent now, only texts"));
    }
    Ok(())
}

/// Sends a picture of a viewer to the room's reviews where the room wants it. A sticker is public, and needs none.
pub(super) fn reviewed(
    moderated: Moderated,
    rules: SpeakRules,
    by: &Identity,
    content: &Content<'_>,
) -> Moderated {
    let is_picture = content.media().is_some_and(|media| !media.is_public);
    match moderated {
        Moderated::Shown if rules.media_review && is_picture && by.role < Role::Moderator => {
            let (rule, detail) = ("media".to_owned(), String::new());
            Moderated::Review(RuleHit { rule, measure: Measure::Review, detail, matched: None })
        }
        other => other,
    }
}

/// Refuses a text that the rules do not admit. Emote-only is for chats; a link is refused in any text.
pub(super) fn may_say(
    rules: SpeakRules,
    content: &Content<'_>,
    is_emote: impl Fn(&str) -> bool,
    has_link: impl FnOnce() -> bool,
) -> Result<(), Refusal> {
    let is_chat = matches!(content, Content::Chat { .. });
    let is_allowed = |word: &str| is_emote(word) || word.chars().all(glyph::is_emoji_part);
    // A sticker is public, a picture of the sender is not.
    let is_picture = content.media().is_some_and(|media| !media.is_public);
    if rules.emote_only && is_chat && (is_picture || !content.text().split(' ').all(is_allowed)) {
        let refusal = Refusal::new(Code::BadText, "only emotes and emoji may be sent now");
        return Err(limited(refusal, "emote_only", "message", 0));
    }
    if rules.links_off && has_link() {
        let refusal = Refusal::new(Code::BadText, "links may not be sent in this room now");
        return Err(limited(refusal, "links_off", "message", 0));
    }
    Ok(())
}

/// Makes the refusal of a text that came again within `secs`.
pub(super) fn not_unique(secs: u32) -> Refusal {
    let message = format!("this text was said here in the last {secs} s; say something else");
    let refusal = limited(Refusal::new(Code::RateLimited, message), "unique_secs", "room", 1);
    let limit = refusal.limit.map(|hit| Box::new(LimitHit { window_ms: u64::from(secs) * 1_000, ..*hit }));
    Refusal { limit, ..refusal }
}

fn limited(refusal: Refusal, rule: &str, scope: &str, limit: u64) -> Refusal {
    let hit = LimitHit { limit, ..LimitHit::rule(format!("speak_{rule}"), scope) };
    Refusal { limit: Some(Box::new(hit)), ..refusal }
}

/// Hashes a text as a reader compares it: letters and digits alone, look-alikes made equal. A text
/// without any, such as emoji, is hashed as it is. The hash is the same on every instance.
pub(super) fn text_hash(text: &str) -> u64 {
    let folded = Folded::new(text);
    let text = if folded.chars() == 0 { text } else { folded.as_str() };
    u64::from_be_bytes(Sha256::digest(text.as_bytes())[..8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use barrage_protocol::UserAttrs;
    use barrage_protocol::action::RoomRole;
    use barrage_token::Rooms;

    use super::*;
    use crate::post::compose::{Composed, compose};
    use crate::super_chat_config::SuperChatTiers;

    const NOW_MS: u64 = 1_800_000_000_000;
    const OPEN: SpeakRules = SpeakRules {
        role_min: RoomRole::Viewer,
        level_min: 0,
        member_days_min: 0,
        emote_only: false,
        unique_secs: 0,
        links_off: false,
        placed_role_min: RoomRole::Moderator,
        media_role_min: MediaRole::Off,
        media_review: false,
    };

    fn spoken(rules: SpeakRules, role: Role, attrs: &str) -> Result<(), (Code, String, u64)> {
        let attrs: UserAttrs = serde_json::from_str(attrs).unwrap();
        let (user, rooms) = ("u".parse().unwrap(), Rooms(vec![]));
        let (expires_at_secs, issued_at_secs, attrs) = (0, None, Some(Arc::new(attrs)));
        let by = Identity { user, name: String::new(), role, rooms, expires_at_secs, issued_at_secs, attrs };
        may_speak(rules, &by, NOW_MS).map_err(|refusal| {
            let limit = refusal.limit.unwrap();
            (refusal.code, limit.rule, limit.limit)
        })
    }

    #[test]
    fn roles_below_the_least_are_refused() {
        for (role_min, speakers) in [
            (RoomRole::Viewer, vec![Role::Viewer, Role::Moderator, Role::Host, Role::Admin]),
            (RoomRole::Moderator, vec![Role::Moderator, Role::Host, Role::Admin]),
            (RoomRole::Host, vec![Role::Host, Role::Admin]),
        ] {
            for role in [Role::Viewer, Role::Moderator, Role::Host, Role::Admin] {
                let expected = match speakers.contains(&role) {
                    true => Ok(()),
                    false => Err((Code::RoomMuted, "speak_role_min".into(), 0)),
                };
                assert_eq!(
                    spoken(SpeakRules { role_min, ..OPEN }, role, "{}"),
                    expected,
                    "{role_min:?} {role:?}"
                );
            }
        }
    }

    #[test]
    fn attributes_of_the_token_decide_for_viewers_alone() {
        let level = SpeakRules { level_min: 5, ..OPEN };
        let too_low = Err((Code::Forbidden, "speak_level_min".into(), 5));
        assert_eq!(spoken(level, Role::Viewer, r#"{"level":4}"#), too_low);
        assert_eq!(spoken(level, Role::Viewer, "{}"), too_low);
        assert_eq!(spoken(level, Role::Viewer, r#"{"level":5}"#), Ok(()));
        assert_eq!(spoken(level, Role::Moderator, "{}"), Ok(()));
        let member = SpeakRules { member_days_min: 2, ..OPEN };
        let too_new = Err((Code::Forbidden, "speak_member_days_min".into(), 2));
        let since = |secs: u64| spoken(member, Role::Viewer, &format!(r#"{{"member_since":{secs}}}"#));
        let now = NOW_MS / 1_000;
        assert_eq!((since(now - 2 * DAY_SECS), since(now - 2 * DAY_SECS + 1)), (Ok(()), too_new.clone()));
        assert_eq!((since(now + 9_999), spoken(member, Role::Viewer, "{}")), (too_new.clone(), too_new));
    }

    #[test]
    fn placed_danmaku_need_the_role_and_other_modes_need_none() {
        let may = |least, of, style: &str| {
            let (user, rooms) = ("u".parse().unwrap(), Rooms(vec![]));
            let (name, attrs) = (String::new(), None);
            let (expires_at_secs, issued_at_secs) = (0, None);
            let by = Identity { user, name, role: of, rooms, expires_at_secs, issued_at_secs, attrs };
            let post = format!(r#"{{"type":"chat","id":"x","text":"hi","style":{style}}}"#);
            let rules = SpeakRules { placed_role_min: least, ..OPEN };
            may_place(rules, &by, &serde_json::from_str(&post).unwrap())
                .map_err(|refusal| (refusal.code, refusal.limit.unwrap().rule))
        };
        let placed = r#"{"mode":"placed","place":{"x":0,"y":0,"duration_ms":4500}}"#;
        let refused = Err((Code::Forbidden, "speak_placed_role_min".into()));
        assert_eq!(may(RoomRole::Moderator, Role::Viewer, placed), refused);
        assert_eq!(may(RoomRole::Moderator, Role::Moderator, placed), Ok(()));
        assert_eq!(may(RoomRole::Host, Role::Moderator, placed), refused);
        assert_eq!(may(RoomRole::Viewer, Role::Viewer, placed), Ok(()));
        for mode in ["scroll", "reverse", "top", "bottom"] {
            assert_eq!(may(RoomRole::Host, Role::Viewer, &format!(r#"{{"mode":"{mode}"}}"#)), Ok(()));
        }
    }

    fn said(rules: SpeakRules, text: &str) -> Option<String> {
        let post = Post::chat("x".parse().unwrap(), text);
        let Composed::Content(content) = compose(&post, 200, &SuperChatTiers::default()).unwrap() else {
            panic!("a chat")
        };
        let result = may_say(rules, &content, |word| word == "Kappa", || text.contains(".com"));
        result.err().map(|refusal| refusal.limit.unwrap().rule)
    }

    #[test]
    fn emote_only_admits_emotes_and_emoji() {
        let rules = SpeakRules { emote_only: true, ..OPEN };
        for text in ["Kappa", "Kappa 😀 Kappa", "👩‍👩‍👧", "🇯🇵 ❤️", "👍🏽"] {
            assert_eq!(said(rules, text), None, "{text}");
        }
        for text in ["hi", "Kappa hi", "Kappas", "123", "#", "😀!"] {
            assert_eq!(said(rules, text).as_deref(), Some("speak_emote_only"), "{text}");
        }
        assert_eq!(said(SpeakRules { links_off: true, ..OPEN }, "a.com").as_deref(), Some("speak_links_off"));
        assert_eq!(said(OPEN, "a.com"), None);
    }

    #[test]
    fn texts_that_read_the_same_have_one_hash() {
        assert_eq!(text_hash("Hello, World!"), text_hash("hello world"));
        assert_ne!(text_hash("hello"), text_hash("hallo"));
        assert_ne!(text_hash("😀"), text_hash("😁"));
        let refusal = not_unique(30);
        assert_eq!((refusal.code, refusal.limit.unwrap().window_ms), (Code::RateLimited, 30_000));
    }
}
