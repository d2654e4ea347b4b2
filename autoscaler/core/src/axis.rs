//! The resources of a gateway on which its load and capacity are measured.

use serde::{Deserialize, Serialize};

/// A resource of a gateway that has a knee. `Joins` is a rate of events; the others are states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Connections of viewers that are open at one moment.
    Connections,
    /// Viewers that join one gateway, per second.
    Joins,
    /// Messages written to viewers per second: one message to 1,000 viewers counts 1,000 times.
    Deliveries,
    /// Bytes per second that the viewers' sockets accept.
    Egress,
    /// Packets sent per second, counted as writes to viewers' sockets.
    Packets,
    /// Processors in use by the process; 1 is one core.
    Cpu,
    /// Resident memory of the process, in bytes.
    Memory,
}

impl Axis {
    /// All axes, in the order of reports.
    pub const ALL: [Axis; 7] = [
        Axis::Connections,
        Axis::Joins,
        Axis::Deliveries,
        Axis::Egress,
        Axis::Packets,
        Axis::Cpu,
        Axis::Memory,
    ];

    /// Axes whose load grows in proportion to the viewers.
    pub const PER_VIEWER: [Axis; 3] = [Axis::Deliveries, Axis::Egress, Axis::Packets];

    /// Returns the axis' name as metrics, files and tables show it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Axis::Connections => "connections",
            Axis::Joins => "joins",
            Axis::Deliveries => "deliveries",
            Axis::Egress => "egress",
            Axis::Packets => "packets",
            Axis::Cpu => "cpu",
            Axis::Memory => "memory",
        }
    }
}
