//! barrage-client
