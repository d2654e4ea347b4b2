//! Cursors: how far a device has come, and what it asks for by one.

use std::fmt;

use barrage_protocol::{Sequence, UserId};
use sha2::{Digest, Sha256};

use crate::id::ConversationNumber;
use crate::law::Version;

/// First part of every cursor: a later form has another one, and devices with this form begin anew.
const FORM: &str = "1";
/// Part before that of a page.
const PAGE: &str = "p";
/// Maximum number of lanes in a cursor.
const LANES_MAX: usize = 256;

/// Error of a text that is no cursor of this form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one that this server has given; ask without a cursor")]
pub struct CursorError;

/// How far a device has come: the version of its user's inbox, and the positions of the lanes, which show what
/// groups have got. The uplink signs cursors, so that they are opaque; a forged one would show the forger's own
/// inbox alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Part of a hash of the user's id: a device may have changed its user.
    user: u32,
    /// Version of the inbox that the device has.
    version: Version,
    /// Position of each lane at that time.
    lanes: Vec<Sequence>,
    /// Present while the device reads the pages of one long answer.
    page: Option<Page>,
}

/// A place in a long answer, which begins with the conversations that changed last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Version of the inbox at the first page: the device has it behind the last page.
    pub version: Version,
    /// Positions of the lanes at the first page.
    pub lanes: Vec<Sequence>,
    /// The next page has the rows below this version and, of this version, those behind the conversation.
    pub below: (Version, ConversationNumber),
}

/// What an answer begins behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since<'a> {
    /// The device has nothing that can be continued: it gets what a new device gets.
    Nothing,
    /// The device has everything up to a version, and of groups up to positions of the lanes.
    Version(Version, &'a [Sequence]),
}

impl Cursor {
    /// Returns the cursor behind an answer from a snapshot.
    #[must_use]
    pub fn new(user: &UserId, version: Version, lanes: Vec<Sequence>) -> Self {
        Cursor { user: hash(user), version, lanes, page: None }
    }

    /// Returns the cursor of a device that has nothing, among a number of lanes.
    #[must_use]
    pub fn of_nothing(user: &UserId, lanes: usize) -> Self {
        Cursor::new(user, Version(0), vec![Sequence::ZERO; lanes])
    }

    /// Returns the cursor of the next page of the answer that continues this cursor.
    #[must_use]
    pub fn with_page(&self, page: Page) -> Self {
        Cursor { page: Some(page), ..self.clone() }
    }

    /// Returns the version that the device has.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns the place in a long answer; `None` at its beginning.
    #[must_use]
    pub fn page(&self) -> Option<&Page> {
        self.page.as_ref()
    }

    /// Parses the text of a cursor.
    pub fn parse(text: &str) -> Result<Self, CursorError> {
        let (own, page) = match text.split_once(&format!("-{PAGE}-")) {
            Some((own, page)) => (own, Some(page)),
            None => (text, None),
        };
        let mut parts = own.split('-');
        if parts.next() != Some(FORM) {
            return Err(CursorError);
        }
        let user = parts.next().and_then(|part| u32::from_str_radix(part, 16).ok()).ok_or(CursorError)?;
        let (version, lanes) = numbers(parts)?;
        let page = match page {
            Some(text) => {
                let (version, rest) = numbers(text.split('-'))?;
                let [below @ .., of, conversation] = rest.as_slice() else { return Err(CursorError) };
                let conversation = i64::try_from(conversation.0).map_err(|_| CursorError)?;
                let below_place = (Version(of.0), ConversationNumber(conversation));
                Some(Page { version, lanes: below.to_vec(), below: below_place })
            }
            None => None,
        };
        if lanes.len() > LANES_MAX || page.as_ref().is_some_and(|page| page.lanes.len() != lanes.len()) {
            return Err(CursorError);
        }
        Ok(Cursor { user, version, lanes, page })
    }

    /// Returns what the device lacks, beside the newest version of the user and the newest positions of the
    /// lanes. A cursor of another user, of another number of lanes, or from the future continues nothing: the
    /// database was restored from a backup, or the device has changed its user.
    #[must_use]
    pub fn since(&self, user: &UserId, newest: Version, lanes: &[Sequence]) -> Since<'_> {
        let is_ahead = |version: Version, own: &[Sequence]| {
            version > newest || own.iter().zip(lanes).any(|(own, lane)| own > lane)
        };
        let is_page_ahead = self.page.as_ref().is_some_and(|page| is_ahead(page.version, &page.lanes));
        let is_ahead = is_ahead(self.version, &self.lanes) || is_page_ahead;
        if self.user != hash(user) || self.lanes.len() != lanes.len() || is_ahead {
            return Since::Nothing;
        }
        Since::Version(self.version, &self.lanes)
    }
}

/// Parses a version and the numbers behind it.
fn numbers<'a>(parts: impl Iterator<Item = &'a str>) -> Result<(Version, Vec<Sequence>), CursorError> {
    let numbers = parts.take(LANES_MAX + 4).map(|part| match u64::from_str_radix(part, 16) {
        Ok(number) if number <= Sequence::MAX.0 => Ok(Sequence(number)),
        _ => Err(CursorError),
    });
    let numbers = numbers.collect::<Result<Vec<_>, _>>()?;
    let (version, rest) = numbers.split_first().ok_or(CursorError)?;
    Ok((Version(version.0), rest.to_vec()))
}

