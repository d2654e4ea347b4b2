//! What the store has of one medium, and what follows. Pure.

use std::collections::BTreeMap;

use barrage_blob::Listed;
use barrage_protocol::Digest;

use crate::marks::{CONDEMNED, LINGER_MS, RECORD};

/// What the store has of one medium.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Folder {
    /// Blobs without the mark.
    pub(super) blobs: usize,
    pub(super) has_record: bool,
    pub(super) condemned_ms: Option<u64>,
    /// Last write of a blob other than the mark.
    pub(super) newest_ms: u64,
}

/// The next step with a medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It was written or used lately.
    Keep,
    /// Ask whether a message shows it, and condemn it if none does.
    Ask,
    /// It is condemned: look again, and erase it.
    Look,
    /// Its record is gone: what is left has no use.
    Erase,
    /// Nothing but an old mark is left.
    Forget,
}

impl Folder {
    pub(super) fn next(&self, now_ms: u64, unused_ms: u64) -> Next {
        let is_lingering = |at_ms: u64| at_ms.saturating_add(LINGER_MS) > now_ms;
        match self.condemned_ms {
            Some(at_ms) if self.blobs == 0 && is_lingering(at_ms) => Next::Keep,
            Some(_) if self.blobs == 0 => Next::Forget,
            Some(_) if self.has_record => Next::Look,
            Some(_) => Next::Erase,
            None if self.newest_ms.saturating_add(unused_ms) > now_ms => Next::Keep,
            None => Next::Ask,
        }
    }
}

/// Groups blobs by the medium whose folder they are in.
pub(super) fn folders(listed: &[Listed]) -> BTreeMap<Digest, Folder> {
    let mut found: BTreeMap<Digest, Folder> = BTreeMap::new();
    for Listed { name, written_ms } in listed {
        let mut parts = name.as_str().split('/').skip(2);
        let (Some(digest), Some(part)) =
            (parts.next().and_then(|text| Digest::parse(text).ok()), parts.next())
        else {
            continue;
        };
        let folder = found.entry(digest).or_default();
        if part == CONDEMNED {
            folder.condemned_ms = Some(*written_ms);
        } else {
            folder.blobs += 1;
            folder.has_record |= part == RECORD;
            folder.newest_ms = folder.newest_ms.max(*written_ms);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use barrage_blob::BlobName;

    use super::*;

    const DAY: u64 = 86_400_000;
    const NOW: u64 = 100 * DAY;

    #[test]
    fn medium_is_kept_while_it_is_new_and_asked_for_after_a_day() {
        let folder = Folder { blobs: 3, has_record: true, condemned_ms: None, newest_ms: NOW - DAY };
        assert_eq!(folder.next(NOW, DAY), Next::Ask);
        assert_eq!(Folder { newest_ms: NOW - DAY + 1, ..folder }.next(NOW, DAY), Next::Keep);
        // Forms without a record are those of a check that was cut off.
        assert_eq!(Folder { has_record: false, ..folder }.next(NOW, DAY), Next::Ask);
    }

    #[test]
    fn removal_that_was_cut_off_goes_on_where_it_was() {
        let folder = Folder { blobs: 3, has_record: true, condemned_ms: Some(NOW), newest_ms: NOW };
        assert_eq!(folder.next(NOW, DAY), Next::Look);
        assert_eq!(Folder { has_record: false, ..folder }.next(NOW, DAY), Next::Erase);
        let mark = Folder { blobs: 0, has_record: false, ..folder };
        assert_eq!(mark.next(NOW + LINGER_MS - 1, DAY), Next::Keep);
        assert_eq!(mark.next(NOW + LINGER_MS, DAY), Next::Forget);
    }

    #[test]
    fn blobs_are_grouped_by_their_medium() {
        let (a, b) = (Digest::new([0xaa; 32]), Digest::new([0xab; 32]));
        let blob = |digest: Digest, part: &str, written_ms| {
            let name = BlobName::parse(&format!("media/aa/{digest}/{part}")).unwrap();
            Listed { name, written_ms }
        };
        let stray = Listed { name: BlobName::parse("media/aa/stray").unwrap(), written_ms: 9 };
        let listed = [blob(a, "96", 1), blob(a, "record.json", 3), blob(b, "condemned", 7), stray];
        let found = folders(&listed);
        assert_eq!(found[&a], Folder { blobs: 2, has_record: true, condemned_ms: None, newest_ms: 3 });
        assert_eq!(found[&b], Folder { condemned_ms: Some(7), ..Folder::default() });
        assert_eq!(found.len(), 2);
    }
}
