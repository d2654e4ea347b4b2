//! Who else scales the same Deployment: two autoscalers on one target fight.

use k8s_openapi::api::autoscaling::v1::HorizontalPodAutoscaler;
use kube::ResourceExt;

use super::resource::FleetAutoscaler;

/// A name for the first rival of `one`, if it has any. One that touches nothing has no
/// rivals and is nobody's: a dry run beside an HPA is what it is for.
pub(super) fn rival(
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
        let aim = hpa.spec.as_ref().map(|spec| &spec.scale_target_ref);
        aim.is_some_and(|aim| aim.kind == "Deployment" && aim.name == *target)
    };
    fleet.or_else(|| {
        let hpa = hpas.iter().find(scales)?;
        Some(format!("HorizontalPodAutoscaler {}", hpa.name_any()))
    })
}
