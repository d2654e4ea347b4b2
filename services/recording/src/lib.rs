//! barrage-recording
