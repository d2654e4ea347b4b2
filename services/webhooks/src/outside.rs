//! What the sending of events has from outside: requests, clocks and random numbers.

use barrage_clock::Clock;
use barrage_store::PendingDelivery;
use futures_util::future::BoxFuture;

use crate::schedule::Outcome;
use crate::signature::Secrets;

/// Result of one request: the outcome, and an error text for the delivery log.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Answer of the receiver, or that none came.
    pub outcome: Outcome,
    /// Why the event was not taken; `None` when it was.
    pub error: Option<String>,
}

/// Surroundings of the loop that sends the events of one receiver. A simulation has its own.
pub trait Outside: Clock {
    /// Sends one event, and returns the answer or what came instead of it after the longest time of a request.
    fn send<'a>(&'a self, delivery: &'a PendingDelivery, secrets: &'a Secrets) -> BoxFuture<'a, Sent>;

    /// Returns a random number from 0 to 1, by which waits differ.
    fn chance(&self) -> f64;
}
