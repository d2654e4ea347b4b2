//! The one path of a change of an attribute: rights, value under its version, signal, audit log, answer.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{Bus, Change, Settings};
use barrage_protocol::attribute::{AttributeAnswer, AttributeKey};
use barrage_protocol::code::Refusal;
use barrage_protocol::state::RoomState;
use barrage_protocol::{Code, RoomId};
use barrage_store::{AuditRecord, Store};
use barrage_token::{Identity, Role};
use serde_json::json;

use super::form::{self, Wanted};
use crate::record::{AuditQueue, hashed_texts};
use crate::room::{RoomControl, in_room, open_room, refuse_kicked};

/// Maximum time of one change.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(10);
/// Milliseconds after which a change that took too long may be sent again.
const RETRY_MS: u64 = 1_000;

/// The parts that changes of attributes need.
pub(crate) struct AttributeParts {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) control: RoomControl,
    pub(crate) audit: Arc<AuditQueue>,
}

/// Changes attributes, each request at most once.
///
/// The room's attributes are one setting, which also remembers the last requests. A request that comes
/// again, because no answer came, changes nothing and publishes its signal again, under the same id.
pub(crate) struct AttributeControl {
    pub(super) parts: AttributeParts,
}

impl AttributeControl {
    pub(crate) fn new(parts: AttributeParts) -> Self {
        AttributeControl { parts }
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.parts.control.settings()
    }

    /// Makes one change of a verified caller. The answer comes when the change is durable and signalled.
    ///
    /// # Errors
    /// The refusal of the first check that fails; `conflict` with the present version where `if_version`
    /// names another one; `unavailable` when the bus does not answer in time. Then the same request,
    /// under the same id, may be sent again.
    pub(crate) async fn change(
        &self,
        room: &RoomId,
        by: &Identity,
        key: &AttributeKey,
        wanted: &Wanted,
    ) -> Result<AttributeAnswer, Refusal> {
        let changing = self.change_once(room, by, key, wanted);
        tokio::time::timeout(CHANGE_TIMEOUT, changing).await.unwrap_or_else(|_| {
            let message = "the change was not confirmed in time; send it again under the same id";
            Err(Refusal::new(Code::Unavailable, message).retry_after_ms(RETRY_MS))
        })
    }

    async fn change_once(
        &self,
        room: &RoomId,
        by: &Identity,
        key: &AttributeKey,
        wanted: &Wanted,
    ) -> Result<AttributeAnswer, Refusal> {
        let settings = self.settings();
        let now_ms = barrage_clock::unix_ms();
        if room.is_probe() || by.role == Role::Probe {
            return Err(Refusal::new(Code::Forbidden, "a probe may only chat"));
        }
        let open = open_room(&settings, room)?;
        refuse_kicked(&settings, room, &by.user, now_ms)?;
        let role = in_room(&settings, room, by).role;
        form::may_write(key, open.attribute_writer(key), role)?;
        form::check(wanted)?;
        self.parts.control.see_role(room, by).await;
        let (change, signal) = form::change(room, &by.user, key, wanted, now_ms)?;
        let (request, fingerprint) = (change.request, change.fingerprint);
        let changed = self.parts.bus.change(Change::Attribute { room: room.clone(), change }).await?;
        let attributes = changed.attributes();
        let known = changed.before == changed.after;
        let made = attributes.made(request, fingerprint).map_err(barrage_bus::BusError::Refused)?;
        let version = made.unwrap_or_else(|| attributes.version());
        let state = RoomState { attributes: attributes.state_of(key), ..RoomState::default() };
        let sequence = self.parts.control.under(signal).state_changed(room, &state, &changed).await?;
        let line =
            audit_line(room, by, role, key, wanted, &json!({ "version": version, "sequence": sequence }));
        self.parts.audit.write_through(&*self.parts.store, line).await;
        let (id, key) = (wanted.id.clone(), key.clone());
        Ok(AttributeAnswer { id, key, version, sequence: Some(sequence), duplicate: known })
    }
}

/// Makes the line of the audit log. The text for viewers is hashed.
fn audit_line(
    room: &RoomId,
    by: &Identity,
    role: Role,
    key: &AttributeKey,
    wanted: &Wanted,
    result: &serde_json::Value,
) -> AuditRecord {
    let Wanted { id, text, if_version, ttl_secs } = wanted;
    let action = if text.is_some() { "set-attribute" } else { "remove-attribute" };
    let change = json!({ "key": key, "text": text, "if_version": if_version, "ttl_secs": ttl_secs });
    AuditRecord {
        at_ms: barrage_clock::unix_ms(),
        room: Some(room.clone()),
        user: None,
        actor: by.user.to_string(),
        action: action.into(),
        detail: json!({ "id": id, "role": role.label(), "change": hashed_texts(change), "result": result }),
    }
}
