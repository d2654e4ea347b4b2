//! The simulated gateways and what keeps their number.

use std::collections::VecDeque;

use barrage_scaling::{GatewayId, Phase};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::gateway::Gateway;
use crate::baseline::replica_set::{Ranked, victims};

/// Maximum number of measured start durations that are kept.
const STARTS_MAX: usize = 20;
/// Age of the first gateways, in seconds.
const OLD_SECS: f64 = 3_600.0;

pub(crate) struct Fleet {
    pub(crate) gateways: Vec<Gateway>,
    /// Number of replicas that the policy has set last.
    pub(crate) replicas: u32,
    pub(crate) starts_secs: VecDeque<f64>,
    provision_secs: f64,
    next: u32,
    rng: StdRng,
}

impl Fleet {
    pub(crate) fn new(replicas: u32, viewers: f64, provision_secs: f64, seed: u64) -> Fleet {
        let rng = StdRng::seed_from_u64(seed ^ 0x5eed);
        let gateways = Vec::new();
        let mut fleet =
            Fleet { gateways, replicas, starts_secs: VecDeque::new(), provision_secs, next: 0, rng };
        for _ in 0..replicas {
            let gateway = fleet.create(-OLD_SECS);
            let viewers = viewers / f64::from(replicas);
            fleet.gateways.push(Gateway { phase: Phase::Ready, ready_secs: -OLD_SECS, viewers, ..gateway });
        }
        fleet
    }

    fn create(&mut self, now_secs: f64) -> Gateway {
        self.next += 1;
        let takes = self.provision_secs * self.rng.random_range(0.75..1.25);
        Gateway {
            id: format!("g{}", self.next).into(),
            uid: self.rng.random(),
            created_secs: now_secs,
            ready_secs: now_secs + takes,
            phase: Phase::Starting,
            viewers: 0.0,
            joins: 0.0,
            deletion_cost: 0,
            ending: None,
            report: None,
            report_secs: now_secs,
            history: VecDeque::new(),
        }
    }

    /// Makes gateways ready whose start is over.
    pub(crate) fn start(&mut self, now_secs: f64) {
        for gateway in &mut self.gateways {
            if gateway.phase == Phase::Starting && now_secs >= gateway.ready_secs {
                gateway.phase = Phase::Ready;
                self.starts_secs.push_back(gateway.ready_secs - gateway.created_secs);
            }
        }
        while self.starts_secs.len() > STARTS_MAX {
            self.starts_secs.pop_front();
        }
    }

    /// Removes `many` ready gateways at random. Returns the viewers that they had.
    pub(crate) fn die(&mut self, many: u32) -> f64 {
        let mut lost = 0.0;
        for _ in 0..many {
            let ready: Vec<usize> =
                (0..self.gateways.len()).filter(|n| self.gateways[*n].phase == Phase::Ready).collect();
            if ready.is_empty() {
                break;
            }
            let victim = ready[self.rng.random_range(0..ready.len())];
            lost += self.gateways.swap_remove(victim).viewers;
        }
        lost
    }

    /// Creates or ends gateways until their number is the one asked for, as a replica set does.
    /// Returns the gateways whose end begins.
    pub(crate) fn reconcile(&mut self, now_secs: f64) -> Vec<GatewayId> {
        let staying: Vec<usize> =
            (0..self.gateways.len()).filter(|n| self.gateways[*n].phase != Phase::Ending).collect();
        let asked = self.replicas as usize;
        for _ in staying.len()..asked {
            let gateway = self.create(now_secs);
            self.gateways.push(gateway);
        }
        let ranked: Vec<Ranked> = staying
            .iter()
            .map(|n| {
                let gateway = &self.gateways[*n];
                Ranked {
                    ready: gateway.phase != Phase::Starting,
                    deletion_cost: gateway.deletion_cost,
                    age_secs: now_secs - gateway.ready_secs.min(now_secs),
                    uid: gateway.uid,
                }
            })
            .collect();
        let gone = victims(&ranked, staying.len().saturating_sub(asked));
        gone.into_iter()
            .map(|n| {
                let gateway = &mut self.gateways[staying[n]];
                gateway.phase = Phase::Ending;
                gateway.ending = Some((now_secs, gateway.viewers));
                gateway.id.clone()
            })
            .collect()
    }

    pub(crate) fn get_mut(&mut self, id: &GatewayId) -> Option<&mut Gateway> {
        self.gateways.iter_mut().find(|gateway| gateway.id == *id)
    }

    pub(crate) fn connected(&self) -> f64 {
        self.gateways.iter().map(|gateway| gateway.viewers).sum()
    }

    pub(crate) fn has_draining(&self) -> bool {
        self.gateways.iter().any(|gateway| gateway.phase == Phase::Draining)
    }

    pub(crate) fn ready(&self) -> impl Iterator<Item = &Gateway> {
        self.gateways.iter().filter(|gateway| gateway.phase == Phase::Ready)
    }
}
