//! This autoscaler as a contender: the core itself.

use barrage_scaling::{Knee, Memory, Observation, PolicyConfig, decide};

use super::contender::{Orders, Placement, Scaler, View};

pub(crate) struct Ours {
    policy: PolicyConfig,
    knee: Knee,
    memory: Memory,
    placement: Placement,
}

impl Ours {
    pub(crate) fn new(policy: PolicyConfig, knee: Knee, placement: Placement) -> Ours {
        Ours { policy, knee, memory: Memory::default(), placement }
    }
}

pub(crate) fn observe(view: &View<'_>) -> Observation {
    Observation {
        at_secs: view.now_secs,
        replicas: view.fleet.replicas,
        gateways: view.fleet.gateways.iter().map(|gateway| gateway.observed(view.now_secs)).collect(),
        entry: Some(view.entry),
        provision_secs: view.fleet.starts_secs.iter().copied().collect(),
        prewarms: Vec::new(),
        rollout: false,
    }
}

impl Scaler for Ours {
    fn period_secs(&self) -> u64 {
        self.policy.tick_secs.max(1.0) as u64
    }

    fn tick(&mut self, view: &View<'_>) -> Orders {
        let seen = observe(view);
        let decision = decide(&self.policy, &self.knee, &mut self.memory, &seen);
        let forecast = Some(decision.reason.forecast.viewers);
        let panic = decision.reason.panic;
        match self.placement {
            Placement::Entry => Orders {
                replicas: decision.replicas,
                drain: decision.drain,
                undrain: decision.undrain,
                doomed: decision.remove,
                moves: decision.moves,
                shut: decision.shut,
                forecast,
                panic,
            },
            // Without entry no gateway can drain: victims are deleted at once.
            Placement::Service => Orders {
                replicas: decision.replicas.saturating_sub(barrage_scaling::count(decision.drain.len())),
                doomed: decision.drain,
                forecast,
                panic,
                ..Orders::default()
            },
        }
    }
}
