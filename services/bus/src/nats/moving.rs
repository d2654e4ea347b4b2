//! Rooms that move between partitions while people write.
//!
//! A move has three steps, each of which any process may take, again or for the first time:
//!
//! 1. The gate: one batch in the old stream, under the condition that the gate is as it was read. Publishes
//!    name the gate that they expect, so from here on the server refuses them: the chain is closed there.
//! 2. The place: position of the gate, newest message and new stream give the next stay of the room. It is
//!    stored in the settings, where the first one of concurrent moves counts.
//! 3. Publishers go on in the new stream. Each message names its chain, so that readers need no map.
//!
//! A publisher that meets a gate whose place is late takes the second step itself.

pub(crate) mod mover;
pub(crate) mod step;
