//! A user of a server, with its token.

use barrage_testkit::{Answer, Server};
use serde_json::{Value, json};

pub(super) struct Person<'a> {
    pub(super) server: &'a Server,
    pub(super) user: String,
    pub(super) token: String,
}

impl<'a> Person<'a> {
    pub(super) async fn new(server: &'a Server, user: &str) -> Person<'a> {
        Person { server, user: user.into(), token: server.token(user, "*", "viewer").await }
    }

    pub(super) async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        self.server.call(method, path, &self.token, &body).await
    }

    /// Calls and expects success.
    pub(super) async fn done(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.call(method, path, body).await;
        assert_eq!(answer.status, 200, "{method} {path} by {}: {answer:?}", self.user);
        answer.body
    }

    /// Calls and expects a refusal; returns its code.
    pub(super) async fn refused(&self, method: &str, path: &str, body: Value) -> String {
        let answer = self.call(method, path, body).await;
        assert!((400..600).contains(&answer.status), "{method} {path} by {}: {answer:?}", self.user);
        answer.code().to_owned()
    }

    /// Sends a letter, and returns the answer.
    pub(super) async fn write(&self, to: &str, id: &str, text: &str) -> Value {
        self.done("POST", &format!("/v1/users/{to}/messages"), letter(id, text)).await
    }

    /// Sends a letter to a user whom the caller has made up.
    pub(super) async fn write_owned(&self, to: String, id: &str) -> Value {
        self.write(&to, id, "hello").await
    }

    /// Sends an item to a conversation, and returns the answer.
    pub(super) async fn post(&self, conversation: &str, id: &str, text: &str) -> Value {
        self.done("POST", &format!("/v1/conversations/{conversation}/messages"), letter(id, text)).await
    }

    /// Returns the inbox after an answer's place in the lane.
    pub(super) async fn inbox_after(&self, answer: &Value) -> Value {
        let (sequence, lane) = (&answer["sequence"], &answer["lane"]);
        self.done("GET", &format!("/v1/inbox?at_least={sequence}&lane={lane}"), Value::Null).await
    }

    /// Returns what the inbox has got after a cursor.
    pub(super) async fn since(&self, cursor: &Value, answer: &Value) -> Value {
        let (cursor, sequence) = (cursor.as_str().unwrap(), &answer["sequence"]);
        let path = format!("/v1/inbox?cursor={cursor}&at_least={sequence}&lane={}", answer["lane"]);
        self.done("GET", &path, Value::Null).await
    }

    /// Returns all items of a conversation that the user may read.
    pub(super) async fn items(&self, conversation: &str) -> Vec<Value> {
        let (mut items, mut after) = (Vec::new(), 0);
        loop {
            let path = format!("/v1/conversations/{conversation}/messages?after={after}&limit=200");
            let page = self.done("GET", &path, Value::Null).await;
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            if page["more"] == json!(false) {
                return items;
            }
            after = items.last().unwrap()["position"].as_u64().unwrap();
        }
    }
}

pub(super) fn letter(id: &str, text: &str) -> Value {
    json!({ "type": "text", "id": id, "text": text })
}

/// Returns the texts of items.
pub(super) fn texts(items: &[Value]) -> Vec<&str> {
    items.iter().filter_map(|item| item["body"]["text"].as_str()).collect()
}

/// Returns the one conversation of an inbox.
pub(super) fn only(inbox: &Value) -> &Value {
    let conversations = inbox["conversations"].as_array();
    let conversations = conversations.unwrap_or_else(|| panic!("no conversation in {inbox}"));
    assert_eq!(conversations.len(), 1, "{inbox}");
    &conversations[0]
}
