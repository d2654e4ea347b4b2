use std::cell::{Cell, RefCell};
use std::task::{Context, Poll, Waker};

/// Wakes one task from its own thread, without atomics.
#[derive(Debug, Default)]
pub(crate) struct Wake {
    is_pending: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Wake {
    /// Wakes the task now, or lets its next wait end at once.
    pub(crate) fn wake(&self) {
        self.is_pending.set(true);
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    /// Ready once after each [`Wake::wake`]; several calls of `wake` before count as one.
    pub(crate) fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_pending.take() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wake_is_seen_once() {
        let wake = Wake::default();
        let mut context = Context::from_waker(Waker::noop());
        assert!(wake.poll(&mut context).is_pending());
        wake.wake();
        wake.wake();
        assert!(wake.poll(&mut context).is_ready());
        assert!(wake.poll(&mut context).is_pending());
    }
}
