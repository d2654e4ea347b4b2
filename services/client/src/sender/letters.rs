//! Letters, groups and the inbox of a user: one call for each request.

use barrage_protocol::inbox::{
    Accepted, GroupAnswer, GroupRequest, GroupSettings, GroupView, InboxAnswer, InboxQuery, ItemsPage,
    ItemsQuery, LetterAnswer, LetterPackage, LetterPackageAnswer, LetterReportAnswer, LetterReportRequest,
    LetterRequest, MemberRequest, MembersPage, MembersQuery, PlaceRequest, Preferences, PreferencesAnswer,
    ReadAnswer, ReadPlace, ReadsAnswer, ReadsRequest, Role, View,
};
use barrage_protocol::{RoomId, UserId};
use bytes::Bytes;
use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Refusals, Request, Sender};
use crate::error::SendError;

/// Requests of letters, groups and the inbox, in the name of a sender's user. Clones share its connections.
///
/// Where no server answers, a request is made again until the deadline: an id makes a letter one letter, and the
/// other changes have the same effect twice. Each refusal is returned at once. A conversation is named by the id
/// that answers have.
#[derive(Debug, Clone)]
pub struct Letters {
    sender: Sender,
    /// Room whose uplinks are used; those of any room without one.
    room: Option<RoomId>,
}

impl Sender {
    /// Returns the requests of letters. Entry is asked for the uplinks of `room`; configured uplinks are used as they
    /// are.
    #[must_use]
    pub fn letters(&self, room: &RoomId) -> Letters {
        Letters { sender: self.clone(), room: Some(room.clone()) }
    }

    /// Returns the requests of letters for a program that is in no room. Entry is asked for the uplinks of any room;
    /// configured uplinks are used as they are.
    #[must_use]
    pub fn letters_without_room(&self) -> Letters {
        Letters { sender: self.clone(), room: None }
    }
}

/// Letters and items, and what they change for others.
impl Letters {
    /// Sends a letter to a user. It is durable when this returns.
    pub async fn send(&self, to: &UserId, letter: &LetterRequest) -> Result<LetterAnswer, SendError> {
        self.post(format!("/v1/users/{to}/messages"), letter).await
    }

    /// Sends letters to a user: all, or none.
    pub async fn send_package(
        &self,
        to: &UserId,
        package: &LetterPackage,
    ) -> Result<LetterPackageAnswer, SendError> {
        self.post(format!("/v1/users/{to}/packages"), package).await
    }

    /// Sends an item to a conversation of the user.
    pub async fn send_to(
        &self,
        conversation: &str,
        letter: &LetterRequest,
    ) -> Result<LetterAnswer, SendError> {
        self.post(of_conversation(conversation, "/messages")?, letter).await
    }

    /// Sends items to a conversation of the user: all, or none.
    pub async fn send_package_to(
        &self,
        conversation: &str,
        package: &LetterPackage,
    ) -> Result<LetterPackageAnswer, SendError> {
        self.post(of_conversation(conversation, "/packages")?, package).await
    }

    /// Recalls an item for all.
    pub async fn recall(&self, conversation: &str, position: u64) -> Result<Accepted, SendError> {
        self.post(of_conversation(conversation, "/recall")?, &PlaceRequest { position }).await
    }

    /// Reports a user of a conversation to the operators.
    pub async fn report(&self, request: &LetterReportRequest) -> Result<LetterReportAnswer, SendError> {
        self.post("/v1/reports".into(), request).await
    }
}

/// The inbox, and what its user changes for itself.
impl Letters {
    /// Returns what a device lacks of the inbox.
    pub async fn sync(&self, query: &InboxQuery) -> Result<InboxAnswer, SendError> {
        self.get(with_query("/v1/inbox".into(), query)).await
    }

    /// Returns items of a conversation.
    pub async fn items(&self, conversation: &str, query: &ItemsQuery) -> Result<ItemsPage, SendError> {
        self.get(with_query(of_conversation(conversation, "/messages")?, query)).await
    }

    /// Returns how far a conversation is read.
    pub async fn read_places(&self, conversation: &str) -> Result<ReadAnswer, SendError> {
        self.get(of_conversation(conversation, "/read")?).await
    }

    /// Tells how far the user has read conversations.
    pub async fn read(&self, reads: Vec<ReadPlace>) -> Result<ReadsAnswer, SendError> {
        self.post("/v1/inbox/reads".into(), &ReadsRequest { reads }).await
    }

    /// Hides an item from the user.
    pub async fn hide(&self, conversation: &str, position: u64) -> Result<Accepted, SendError> {
        self.post(of_conversation(conversation, "/hide")?, &PlaceRequest { position }).await
    }

    /// Clears the items up to a position from the user.
    pub async fn clear(&self, conversation: &str, position: u64) -> Result<Accepted, SendError> {
        self.post(of_conversation(conversation, "/clear")?, &PlaceRequest { position }).await
    }

    /// Changes the user's view of a conversation: its folder, its notifications, its marks.
    pub async fn see(&self, conversation: &str, view: &View) -> Result<Accepted, SendError> {
        self.change(Method::PATCH, of_conversation(conversation, "")?, view).await
    }

    /// Returns the user's rules for letters, and the users whom the user blocks.
    pub async fn preferences(&self) -> Result<PreferencesAnswer, SendError> {
        self.get("/v1/inbox/preferences".into()).await
    }

    /// Sets the user's rules for letters.
    pub async fn prefer(&self, preferences: &Preferences) -> Result<Accepted, SendError> {
        self.change(Method::PUT, "/v1/inbox/preferences".into(), preferences).await
    }

