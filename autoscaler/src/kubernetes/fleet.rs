//! One fleet from pass to pass.

use std::collections::BTreeSet;
use std::time::Duration;

use barrage_scaling::{Constraint, GatewayId, Memory, Phase, decide};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::act::{Deeds, act, rebalance};
use super::error::ControllerError;
use super::hands::Hands;
use super::heard::Heard;
use super::loads::Loads;
use super::note::Note;
use super::outcome::{Decided, Outcome, status};
use super::resource::{FleetAutoscaler, FleetAutoscalerStatus};
use super::settings::Settings;
use super::sight::Sight;

/// A status that only counts on is written this often: etcd keeps every version.
const STATUS_EVERY: Duration = Duration::from_secs(5);
/// A removal is verified for so long.
const VERIFY_FOR: Duration = Duration::from_secs(120);

/// What is kept of a fleet.
#[derive(Default)]
pub(super) struct Fleet {
    memory: Memory,
    heard: Heard,
    /// Gateways that stayed, at the last pass.
    present: BTreeSet<GatewayId>,
    removal: Option<(BTreeSet<GatewayId>, Duration)>,
    rebalance_at: Duration,
    panic: bool,
    blind: bool,
    rival: Option<String>,
    /// Why it is not looked after.
    refused: Option<String>,
    told: Option<(FleetAutoscalerStatus, Duration)>,
}

/// One pass over a fleet: what was read for it, and what it may do.
pub(super) struct Pass<'a> {
    pub(super) object: &'a FleetAutoscaler,
    pub(super) settings: &'a Settings,
    pub(super) deployment: &'a Deployment,
    pub(super) pods: &'a [Pod],
    pub(super) rival: Option<String>,
    pub(super) role: Role,
    pub(super) now: Duration,
}

/// Whether this replica may touch anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It leads.
    Leader,
    /// It decides as the leader does, so that it can take over at once.
    Standby,
}

impl Fleet {
    /// Forgets everything, since nothing can be done; whether that is news.
    pub(super) fn refuse(&mut self, why: &str) -> bool {
        let news = self.refused.as_deref() != Some(why);
        *self = Fleet { refused: Some(why.into()), told: self.told.take(), ..Fleet::default() };
        news
    }

    /// Looks, decides, and acts if the mode and the role allow it.
    pub(super) async fn pass(
        &mut self,
        hands: &Hands,
        loads: &dyn Loads,
        pass: Pass<'_>,
        deeds: &mut Deeds,
    ) -> Result<Outcome, ControllerError> {
        self.refused = None;
        let Pass { object, settings, deployment, pods, rival, role, now } = pass;
        let Settings { policy, knee } = settings;
        let loads_error = self.hear(loads, now).await;
        let sight = Sight::of(deployment, pods, &mut self.heard, policy, now);
        self.verify(&sight, now, deeds);
        let decision = decide(policy, knee, &mut self.memory, &sight.observation);
        let rival = rival.or_else(|| {
            let pod = sight.foreign_cost.as_ref().filter(|_| object.spec.mode.acts())?;
            Some(format!("The owner of pod {pod}'s deletion cost"))
        });
        let mut acted = Ok(());
        if role == Role::Leader && rival.is_none() && object.spec.mode.acts() {
            let target = &object.spec.target;
            acted = act(hands, target, policy, &sight, &decision, deeds).await;
            if let Some(entry) = object.spec.loads.entry.as_ref().filter(|_| !decision.shut.is_empty())
                && acted.is_ok()
            {
                acted = hands.shut(&entry.url, &decision.shut).await;
            }
            if acted.is_ok() && now >= self.rebalance_at {
                self.rebalance_at = now + Duration::from_secs_f64(policy.rebalance.period_secs);
                acted = rebalance(hands, target, policy, &sight, &decision).await;
            }
            if acted.is_ok() && !deeds.removed.is_empty() {
                self.removal = Some((deeds.removed.iter().cloned().collect(), now));
            }
        }
        let act_error = match acted {
            Ok(()) => None,
            Err(ControllerError::Fenced) => return Err(ControllerError::Fenced),
            Err(error) => Some(error),
        };
        self.turns(decision.reason.panic, &decision.reason.constraints, rival.as_ref(), deeds);
        let decided = Decided {
            decision,
            rival,
            loads_error,
            act_error,
            unschedulable: sight.unschedulable,
            seen: sight.observation,
        };
        Ok(Outcome::Decided(Box::new(decided)))
    }

