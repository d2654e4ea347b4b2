//! Numbers of messages by class, and their arithmetic.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul};

use barrage_protocol::Class;

use crate::ByClass;

/// Numbers of messages by class; pulses are not counted.
pub type Counts = ByClass<u64>;

impl Counts {
    /// No message of any class, from which sums start.
    pub const ZERO: Counts = Counts { signal: 0, gift: 0, chat: 0 };

    /// Creates counts of signals, gifts and chat.
    #[must_use]
    pub const fn new(signal: u64, gift: u64, chat: u64) -> Counts {
        Counts { signal, gift, chat }
    }

    /// Counts one message of a class; zero for a pulse, which is not counted.
    #[must_use]
    pub const fn one(class: Class) -> Counts {
        let mut counts = Counts::ZERO;
        if let Some(count) = counts.get_mut(class) {
            *count = 1;
        }
        counts
    }

    /// Returns the number of messages over all classes.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.signal + self.gift + self.chat
    }

    /// Returns the signals and gifts: the messages that the server never drops for a viewer
    /// that stays connected.
    #[must_use]
    pub const fn precious(&self) -> u64 {
        self.signal + self.gift
    }

    /// Returns the same counts without chat, as of a batch from which chat was dropped.
    #[must_use]
    pub const fn without_chat(self) -> Counts {
        Counts { chat: 0, ..self }
    }

    /// Subtracts class by class; a class that would fall below zero is zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Counts) -> Counts {
        Counts {
            signal: self.signal.saturating_sub(other.signal),
            gift: self.gift.saturating_sub(other.gift),
            chat: self.chat.saturating_sub(other.chat),
        }
    }

    /// Sums the differences of each class, regardless of their sign.
    #[must_use]
    pub const fn abs_diff(&self, other: &Counts) -> u64 {
        self.signal.abs_diff(other.signal) + self.gift.abs_diff(other.gift) + self.chat.abs_diff(other.chat)
    }
}

impl Add for Counts {
    type Output = Counts;

    fn add(mut self, other: Counts) -> Counts {
        self += other;
        self
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.signal += other.signal;
        self.gift += other.gift;
        self.chat += other.chat;
    }
}

impl Mul<u64> for Counts {
    type Output = Counts;

    fn mul(self, times: u64) -> Counts {
        self.map(|n| n * times)
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Counts>>(counts: I) -> Counts {
        counts.fold(Counts::ZERO, Add::add)
    }
}

impl<'a> Sum<&'a Counts> for Counts {
    fn sum<I: Iterator<Item = &'a Counts>>(counts: I) -> Counts {
        counts.copied().sum()
    }
}

/// Counts the messages of an iterator by their classes.
impl FromIterator<Class> for Counts {
    fn from_iter<I: IntoIterator<Item = Class>>(classes: I) -> Counts {
        classes.into_iter().map(Counts::one).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: Counts = Counts { signal: 1, gift: 2, chat: 3 };

    #[test]
    fn one_counts_its_class_alone_and_a_pulse_counts_nothing() {
        assert_eq!(Counts::one(Class::Gift), Counts { gift: 1, ..Counts::ZERO });
        assert_eq!(Counts::one(Class::Pulse), Counts::ZERO);
    }

    #[test]
    fn sums_and_products_are_taken_class_by_class() {
        assert_eq!(COUNTS + COUNTS * 2, Counts { signal: 3, gift: 6, chat: 9 });
        assert_eq!([COUNTS, COUNTS].iter().sum::<Counts>(), COUNTS * 2);
        assert_eq!((COUNTS.total(), COUNTS.precious()), (6, 3));
        assert_eq!(COUNTS.without_chat().total(), 3);
    }

    #[test]
    fn classes_collect_into_their_numbers() {
        let classes = [Class::Chat, Class::Pulse, Class::Signal, Class::Chat];
        assert_eq!(classes.into_iter().collect::<Counts>(), Counts { signal: 1, gift: 0, chat: 2 });
    }

    #[test]
    fn differences_do_not_cancel_between_classes() {
        let other = Counts { signal: 2, gift: 1, chat: 3 };
        assert_eq!(COUNTS.abs_diff(&other), 2);
        assert_eq!(COUNTS.saturating_sub(other), Counts { signal: 0, gift: 1, chat: 0 });
    }
}
