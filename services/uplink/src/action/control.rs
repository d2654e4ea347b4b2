//! The one path of an action: rights, log of the room, effect, audit log, answer.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{
    ActionRecord, ActionResult, Bus, Change, Restriction, RestrictionKind, RoomPatch, Settings,
};
use barrage_protocol::action::{Action, ActionAnswer, ActionRequest};
use barrage_protocol::code::Refusal;
use barrage_protocol::speak::ShieldBundle;
use barrage_protocol::{Code, RoomId, UserId};
use barrage_store::{AuditRecord, Store};
use barrage_token::{Identity, Role};
use serde_json::json;

use super::form;
use super::rights::{self, Actor};
use crate::record::{AuditQueue, hashed_texts};
use crate::room::{RoomControl, in_room, known_role, open_room, refuse_kicked};

/// Maximum time of one action, with the wait for the ones before it in its room.
const ACTION_TIMEOUT: Duration = Duration::from_secs(10);
/// Milliseconds after which an action that took too long may be sent again.
const RETRY_MS: u64 = 1_000;
/// Locks over all rooms. Two rooms may share one: an action takes milliseconds.
const LOCKS: usize = 64;

/// The parts that the actions need.
pub(crate) struct ActionParts {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) control: RoomControl,
    pub(crate) audit: Arc<AuditQueue>,
    /// Maximum characters (grapheme clusters) of an announcement or a warning.
    pub(crate) text_chars_max: usize,
}

/// Carries out actions, each at most once.
///
/// The room's log, under compare-and-swap in the settings, remembers an action before it has an
/// effect, and its result after. So an action that comes again with a result is answered alone. One
/// without a result was interrupted: it is carried out now, unless a later action has set the same
/// value otherwise; then it counts as carried out before that one.
pub(crate) struct ActionControl {
    parts: ActionParts,
    /// One action of a room at a time in this process, so that the two of a doubled request do not
    /// run beside each other.
    locks: [tokio::sync::Mutex<()>; LOCKS],
}

/// What an action changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// The action took effect by this request.
    New(ActionResult),
    /// It has taken effect before, or counts as followed by a later one.
    Known(ActionResult),
}

impl ActionControl {
    pub(crate) fn new(parts: ActionParts) -> Self {
        ActionControl { parts, locks: std::array::from_fn(|_| tokio::sync::Mutex::default()) }
    }

    /// Carries out one action of a verified caller. The answer comes when the action is durable and in
    /// force.
    ///
    /// # Errors
    /// The refusal of the first check that fails, or `unavailable` when the bus does not answer in
    /// time. Then the same request, under the same id, may be sent again.
    pub(crate) async fn act(
        &self,
        room: &RoomId,
        by: &Identity,
        request: &ActionRequest,
    ) -> Result<ActionAnswer, Refusal> {
        match tokio::time::timeout(ACTION_TIMEOUT, self.act_once(room, by, request)).await {
            Ok(result) => {
                let effect = result?;
                let (Effect::New(result) | Effect::Known(result)) = effect;
                let ActionResult { sequence, until_ms } = result;
                let duplicate = matches!(effect, Effect::Known(_));
                Ok(ActionAnswer { id: request.id.clone(), sequence, until_ms, duplicate })
            }
            Err(_) => {
                let message = "the action was not confirmed in time; send it again under the same id";
                Err(Refusal::new(Code::Unavailable, message).retry_after_ms(RETRY_MS))
            }
        }
    }

    async fn act_once(
        &self,
        room: &RoomId,
        by: &Identity,
        request: &ActionRequest,
    ) -> Result<Effect, Refusal> {
        let settings = self.parts.control.settings();
        let now_ms = barrage_clock::unix_ms();
        if room.is_probe() || by.role == Role::Probe {
            return Err(Refusal::new(Code::Forbidden, "a probe may only chat"));
        }
        open_room(&settings, room)?;
        refuse_kicked(&settings, room, &by.user, now_ms)?;
        let role = in_room(&settings, room, by).role;
        rights::by_role(&request.action, role)?;
        self.parts.control.see_role(room, by).await;
        let action = form::checked(request, self.parts.text_chars_max)?;
        let (record, signal) = form::record(room, &by.user, request, now_ms)?;
        if let Some(effect) = known(&settings, room, &record)? {
            return Ok(effect);
        }
        let target = self.target(&settings, room, &action).await?;
        if let Some((user, of)) = &target {
            rights::on(&action, Actor { user: &by.user, role }, Actor { user, role: *of })?;
        }
        let _turn = self.locks[lock_of(room)].lock().await;
        let begin = Change::BeginAction { room: room.clone(), record: record.clone() };
        let log = self.parts.bus.change(begin).await?.actions();
        let key = record.key;
        let record = log.find(key).cloned().unwrap_or(record);
        if let Some(result) = record.result {
            return Ok(Effect::Known(result));
        }
        let effect = match log.is_superseded(key) {
            true => Effect::Known(ActionResult { sequence: None, until_ms: record.until_ms }),
            false => {
                let control = self.parts.control.under(signal);
                Effect::New(carry_out(&*self.parts.bus, &control, room, &action, record.until_ms).await?)
            }
        };
        let (Effect::New(result) | Effect::Known(result)) = effect;
        let line = audit_line(room, by, role, request, target.map(|(user, _)| user), result);
        self.parts.audit.write_through(&*self.parts.store, line).await;
        self.parts.bus.change(Change::EndAction { room: room.clone(), key, result }).await?;
        Ok(effect)
    }

