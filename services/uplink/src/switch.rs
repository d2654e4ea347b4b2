//! What operators have switched off, for posts. Pure.

use std::borrow::Cow;

use barrage_bus::Switches;
use barrage_http::ApiError;
use barrage_protocol::code::LimitHit;
use barrage_protocol::post::{Post, Style};
use barrage_protocol::{Class, Code};
use barrage_token::{Identity, Role};

use crate::gifts;

/// When to come back while the platform is read-only.
const READ_ONLY_RETRY_MS: u64 = 15_000;

/// The switch that holds this post back; an error when it may not be posted at all.
pub(crate) fn held(switches: &Switches, by: &Identity, post: &Post) -> Result<Option<LimitHit>, ApiError> {
    if switches.read_only && by.role < Role::Admin {
        let error = ApiError::new(Code::Unavailable, "posting is switched off just now");
        return Err(error.retry_after_ms(READ_ONLY_RETRY_MS));
    }
    let name = match post.class() {
        Class::Pulse if switches.no_likes => "no-likes",
        Class::Pulse if switches.text_only => "text-only",
        _ if switches.hold_chat && by.role < Role::Moderator && gifts::obeys_room(post) => "hold-chat",
        Class::Signal | Class::Gift | Class::Chat | Class::Pulse => return Ok(None),
    };
    Ok(Some(hit(name)))
}

fn hit(name: &str) -> LimitHit {
    LimitHit::rule(format!("switch:{name}"), "platform")
}

/// The post in the style that is allowed now.
pub(crate) fn plain<'a>(switches: &Switches, post: &'a Post) -> Cow<'a, Post> {
    match post {
        Post::Chat { id, text, .. } if switches.text_only => {
            Cow::Owned(Post::Chat { id: id.clone(), text: text.clone(), style: Style::default() })
        }
        _ => Cow::Borrowed(post),
    }
}
