//! Description of the routes of letters, groups and the inbox.

use barrage_openapi::Method::{Delete, Get, Patch, Post, Put};
use barrage_openapi::{Access, Method, Operation, Server};
use barrage_protocol::Code;
use barrage_protocol::inbox::{
    Accepted, GroupAnswer, GroupRequest, GroupSettings, GroupView, InboxAnswer, InboxQuery, ItemsPage,
    ItemsQuery, LetterAnswer, LetterPackage, LetterPackageAnswer, LetterReportAnswer, LetterReportRequest,
    LetterRequest, MemberRequest, MembersPage, MembersQuery, PlaceRequest, Preferences, PreferencesAnswer,
    ReadAnswer, ReadsAnswer, ReadsRequest, View,
};

/// Codes by which an uplink refuses a letter.
const LETTER_CODES: &[Code] = &[
    Code::BadText,
    Code::Conflict,
    Code::NotMember,
    Code::Blocked,
    Code::RequestsOnly,
    Code::Muted,
    Code::SlowMode,
    Code::InboxBehind,
];

/// Codes by which an uplink refuses a change of a group.
const GROUP_CODES: &[Code] = &[
    Code::BadText,
    Code::Conflict,
    Code::NotMember,
    Code::NotFound,
    Code::GroupFull,
    Code::TooManyGroups,
    Code::InboxBehind,
];

const ACCEPTED: &str = "The change is durable, and in force a moment later.";

/// Describes the public routes.
pub(crate) fn operations() -> Vec<Operation> {
    let mut all = letters();
    all.extend(reading());
    all.extend(changes());
    all.extend(groups());
    all.extend(super::push::operations());
    all
}

fn of(id: &'static str, method: Method, path: &'static str, summary: &'static str) -> Operation {
    Operation::new(id, method, path, summary).by(Server::Uplink, Access::Sender)
}

fn letters() -> Vec<Operation> {
    vec![
        of("letter_send", Post, "/v1/users/{user}/messages", "Sends a letter to a user.")
            .body::<LetterRequest>()
            .answers::<LetterAnswer>(200, "The letter is durable.")
            .refuses(LETTER_CODES),
        of("letter_package", Post, "/v1/users/{user}/packages", "Sends letters to a user: all, or none.")
            .body::<LetterPackage>()
            .answers::<LetterPackageAnswer>(200, "All letters are durable, in their order.")
            .refuses(LETTER_CODES),
        of(
            "conversation_send",
            Post,
            "/v1/conversations/{conversation}/messages",
            "Sends an item to a conversation.",
        )
        .body::<LetterRequest>()
        .answers::<LetterAnswer>(200, "The item is durable.")
        .refuses(LETTER_CODES),
        of(
            "conversation_package",
            Post,
            "/v1/conversations/{conversation}/packages",
            "Sends items to a conversation: all, or none.",
        )
        .body::<LetterPackage>()
        .answers::<LetterPackageAnswer>(200, "All items are durable, in their order.")
        .refuses(LETTER_CODES),
    ]
}

fn reading() -> Vec<Operation> {
    vec![
        of("inbox_sync", Get, "/v1/inbox", "Returns what a device lacks of its user's inbox.")
            .query::<InboxQuery>()
            .answers::<InboxAnswer>(200, "Changed conversations, with a cursor for the next request.")
            .refuses(&[Code::BadCursor]),
        of(
            "conversation_items",
            Get,
            "/v1/conversations/{conversation}/messages",
            "Lists items of a conversation.",
        )
        .query::<ItemsQuery>()
        .answers::<ItemsPage>(200, "A page of items, oldest first.")
        .refuses(&[Code::NotMember]),
        of(
            "conversation_read",
            Get,
            "/v1/conversations/{conversation}/read",
            "Returns how far a conversation is read.",
        )
        .answers::<ReadAnswer>(200, "The user's place, and its peer's when both show it.")
        .refuses(&[Code::NotMember]),
        of("preferences_show", Get, "/v1/inbox/preferences", "Returns a user's rules for letters.")
            .answers::<PreferencesAnswer>(200, "The rules, and the users whom the user blocks."),
    ]
}

fn changes() -> Vec<Operation> {
    let place = |id, path, summary| {
        of(id, Post, path, summary)
            .body::<PlaceRequest>()
            .answers::<Accepted>(200, ACCEPTED)
            .refuses(&[Code::InboxBehind])
    };
    let change = |id, method, path, summary| {
        of(id, method, path, summary).answers::<Accepted>(200, ACCEPTED).refuses(&[Code::InboxBehind])
    };
    vec![
        of("inbox_read", Post, "/v1/inbox/reads", "Tells how far the user has read conversations.")
            .body::<ReadsRequest>()
            .answers::<ReadsAnswer>(200, "The reads are merged and written soon.")
            .refuses(&[Code::InboxBehind]),
        place("item_recall", "/v1/conversations/{conversation}/recall", "Recalls an item for all."),
        place("item_hide", "/v1/conversations/{conversation}/hide", "Hides an item from the user."),
        place(
            "conversation_clear",
            "/v1/conversations/{conversation}/clear",
            "Clears the items up to a position from the user.",
        ),
        change(
            "conversation_see",
            Patch,
            "/v1/conversations/{conversation}",
            "Changes the user's view of a conversation.",
        )
        .body::<View>(),
        change("preferences_set", Put, "/v1/inbox/preferences", "Sets a user's rules for letters.")
            .body::<Preferences>(),
        of("report_letter", Post, "/v1/reports", "Reports a user of a conversation to the operators.")
            .body::<LetterReportRequest>()
            .answers::<LetterReportAnswer>(200, "The report is durable, with the last items as evidence.")
            .refuses(&[Code::NotMember, Code::BadText]),
        change("block_begin", Put, "/v1/blocks/{user}", "Blocks a user."),
        change("block_end", Delete, "/v1/blocks/{user}", "Ends the block of a user."),
    ]
}

fn groups() -> Vec<Operation> {
    let change = |id, method, path, summary| {
        of(id, method, path, summary)
            .answers::<GroupAnswer>(200, "The change is durable; the answer says whether it is in force.")
            .refuses(GROUP_CODES)
    };
    let shown = |operation: Operation| operation.refuses(&[Code::NotMember, Code::NotFound]);
    vec![
        change("group_create", Post, "/v1/groups", "Makes a group.").body::<GroupSettings>(),
        shown(
            of("group_show", Get, "/v1/groups/{group}", "Shows a group.")
                .answers::<GroupView>(200, "The group, also before the user joins."),
        ),
        change("group_change", Patch, "/v1/groups/{group}", "Changes title or rules of a group.")
            .body::<GroupRequest>(),
        change("group_delete", Delete, "/v1/groups/{group}", "Deletes a group."),
        change("group_join", Post, "/v1/groups/{group}/join", "Joins a group, or asks to."),
        change("group_leave", Post, "/v1/groups/{group}/leave", "Leaves a group."),
        shown(
            of("group_members", Get, "/v1/groups/{group}/members", "Lists members of a group.")
                .query::<MembersQuery>()
                .answers::<MembersPage>(200, "A page of members, by id."),
        ),
        change(
            "group_appoint",
            Put,
            "/v1/groups/{group}/members/{user}",
            "Gives a member of a group another role.",
        )
        .body::<MemberRequest>(),
    ]
}
