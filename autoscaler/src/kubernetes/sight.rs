//! The fleet as the API server and the load reports show it.

use std::collections::BTreeMap;
use std::time::Duration;

use barrage_scaling::{GatewayId, Observation, ObservedGateway, Phase, PolicyConfig};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::heard::{Heard, Start};

/// Kubernetes deletes the pods with the least of it first, among those that are ready.
pub const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
/// What victims get.
pub const VICTIM_COST: &str = "-1000";
/// A pod's annotation: the first to go.
pub const CORDON: &str = "barrage.dev/cordon";
/// A pod's annotation: never drained.
pub const PIN: &str = "barrage.dev/pin";
const ZONE: &str = "topology.kubernetes.io/zone";
/// A gateway that was never of use is starting for so many times the usual.
const STARTING_TIMES: f64 = 3.0;

/// What one pass sees.
#[derive(Debug)]
pub(super) struct Sight {
    pub(super) observation: Observation,
    /// Addresses of the pods that have one.
    pub(super) addresses: BTreeMap<GatewayId, String>,
    /// Pods that stay and still have a victim's cost.
    pub(super) marked: Vec<String>,
    /// A pod whose deletion cost somebody else set.
    pub(super) foreign_cost: Option<String>,
    /// Whether a pod waits for a node.
    pub(super) unschedulable: bool,
    /// The Deployment's version, which a patch must still find.
    pub(super) version: Option<String>,
}

impl Sight {
    pub(super) fn of(
        deployment: &Deployment,
        pods: &[Pod],
        heard: &mut Heard,
        policy: &PolicyConfig,
        now: Duration,
    ) -> Sight {
        let start = |pod| Start { age_secs: age_secs(pod, now), ready: condition(pod, "Ready") };
        heard.note_pods(&pods.iter().map(|pod| (pod.name_any().as_str().into(), start(pod))).collect());
        let replicas = replicas(deployment);
        let mut marked: Vec<&Pod> = Vec::new();
        let mut gateways: Vec<ObservedGateway> = Vec::with_capacity(pods.len());
        for pod in pods {
            let gateway = gateway(pod, heard, policy, now);
            if gateway.phase != Phase::Ending && cost(pod) == Some(VICTIM_COST) {
                marked.push(pod);
            }
            gateways.push(gateway);
        }
        let staying = gateways.iter().filter(|gateway| gateway.phase != Phase::Ending).count();
        let surplus = staying.saturating_sub(replicas as usize);
        // The scale is lower already and these are about to be deleted for it.
        let doomed: Vec<String> = marked.drain(..surplus.min(marked.len())).map(Pod::name_any).collect();
        for gateway in gateways.iter_mut().filter(|gateway| doomed.iter().any(|id| **id == *gateway.id)) {
            gateway.phase = Phase::Ending;
        }
        Sight {
            observation: Observation {
                at_secs: now.as_secs_f64(),
                replicas,
                gateways,
                entry: heard.entry,
                provision_secs: heard.starts_secs(),
                prewarms: heard.prewarms.clone(),
                // More pods than are asked for and not ours: somebody else takes some away.
                rollout: is_rolling(deployment) || surplus > doomed.len(),
            },
            addresses: pods.iter().filter_map(address).collect(),
            marked: marked.into_iter().map(Pod::name_any).collect(),
            foreign_cost: pods
                .iter()
                .find(|pod| cost(pod).is_some_and(|cost| cost != VICTIM_COST && cost != "0"))
                .map(Pod::name_any),
            unschedulable: pods.iter().any(is_unschedulable),
            version: deployment.metadata.resource_version.clone(),
        }
    }
}

/// Gateways that a Deployment asks for.
pub(super) fn replicas(deployment: &Deployment) -> u32 {
    let asked = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    u32::try_from(asked).unwrap_or(0)
}

fn is_rolling(deployment: &Deployment) -> bool {
    let Some(status) = &deployment.status else { return false };
    let unseen = status.observed_generation.zip(deployment.metadata.generation).is_some_and(|(a, b)| a < b);
    unseen || status.updated_replicas.unwrap_or(0) < status.replicas.unwrap_or(0)
}

fn gateway(pod: &Pod, heard: &Heard, policy: &PolicyConfig, now: Duration) -> ObservedGateway {
    let id = pod.name_any();
    let age_secs = age_secs(pod, now);
    let has = |annotation: &str| pod.annotations().get(annotation).is_some_and(|value| value == "true");
    let young = age_secs < STARTING_TIMES * policy.forecast.provision_secs;
    let starting = young && !heard.has_served(&id);
    let heard = heard.of(&id, now);
    ObservedGateway {
        phase: phase(pod, heard.map(|(gateway, _)| gateway.phase()), starting),
        age_secs,
        report: heard.map(|(gateway, _)| gateway.load.clone()),
        report_age_secs: heard.map_or(0.0, |(_, age)| age),
        cordoned: has(CORDON),
        pinned: has(PIN),
        zone: pod.labels().get(ZONE).map(|zone| zone.as_str().into()),
        id: id.as_str().into(),
    }
}

/// `said` is the gateway's own word, if it was ever heard.
fn phase(pod: &Pod, said: Option<Phase>, may_be_starting: bool) -> Phase {
    let over = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .is_some_and(|phase| matches!(phase, "Failed" | "Succeeded"));
    if over || pod.metadata.deletion_timestamp.is_some() {
        return Phase::Ending;
    }
    match (condition(pod, "Ready"), said) {
        // A process reports before its pod is ready, or the other way round.
        (false, _) | (true, None) if may_be_starting => Phase::Starting,
        (false, None) => Phase::Starting,
        (false, Some(_)) => Phase::Unready,
        (true, None) => Phase::Ready,
        (true, Some(said)) => said,
    }
}

fn conditions(pod: &Pod) -> impl Iterator<Item = &k8s_openapi::api::core::v1::PodCondition> {
    pod.status.iter().flat_map(|status| status.conditions.iter().flatten())
}

fn condition(pod: &Pod, kind: &str) -> bool {
    conditions(pod).any(|condition| condition.type_ == kind && condition.status == "True")
}

fn is_unschedulable(pod: &Pod) -> bool {
    conditions(pod).any(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("Unschedulable")
    })
}

fn cost(pod: &Pod) -> Option<&str> {
    pod.annotations().get(DELETION_COST).map(String::as_str)
}

fn address(pod: &Pod) -> Option<(GatewayId, String)> {
    let ip = pod.status.as_ref()?.pod_ip.as_deref().filter(|ip| !ip.is_empty())?;
    let host = if ip.contains(':') { format!("[{ip}]") } else { ip.into() };
    Some((pod.name_any().as_str().into(), host))
}

fn age_secs(pod: &Pod, now: Duration) -> f64 {
    let created = pod.metadata.creation_timestamp.as_ref().map_or(0, |time| time.0.as_second());
    (now.as_secs_f64() - created as f64).max(0.0)
}
