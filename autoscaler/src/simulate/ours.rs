//! This autoscaler in the simulator: the core itself, nothing else.

use barrage_scaling::{Knee, Memory, Observation, PolicyConfig, decide};

use super::contender::{Look, Orders, Placement, Scaler};

pub(super) struct Ours {
    policy: PolicyConfig,
    knee: Knee,
    memory: Memory,
    placement: Placement,
}

impl Ours {
    pub(super) fn new(policy: PolicyConfig, knee: Knee, placement: Placement) -> Ours {
        Ours { policy, knee, memory: Memory::default(), placement }
    }
}

pub(super) fn observe(look: &Look<'_>) -> Observation {
    Observation {
        at_secs: look.now_secs,
        replicas: look.fleet.replicas,
        gateways: look.fleet.gateways.iter().map(|gateway| gateway.seen(look.now_secs)).collect(),
        entry: Some(look.entry),
        provision_secs: look.fleet.starts_secs.iter().copied().collect(),
        prewarms: Vec::new(),
        rollout: false,
    }
}

impl Scaler for Ours {
    fn period_secs(&self) -> u64 {
        self.policy.tick_secs.max(1.0) as u64
    }

    fn tick(&mut self, look: &Look<'_>) -> Orders {
        let seen = observe(look);
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
            // Without entry there is nothing to drain with: victims go at once.
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
