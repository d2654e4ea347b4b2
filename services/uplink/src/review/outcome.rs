//! The effect of a decision: the message appears, its author is muted, a reported message is recalled.

use barrage_bus::{Bus, Draft, Restriction, RestrictionKind, ReviewItem, Verdict};
use barrage_protocol::code::Refusal;
use barrage_protocol::review::ReviewDecision;
use barrage_protocol::{Code, RoomId, Sequence};
use bytes::Bytes;
use serde_json::Value;

use super::{evidence, form};
use crate::media::MediaLinks;
use crate::room::{RoomControl, SignalId};

/// Milliseconds after a decision from which the room is searched for the message before it is published.
/// Below, the bus recognises the id by itself.
const SEARCH_AFTER_MS: u64 = 30_000;

/// Result of a decision that is durable and in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Effect {
    pub(super) sequence: Option<Sequence>,
    pub(super) until_ms: Option<u64>,
}

/// Carries out a decision. Carried out again, it gives the same room.
pub(super) async fn carry_out(
    (bus, control, media): (&dyn Bus, &RoomControl, &MediaLinks),
    room: &RoomId,
    item: &ReviewItem,
    verdict: &Verdict,
) -> Result<Effect, Refusal> {
    let mut effect = Effect::default();
    if verdict.decision == ReviewDecision::Approve {
        if let Some(draft) = draft(room, item, verdict, media) {
            let sequence = publish(bus, item, verdict, draft).await?;
            if item.review.message.as_ref().is_some_and(|body| body["type"] == "super_chat") {
                control.super_chat(room, sequence).await;
            }
            effect.sequence = Some(sequence);
        }
        return Ok(effect);
    }
    let signal = |effect: &str| {
        let id = form::signal_id(&item.review.id, effect)?;
        Ok::<_, Refusal>(SignalId { id, fingerprint: verdict.at_ms })
    };
    if let Some(sequence) = item.review.report.as_ref().and_then(|report| report.sequence) {
        match control.under(signal("recall")?).recall(room, sequence).await {
            Ok(recall) => effect.sequence = Some(recall),
            // It was recalled before, or the room never had it.
            Err(refusal) if refusal.code == Code::NotFound => {}
            Err(refusal) => return Err(refusal),
        }
    }
    if verdict.decision == ReviewDecision::DenyAndMute {
        let until_ms = verdict.at_ms.saturating_add(verdict.mute_secs.saturating_mul(1_000));
        let mute = Restriction { kind: RestrictionKind::Mute, until_ms };
        let control = control.under(signal("mute")?);
        effect.until_ms = Some(control.restrict(room, &item.review.user, mute).await?.until_ms);
    }
    Ok(effect)
}

/// Publishes the message under its sender's own id, which the bus knows within its dedup window.
async fn publish(
    bus: &dyn Bus,
    item: &ReviewItem,
    verdict: &Verdict,
    draft: Draft,
) -> Result<Sequence, Refusal> {
    let is_old = barrage_clock::unix_ms().saturating_sub(verdict.at_ms) > SEARCH_AFTER_MS;
    if let (true, Some(id)) = (is_old, &draft.id) {
        let found = evidence::published(bus, &draft.room, &item.review.user, id, verdict.after).await?;
        if let Some(sequence) = found {
            return Ok(sequence);
        }
    }
    let receipts = bus.publish(vec![draft]).await?;
    let receipt = receipts.first().ok_or_else(|| Refusal::new(Code::Internal, "the bus gave no receipt"))?;
    Ok(receipt.sequence)
}

/// Makes the message of an approval. Its time is that of the decision: the room sees it now.
fn draft(room: &RoomId, item: &ReviewItem, verdict: &Verdict, media: &MediaLinks) -> Option<Draft> {
    let (held, mut body) = (item.held.as_ref()?, item.review.message.clone()?);
    if let Some(at_ms) = body.get_mut("at_ms") {
        *at_ms = Value::from(verdict.at_ms);
    }
    media.renew(&mut body);
    Some(Draft {
        room: room.clone(),
        class: held.class,
        sender: Some(item.review.user.clone()),
        id: Some(held.id.clone()),
        fingerprint: held.fingerprint,
        to: None,
        trace: None,
        body: Bytes::from(body.to_string()),
    })
}
