//! barrage-loadtest