    /// Blocks letters from a user, and to it.
    pub async fn block(&self, user: &UserId) -> Result<Accepted, SendError> {
        self.without_body(Method::PUT, format!("/v1/blocks/{user}")).await
    }

    /// Ends the block of a user.
    pub async fn unblock(&self, user: &UserId) -> Result<Accepted, SendError> {
        self.without_body(Method::DELETE, format!("/v1/blocks/{user}")).await
    }
}

/// Groups and their members.
impl Letters {
    /// Makes a group, in one request without a retry: a second one would make a second group.
    pub async fn create_group(&self, settings: &GroupSettings) -> Result<GroupAnswer, SendError> {
        let request = self.request(Method::POST, "/v1/groups".into(), Some(json(settings)));
        self.sender.once(self.room.as_ref(), &request).await
    }

    /// Shows a group, also before the user joins.
    pub async fn group(&self, group: &str) -> Result<GroupView, SendError> {
        self.get(of_group(group, "")?).await
    }

    /// Changes title or rules of a group.
    pub async fn change_group(&self, group: &str, request: &GroupRequest) -> Result<GroupAnswer, SendError> {
        self.change(Method::PATCH, of_group(group, "")?, request).await
    }

    /// Deletes a group of the user.
    pub async fn delete_group(&self, group: &str) -> Result<GroupAnswer, SendError> {
        self.without_body(Method::DELETE, of_group(group, "")?).await
    }

    /// Joins a group, or asks to.
    pub async fn join(&self, group: &str) -> Result<GroupAnswer, SendError> {
        self.without_body(Method::POST, of_group(group, "/join")?).await
    }

    /// Leaves a group, which bounds what the user reads.
    pub async fn leave(&self, group: &str) -> Result<GroupAnswer, SendError> {
        self.without_body(Method::POST, of_group(group, "/leave")?).await
    }

    /// Lists members of a group, 200 a page.
    pub async fn members(&self, group: &str, query: &MembersQuery) -> Result<MembersPage, SendError> {
        self.get(with_query(of_group(group, "/members")?, query)).await
    }

    /// Gives a member of a group another role.
    pub async fn appoint(&self, group: &str, user: &UserId, role: Role) -> Result<GroupAnswer, SendError> {
        self.change(Method::PUT, of_group(group, &format!("/members/{user}"))?, &MemberRequest { role }).await
    }
}

impl Letters {
    fn request(&self, method: Method, path: String, json: Option<Bytes>) -> Request {
        Request { method, path, token: self.sender.config.token.clone(), json }
    }

    async fn answered<T: DeserializeOwned>(&self, request: Request) -> Result<T, SendError> {
        self.sender.answered(self.room.as_ref(), request, Refusals::Return).await
    }

    async fn get<T: DeserializeOwned>(&self, path: String) -> Result<T, SendError> {
        self.without_body(Method::GET, path).await
    }

    async fn post<T: DeserializeOwned>(&self, path: String, body: &impl Serialize) -> Result<T, SendError> {
        self.change(Method::POST, path, body).await
    }

    async fn change<T: DeserializeOwned>(
        &self,
        method: Method,
        path: String,
        body: &impl Serialize,
    ) -> Result<T, SendError> {
        self.answered(self.request(method, path, Some(json(body)))).await
    }

    async fn without_body<T: DeserializeOwned>(&self, method: Method, path: String) -> Result<T, SendError> {
        self.answered(self.request(method, path, None)).await
    }
}

fn json(body: &impl Serialize) -> Bytes {
    Bytes::from(serde_json::to_vec(body).expect("requests are plain data"))
}

/// Returns a path with a query; alone where the query has no field.
fn with_query(path: String, query: &impl Serialize) -> String {
    let query = serde_urlencoded::to_string(query).expect("queries are numbers and texts");
    if query.is_empty() { path } else { format!("{path}?{query}") }
}

fn of_conversation(conversation: &str, resource: &str) -> Result<String, SendError> {
    of("conversations", conversation, resource)
}

fn of_group(group: &str, resource: &str) -> Result<String, SendError> {
    of("groups", group, resource)
}

/// Returns the path of a conversation. A text that is no id would name another path.
fn of(kind: &str, id: &str, resource: &str) -> Result<String, SendError> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let has_name = id.split_once('.').is_some_and(|(kind, name)| !kind.is_empty() && !name.is_empty());
    if !has_name || !id.bytes().all(is_allowed) {
        return Err(SendError::Config(format!("{id:?} is no id of a conversation")));
    }
    Ok(format!("/v1/{kind}/{id}{resource}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_an_id_and_a_query_where_there_is_one() {
        let path = of_conversation("d.5f2b8c0d7a9e4f13b6a1c2d3e4f50617", "/messages").unwrap();
        let query = ItemsQuery { after: Some(7), ..ItemsQuery::default() };
        assert!(with_query(path.clone(), &query).ends_with("4f50617/messages?after=7"));
        assert_eq!(with_query(path.clone(), &ItemsQuery::default()), path);
        let user = MembersQuery { after: Some("a:b@c".parse().unwrap()) };
        assert_eq!(with_query("/m".into(), &user), "/m?after=a%3Ab%40c");
    }

    #[test]
    fn text_that_is_no_id_makes_no_path() {
        for wrong in ["", ".", "..", "demo", "g.", ".x", "g.a/b", "g.a?b", "g.a#b", "g.\u{5f39}"] {
            assert!(of_group(wrong, "/join").is_err(), "{wrong}");
        }
        assert_eq!(of_group("g.a-B_1", "/join").unwrap(), "/v1/groups/g.a-B_1/join");
    }
}