    /// Returns the user whom an action concerns, with the greatest role that the room knows of.
    async fn target(
        &self,
        settings: &Settings,
        room: &RoomId,
        action: &Action,
    ) -> Result<Option<(UserId, Role)>, Refusal> {
        if let Some(user) = action.user() {
            return Ok(Some((user.clone(), known_role(settings, room, user))));
        }
        let (Action::Recall { sequence } | Action::RemoveMedia { sequence }) = action else {
            return Ok(None);
        };
        let found = self.parts.control.find(room, *sequence).await?;
        let Some(user) = found.body["user"].as_str().and_then(|user| UserId::parse(user).ok()) else {
            return Ok(None);
        };
        // The message has the role that its author had then.
        let written = found.body["role"].as_str().and_then(|role| role.parse().ok()).unwrap_or(Role::Viewer);
        let role = written.max(known_role(settings, room, &user));
        Ok(Some((user, role)))
    }
}

/// Answers an action whose result is known here, without a call of the bus.
fn known(settings: &Settings, room: &RoomId, record: &ActionRecord) -> Result<Option<Effect>, Refusal> {
    let Some(found) = settings.actions.get(room).and_then(|log| log.find(record.key)) else {
        return Ok(None);
    };
    if found.fingerprint != record.fingerprint {
        return Err(barrage_bus::BusError::Refused(barrage_bus::ChangeError::ActionConflict).into());
    }
    Ok(found.result.map(Effect::Known))
}

fn lock_of(room: &RoomId) -> usize {
    room.as_str().bytes().fold(0_usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into())) % LOCKS
}

/// Changes the settings and publishes the signal. Carried out twice, it gives the same settings, and
/// within the dedup window one signal.
async fn carry_out(
    bus: &dyn Bus,
    control: &RoomControl,
    room: &RoomId,
    action: &Action,
    until_ms: Option<u64>,
) -> Result<ActionResult, Refusal> {
    let to_room = |sequence| ActionResult { sequence: Some(sequence), until_ms: None };
    let to_nobody = ActionResult { sequence: None, until_ms: None };
    Ok(match action {
        Action::Recall { sequence } => to_room(control.recall(room, *sequence).await?),
        Action::RemoveMedia { sequence } => {
            let digest = crate::media::removable(&control.find(room, *sequence).await?.body)?;
            crate::media::remove(bus, digest).await?;
            to_room(control.recall(room, *sequence).await?)
        }
        Action::Purge { user } => to_room(control.purge(room, user).await?),
        Action::Clear {} => to_room(control.clear(room).await?),
        Action::Mute { user, .. } => {
            let mute = Restriction { kind: RestrictionKind::Mute, until_ms: until_ms.unwrap_or_default() };
            let restricted = control.restrict(room, user, mute).await?;
            ActionResult { sequence: None, until_ms: Some(restricted.until_ms) }
        }
        Action::Kick { user } | Action::Ban { user, .. } => {
            let kick = Restriction { kind: RestrictionKind::Kick, until_ms: until_ms.unwrap_or_default() };
            let restricted = control.restrict(room, user, kick).await?;
            ActionResult { sequence: Some(restricted.sequence), until_ms: Some(restricted.until_ms) }
        }
        Action::Unmute { user } => {
            control.lift(room, user, RestrictionKind::Mute).await?;
            to_nobody
        }
        Action::Unban { user } => {
            control.lift(room, user, RestrictionKind::Kick).await?;
            to_nobody
        }
        Action::SlowMode { secs } => to_room(control.slow_mode(room, *secs).await?),
        Action::MuteAll { on } => to_room(control.mute_all(room, *on).await?),
        Action::Pin { sequence } => to_room(control.pin(room, *sequence).await?),
        Action::Unpin {} => to_room(control.unpin(room).await?),
        Action::Announce { text } => to_room(control.announce(room, text).await?),
        Action::Warn { user, text } => {
            control.warn(room, user, text).await?;
            to_nobody
        }
        Action::AttributeRules { rules } => {
            control.attribute_rules(room, rules).await?;
            to_nobody
        }
        Action::Speak { rule } => to_room(control.speak(room, RoomPatch::Speak(*rule)).await?),
        Action::Shield { on } => to_room(control.speak(room, RoomPatch::Shield { on: *on }).await?),
        Action::ShieldBundle { rules, slow_mode_secs } => {
            let bundle = ShieldBundle::new(rules, *slow_mode_secs);
            to_room(control.speak(room, RoomPatch::ShieldBundle(bundle)).await?)
        }
        Action::ModerationDelay { secs } => to_room(control.moderation_delay(room, *secs).await?),
        Action::Reactions { names } => to_room(control.reactions(room, names.as_deref()).await?),
        Action::SuperChatRead { sequence, on } => {
            to_room(control.read_super_chat(room, *sequence, *on).await?)
        }
        Action::Role { user, role } => to_room(control.give_role(room, user, *role).await?),
    })
}

/// Makes the line of the audit log. Texts for viewers are hashed; the reason stays readable. The name
/// of the action is the admin API's, with hyphens.
fn audit_line(
    room: &RoomId,
    by: &Identity,
    role: Role,
    request: &ActionRequest,
    user: Option<UserId>,
    result: ActionResult,
) -> AuditRecord {
    let action = serde_json::to_value(&request.action).expect("actions are plain data");
    AuditRecord {
        at_ms: barrage_clock::unix_ms(),
        room: Some(room.clone()),
        user,
        actor: by.user.to_string(),
        action: request.action.label().replace('_', "-"),
        detail: json!({
            "id": request.id,
            "role": role.label(),
            "action": hashed_texts(action),
            "reason": request.reason,
            "sequence": result.sequence,
            "until_ms": result.until_ms,
        }),
    }
}
