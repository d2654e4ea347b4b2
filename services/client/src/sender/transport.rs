use serde::{Deserialize, Serialize};

/// Way of a post to the uplink, in the order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UplinkTransport {
    /// Ordinary request to the resource of the room.
    Http,
    /// Request inside the binary body of `POST /v1/tunnel`, for networks that alter ordinary ones.
    Tunnel,
}
