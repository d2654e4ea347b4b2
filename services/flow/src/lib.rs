//! barrage-flow