    /// Reads the loads; what went wrong with it.
    async fn hear(&mut self, loads: &dyn Loads, now: Duration) -> Option<String> {
        match loads.read().await {
            Ok(report) => {
                self.heard.take(&report, now);
                None
            }
            Err(error) => {
                self.heard.missed();
                Some(error.to_string())
            }
        }
    }

    /// Looks whether anybody died in a victim's place.
    fn verify(&mut self, sight: &Sight, now: Duration, deeds: &mut Deeds) {
        let gateways = &sight.observation.gateways;
        let staying: BTreeSet<GatewayId> =
            gateways.iter().filter(|one| one.phase != Phase::Ending).map(|one| one.id.clone()).collect();
        if let Some((victims, since)) = &self.removal {
            let ended = self.present.difference(&staying).filter(|id| !victims.contains(*id));
            let wrong: Vec<GatewayId> = ended.cloned().collect();
            let spared = victims.intersection(&staying).count();
            if spared > 0 && !wrong.is_empty() {
                let text = format!("{} was deleted in the place of a drained gateway.", wrong.join(", "));
                deeds.notes.push(Note::warning("WrongVictim", text));
                deeds.wrong_victims = wrong.len();
            }
            if spared == 0 || now.saturating_sub(*since) >= VERIFY_FOR {
                self.removal = None;
            }
        }
        self.present = staying;
    }

    /// Tells of what has begun or ended.
    fn turns(&mut self, panic: bool, constraints: &[Constraint], rival: Option<&String>, deeds: &mut Deeds) {
        let blind = constraints.contains(&Constraint::Blind);
        let notes = &mut deeds.notes;
        match (self.panic, panic) {
            (false, true) => {
                notes.push(Note::warning("PanicEntered", "The crowd outgrows the fleet.".into()));
            }
            (true, false) => notes.push(Note::normal("PanicLeft", "The fleet carries the crowd.".into())),
            (true, true) | (false, false) => {}
        }
        match (self.blind, blind) {
            (false, true) => notes.push(Note::warning("MetricsLost", Constraint::Blind.sentence().into())),
            (true, false) => notes.push(Note::normal("MetricsBack", "Gateways report again.".into())),
            (true, true) | (false, false) => {}
        }
        if let Some(rival) = rival.filter(|_| self.rival.is_none()) {
            notes.push(Note::warning("ConflictDetected", format!("{rival} is at the same target.")));
        }
        self.panic = panic;
        self.blind = blind;
        self.rival = rival.cloned();
    }

    /// Writes the status when a condition turned, or now and then.
    pub(super) async fn publish(
        &mut self,
        hands: &Hands,
        object: &FleetAutoscaler,
        outcome: &Outcome,
        deeds: &Deeds,
        now: Duration,
    ) -> Result<(), ControllerError> {
        let time = Time(Timestamp::from_second(now.as_secs().cast_signed()).unwrap_or_default());
        let before = object.status.clone().unwrap_or_default();
        let mut status = status(object, outcome, &before, &time);
        if deeds.scaled {
            status.last_scale_time = Some(time);
        }
        let due = self.told.as_ref().is_none_or(|(told, at)| {
            deeds.scaled
                || told.observed_generation != status.observed_generation
                || told.conditions != status.conditions
                || now.saturating_sub(*at) >= STATUS_EVERY
        });
        if due && status != before {
            let name = object.metadata.name.as_deref().unwrap_or_default();
            hands.status(name, &status).await?;
            self.told = Some((status, now));
        }
        Ok(())
    }
}
