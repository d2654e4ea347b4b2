//! barrage-probe
