//! Super chats on top: those that come, those that were read, and those that leave.

use std::time::Duration;

use barrage_bus::{Change, Hidden, SuperChatChange};
use barrage_protocol::code::Refusal;
use barrage_protocol::state::RoomState;
use barrage_protocol::super_chat::OpenSuperChat;
use barrage_protocol::{Code, RoomId, Sequence};
use serde::Deserialize;
use serde_json::Value;

use super::control::RoomControl;
use super::message;
use super::signal::Signal;

/// Maximum time for which the answer to a super chat waits for its place on top.
const OPEN_TIMEOUT: Duration = Duration::from_secs(3);
/// First bytes of the body of a super chat.
const BODY_PREFIX: &[u8] = br#"{"type":"super_chat","#;

/// Returns the super chat of a published body when its tier has time on top.
fn on_top(sequence: Sequence, message: Value) -> Option<OpenSuperChat> {
    #[derive(Deserialize)]
    struct Tier {
        top_secs: u64,
    }
    let tier = Tier::deserialize(message.get("tier")?).ok()?;
    let at_ms = message["at_ms"].as_u64()?;
    let until_ms = at_ms.saturating_add(tier.top_secs.saturating_mul(1_000));
    (tier.top_secs > 0).then_some(OpenSuperChat { sequence, until_ms, read: false, message })
}

/// Returns whether a body that is about to be published is a super chat.
pub(crate) fn is_super_chat(body: &[u8]) -> bool {
    body.starts_with(BODY_PREFIX)
}

impl RoomControl {
    /// Puts a published super chat on top, when its tier has time there, and signals it. A failure is
    /// logged: the message itself is in the room, and the sender's retry puts it on top as well.
    pub(crate) async fn super_chat(&self, room: &RoomId, sequence: Sequence) {
        let opening = tokio::time::timeout(OPEN_TIMEOUT, self.open_super_chat(room, sequence)).await;
        let code = match opening {
            Ok(Ok(())) => return,
            Ok(Err(refusal)) => refusal.code,
            Err(_) => Code::Timeout,
        };
        tracing::warn!(%room, %sequence, code = code.label(), "a super chat is not on top");
    }

    async fn open_super_chat(&self, room: &RoomId, sequence: Sequence) -> Result<(), Refusal> {
        // The body as it was published first, also for a retry.
        let found = self.find(room, sequence).await?;
        let Some(open) = on_top(sequence, found.body.clone()) else { return Ok(()) };
        if open.until_ms <= barrage_clock::unix_ms() {
            return Ok(());
        }
        self.change_super_chats(room, SuperChatChange::Open(open)).await?;
        // An action that hid the message before it was on top has not removed it.
        if message::is_hidden(self.bus(), room, sequence, &found).await? {
            self.hide_super_chats(room, Hidden::Message(sequence), Sequence::MAX).await?;
        }
        Ok(())
    }

    /// Marks a super chat as read, or takes the mark back.
    ///
    /// # Errors
    /// `not_found` for one that is not on top.
    pub(crate) async fn read_super_chat(
        &self,
        room: &RoomId,
        sequence: Sequence,
        on: bool,
    ) -> Result<Sequence, Refusal> {
        let change = SuperChatChange::Read { sequence, on };
        let changed = self.bus().change(Change::SuperChats { room: room.clone(), change }).await?;
        let (before, after) = (changed.super_chats_before(), changed.super_chats());
        if after.get(sequence).is_none() {
            let message = "no super chat with this sequence is on top of this room";
            return Err(Refusal::new(Code::NotFound, message));
        }
        let super_chats = after.state_since(&before);
        let state = RoomState { super_chats, ..RoomState::default() };
        self.signal_change(room, &Signal::SuperChatRead { sequence, on }, &state, &changed).await
    }

    /// Removes the super chats that an action has hidden, of those before its signal at `before`. Called behind
    /// the signal, so that one that comes on top meanwhile sees it.
    pub(super) async fn hide_super_chats(
        &self,
        room: &RoomId,
        hidden: Hidden,
        before: Sequence,
    ) -> Result<(), Refusal> {
        self.change_super_chats(room, SuperChatChange::Hide { hidden, before }).await
    }

    /// Removes the super chats whose time is over. A failure is logged, and the next sweep tries again: a room
    /// that fails does not hold up the others.
    pub(super) async fn expire_super_chats(&self, now_ms: u64) {
        let settings = self.settings();
        let due = settings.super_chats.iter().filter(|(_, chats)| chats.has_expired(now_ms));
        for room in due.map(|(room, _)| room.clone()).collect::<Vec<_>>() {
            if let Err(refusal) = self.change_super_chats(&room, SuperChatChange::Expire { now_ms }).await {
                let code = refusal.code.label();
                tracing::debug!(%room, code, "super chats that are over were not removed");
            }
        }
    }

    /// Changes the super chats on top, and signals the difference when there is one. Of several uplinks that
    /// remove the same ones, one changes the value, and the others signal nothing.
    async fn change_super_chats(&self, room: &RoomId, change: SuperChatChange) -> Result<(), Refusal> {
        let changed = self.bus().change(Change::SuperChats { room: room.clone(), change }).await?;
        let (before, after) = (changed.super_chats_before(), changed.super_chats());
        if before.version() == after.version() {
            return Ok(());
        }
        let super_chats = after.state_since(&before);
        let state = RoomState { super_chats, ..RoomState::default() };
        self.without_id().signal_change(room, &Signal::State {}, &state, &changed).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_super_chat_is_on_top_for_the_time_of_its_tier() {
        let body = |tier: Value| serde_json::json!({ "type": "super_chat", "tier": tier, "at_ms": 5_000 });
        let until = |tier| on_top(Sequence(1), body(tier)).map(|open| open.until_ms);
        assert_eq!(until(serde_json::json!({ "level": 1, "color": 1, "top_secs": 60 })), Some(65_000));
        assert_eq!(until(serde_json::json!({ "level": 1, "color": 1, "top_secs": 0 })), None);
        assert_eq!(until(Value::Null), None, "a body of an earlier release");
        assert!(is_super_chat(br#"{"type":"super_chat","id":"s"}"#) && !is_super_chat(br#"{"type":"chat"}"#));
    }
}
