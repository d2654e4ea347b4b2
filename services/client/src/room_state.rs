//! State of the room as a viewer knows it, from hellos and signals. Pure.

use barrage_protocol::Class;
use barrage_protocol::frame::BatchMessage;
use barrage_protocol::state::RoomState;
use serde::Deserialize;

/// Takes what is newer in a message's state. Returns whether anything was: most messages have none.
pub(crate) fn take_message(state: &mut RoomState, message: &BatchMessage) -> bool {
    #[derive(Deserialize)]
    struct WithState {
        state: Option<RoomState>,
    }
    if message.class != Class::Signal {
        return false;
    }
    match serde_json::from_str(message.body.get()) {
        Ok(WithState { state: Some(change) }) => state.merge(change),
        // A state of another shape is of a newer server.
        Ok(WithState { state: None }) | Err(_) => false,
    }
}

#[cfg(test)]
mod tests;
