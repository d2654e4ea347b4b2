//! Letters, groups and the inbox: requests, answers, and the words that they share.
//!
//! A conversation is direct (two users) or a group. Its items have dense positions, from 1. `services/inbox`
//! decides about them.

mod answer;
mod group;
mod letter;
mod member;
mod push;
mod query;

pub use answer::{
    Accepted, ConversationKind, ConversationView, InboxAnswer, ItemView, ItemsPage, PlaceView,
    PreferencesAnswer, ReadAnswer, ReadsAnswer, UndeliveredView,
};
pub use group::{
    GroupAnswer, GroupRequest, GroupSettings, GroupView, HistoryPolicy, JoinPolicy, MemberRequest,
    MemberView, MembersPage,
};
pub use letter::{
    FILE_NAME_CHARS_MAX, LETTERS_MAX, LetterAnswer, LetterKind, LetterOutcome, LetterPackage,
    LetterPackageAnswer, LetterReportAnswer, LetterReportRequest, LetterRequest, MENTIONS_MAX, PlaceRequest,
    READS_MAX, ReadPlace, ReadsRequest,
};
pub use member::{Folder, Notify, Preferences, Receipts, Role, View, WritePolicy};
pub use push::{
    DeviceAnswer, DeviceOutcome, DeviceRemoved, DeviceRequest, DeviceView, DevicesAnswer, FollowAnswer,
    FollowsPage, LiveAnswer, LiveRequest, NotificationSettings, PushKeyAnswer, PushKeys, PushSubscription,
    QuietHours,
};
pub use query::{InboxQuery, ItemsQuery, MembersQuery};
