//! Input of the core: reports of gateways and entry, and the fleet as an observer combines them.

mod fleet;
mod load;
mod observation;

pub use fleet::{FleetInstance, FleetPrewarm, FleetReport, FleetRole};
pub use load::{EntryLoad, GatewayId, LoadReport, ObservedGateway, Phase};
pub use observation::Observation;
