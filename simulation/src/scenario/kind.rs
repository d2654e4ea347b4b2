//! What a scenario is: events, obligations, and a name.

use std::fmt;

use crate::mutation::Mutation;
use crate::rng::Rng;
use crate::trace::Trace;

/// A part of the system in surroundings that fail.
pub trait Scenario {
    /// Makes one event happen, by the numbers of this event alone, and checks what must hold at any time.
    ///
    /// # Errors
    /// When an obligation is broken.
    fn event(&mut self, rng: &mut Rng, trace: &mut Trace) -> Result<(), Broken>;

    /// Lets everything come to an end without faults, and checks what must hold in the end.
    ///
    /// # Errors
    /// When an obligation is broken.
    fn settle(&mut self, trace: &mut Trace) -> Result<(), Broken>;
}

/// An obligation that was not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken(pub String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns early with a [`Broken`] unless a condition holds.
#[macro_export]
macro_rules! must {
    ($holds:expr, $($text:tt)*) => {
        let holds: bool = $holds;
        if !holds {
            return Err($crate::scenario::Broken(format!($($text)*)));
        }
    };
}

/// A kind of run.
pub struct Kind {
    /// Name in commands and reports.
    pub name: &'static str,
    /// Obligations that the run checks.
    pub about: &'static str,
    /// Events of one run, faults included.
    pub events: usize,
    /// Defects that the run must find.
    pub mutations: &'static [Mutation],
    /// Creates the parts of one run.
    pub start: fn(&mut Rng, Option<Mutation>) -> Box<dyn Scenario>,
}
