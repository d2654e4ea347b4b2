//! A decision carried out.

use barrage_scaling::{Decision, GatewayId, MoveCause, ObservedGateway, PolicyConfig};

use super::error::ControllerError;
use super::hands::{Cost, Hands};
use super::note::Note;
use super::resource::TargetSpec;
use super::sight::Sight;

/// What was done, up to the first failure.
#[derive(Debug, Default)]
pub(super) struct Deeds {
    pub(super) notes: Vec<Note>,
    pub(super) scaled: bool,
    /// Gateways that were given up, exactly these.
    pub(super) removed: Vec<GatewayId>,
    /// Gateways that died in the place of those that were given up before.
    pub(super) wrong_victims: usize,
}

/// Carries a decision out: what adds capacity first, what takes it away last.
pub(super) async fn act(
    hands: &Hands,
    target: &TargetSpec,
    policy: &PolicyConfig,
    sight: &Sight,
    decision: &Decision,
    deeds: &mut Deeds,
) -> Result<(), ControllerError> {
    let from = sight.observation.replicas;
    if decision.replicas > from {
        hands.scale(&target.name, decision.replicas, sight.version.as_deref()).await?;
        deeds.scaled = true;
        let why = limits(decision);
        deeds.notes.push(Note::normal("ScaledUp", format!("From {from} to {}{why}.", decision.replicas)));
    }
    let address = |id: &GatewayId| Some(format!("{}:{}", sight.addresses.get(id)?, target.admin_port));
    for address in decision.undrain.iter().filter_map(address) {
        hands.call_off(&address).await?;
    }
    tell(deeds, "DrainCancelled", &decision.undrain);
    let within_secs = policy.drain.moved_in_secs().ceil() as u64;
    for address in decision.drain.iter().filter_map(address) {
        hands.drain(&address, within_secs).await?;
    }
    tell(deeds, "DrainStarted", &decision.drain);
    for pod in sight.marked.iter().filter(|pod| !decision.remove.iter().any(|id| **id == **pod)) {
        hands.cost(pod, Cost::Usual).await?;
    }
    if decision.remove.is_empty() {
        return Ok(());
    }
    for id in &decision.remove {
        hands.cost(id, Cost::Victim).await?;
    }
    deeds.removed.clone_from(&decision.remove);
    hands.scale(&target.name, decision.replicas, sight.version.as_deref()).await?;
    deeds.scaled = true;
    let gone = decision.remove.join(", ");
    let text = format!("From {from} to {}; drained and gone: {gone}.", decision.replicas);
    deeds.notes.push(Note::normal("ScaledDown", text));
    Ok(())
}

/// Has hot gateways give viewers back, for a whole period of the policy.
pub(super) async fn rebalance(
    hands: &Hands,
    target: &TargetSpec,
    policy: &PolicyConfig,
    sight: &Sight,
    decision: &Decision,
) -> Result<(), ControllerError> {
    for one in decision.moves.iter().filter(|one| one.cause == MoveCause::Rebalance) {
        let gateway = sight.observation.gateways.iter().find(|gateway| gateway.id == one.gateway);
        let viewers = gateway.map_or(0.0, ObservedGateway::connections);
        let share = one.viewers_per_s * policy.rebalance.period_secs / viewers;
        let Some(host) = sight.addresses.get(&one.gateway).filter(|_| share > 0.0) else { continue };
        hands.give_back(&format!("{host}:{}", target.admin_port), share.min(1.0)).await?;
    }
    Ok(())
}

fn tell(deeds: &mut Deeds, reason: &'static str, ids: &[GatewayId]) {
    if !ids.is_empty() {
        deeds.notes.push(Note::normal(reason, format!("{}.", ids.join(", "))));
    }
}

fn limits(decision: &Decision) -> String {
    let reason = &decision.reason;
    let labels: Vec<_> = reason.constraints.iter().map(|constraint| constraint.label()).collect();
    let limits = if labels.is_empty() { String::new() } else { format!(" ({})", labels.join(", ")) };
    format!(" for {:.0} viewers, by {}{limits}", reason.forecast.viewers, reason.need.limiting.label())
}
