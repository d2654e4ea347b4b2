//! barrage-uplink
