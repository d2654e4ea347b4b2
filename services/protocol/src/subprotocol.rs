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

/// Encoding of a server's frames on one connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WireEncoding {
    /// JSON in text frames.
    #[default]
    Json,
    /// Deflated JSON in binary frames.
    Deflate,
    /// Batches as deflated [lines](crate::lines) in binary frames, other frames as with `Deflate`.
    Lines,
}

/// A subprotocol that this version knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subprotocol {
    /// Name in the handshake.
    pub name: &'static str,
    /// Version of the frames.
    pub version: FrameVersion,
    /// Encoding of the server's frames.
    pub encoding: WireEncoding,
}

impl Subprotocol {
    /// All subprotocols, the best one first.
    pub const ALL: [Subprotocol; 5] = [
        subprotocol("barrage.v1.1.lines", FrameVersion::V1_1, WireEncoding::Lines),
        subprotocol("barrage.v1.1.deflate", FrameVersion::V1_1, WireEncoding::Deflate),
        subprotocol("barrage.v1.1.json", FrameVersion::V1_1, WireEncoding::Json),
        subprotocol("barrage.v1.deflate", FrameVersion::V1_0, WireEncoding::Deflate),
        subprotocol("barrage.v1.json", FrameVersion::V1_0, WireEncoding::Json),
    ];

    /// Finds a subprotocol by its name; `None` for one that this version does not know.
    #[must_use]
    pub fn find(name: &str) -> Option<Subprotocol> {
        Subprotocol::ALL.into_iter().find(|subprotocol| subprotocol.name == name)
    }

    /// Returns the value of a client's `Sec-WebSocket-Protocol`: all versions, with the encodings that the
    /// client reads.
    #[must_use]
    pub fn offer(encodings: &[WireEncoding]) -> String {
        let offered = Subprotocol::ALL.iter().filter(|subprotocol| encodings.contains(&subprotocol.encoding));
        offered.map(|subprotocol| subprotocol.name).collect::<Vec<_>>().join(", ")
    }
}

const fn subprotocol(name: &'static str, version: FrameVersion, encoding: WireEncoding) -> Subprotocol {
    Subprotocol { name, version, encoding }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{SUBPROTOCOL_DEFLATE, SUBPROTOCOL_JSON};

    #[test]
    fn an_offer_has_every_version_for_servers_of_every_age() {
        let all = [WireEncoding::Json, WireEncoding::Deflate, WireEncoding::Lines];
        assert_eq!(Subprotocol::offer(&all[..1]), "barrage.v1.1.json, barrage.v1.json");
        assert!(Subprotocol::offer(&all[..2]).starts_with("barrage.v1.1.deflate, "));
        assert!(Subprotocol::offer(&all).starts_with("barrage.v1.1.lines, barrage.v1.1.deflate, "));
        for old in [SUBPROTOCOL_DEFLATE, SUBPROTOCOL_JSON] {
            assert_eq!(Subprotocol::find(old).map(|it| it.version), Some(FrameVersion::V1_0));
            assert!(Subprotocol::offer(&all).split(", ").any(|name| name == old));
        }
        assert_eq!(Subprotocol::find("barrage.v2.json"), None);
    }
}
