//! The operators' switches, as posts meet them. Pure.

use barrage_bus::Switches;
use barrage_protocol::code::{LimitHit, Refusal};
use barrage_protocol::post::Post;
use barrage_protocol::{Class, Code};
use barrage_token::{Identity, Role};

use super::gifts;

/// Milliseconds after which a client may try again while the platform is read-only.
const READ_ONLY_RETRY_MS: u64 = 15_000;

/// Returns the switch that holds this post, if one does.
///
/// # Errors
/// A refusal while the platform is read-only, unless the sender is an admin or a probe.
pub(super) fn held(switches: &Switches, by: &Identity, post: &Post) -> Result<Option<LimitHit>, Refusal> {
    // A probe examines the path of posts, which a switch does not change.
    if switches.read_only && by.role < Role::Admin && by.role != Role::Probe {
        let refusal = Refusal::new(Code::Unavailable, "posting is switched off just now");
        return Err(refusal.retry_after_ms(READ_ONLY_RETRY_MS));
    }
    let name = match post.class() {
        Class::Pulse if switches.no_likes => "no-likes",
        Class::Pulse if switches.text_only => "text-only",
        _ if switches.hold_chat && !by.role.is_exempt() && gifts::obeys_room(post) => "hold-chat",
        Class::Signal | Class::Gift | Class::Chat | Class::Pulse => return Ok(None),
    };
    Ok(Some(LimitHit::rule(format!("switch:{name}"), "platform")))
}
