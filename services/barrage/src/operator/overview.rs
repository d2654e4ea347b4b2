//! The state of the whole fleet in one answer, which the console polls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use barrage_bus::{InstanceReport, Role, Settings, SwitchView, entry_load};
use barrage_http::{ApiError, bearer};
use barrage_protocol::Code;
use barrage_scaling::{EntryLoad, FleetPrewarm};
use http::HeaderMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::context::Operator;
use super::fleet_calls::{NotAsked, Target};
use super::process_state::ProcessState;
use super::rooms::{OfferedRooms, RoomView, TopRooms, add_up};
use crate::autoscale;

/// Age up to which an overview answers further callers, so that several open consoles cost no more
/// than one.
const AGE_MAX: Duration = Duration::from_millis(900);

/// Newest overview of this process. The lock is held while the fleet is asked, so that callers wait
/// for one question.
#[derive(Default)]
pub(super) struct OverviewCache(Mutex<Option<(Instant, Arc<Overview>)>>);

/// Answer of `GET /v1/admin/overview`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Overview {
    /// Unix time of the answer in milliseconds.
    at_ms: u64,
    /// Every instance with a recent report, by role and id.
    instances: Vec<InstanceView>,
    /// Newcomers at all entries; absent when no entry has reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<EntryLoad>,
    /// Whether an entry places newcomers without recent reports of gateways.
    blind: bool,
    /// Hottest rooms, hottest first.
    rooms: Vec<RoomView>,
    /// Rooms in the settings, closed ones included.
    rooms_total: usize,
    /// Announced crowds that are not over.
    prewarms: Vec<FleetPrewarm>,
    /// All switches with the values in force.
    switches: Vec<SwitchView>,
    /// Instances that did not answer; their figures are missing in the sums.
    not_asked: Vec<NotAsked>,
}

/// One instance: its report, and what its process answered.
#[derive(Debug, Serialize, JsonSchema)]
struct InstanceView {
    #[serde(flatten)]
    report: InstanceReport,
    /// Milliseconds since the report was made.
    report_age_ms: u64,
    /// Weight of a gateway for newcomers, from 0; absent when no entry names the gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<f64>,
    /// Figures of the process; absent when it did not answer. Instances of one process have the
    /// same figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<ProcessState>,
    /// Number of the process among those of the fleet: instances with the same number share one.
    process: usize,
}

/// One entry's answer of `GET /v1/admin/weights`, as far as the overview reads it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Weights {
    weights: Vec<Weight>,
    blind: bool,
}

#[derive(Debug, Deserialize)]
struct Weight {
    gateway: String,
    weight: f64,
}

/// Answers of the fleet, sorted by their kind.
#[derive(Default)]
struct Answers {
    states: BTreeMap<String, ProcessState>,
    weights: Vec<Weights>,
    rooms: Vec<TopRooms>,
    offered: Vec<OfferedRooms>,
    not_asked: Vec<NotAsked>,
}

/// Question to one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    State,
    Weights,
    TopRooms,
    Offered,
}

impl Question {
    const fn path(self) -> &'static str {
        match self {
            Question::State => "/v1/admin/state",
            Question::Weights => "/v1/admin/weights",
            Question::TopRooms => "/v1/admin/top-rooms",
            Question::Offered => "/v1/admin/offered",
        }
    }

    /// Returns the question for instances of a role, besides the state of their process.
    const fn of_role(role: Role) -> Option<Self> {
        match role {
            Role::Gateway => Some(Question::TopRooms),
            Role::Uplink => Some(Question::Offered),
            Role::Entry => Some(Question::Weights),
            Role::Autoscaler => None,
        }
    }
}

/// Lists the questions: the state of each process once, and one question for each instance.
fn questions(targets: &[Target]) -> Vec<(Target, Question)> {
    let mut questions = Vec::with_capacity(2 * targets.len());
    let mut urls = Vec::new();
    for target in targets {
        if !urls.contains(&&target.url) {
            urls.push(&target.url);
            questions.push((target.clone(), Question::State));
        }
        questions.extend(Question::of_role(target.role).map(|question| (target.clone(), question)));
    }
    questions
}

impl Answers {
    fn add(
        &mut self,
        target: &Target,
        question: Question,
        answer: &super::fleet_calls::FleetAnswer,
    ) -> Result<(), String> {
        match question {
            Question::State => {
                self.states.extend(answer.json()?.map(|state| (target.url.clone(), state)));
            }
            Question::Weights => self.weights.extend(answer.json()?),
            Question::TopRooms => self.rooms.extend(answer.json()?),
            Question::Offered => self.offered.extend(answer.json()?),
        }
        Ok(())
    }

