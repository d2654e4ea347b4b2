//! Detection of another autoscaler on the same Deployment. Two autoscalers on one target would
//! undo each other's changes.

use k8s_openapi::api::autoscaling::v1::HorizontalPodAutoscaler;
use kube::ResourceExt;

use super::fleet_autoscaler::FleetAutoscaler;

/// Name of the first other autoscaler of the same target, if there is one. An autoscaler that
/// writes nothing has no rivals and is none: a dry run beside an HPA is its purpose.
pub(crate) fn rival(
    one: &FleetAutoscaler,
    all: &[FleetAutoscaler],
    hpas: &[HorizontalPodAutoscaler],
) -> Option<String> {
    if !one.spec.mode.acts() {
        return None;
    }
    let target = &one.spec.target.name;
    let fleet = all
        .iter()
        .filter(|other| other.name_any() != one.name_any() && other.spec.mode.acts())
        .find(|other| other.spec.target.name == *target)
        .map(|other| format!("FleetAutoscaler {}", other.name_any()));
    let scales = |hpa: &&HorizontalPodAutoscaler| {
        let target_ref = hpa.spec.as_ref().map(|spec| &spec.scale_target_ref);
        target_ref.is_some_and(|it| it.kind == "Deployment" && it.name == *target)
    };
    fleet.or_else(|| {
        let hpa = hpas.iter().find(scales)?;
        Some(format!("HorizontalPodAutoscaler {}", hpa.name_any()))
    })
}
