//! The HTTP request of a call, by the description of its operation.

use anyhow::Context;
use barrage_openapi::Operation;
use reqwest::Url;

use super::call::Call;
use crate::commands::admin_request::Request;

/// Finds the description of a call's operation.
pub(crate) fn operation(call: &Call) -> anyhow::Result<Operation> {
    let found = crate::api::operations().into_iter().find(|operation| operation.id == call.operation);
    found.with_context(|| format!("the API has no operation {}", call.operation))
}

/// Makes the request of a call.
pub(crate) fn request(call: &Call, operation: &Operation) -> anyhow::Result<Request> {
    // The host is left out of the result: `Url` encodes the values.
    let mut url = Url::parse("http://host/").context("a URL")?;
    if let Ok(mut segments) = url.path_segments_mut() {
        for part in operation.path.trim_start_matches('/').split('/') {
            match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                Some(name) => {
                    let value = call.path.iter().find(|(of, _)| *of == name);
                    segments.push(&value.with_context(|| format!("{}: no {name}", call.operation))?.1)
                }
                None => segments.push(part),
            };
        }
        segments.pop_if_empty();
    }
    if !call.query.is_empty() {
        url.query_pairs_mut().extend_pairs(&call.query);
    }
    let path = url.as_str().trim_start_matches("http://host").to_owned();
    Ok(Request { method: operation.method.name(), path, body: call.body.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::admin::{AuditCommand, SwitchCommand, UserCommand, UserInRoom};
    use crate::commands::admin::verbs::Verb;

    fn request_of(verb: &impl Verb) -> Request {
        let call = verb.call();
        request(&call, &operation(&call).unwrap()).unwrap()
    }

    #[test]
    fn values_are_encoded_in_the_path_and_the_query() {
        let set = SwitchCommand::Set { name: "a/b?c".into(), value: "open".into() };
        assert_eq!(request_of(&set).path, "/v1/admin/switches/a%2Fb%3Fc");
        assert_eq!(request_of(&set).body, Some(serde_json::json!({ "value": "open" })));
        let list = AuditCommand::List {
            room: "r".parse().ok(),
            user: None,
            actor: Some("a&b".into()),
            action: Some("mute".into()),
            before: Some(7),
            limit: None,
        };
        assert_eq!(request_of(&list).path, "/v1/admin/audit?room=r&actor=a%26b&action=mute&before=7");
    }

    #[test]
    fn method_path_and_body_come_from_the_operation_and_the_arguments() {
        let target = UserInRoom { user: "u".parse().unwrap(), room: "r".parse().unwrap(), reason: None };
        let mute = request_of(&UserCommand::Mute { target, time: std::time::Duration::from_secs(600) });
        assert_eq!((mute.method, mute.path.as_str()), ("POST", "/v1/admin/rooms/r/mute"));
        assert_eq!(mute.body, Some(serde_json::json!({ "user": "u", "secs": 600 })));
    }
}
