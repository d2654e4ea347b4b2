//! One fleet: a pass over it, and its state between passes.

use std::collections::BTreeSet;
use std::time::Duration;

use barrage_scaling::{Constraint, GatewayId, Memory, Phase, decide};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::forecast_check::ForecastCheck;
use super::status::{Decided, Outcome, status};
use crate::actuate::{Actuator, Applied, FleetEvent, act, rebalance};
use crate::error::ControllerError;
use crate::loads::LoadSource;
use crate::observe::{LatestReports, Observed};
use crate::resource::{FleetAutoscaler, FleetAutoscalerStatus, Settings};

/// Shortest time between two status writes when no condition has changed: etcd keeps every
/// version of an object.
const STATUS_EVERY: Duration = Duration::from_secs(5);
/// Time for which the controller verifies which pods a scale-in deleted.
const VERIFY_FOR: Duration = Duration::from_secs(120);

/// State of one fleet that the controller keeps from one pass to the next.
#[derive(Default)]
pub(crate) struct Fleet {
    memory: Memory,
    reports: LatestReports,
    pub(crate) forecasts: ForecastCheck,
    /// Gateways that were not ending at the last pass.
    present: BTreeSet<GatewayId>,
    /// Gateways of the last scale-in that is not verified yet, and when it was.
    removal: Option<(BTreeSet<GatewayId>, Duration)>,
    rebalance_at: Duration,
    panic: bool,
    blind: bool,
    rival: Option<String>,
    /// Why the fleet is refused, if so.
    refused: Option<String>,
    /// The last written status, and when it was written.
    published: Option<(FleetAutoscalerStatus, Duration)>,
}

/// Inputs of one pass over a fleet.
pub(crate) struct Pass<'a> {
    pub(crate) object: &'a FleetAutoscaler,
    pub(crate) settings: &'a Settings,
    pub(crate) deployment: &'a Deployment,
    pub(crate) pods: &'a [Pod],
    pub(crate) rival: Option<String>,
    pub(crate) role: Role,
    pub(crate) now: Duration,
}

/// Role of this replica of the controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The replica holds the lease, so it decides and writes.
    Leader,
    /// Decides and writes nothing, so that it can take over at once.
    Standby,
}

impl Fleet {
    /// Drops all state because the fleet cannot be scaled. Returns whether the reason is new.
    pub(crate) fn refuse(&mut self, why: &str) -> bool {
        let news = self.refused.as_deref() != Some(why);
        *self = Fleet { refused: Some(why.into()), published: self.published.take(), ..Fleet::default() };
        news
    }

    /// Observes, decides, and acts if the mode and the role allow it.
    pub(crate) async fn pass(
        &mut self,
        actuator: &Actuator,
        loads: &dyn LoadSource,
        pass: Pass<'_>,
        applied: &mut Applied,
    ) -> Result<Outcome, ControllerError> {
        self.refused = None;
        let Pass { object, settings, deployment, pods, rival, role, now } = pass;
        let Settings { policy, knee } = settings;
        let loads_error = self.read(loads, now).await;
        let observed = Observed::new(deployment, pods, &mut self.reports, policy, now);
        self.verify(&observed, now, applied);
        let decision = decide(policy, knee, &mut self.memory, &observed.observation);
        let rival = rival.or_else(|| {
            let pod = observed.foreign_cost.as_ref().filter(|_| object.spec.mode.acts())?;
            Some(format!("The owner of pod {pod}'s deletion cost"))
        });
        let mut acted = Ok(());
        if role == Role::Leader && rival.is_none() && object.spec.mode.acts() {
            let target = &object.spec.target;
            acted = act(actuator, target, policy, &observed, &decision, applied).await;
            if let Some(entry) = object.spec.loads.entry.as_ref().filter(|_| !decision.shut.is_empty())
                && acted.is_ok()
            {
                acted = actuator.shut(&entry.url, &decision.shut).await;
            }
            if acted.is_ok() && now >= self.rebalance_at {
                self.rebalance_at = now + Duration::from_secs_f64(policy.rebalance.period_secs);
                acted = rebalance(actuator, target, policy, &observed, &decision).await;
            }
            if acted.is_ok() && !applied.removed.is_empty() {
                self.removal = Some((applied.removed.iter().cloned().collect(), now));
            }
        }
        let act_error = match acted {
            Ok(()) => None,
            Err(ControllerError::Fenced) => return Err(ControllerError::Fenced),
            Err(error) => Some(error),
        };
        self.note_changes(decision.reason.panic, &decision.reason.constraints, rival.as_ref(), applied);
        let decided = Decided {
            decision,
            rival,
            loads_error,
            act_error,
            unschedulable: observed.unschedulable,
            observation: observed.observation,
        };
        Ok(Outcome::Decided(Box::new(decided)))
    }