impl Since<'_> {
    /// Returns whether a conversation changed behind the device: its member's row, or, in a group, the group in
    /// its lane.
    #[must_use]
    pub fn has_changed(&self, member: Version, group: Option<(u16, Sequence)>) -> bool {
        match self {
            Since::Nothing => true,
            Since::Version(version, lanes) => {
                let known = |lane: u16| lanes.get(usize::from(lane)).copied().unwrap_or_default();
                member > *version || group.is_some_and(|(lane, sequence)| sequence > known(lane))
            }
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FORM}-{:x}-{:x}", self.user, self.version.0)?;
        self.lanes.iter().try_for_each(|lane| write!(f, "-{:x}", lane.0))?;
        let Some(Page { version, lanes, below: (of, conversation) }) = &self.page else { return Ok(()) };
        write!(f, "-{PAGE}-{:x}", version.0)?;
        lanes.iter().try_for_each(|lane| write!(f, "-{:x}", lane.0))?;
        write!(f, "-{:x}-{:x}", of.0, conversation.0)
    }
}

fn hash(user: &UserId) -> u32 {
    let hash = Sha256::digest(user.as_str());
    hash[..4].iter().fold(0, |sum, byte| (sum << 8) | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> UserId {
        UserId::parse(id).unwrap()
    }

    fn cursor() -> Cursor {
        Cursor::new(&user("ann"), Version(812), vec![Sequence(7), Sequence(1 << 50)])
    }

    #[test]
    fn cursor_is_read_as_it_was_written() {
        let text = cursor().to_string();
        assert_eq!(Cursor::parse(&text), Ok(cursor()));
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{text}");
        let none = Cursor::new(&user("ann"), Version(0), Vec::new());
        assert_eq!(Cursor::parse(&none.to_string()), Ok(none));
    }

    #[test]
    fn page_of_a_long_answer_is_read_as_it_was_written() {
        let below = (Version(700), ConversationNumber(41));
        let page = Page { version: Version(900), lanes: vec![Sequence(9), Sequence(1 << 51)], below };
        let paged = cursor().with_page(page.clone());
        let read = Cursor::parse(&paged.to_string()).unwrap();
        assert_eq!((read.page(), read.version()), (Some(&page), Version(812)));
        let lanes = [Sequence(9), Sequence(1 << 51)];
        assert!(matches!(read.since(&user("ann"), Version(900), &lanes), Since::Version(..)));
        // The page is from after a restored backup.
        assert_eq!(read.since(&user("ann"), Version(899), &lanes), Since::Nothing);
        assert_eq!(Cursor::parse("1-0-0-1-p-5-1-2-3-4"), Err(CursorError));
        assert_eq!(Cursor::parse("1-0-0-1-p-5"), Err(CursorError));
    }

    #[test]
    fn forged_cursor_is_refused() {
        let many = format!("1-0-0{}", "-0".repeat(LANES_MAX + 1));
        let huge = format!("1-0-0{}", "-0".repeat(1 << 20));
        for bad in [
            "",
            "1",
            "1-0",
            "2-0-0",
            "1-x-0",
            "1-100000000-0",
            "1-0-20000000000000",
            "1-0-0--1",
            "1-0-\u{5f39}",
        ] {
            assert_eq!(Cursor::parse(bad), Err(CursorError), "{bad:?}");
        }
        assert_eq!((Cursor::parse(&many), Cursor::parse(&huge)), (Err(CursorError), Err(CursorError)));
    }

    #[test]
    fn cursor_that_continues_nothing_gets_what_a_new_device_gets() {
        let (cursor, lanes) = (cursor(), [Sequence(7), Sequence(1 << 51)]);
        let known = |user: &UserId, version, lanes: &[Sequence]| {
            matches!(cursor.since(user, Version(version), lanes), Since::Version(Version(812), _))
        };
        assert!(known(&user("ann"), 812, &lanes) && known(&user("ann"), 900, &lanes));
        assert!(!known(&user("bob"), 900, &lanes));
        assert!(!known(&user("ann"), 811, &lanes));
        assert!(!known(&user("ann"), 900, &lanes[..1]));
        assert!(!known(&user("ann"), 900, &[Sequence(6), Sequence(1 << 51)]));
    }

    #[test]
    fn group_has_changed_by_its_lane_and_every_conversation_by_its_member() {
        let (cursor, newest) = (cursor(), [Sequence(9), Sequence(1 << 51)]);
        let since = cursor.since(&user("ann"), Version(900), &newest);
        assert!(!since.has_changed(Version(812), None) && since.has_changed(Version(813), None));
        assert!(!since.has_changed(Version(3), Some((0, Sequence(7)))));
        assert!(since.has_changed(Version(3), Some((0, Sequence(8)))));
        assert!(Since::Nothing.has_changed(Version(0), None));
    }
}
