//! Tests that need the machine alone: other tests beside them change their figures.
//!
//! [`lock`] keeps them apart within one test process; nextest keeps them apart from other processes
//! by the group `alone`.

mod overload;
mod repairs;

use tokio::sync::{Mutex, MutexGuard};

/// Held by each test of this module while it runs.
async fn lock() -> MutexGuard<'static, ()> {
    static MACHINE: Mutex<()> = Mutex::const_new(());
    MACHINE.lock().await
}
