#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Keeps the order of a store before a load of another variable. Both are `SeqCst`, which is enough outside of
/// models: loom takes such accesses for weaker ones, and only such fences as they are.
#[cfg(loom)]
pub(crate) fn ordered() {
    loom::sync::atomic::fence(Ordering::SeqCst);
}

#[cfg(not(loom))]
pub(crate) const fn ordered() {}
