//! Waking a viewer's task from its own thread.

use std::cell::{Cell, RefCell};
use std::task::{Context, Poll, Waker};

/// One task waits; whoever wakes it is on the same thread.
#[derive(Debug, Default)]
pub(crate) struct Wake {
    is_told: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Wake {
    /// Wakes the task, now or when it next waits.
    pub(crate) fn wake(&self) {
        self.is_told.set(true);
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    /// Ready once after each [`Wake::wake`].
    pub(crate) fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_told.take() {
            return Poll::Ready(());
        }
        let mut waker = self.waker.borrow_mut();
        match waker.as_mut() {
            Some(waker) => waker.clone_from(context.waker()),
            None => *waker = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}