    fn failed(&mut self, target: Target, why: String) {
        let is_known =
            self.not_asked.iter().any(|known| (known.role, &known.id) == (target.role, &target.id));
        if !is_known {
            self.not_asked.push(NotAsked::new(target, why));
        }
    }
}

/// Answers with the state of the fleet, at most [`AGE_MAX`] old.
pub(super) async fn handle(
    State(operator): State<Arc<Operator>>,
    headers: HeaderMap,
) -> Result<Json<Arc<Overview>>, ApiError> {
    let token = bearer(&headers).ok_or_else(|| ApiError::new(Code::Unauthorized, "send a token"))?;
    let mut newest = operator.overview.0.lock().await;
    if let Some((at, overview)) = &*newest
        && at.elapsed() < AGE_MAX
    {
        return Ok(Json(Arc::clone(overview)));
    }
    let overview = Arc::new(observe(&operator, token).await);
    *newest = Some((barrage_clock::now(), Arc::clone(&overview)));
    Ok(Json(overview))
}

async fn observe(operator: &Operator, token: &str) -> Overview {
    let questions = questions(&operator.calls.targets());
    let kinds: Vec<_> = questions.iter().map(|(_, question)| *question).collect();
    let calls = questions.into_iter().map(|(target, question)| (target, question.path().to_owned()));
    let mut answers = Answers::default();
    let answered = operator.calls.ask_all(calls.collect(), token).await;
    for ((target, answer), question) in answered.into_iter().zip(kinds) {
        if let Err(why) = answer.and_then(|answer| answers.add(&target, question, &answer)) {
            answers.failed(target, why);
        }
    }
    let settings = Arc::clone(&operator.parts.bus.settings().borrow());
    overview(operator, &settings, answers)
}

/// Joins the registry, the settings and the answers.
fn overview(operator: &Operator, settings: &Settings, answers: Answers) -> Overview {
    let mut instances = operator.parts.bus.instances();
    instances.sort_by(|a, b| (a.report.role, &a.report.id).cmp(&(b.report.role, &b.report.id)));
    let entry = entry_load(&instances);
    let weights: BTreeMap<_, _> = answers
        .weights
        .iter()
        .flat_map(|answer| &answer.weights)
        .map(|weight| (weight.gateway.as_str(), weight.weight))
        .collect();
    let mut urls = Vec::<String>::new();
    let own_url = &operator.parts.own_url;
    let views = instances.into_iter().map(|instance| {
        let report = instance.report;
        let url = report.admin_url.as_ref().unwrap_or(own_url);
        let process = urls.iter().position(|known| known == url).unwrap_or_else(|| {
            urls.push(url.clone());
            urls.len() - 1
        });
        let is_gateway = report.role == Role::Gateway;
        InstanceView {
            report_age_ms: u64::try_from(instance.age.as_millis()).unwrap_or(u64::MAX),
            weight: weights.get(report.id.as_str()).copied().filter(|_| is_gateway),
            state: answers.states.get(url).filter(|_| report.role != Role::Autoscaler).cloned(),
            process,
            report,
        }
    });
    let now = barrage_clock::since_unix_epoch();
    Overview {
        at_ms: barrage_clock::unix_ms(),
        instances: views.collect(),
        entry,
        blind: answers.weights.iter().any(|answer| answer.blind),
        rooms: add_up(answers.rooms, answers.offered),
        rooms_total: settings.rooms.len(),
        prewarms: autoscale::prewarms(settings, now).collect(),
        switches: settings.switches.list(),
        not_asked: answers.not_asked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_is_asked_for_its_state_once() {
        let target = |role, id: &str, url: &str| Target { role, id: id.into(), url: url.into() };
        let targets = [
            target(Role::Gateway, "gateway", "http://a"),
            target(Role::Uplink, "uplink", "http://a"),
            target(Role::Gateway, "gateway-2", "http://b"),
            target(Role::Entry, "entry", "http://c"),
        ];
        let asked: Vec<_> =
            questions(&targets).into_iter().map(|(target, question)| (target.id, question)).collect();
        let expected = [
            ("gateway", Question::State),
            ("gateway", Question::TopRooms),
            ("uplink", Question::Offered),
            ("gateway-2", Question::State),
            ("gateway-2", Question::TopRooms),
            ("entry", Question::State),
            ("entry", Question::Weights),
        ];
        assert_eq!(asked, expected.map(|(id, question)| (id.to_owned(), question)));
    }
}
