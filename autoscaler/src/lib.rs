//! barrage-autoscaler
