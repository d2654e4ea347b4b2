//! The order in which a replica set deletes surplus pods.

/// Properties of a pod that decide its place in the order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    /// The pod's condition `Ready` is true; an unready pod is deleted first.
    pub ready: bool,
    /// Annotation `controller.kubernetes.io/pod-deletion-cost`; the lower cost is deleted first.
    pub deletion_cost: i32,
    /// Seconds since the pod became ready, or since it was created.
    pub age_secs: f64,
    /// Stands in for the pod's UID, which decides between equal pods.
    pub uid: u64,
}

/// Returns the indices of the `many` pods to delete: unready pods first, then by deletion cost,
/// then the younger by powers of two, then by UID.
#[must_use]
pub fn victims(pods: &[Ranked], many: usize) -> Vec<usize> {
    let age_rank = |pod: &Ranked| (pod.age_secs.max(0.0) + 1.0).log2().floor() as i64;
    let mut order: Vec<usize> = (0..pods.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (&pods[*a], &pods[*b]);
        a.ready
            .cmp(&b.ready)
            .then(a.deletion_cost.cmp(&b.deletion_cost))
            .then(age_rank(a).cmp(&age_rank(b)))
            .then(a.uid.cmp(&b.uid))
    });
    order.truncate(many);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unready_comes_before_cost_and_cost_before_age() {
        let pod = |ready, deletion_cost, age_secs, uid| Ranked { ready, deletion_cost, age_secs, uid };
        let pods = [
            pod(true, 0, 5_000.0, 1),
            pod(true, -1_000, 9_000.0, 2),
            pod(false, 100, 9_000.0, 3),
            pod(true, 0, 10.0, 4),
            pod(true, 0, 4_500.0, 0),
        ];
        // The two oldest share a power of two: their UIDs decide.
        assert_eq!(victims(&pods, 5), [2, 1, 3, 4, 0]);
    }
}