    /// Reads the load reports, and returns the error text of a failed read.
    async fn read(&mut self, loads: &dyn LoadSource, now: Duration) -> Option<String> {
        match loads.read().await {
            Ok(report) => {
                self.reports.store(&report, now);
                None
            }
            Err(error) => {
                self.reports.note_failure();
                Some(error.to_string())
            }
        }
    }

    /// Checks whether Kubernetes deleted a pod in place of a drained one.
    fn verify(&mut self, observed: &Observed, now: Duration, applied: &mut Applied) {
        let gateways = &observed.observation.gateways;
        let staying: BTreeSet<GatewayId> =
            gateways.iter().filter(|one| one.phase != Phase::Ending).map(|one| one.id.clone()).collect();
        if let Some((victims, since)) = &self.removal {
            let ended = self.present.difference(&staying).filter(|id| !victims.contains(*id));
            let wrong: Vec<GatewayId> = ended.cloned().collect();
            let spared = victims.intersection(&staying).count();
            if spared > 0 && !wrong.is_empty() {
                let text = format!("{} was deleted in place of a drained gateway.", wrong.join(", "));
                applied.events.push(FleetEvent::warning("WrongVictim", text));
                applied.wrong_victims = wrong.len();
            }
            if spared == 0 || now.saturating_sub(*since) >= VERIFY_FOR {
                self.removal = None;
            }
        }
        self.present = staying;
    }

    /// Adds an event for each state that began or ended since the last pass.
    fn note_changes(
        &mut self,
        panic: bool,
        constraints: &[Constraint],
        rival: Option<&String>,
        applied: &mut Applied,
    ) {
        let blind = constraints.contains(&Constraint::Blind);
        let events = &mut applied.events;
        match (self.panic, panic) {
            (false, true) => {
                events.push(FleetEvent::warning("PanicEntered", "Demand outgrows the fleet.".into()));
            }
            (true, false) => {
                events.push(FleetEvent::normal("PanicLeft", "The fleet carries the demand.".into()))
            }
            (true, true) | (false, false) => {}
        }
        match (self.blind, blind) {
            (false, true) => {
                events.push(FleetEvent::warning("MetricsLost", Constraint::Blind.sentence().into()))
            }
            (true, false) => {
                events.push(FleetEvent::normal("MetricsBack", "The gateways report again.".into()))
            }
            (true, true) | (false, false) => {}
        }
        if let Some(rival) = rival.filter(|_| self.rival.is_none()) {
            events.push(FleetEvent::warning("ConflictDetected", format!("{rival} scales the same target.")));
        }
        self.panic = panic;
        self.blind = blind;
        self.rival = rival.cloned();
    }

    /// Writes the status when a condition changed or the last write is old enough.
    pub(crate) async fn publish(
        &mut self,
        actuator: &Actuator,
        object: &FleetAutoscaler,
        outcome: &Outcome,
        applied: &Applied,
        now: Duration,
    ) -> Result<(), ControllerError> {
        let time = Time(Timestamp::from_second(now.as_secs().cast_signed()).unwrap_or_default());
        let before = object.status.clone().unwrap_or_default();
        let mut status = status(object, outcome, &before, &time);
        if applied.scaled {
            status.last_scale_time = Some(time);
        }
        let due = self.published.as_ref().is_none_or(|(last, at)| {
            applied.scaled
                || last.observed_generation != status.observed_generation
                || last.conditions != status.conditions
                || now.saturating_sub(*at) >= STATUS_EVERY
        });
        if due && status != before {
            let name = object.metadata.name.as_deref().unwrap_or_default();
            actuator.status(name, &status).await?;
            self.published = Some((status, now));
        }
        Ok(())
    }
}
