//! The board of a run: which letters were sent, to whom, and which devices have shown them. Pure.

use crate::clock::Moment;
use crate::measure::latency::Latency;

/// Letters of the word that ends each text.
const WORD_LETTERS: usize = 6;

/// Devices that must show a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    /// The device of one user.
    One(u32),
    /// The devices of all users who are online.
    Online,
}

#[derive(Debug, Clone)]
struct Letter {
    intended: Moment,
    to: To,
    is_accepted: bool,
    /// Devices that have shown it, a bit each.
    shown: Vec<u64>,
    /// Time of the last device.
    last: Moment,
}

/// Letters of a run in the order of their intended times.
#[derive(Debug, Default)]
pub(super) struct Board {
    letters: Vec<Letter>,
    online: u32,
    /// Latencies of all devices.
    pub(super) shown: Latency,
    /// Pairs of a letter and a device that was late: it showed the letter only by a sync after the end.
    pub(super) late: u64,
}

impl Board {
    /// Returns an empty board of a run with so many devices.
    pub(super) fn new(online: u32) -> Self {
        Board { online, ..Board::default() }
    }

    /// Adds a letter that is about to be sent. Returns the word that ends its text.
    pub(super) fn send(&mut self, intended: Moment, to: To) -> String {
        let devices = match to {
            To::One(_) => 1,
            To::Online => self.online,
        };
        let shown = vec![0; devices.div_ceil(64) as usize];
        self.letters.push(Letter { intended, to, is_accepted: false, shown, last: intended });
        word(self.letters.len() - 1)
    }

    /// Notes that a server has accepted the letter whose text ends with this word.
    pub(super) fn accept(&mut self, word: &str) {
        if let Some(letter) = number(word).and_then(|number| self.letters.get_mut(number)) {
            letter.is_accepted = true;
        }
    }

    /// Notes that the device of a user shows a text. Returns whether it is new there.
    pub(super) fn show(&mut self, user: u32, text: &str, now: Moment) -> bool {
        let word = text.rsplit(' ').next().unwrap_or_default();
        let Some(letter) = number(word).and_then(|number| self.letters.get_mut(number)) else { return false };
        let Some(bit) = letter.bit(user, self.online) else { return false };
        let (place, bit) = (bit as usize / 64, 1 << (bit % 64));
        if letter.shown[place] & bit != 0 {
            return false;
        }
        letter.shown[place] |= bit;
        letter.last = letter.last.max(now);
        self.shown.record(now.since(letter.intended));
        true
    }

    /// Notes a text of a sync after the end of the load, which counts as late.
    pub(super) fn show_late(&mut self, user: u32, text: &str) {
        let before = std::mem::take(&mut self.shown);
        self.late += u64::from(self.show(user, text, Moment(0)));
        self.shown = before;
    }

    /// Number of letters that were accepted.
    pub(super) fn accepted(&self) -> u64 {
        self.letters.iter().filter(|letter| letter.is_accepted).count() as u64
    }

    /// Number of pairs of an accepted letter and a device that must show it.
    pub(super) fn due(&self) -> u64 {
        let accepted = self.letters.iter().filter(|letter| letter.is_accepted);
        accepted.map(|letter| u64::from(letter.devices(self.online))).sum()
    }

    /// Users whose devices lack an accepted letter, and the number of such letters of each.
    pub(super) fn lacking(&self) -> Vec<(u32, u64)> {
        let mut lacking = vec![0; self.online as usize];
        for letter in self.letters.iter().filter(|letter| letter.is_accepted) {
            let users = match letter.to {
                To::One(user) => user..user + 1,
                To::Online => 0..self.online,
            };
            for user in users.filter(|user| !letter.is_shown(*user, self.online)) {
                lacking[user as usize] += 1;
            }
        }
        (0..).zip(lacking).filter(|(_, count)| *count > 0).collect()
    }

    /// Latencies of the last device of each letter that all devices have shown.
    pub(super) fn last(&self) -> Latency {
        let mut last = Latency::default();
        for letter in &self.letters {
            let shown: u32 = letter.shown.iter().map(|bits| bits.count_ones()).sum();
            if shown == letter.devices(self.online) {
                last.record(letter.last.since(letter.intended));
            }
        }
        last
    }
}

impl Letter {
    fn devices(&self, online: u32) -> u32 {
        match self.to {
            To::One(_) => 1,
            To::Online => online,
        }
    }

    /// Bit of a user's device; `None` when the letter is not for it.
    fn bit(&self, user: u32, online: u32) -> Option<u32> {
        match self.to {
            To::One(to) => (to == user).then_some(0),
            To::Online => (user < online).then_some(user),
        }
    }

    fn is_shown(&self, user: u32, online: u32) -> bool {
        self.bit(user, online).is_some_and(|bit| self.shown[bit as usize / 64] & (1 << (bit % 64)) != 0)
    }
}

/// Returns a word of letters that stands for a number: a rule against repeats may ignore digits.
fn word(number: usize) -> String {
    let letter = |place: u32| char::from(b'a' + (number / 26_usize.pow(place) % 26) as u8);
    (0..WORD_LETTERS as u32).map(letter).collect()
}

/// Returns the number that a word stands for; `None` for a word of another sender.
fn number(word: &str) -> Option<usize> {
    let is_ours = word.len() == WORD_LETTERS && word.bytes().all(|byte| byte.is_ascii_lowercase());
    is_ours.then(|| word.bytes().rev().fold(0, |sum, byte| sum * 26 + usize::from(byte - b'a')))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn words_stand_for_numbers() {
        for n in [0, 25, 26, 1_234_567] {
            assert_eq!(number(&word(n)), Some(n));
        }
        assert_eq!((number("Hello"), number("abc"), number("")), (None, None, None));
    }

    #[test]
    fn letter_is_shown_once_at_its_receiver() {
        let mut board = Board::new(3);
        let text = format!("hello {}", board.send(Moment(0), To::One(2)));
        board.accept(&text["hello ".len()..]);
        assert_eq!((board.accepted(), board.due(), board.lacking()), (1, 1, vec![(2, 1)]));
        assert!(!board.show(0, &text, Moment(MS)), "a device of another user");
        assert!(board.show(2, &text, Moment(5 * MS)) && !board.show(2, &text, Moment(9 * MS)));
        assert!(board.lacking().is_empty());
        assert_eq!((board.shown.count(), board.late), (1, 0));
    }

    #[test]
    fn item_of_a_group_is_due_at_every_device() {
        let mut board = Board::new(70);
        let text = board.send(Moment(0), To::Online);
        board.accept(&text);
        for user in 0..69 {
            assert!(board.show(user, &text, Moment(u64::from(user) * MS)));
        }
        assert_eq!((board.due(), board.lacking(), board.last().count()), (70, vec![(69, 1)], 0));
        board.show_late(69, &text);
        board.show_late(69, &text);
        assert_eq!((board.late, board.shown.count(), board.last().count()), (1, 69, 1));
        assert!(board.lacking().is_empty());
        assert!((board.last().quantile_ms(1.0).unwrap() - 68.0).abs() < 0.1);
    }
}
