//! NATs as a client meets them: each forgets a connection that idles for longer than its limit.

/// Direction of packets through a NAT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Outbound,
    /// From the server to the client.
    Inbound,
}

/// A NAT that drops packets of connections that have idled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SimulatedNat {
    /// Drops both directions after idling for so many seconds.
    Fixed(u64),
    /// Has the first limit for so many seconds, then the second one, and so on in turn.
    Changing {
        /// Idle seconds that the NAT bears in turn.
        limits_s: [u64; 2],
        /// Seconds after which the limit changes.
        every_s: u64,
    },
    /// Drops one direction alone after idling for so many seconds.
    OneWay {
        /// Idle seconds that the NAT bears.
        limit_s: u64,
        /// Direction whose packets the NAT drops.
        dropped: Direction,
    },
}

impl SimulatedNat {
    /// Returns the idle time in milliseconds after which the NAT forgets a connection at this time.
    pub(super) fn limit_ms(self, now_ms: u64) -> u64 {
        let limit_s = match self {
            SimulatedNat::Fixed(limit_s) | SimulatedNat::OneWay { limit_s, .. } => limit_s,
            SimulatedNat::Changing { limits_s: [first, second], every_s } => {
                if (now_ms / 1_000 / every_s.max(1)).is_multiple_of(2) { first } else { second }
            }
        };
        limit_s * 1_000
    }

    /// Whether the NAT passes packets of a connection that it has forgotten.
    pub(super) fn passes_forgotten(self, direction: Direction) -> bool {
        matches!(self, SimulatedNat::OneWay { dropped, .. } if dropped != direction)
    }
}
