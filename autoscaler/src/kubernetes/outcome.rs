//! What one pass over a fleet came to, and the status that says so.

use barrage_scaling::{Constraint, Decision, GatewayId, Observation, ObservedGateway, Phase, explain};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::error::ControllerError;
use super::resource::{FleetAutoscaler, FleetAutoscalerStatus, Recommendation};

/// What a pass came to.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The spec cannot be followed.
    InvalidSpec(String),
    /// There is nothing to scale.
    TargetMissing(String),
    /// The cluster could not be read.
    Failing(String),
    /// A decision was made, and carried out if that was allowed.
    Decided(Box<Decided>),
}

/// A decision and what stood around it.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) decision: Decision,
    /// What it was made on.
    pub(super) seen: Observation,
    /// Who else scales the target.
    pub(super) rival: Option<String>,
    /// Why the load reports could not be read.
    pub(super) loads_error: Option<String>,
    /// Why the decision could not be carried out.
    pub(super) act_error: Option<ControllerError>,
    pub(super) unschedulable: bool,
}

/// A condition as it should be.
struct Wanted {
    kind: &'static str,
    holds: bool,
    reason: &'static str,
    message: String,
}

fn wanted(kind: &'static str, holds: bool, reason: &'static str, message: impl Into<String>) -> Wanted {
    Wanted { kind, holds, reason, message: message.into() }
}

/// The status after a pass; `before` is the one that it replaces.
pub(super) fn status(
    object: &FleetAutoscaler,
    outcome: &Outcome,
    before: &FleetAutoscalerStatus,
    now: &Time,
) -> FleetAutoscalerStatus {
    let generation = object.metadata.generation.unwrap_or(0);
    let mut status = FleetAutoscalerStatus { observed_generation: generation, ..before.clone() };
    let conditions = match outcome {
        Outcome::InvalidSpec(text) => vec![wanted("Ready", false, "InvalidSpec", text)],
        Outcome::TargetMissing(text) => vec![wanted("Ready", false, "TargetMissing", text)],
        Outcome::Failing(text) => vec![wanted("Ready", false, "Failing", text)],
        Outcome::Decided(decided) => {
            fill(&mut status, decided);
            conditions(object, decided)
        }
    };
    status.conditions = merge(&before.conditions, conditions, generation, now);
    status
}

fn fill(status: &mut FleetAutoscalerStatus, decided: &Decided) {
    let (decision, reason) = (&decided.decision, &decided.decision.reason);
    status.replicas = decided.seen.replicas;
    status.serving = reason.serving;
    status.draining = reason.draining;
    // Casts from float saturate, and these are counts.
    status.viewers = reason.demand.viewers.round() as u64;
    status.waiting = reason.demand.waiting.round() as u64;
    status.recommendation = Some(Recommendation {
        replicas: decision.replicas,
        raw: reason.raw,
        wanted: reason.wanted,
        limiting_axis: reason.need.limiting.label().into(),
        forecast_viewers: reason.forecast.viewers.round() as u64,
        constraints_applied: reason.constraints.iter().map(|one| one.label().into()).collect(),
        victims: victims(decided),
        explanation: explain(decision),
    });
}

/// Gateways that drain, or are told to just now.
fn victims(decided: &Decided) -> Vec<String> {
    let drains = |gateway: &&ObservedGateway| gateway.phase == Phase::Draining;
    let draining = decided.seen.gateways.iter().filter(drains).map(|gateway| &gateway.id);
    let stays = |id: &&GatewayId| !decided.decision.undrain.contains(id);
    draining.chain(&decided.decision.drain).filter(stays).map(ToString::to_string).collect()
}

fn conditions(object: &FleetAutoscaler, decided: &Decided) -> Vec<Wanted> {
    let reason = &decided.decision.reason;
    // Somebody was faster: no failure, the next pass looks again.
    let act_error = decided.act_error.as_ref().filter(|error| !error.is_conflict());
    let ready = match (&decided.rival, act_error) {
        (Some(rival), _) => {
            wanted("Ready", false, "Conflict", format!("{rival} scales the same Deployment."))
        }
        (None, Some(error)) => wanted("Ready", false, "Failing", error.to_string()),
        (None, None) => wanted("Ready", true, "Deciding", "The fleet is looked after."),
    };
    let rival = decided.rival.clone();
    let conflict = match rival {
        Some(rival) => wanted("Conflict", true, "SameTarget", format!("{rival}: nothing is written.")),
        None => wanted("Conflict", false, "Alone", "Nobody else scales the target."),
    };
    let blind = reason.constraints.contains(&Constraint::Blind);
    let metrics = match &decided.loads_error {
        Some(error) => wanted("MetricsAvailable", false, "SourceFailed", error),
        None if blind => wanted("MetricsAvailable", false, "Blind", Constraint::Blind.sentence()),
        None => wanted("MetricsAvailable", true, "Reported", "Gateways report."),
    };
    let panic = match reason.panic {
        true => wanted("Panic", true, "Outgrown", "The crowd outgrows the fleet."),
        false => wanted("Panic", false, "Calm", "The fleet carries the crowd."),
    };
    let limit = reason.constraints.first();
    let limited = match limit {
        Some(limit) => wanted("ScalingLimited", true, condition_reason(*limit), limit.sentence()),
        None => wanted("ScalingLimited", false, "NotLimited", "The need alone decides."),
    };
    let room = match decided.unschedulable {
        true => wanted("Unschedulable", true, "NoNode", "A gateway waits for a node."),
        false => wanted("Unschedulable", false, "HasNodes", "Every gateway has a node."),
    };
    let capacity = match object.spec.capacity {
        None => wanted("CapacityUnverified", true, "Guessed", "spec.capacity is absent: a guess is used."),
        Some(_) => wanted("CapacityUnverified", false, "Measured", "spec.capacity is used."),
    };
    vec![ready, conflict, metrics, panic, limited, room, capacity]
}

/// A constraint as a condition's reason has to look.
fn condition_reason(constraint: Constraint) -> &'static str {
    match constraint {
        Constraint::AtMaximum => "AtMaximum",
        Constraint::AtMinimum => "AtMinimum",
        Constraint::Schedule => "Schedule",
        Constraint::Panic => "Panic",
        Constraint::Window => "Window",
        Constraint::Settling => "Settling",
        Constraint::AfterOut => "AfterOut",
        Constraint::StepLimit => "StepLimit",
        Constraint::DrainingLimit => "DrainingLimit",
        Constraint::DrainPace => "DrainPace",
        Constraint::MissingReports => "MissingReports",
        Constraint::Blind => "Blind",
        Constraint::Fallback => "Fallback",
        Constraint::EntryGone => "EntryGone",
        Constraint::NotReady => "NotReady",
        Constraint::Rollout => "Rollout",
        Constraint::Paused => "Paused",
        Constraint::ScaleOutOnly => "ScaleOutOnly",
    }
}

/// A condition keeps the time of its last turn.
fn merge(before: &[Condition], wanted: Vec<Wanted>, generation: i64, now: &Time) -> Vec<Condition> {
    let condition = |wanted: Wanted| {
        let status = if wanted.holds { "True" } else { "False" };
        let old = before.iter().find(|old| old.type_ == wanted.kind && old.status == status);
        Condition {
            type_: wanted.kind.into(),
            status: status.into(),
            reason: wanted.reason.into(),
            message: wanted.message,
            last_transition_time: old.map_or_else(|| now.clone(), |old| old.last_transition_time.clone()),
            observed_generation: Some(generation),
        }
    };
    wanted.into_iter().map(condition).collect()
}
