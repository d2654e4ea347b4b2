//! The outcome of one pass over a fleet, and the status that shows it.

use barrage_scaling::{Constraint, Decision, GatewayId, Observation, ObservedGateway, Phase, explain};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::error::ControllerError;
use crate::resource::{FleetAutoscaler, FleetAutoscalerStatus, Recommendation};

/// Outcome of one pass, from which the status is written.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The spec is invalid; the text lists every problem.
    InvalidSpec(String),
    /// The Deployment of this name does not exist in the namespace.
    TargetMissing(String),
    /// The cluster could not be read or written.
    Failing(String),
    /// The core decided; the decision was carried out if mode, role and rivals allow it.
    Decided(Box<Decided>),
}

/// A decision of the core, and the facts of the pass that the status shows beside it.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) decision: Decision,
    /// The observation that the decision was made on.
    pub(crate) observation: Observation,
    /// Name of another autoscaler of the same target.
    pub(crate) rival: Option<String>,
    /// Why the load reports could not be read, if so.
    pub(crate) loads_error: Option<String>,
    /// Why the decision was not carried out completely, if so.
    pub(crate) act_error: Option<ControllerError>,
    pub(crate) unschedulable: bool,
}

/// A condition of this pass, before it is merged with the last one.
struct Wanted {
    kind: &'static str,
    holds: bool,
    reason: &'static str,
    message: String,
}

fn wanted(kind: &'static str, holds: bool, reason: &'static str, message: impl Into<String>) -> Wanted {
    Wanted { kind, holds, reason, message: message.into() }
}

/// Returns the status after a pass. `before` is the status that it replaces.
pub(crate) fn status(
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
    status.replicas = decided.observation.replicas;
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

/// Gateways that drain, or whose drain this decision starts.
fn victims(decided: &Decided) -> Vec<String> {
    let drains = |gateway: &&ObservedGateway| gateway.phase == Phase::Draining;
    let draining = decided.observation.gateways.iter().filter(drains).map(|gateway| &gateway.id);
    let stays = |id: &&GatewayId| !decided.decision.undrain.contains(id);
    draining.chain(&decided.decision.drain).filter(stays).map(ToString::to_string).collect()
}

fn conditions(object: &FleetAutoscaler, decided: &Decided) -> Vec<Wanted> {
    let reason = &decided.decision.reason;
    // A conflict is no failure: the next pass reads the changed object.
    let act_error = decided.act_error.as_ref().filter(|error| !error.is_conflict());
    let ready = match (&decided.rival, act_error) {
        (Some(rival), _) => {
            wanted("Ready", false, "Conflict", format!("{rival} scales the same Deployment."))
        }
        (None, Some(error)) => wanted("Ready", false, "Failing", error.to_string()),
        (None, None) => wanted("Ready", true, "Deciding", "The controller decides for this fleet."),
    };
    let rival = decided.rival.clone();
    let conflict = match rival {
        Some(rival) => wanted(
            "Conflict",
            true,
            "SameTarget",
            format!("{rival} scales the same target: this controller writes nothing."),
        ),
        None => wanted("Conflict", false, "Alone", "No other autoscaler scales the target."),
    };
    let blind = reason.constraints.contains(&Constraint::Blind);
    let metrics = match &decided.loads_error {
        Some(error) => wanted("MetricsAvailable", false, "SourceFailed", error),
        None if blind => wanted("MetricsAvailable", false, "Blind", Constraint::Blind.sentence()),
        None => wanted("MetricsAvailable", true, "Reported", "The gateways report."),
    };
    let panic = match reason.panic {
        true => wanted("Panic", true, "Outgrown", "Demand outgrows the fleet."),
        false => wanted("Panic", false, "Calm", "The fleet carries the demand."),
    };
    let limit = reason.constraints.first();
    let limited = match limit {
        Some(limit) => wanted("ScalingLimited", true, condition_reason(*limit), limit.sentence()),
        None => wanted("ScalingLimited", false, "NotLimited", "No constraint changed the result."),
    };
    let scheduled = match decided.unschedulable {
        true => wanted("Unschedulable", true, "NoNode", "A gateway's pod cannot be scheduled."),
        false => wanted("Unschedulable", false, "HasNodes", "Every gateway's pod is scheduled."),
    };
    let capacity = match object.spec.capacity {
        None => wanted(
            "CapacityUnverified",
            true,
            "Guessed",
            "spec.capacity is absent: the default capacity is used.",
        ),
        Some(_) => wanted("CapacityUnverified", false, "Measured", "spec.capacity is used."),
    };
    vec![ready, conflict, metrics, panic, limited, scheduled, capacity]
}

/// Name of a constraint as the reason of a condition, in camel case as Kubernetes requires.
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

/// Builds the conditions; each keeps the time of its last transition.
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
