//! What users change for themselves and for items: recall, hide, clear, view, rules, blocks.

use barrage_inbox::{ConversationId, Event, Place, Position};
use barrage_protocol::UserId;
use barrage_protocol::code::Refusal;
use barrage_protocol::inbox::{Accepted, Preferences, PreferencesAnswer, View};
use barrage_store::AwayRange;

use super::compose::check_position;
use super::control::InboxControl;
use super::erased::is_pseudonym;
use super::refusals::{malformed, unreadable};

/// What a user does to an item, or to all items up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ItemChange {
    /// The item is recalled for all.
    Recall,
    /// The user hides the item from itself.
    Hide,
    /// The user clears the items up to this one from itself.
    Clear,
}

/// A block that begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Block {
    Begin,
    End,
}

impl InboxControl {
    /// Takes a change of an item. Whether it has an effect shows at the next sync.
    pub(crate) async fn change_item(
        &self,
        user: &UserId,
        conversation: ConversationId,
        position: u64,
        change: ItemChange,
    ) -> Result<Accepted, Refusal> {
        check_position(position)?;
        let place = Place { user: user.clone(), conversation, position: Position(position) };
        self.append_one(match change {
            ItemChange::Recall => Event::Recall(place),
            ItemChange::Hide => Event::Hide(place),
            ItemChange::Clear => Event::Clear(place),
        })
        .await
    }

    /// Takes a change of the user's view of a conversation.
    pub(crate) async fn see(
        &self,
        user: &UserId,
        conversation: ConversationId,
        view: View,
    ) -> Result<Accepted, Refusal> {
        if view == View::default() {
            return Err(malformed("name at least one of folder, notify, pinned and marked"));
        }
        self.append_one(Event::See { user: user.clone(), conversation, view }).await
    }

    /// Takes the user's rules for letters.
    pub(crate) async fn prefer(&self, user: &UserId, preferences: Preferences) -> Result<Accepted, Refusal> {
        self.append_one(Event::Prefer { user: user.clone(), preferences }).await
    }

    /// Returns the user's rules and blocks.
    pub(crate) async fn preferences(&self, user: &UserId) -> Result<PreferencesAnswer, Refusal> {
        let range = AwayRange::after(barrage_inbox::Version(u64::MAX >> 12));
        let away = self.store.away(user, range, 1_000).await.map_err(|error| unreadable(&error))?;
        Ok(away.map_or_else(
            || PreferencesAnswer { preferences: Preferences::default(), blocked: Vec::new() },
            |away| PreferencesAnswer { preferences: away.user.preferences, blocked: away.blocked },
        ))
    }

    /// Begins or ends a block. The id of an erased user is refused.
    pub(crate) async fn block(
        &self,
        user: &UserId,
        other: &UserId,
        block: Block,
    ) -> Result<Accepted, Refusal> {
        if user == other {
            return Err(malformed("a user cannot block itself"));
        }
        // A block that begins gives a row to each name that is new. The pseudonym of an erased user has its row, and a
        // block of it from before may end.
        if block == Block::Begin || !is_pseudonym(other) {
            self.refuse_erased(other).await?;
        }
        let (user, other) = (user.clone(), other.clone());
        self.access.forget_terms(&user, &other).await;
        self.append_one(match block {
            Block::Begin => Event::Block { user, other },
            Block::End => Event::Unblock { user, other },
        })
        .await
    }
}
