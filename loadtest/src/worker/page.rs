//! What a viewer's page asks the uplink for when it opens: the last messages of the room.

use std::rc::Rc;

use barrage_protocol::Sequence;
use barrage_protocol::code::ErrorBody;
use hyper::StatusCode;

use super::context::Context;
use crate::clock::Moment;
use crate::measure::interval::tally;
use crate::net::http::Call;
use crate::scenario::Identity;

/// Reads what is before the position of a first hello, in a task of its own, if the scenario says so. The
/// viewers' joins bound the number of these tasks.
pub(crate) fn open(context: &Rc<Context>, viewer: u32, room: usize, position: Sequence) {
    let limit = context.plan.scenario.history;
    if limit == 0 {
        return;
    }
    context.interval.borrow_mut().histories += 1;
    let (context, began) = (Rc::clone(context), Moment::now());
    tokio::task::spawn_local(async move {
        let room = &context.popularity.rooms()[room];
        let before = position.0.saturating_add(1);
        let path = format!("/v1/rooms/{room}/history?before={before}&limit={limit}");
        let answer = read(&context, viewer, &path).await;
        let mut interval = context.interval.borrow_mut();
        match answer {
            Ok(()) => interval.history.record(Moment::now().since(began)),
            Err(reason) => tally(&mut interval.histories_failed, &reason, 1),
        }
    });
}

async fn read(context: &Context, viewer: u32, path: &str) -> Result<(), String> {
    let tokens = &context.plan.tokens;
    let token = match context.plan.scenario.viewer_identity {
        Identity::Anonymous => None,
        Identity::Token => Some(tokens[viewer as usize % tokens.len()].as_str()),
    };
    let uplink = context.uplink().await?;
    let answer = uplink.call(&Call { token, ..Call::get(path) }).await;
    let (status, body) = answer.map_err(|error| error.to_string())?;
    if status == StatusCode::OK {
        return Ok(());
    }
    let code =
        serde_json::from_slice::<ErrorBody>(&body).map(|refused| refused.error.code.label().to_owned());
    Err(code.unwrap_or_else(|_| format!("status {}", status.as_u16())))
}
