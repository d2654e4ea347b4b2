//! Numbered envelopes to the gateways, gathered until they are sent.

use std::collections::BTreeMap;
use std::time::Duration;

use barrage_bus::{MAIL_BYTES_MAX, MailEnvelope, MailGroup, UserHash};
use bytes::Bytes;

use super::attached::GatewayNumber;

/// Time after which a gateway gets an empty envelope: it then notices that the last one was lost.
pub(super) const BEAT_EVERY: Duration = Duration::from_secs(1);
/// Bytes of an envelope beside its groups, with room to spare.
const ENVELOPE_BYTES: usize = 64;

#[derive(Debug, Default)]
struct Chain {
    /// Number of the last envelope.
    number: u64,
    groups: Vec<MailGroup>,
    bytes: usize,
    sent_at: Duration,
}

/// Chains of envelopes, one for each gateway and lane.
#[derive(Debug)]
pub(super) struct Chains {
    /// Random number of this run of the courier.
    source: u64,
    chains: BTreeMap<(GatewayNumber, u16), Chain>,
    full: Vec<(GatewayNumber, MailEnvelope)>,
}

impl Chains {
    pub(super) fn new(source: u64) -> Self {
        Chains { source, chains: BTreeMap::new(), full: Vec::new() }
    }

    /// Adds a frame for some users of a gateway. Users beyond the size of an envelope are in the next one.
    pub(super) fn add(&mut self, gateway: GatewayNumber, lane: u16, users: &[UserHash], frame: &Bytes) {
        let users_max = (MAIL_BYTES_MAX / 2 / size_of::<UserHash>()).max(1);
        for users in users.chunks(users_max) {
            let group = MailGroup { users: users.to_vec(), frame: frame.clone() };
            let chain = self.chains.entry((gateway, lane)).or_default();
            if chain.bytes + group.bytes() > MAIL_BYTES_MAX - ENVELOPE_BYTES {
                let envelope = chain.envelope(self.source, lane);
                self.full.push((gateway, envelope));
            }
            chain.bytes += group.bytes();
            chain.groups.push(group);
        }
    }

    /// Takes the envelopes with frames.
    pub(super) fn flush(&mut self, now: Duration) -> Vec<(GatewayNumber, MailEnvelope)> {
        let mut sent = std::mem::take(&mut self.full);
        for ((gateway, lane), chain) in &mut self.chains {
            if !chain.groups.is_empty() {
                chain.sent_at = now;
                sent.push((*gateway, chain.envelope(self.source, *lane)));
            }
        }
        sent
    }

    /// Takes empty envelopes for the gateways that got none for a second, of each lane that has a number.
    pub(super) fn beat(
        &mut self,
        gateways: impl Iterator<Item = GatewayNumber>,
        lanes: u16,
        now: Duration,
    ) -> Vec<(GatewayNumber, MailEnvelope)> {
        let mut sent = Vec::new();
        for gateway in gateways {
            for lane in 0..lanes {
                let chain = self.chains.entry((gateway, lane)).or_default();
                if chain.number == 0 || now.saturating_sub(chain.sent_at) >= BEAT_EVERY {
                    chain.sent_at = now;
                    sent.push((gateway, chain.envelope(self.source, lane)));
                }
            }
        }
        sent
    }

    /// Skips a number of a lane at all gateways: they take it for a loss, and ring their users.
    pub(super) fn skip(&mut self, lane: u16) {
        for ((_, of), chain) in &mut self.chains {
            chain.number += u64::from(*of == lane);
        }
    }

    /// Forgets a gateway. If it comes back, its numbers begin anew, which it takes for a loss.
    pub(super) fn forget(&mut self, gateway: GatewayNumber) {
        self.chains.retain(|(of, _), _| *of != gateway);
    }
}

impl Chain {
    fn envelope(&mut self, source: u64, lane: u16) -> MailEnvelope {
        self.number += 1;
        self.bytes = 0;
        MailEnvelope { lane, source, number: self.number, groups: std::mem::take(&mut self.groups) }
    }
}
