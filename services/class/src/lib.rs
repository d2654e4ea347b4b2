//! One value for each class of message that has a place in a room's chain.
//!
//! Signals, gifts and chat have a sequence, so each of them is counted from stage to stage.
//! Pulses (likes, entries, exits) travel as sums without a sequence: [`ByClass`] holds no value
//! for them, and [`Counts::one`] of a pulse is zero.

mod counts;

use barrage_protocol::Class;

pub use counts::Counts;

/// One value for each class that has a place in the chain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ByClass<T> {
    /// Value for signals: mute-all, recall, kick, room closed.
    pub signal: T,
    /// Value for gifts and super chats, which were paid.
    pub gift: T,
    /// Value for danmaku, the class that the server may drop.
    pub chat: T,
}

impl<T> ByClass<T> {
    /// The classes that have a value, most precious first: the order of [`ByClass::iter`].
    pub const CLASSES: [Class; 3] = [Class::Signal, Class::Gift, Class::Chat];

    /// Makes the value of each class with `make`.
    pub fn from_fn(mut make: impl FnMut(Class) -> T) -> Self {
        ByClass { signal: make(Class::Signal), gift: make(Class::Gift), chat: make(Class::Chat) }
    }

    /// Returns the value of a class; `None` for pulses.
    pub const fn get(&self, class: Class) -> Option<&T> {
        match class {
            Class::Signal => Some(&self.signal),
            Class::Gift => Some(&self.gift),
            Class::Chat => Some(&self.chat),
            Class::Pulse => None,
        }
    }

    /// Returns the value of a class for a change; `None` for pulses.
    pub const fn get_mut(&mut self, class: Class) -> Option<&mut T> {
        match class {
            Class::Signal => Some(&mut self.signal),
            Class::Gift => Some(&mut self.gift),
            Class::Chat => Some(&mut self.chat),
            Class::Pulse => None,
        }
    }

    /// Iterates over the classes and their values, most precious first.
    pub fn iter(&self) -> impl Iterator<Item = (Class, &T)> {
        [(Class::Signal, &self.signal), (Class::Gift, &self.gift), (Class::Chat, &self.chat)].into_iter()
    }

    /// Borrows the value of each class, as [`Option::as_ref`] does.
    pub const fn as_ref(&self) -> ByClass<&T> {
        ByClass { signal: &self.signal, gift: &self.gift, chat: &self.chat }
    }

    /// Borrows each value for a change, as [`Option::as_mut`] does.
    pub const fn as_mut(&mut self) -> ByClass<&mut T> {
        ByClass { signal: &mut self.signal, gift: &mut self.gift, chat: &mut self.chat }
    }

    /// Converts each value with `change`, the most precious class first.
    pub fn map<U>(self, mut change: impl FnMut(T) -> U) -> ByClass<U> {
        ByClass { signal: change(self.signal), gift: change(self.gift), chat: change(self.chat) }
    }

    /// Pairs each value with the other's value of the same class.
    pub fn zip<U>(self, other: ByClass<U>) -> ByClass<(T, U)> {
        ByClass {
            signal: (self.signal, other.signal),
            gift: (self.gift, other.gift),
            chat: (self.chat, other.chat),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_of_the_chain_has_a_value_and_pulses_have_none() {
        let mut labels = ByClass::from_fn(Class::label);
        for (class, label) in labels.iter() {
            assert_eq!((class.label(), labels.get(class)), (*label, Some(label)));
        }
        assert_eq!(labels.get(Class::Pulse), None);
        assert_eq!(labels.get_mut(Class::Pulse), None);
        *labels.get_mut(Class::Chat).unwrap() = "danmaku";
        assert_eq!(labels, ByClass { signal: "signal", gift: "gift", chat: "danmaku" });
    }

    #[test]
    fn iteration_follows_the_order_of_the_classes() {
        let classes: Vec<_> = ByClass::<u8>::default().iter().map(|(class, _)| class).collect();
        assert_eq!(classes, ByClass::<u8>::CLASSES);
    }

    #[test]
    fn values_are_paired_by_class() {
        let numbers = ByClass { signal: 1, gift: 2, chat: 3 };
        let doubled = numbers.map(|n| n * 2);
        assert_eq!(numbers.zip(doubled), ByClass { signal: (1, 2), gift: (2, 4), chat: (3, 6) });
    }
}
