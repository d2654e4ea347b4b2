//! The resources of a gateway.

use serde::{Deserialize, Serialize};

/// A resource of a gateway that has a knee. `Joins` is a rate of events; the others are states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Open connections of viewers.
    Connections,
    /// Joins per second of viewers.
    Joins,
    /// Messages delivered to viewers, per second.
    Deliveries,
    /// Bytes written, per second.
    Egress,
    /// Packets sent, per second.
    Packets,
    /// Processors in use by the process.
    Cpu,
    /// Resident memory, in bytes.
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

    /// Name in metrics, files and tables.
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
