//! barrage-entry
