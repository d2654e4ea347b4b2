//! One observation of the fleet, from its Deployment, its pods and the load reports.

use std::collections::BTreeMap;
use std::time::Duration;

use barrage_scaling::{GatewayId, Observation, ObservedGateway, Phase, PolicyConfig};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::latest_reports::{LatestReports, Start};

/// Annotation that orders deletion: among ready pods, Kubernetes deletes the lowest cost first.
pub const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
/// Deletion cost of a drained gateway: below the default of 0, so that Kubernetes deletes it first.
pub const VICTIM_COST: &str = "-1000";
/// Annotation of a pod that scale-in drains first.
pub const CORDON: &str = "barrage.dev/cordon";
/// Annotation of a pod that is never drained.
pub const PIN: &str = "barrage.dev/pin";
const ZONE: &str = "topology.kubernetes.io/zone";
/// A gateway that has never served counts as starting for this multiple of a usual start;
/// afterwards as unready.
const STARTING_TIMES: f64 = 3.0;

/// The observation of one pass, and the facts that acting on it needs.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) observation: Observation,
    /// Host of each pod that has an address.
    pub(crate) addresses: BTreeMap<GatewayId, String>,
    /// Pods that stay and still have the deletion cost of a victim.
    pub(crate) marked: Vec<String>,
    /// A pod whose deletion cost was set by another program.
    pub(crate) foreign_cost: Option<String>,
    /// Whether the scheduler finds no node for at least one pod.
    pub(crate) unschedulable: bool,
    /// Resource version of the Deployment; a patch on an older version is refused.
    pub(crate) version: Option<String>,
}

impl Observed {
    pub(crate) fn new(
        deployment: &Deployment,
        pods: &[Pod],
        reports: &mut LatestReports,
        policy: &PolicyConfig,
        now: Duration,
    ) -> Observed {
        let start = |pod| Start { age_secs: age_secs(pod, now), ready: condition(pod, "Ready") };
        reports.note_pods(&pods.iter().map(|pod| (pod.name_any().as_str().into(), start(pod))).collect());
        let replicas = replicas(deployment);
        let mut marked: Vec<&Pod> = Vec::new();
        let mut gateways: Vec<ObservedGateway> = Vec::with_capacity(pods.len());
        for pod in pods {
            let gateway = gateway(pod, reports, policy, now);
            if gateway.phase != Phase::Ending && cost(pod) == Some(VICTIM_COST) {
                marked.push(pod);
            }
            gateways.push(gateway);
        }
        let staying = gateways.iter().filter(|gateway| gateway.phase != Phase::Ending).count();
        let surplus = staying.saturating_sub(replicas as usize);
        // The replicas are already lower: Kubernetes is about to delete these pods.
        let doomed: Vec<String> = marked.drain(..surplus.min(marked.len())).map(Pod::name_any).collect();
        for gateway in gateways.iter_mut().filter(|gateway| doomed.iter().any(|id| **id == *gateway.id)) {
            gateway.phase = Phase::Ending;
        }
        Observed {
            observation: Observation {
                at_secs: now.as_secs_f64(),
                replicas,
                gateways,
                entry: reports.entry,
                provision_secs: reports.starts_secs(),
                prewarms: reports.prewarms.clone(),
                // More surplus pods than this controller gave up: another program removes pods.
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

/// Returns the replicas in the Deployment's spec; 1 when the field is absent, as in Kubernetes.
pub(crate) fn replicas(deployment: &Deployment) -> u32 {
    let asked = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    u32::try_from(asked).unwrap_or(0)
}

fn is_rolling(deployment: &Deployment) -> bool {
    let Some(status) = &deployment.status else { return false };
    let unseen = status.observed_generation.zip(deployment.metadata.generation).is_some_and(|(a, b)| a < b);
    unseen || status.updated_replicas.unwrap_or(0) < status.replicas.unwrap_or(0)
}

fn gateway(pod: &Pod, reports: &LatestReports, policy: &PolicyConfig, now: Duration) -> ObservedGateway {
    let id = pod.name_any();
    let age_secs = age_secs(pod, now);
    let has = |annotation: &str| pod.annotations().get(annotation).is_some_and(|value| value == "true");
    let young = age_secs < STARTING_TIMES * policy.forecast.provision_secs;
    let starting = young && !reports.has_served(&id);
    let report = reports.get(&id, now);
    ObservedGateway {
        phase: phase(pod, report.map(|(gateway, _)| gateway.phase()), starting),
        age_secs,
        report: report.map(|(gateway, _)| gateway.load.clone()),
        report_age_secs: report.map_or(0.0, |(_, age)| age),
        cordoned: has(CORDON),
        pinned: has(PIN),
        zone: pod.labels().get(ZONE).map(|zone| zone.as_str().into()),
        id: id.as_str().into(),
    }
}

/// Combines the pod's state with `reported`, the phase in the gateway's last report, if any.
fn phase(pod: &Pod, reported: Option<Phase>, may_be_starting: bool) -> Phase {
    let over = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .is_some_and(|phase| matches!(phase, "Failed" | "Succeeded"));
    if over || pod.metadata.deletion_timestamp.is_some() {
        return Phase::Ending;
    }
    match (condition(pod, "Ready"), reported) {
        // A process may report before its pod is ready, or after it.
        (false, _) | (true, None) if may_be_starting => Phase::Starting,
        (false, None) => Phase::Starting,
        (false, Some(_)) => Phase::Unready,
        (true, None) => Phase::Ready,
        (true, Some(reported)) => reported,
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
