//! Carries out a decision: scales the Deployment, starts and cancels drains, and marks pods for
//! deletion.

use barrage_scaling::{Decision, GatewayId, MoveCause, ObservedGateway, PolicyConfig};

use super::actuator::{Actuator, DeletionCost};
use super::event::FleetEvent;
use crate::error::ControllerError;
use crate::observe::Observed;
use crate::resource::TargetSpec;

/// Effects of one pass, up to the first failure.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    pub(crate) events: Vec<FleetEvent>,
    pub(crate) scaled: bool,
    /// Gateways that the pass gave up by name, through their deletion cost.
    pub(crate) removed: Vec<GatewayId>,
    /// Gateways that Kubernetes deleted in place of those that an earlier pass gave up.
    pub(crate) wrong_victims: usize,
}

/// Carries a decision out, in the order in which an interruption costs least: steps that add
/// capacity first, steps that remove it last.
pub(crate) async fn act(
    actuator: &Actuator,
    target: &TargetSpec,
    policy: &PolicyConfig,
    observed: &Observed,
    decision: &Decision,
    applied: &mut Applied,
) -> Result<(), ControllerError> {
    let from = observed.observation.replicas;
    if decision.replicas > from {
        actuator.scale(&target.name, decision.replicas, observed.version.as_deref()).await?;
        applied.scaled = true;
        let why = limits(decision);
        let text = format!("From {from} to {}{why}.", decision.replicas);
        applied.events.push(FleetEvent::normal("ScaledUp", text));
    }
    let address = |id: &GatewayId| Some(format!("{}:{}", observed.addresses.get(id)?, target.admin_port));
    for address in decision.undrain.iter().filter_map(address) {
        actuator.cancel_drain(&address).await?;
    }
    report(applied, "DrainCancelled", &decision.undrain);
    let within_secs = policy.drain.moved_in_secs().ceil() as u64;
    for address in decision.drain.iter().filter_map(address) {
        actuator.start_drain(&address, within_secs).await?;
    }
    report(applied, "DrainStarted", &decision.drain);
    for pod in observed.marked.iter().filter(|pod| !decision.remove.iter().any(|id| **id == **pod)) {
        actuator.set_deletion_cost(pod, DeletionCost::Default).await?;
    }
    if decision.remove.is_empty() {
        return Ok(());
    }
    for id in &decision.remove {
        actuator.set_deletion_cost(id, DeletionCost::Victim).await?;
    }
    applied.removed.clone_from(&decision.remove);
    actuator.scale(&target.name, decision.replicas, observed.version.as_deref()).await?;
    applied.scaled = true;
    let gone = decision.remove.join(", ");
    let text = format!("From {from} to {}; drained and removed: {gone}.", decision.replicas);
    applied.events.push(FleetEvent::normal("ScaledDown", text));
    Ok(())
}

/// Makes hot gateways send a share of their viewers to others. One command covers a whole
/// rebalance period of the policy.
pub(crate) async fn rebalance(
    actuator: &Actuator,
    target: &TargetSpec,
    policy: &PolicyConfig,
    observed: &Observed,
    decision: &Decision,
) -> Result<(), ControllerError> {
    for one in decision.moves.iter().filter(|one| one.cause == MoveCause::Rebalance) {
        let gateway = observed.observation.gateways.iter().find(|gateway| gateway.id == one.gateway);
        let viewers = gateway.map_or(0.0, ObservedGateway::connections);
        let share = one.viewers_per_s * policy.rebalance.period_secs / viewers;
        let Some(host) = observed.addresses.get(&one.gateway).filter(|_| share > 0.0) else { continue };
        actuator.give_back(&format!("{host}:{}", target.admin_port), share.min(1.0)).await?;
    }
    Ok(())
}

fn report(applied: &mut Applied, reason: &'static str, ids: &[GatewayId]) {
    if !ids.is_empty() {
        applied.events.push(FleetEvent::normal(reason, format!("{}.", ids.join(", "))));
    }
}

fn limits(decision: &Decision) -> String {
    let reason = &decision.reason;
    let labels: Vec<_> = reason.constraints.iter().map(|constraint| constraint.label()).collect();
    let limits = if labels.is_empty() { String::new() } else { format!(" ({})", labels.join(", ")) };
    format!(" for {:.0} viewers, by {}{limits}", reason.forecast.viewers, reason.need.limiting.label())
}
