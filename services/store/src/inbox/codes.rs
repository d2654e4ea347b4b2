//! Small numbers and texts of columns, and the values that they stand for.

use barrage_inbox::{
    ConversationState, Folder, GroupSettings, ItemKind, ItemState, LetterKind, Notify, Receipts, Refusal,
    Role, WritePolicy,
};

use super::error::InboxError;
use super::push::PushKind;

/// A value that a column keeps as a small number. A released number must never change.
pub(super) trait Code: Copy + PartialEq + 'static {
    /// Name of the column, for errors.
    const COLUMN: &'static str;
    /// Numbers of all values.
    const CODES: &'static [(Self, i16)];

    fn code(self) -> i16 {
        let found = Self::CODES.iter().find(|(value, _)| *value == self);
        found.map(|(_, code)| *code).expect("the table has every value")
    }

    fn of_code(code: i16) -> Result<Self, InboxError> {
        let found = Self::CODES.iter().find(|(_, known)| *known == code);
        found.map(|(value, _)| *value).ok_or(InboxError::Corrupt(Self::COLUMN))
    }
}

macro_rules! codes {
    ($($type:ty, $column:literal: $($value:expr => $code:literal),+;)+) => {$(
        impl Code for $type {
            const COLUMN: &'static str = $column;
            const CODES: &'static [(Self, i16)] = &[$(($value, $code)),+];
        }
    )+};
}

codes! {
    WritePolicy, "policy": WritePolicy::Everyone => 0, WritePolicy::Requests => 1, WritePolicy::Known => 2;
    Receipts, "receipts": Receipts::Shown => 0, Receipts::Hidden => 1;
    ConversationState, "state of a conversation": ConversationState::Open => 0, ConversationState::Deleted => 1;
    Folder, "folder": Folder::Main => 0, Folder::Request => 1, Folder::Archived => 2;
    Notify, "notify": Notify::All => 0, Notify::Mention => 1, Notify::None => 2;
    Role, "role": Role::Banned => 0, Role::Applicant => 1, Role::Muted => 2, Role::Member => 3,
        Role::Moderator => 4, Role::Owner => 5;
    ItemKind, "kind": ItemKind::Letter(LetterKind::Text) => 0, ItemKind::Letter(LetterKind::Sticker) => 1,
        ItemKind::Letter(LetterKind::Image) => 2, ItemKind::Letter(LetterKind::File) => 3, ItemKind::Recall => 4;
    ItemState, "state of an item": ItemState::Shown => 0, ItemState::Recalled => 1;
    PushKind, "kind of a notification": PushKind::Letter => 0, PushKind::Mention => 1;
}

/// Returns the column of a group's settings; null for the default, which every direct conversation has.
pub(super) fn settings_text(settings: &GroupSettings) -> Result<Option<String>, InboxError> {
    if *settings == GroupSettings::default() {
        return Ok(None);
    }
    let text = serde_json::to_string(settings).map_err(|_| InboxError::Corrupt("settings"))?;
    // PostgreSQL cannot store NUL, which JSON has only as an escape: so a title with one is safe.
    Ok(Some(text))
}

pub(super) fn settings_of(text: Option<&str>) -> Result<GroupSettings, InboxError> {
    let Some(text) = text else { return Ok(GroupSettings::default()) };
    serde_json::from_str(text).map_err(|_| InboxError::Corrupt("settings"))
}

pub(super) fn refusal_of(label: &str) -> Result<Refusal, InboxError> {
    let found = Refusal::ALL.into_iter().find(|refusal| refusal.label() == label);
    found.ok_or(InboxError::Corrupt("refusal"))
}

/// Returns a count or position as a column has it. Positions are below 2^53.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Returns a count or position of a column.
pub(super) fn uint(value: i64) -> Result<u64, InboxError> {
    u64::try_from(value).map_err(|_| InboxError::Corrupt("count"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_round_trip<T: Code + std::fmt::Debug>() {
        for (place, (value, code)) in T::CODES.iter().enumerate() {
            assert_eq!(usize::try_from(*code).unwrap(), place);
            assert_eq!((value.code(), T::of_code(*code).unwrap()), (*code, *value));
        }
        assert!(T::of_code(-1).is_err());
    }

    #[test]
    fn every_code_stands_for_one_value() {
        assert_round_trip::<WritePolicy>();
        assert_round_trip::<Receipts>();
        assert_round_trip::<ConversationState>();
        assert_round_trip::<Folder>();
        assert_round_trip::<Notify>();
        assert_round_trip::<Role>();
        assert_round_trip::<ItemKind>();
        assert_round_trip::<ItemState>();
        assert_round_trip::<PushKind>();
        assert_eq!(ItemKind::CODES.len(), ItemKind::ALL.len());
    }
}
