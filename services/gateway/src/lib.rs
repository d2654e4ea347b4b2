//! barrage-gateway
