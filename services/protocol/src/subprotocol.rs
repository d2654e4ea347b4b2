//! Subprotocols of the downlink, by which client and server agree on version and encoding.
//!
//! A client offers all that it speaks, its favourite first; the server echoes the first one that it knows.
//! So an old server answers a new client with version 1.0, and a new server an old client.

/// Version of the frames on one connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum FrameVersion {
    /// The first version: joins have no facts, and the heartbeat's interval is fixed.
    #[default]
    V1_0,
    /// Joins may state facts, and clients find out how long they may idle.
    V1_1,
}

/// A subprotocol that this version knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subprotocol {
    /// Name in the handshake.
    pub name: &'static str,
    /// Version of the frames.
    pub version: FrameVersion,
    /// Whether a frame of the server may be deflated in a binary frame.
    pub is_deflated: bool,
}

impl Subprotocol {
    /// All subprotocols, the best one first.
    pub const ALL: [Subprotocol; 4] = [
        subprotocol("barrage.v1.1.deflate", FrameVersion::V1_1, true),
        subprotocol("barrage.v1.1.json", FrameVersion::V1_1, false),
        subprotocol("barrage.v1.deflate", FrameVersion::V1_0, true),
        subprotocol("barrage.v1.json", FrameVersion::V1_0, false),
    ];

    /// Finds a subprotocol by its name; `None` for one that this version does not know.
    #[must_use]
    pub fn find(name: &str) -> Option<Subprotocol> {
        Subprotocol::ALL.into_iter().find(|subprotocol| subprotocol.name == name)
    }

    /// Returns the value of a client's `Sec-WebSocket-Protocol`: all versions, with or without deflate.
    #[must_use]
    pub fn offer(with_deflate: bool) -> String {
        let offered = Subprotocol::ALL.iter().filter(|subprotocol| with_deflate || !subprotocol.is_deflated);
        offered.map(|subprotocol| subprotocol.name).collect::<Vec<_>>().join(", ")
    }
}

const fn subprotocol(name: &'static str, version: FrameVersion, is_deflated: bool) -> Subprotocol {
    Subprotocol { name, version, is_deflated }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{SUBPROTOCOL_DEFLATE, SUBPROTOCOL_JSON};

    #[test]
    fn an_offer_has_every_version_for_servers_of_every_age() {
        assert_eq!(Subprotocol::offer(false), "barrage.v1.1.json, barrage.v1.json");
        assert!(Subprotocol::offer(true).starts_with("barrage.v1.1.deflate, "));
        for old in [SUBPROTOCOL_DEFLATE, SUBPROTOCOL_JSON] {
            assert_eq!(Subprotocol::find(old).map(|it| it.version), Some(FrameVersion::V1_0));
            assert!(Subprotocol::offer(true).split(", ").any(|name| name == old));
        }
        assert_eq!(Subprotocol::find("barrage.v2.json"), None);
    }
}
