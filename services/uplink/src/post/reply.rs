//! The message to which a chat replies, as the server finds it.

use barrage_protocol::code::Refusal;
use barrage_protocol::emote::ReplyTo;
use barrage_protocol::{RoomId, Sequence, UserId};

use crate::room::RoomControl;

/// Returns author and name of a message; `None` for a signal, to which nothing replies.
///
/// # Errors
/// `not_found` where the room has no such message.
pub(super) async fn find(
    control: &RoomControl,
    room: &RoomId,
    sequence: Sequence,
) -> Result<Option<ReplyTo>, Refusal> {
    let found = control.find(room, sequence).await?;
    let text = |key: &str| found.body[key].as_str();
    let user = text("user").and_then(|user| UserId::parse(user).ok());
    Ok(user.zip(text("name")).map(|(user, name)| ReplyTo { sequence, user, name: name.to_owned() }))
}
