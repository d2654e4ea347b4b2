//! A clip or sound in the boxes of MP4: its index must come first, and what tells where it was taken goes.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use barrage_protocol::Code;
use barrage_protocol::code::Refusal;

use super::form::Problem;

/// Maximum boxes that are looked at; a clip has some hundred.
const BOXES_MAX: usize = 20_000;
/// Maximum depth of boxes that are looked into: `moov`, `trak`.
const DEPTH_MAX: usize = 2;
/// Bytes that are written at once.
const BLANK_BYTES: usize = 64 * 1024;

/// A box that loses its contents: user data, metadata and private extensions, which have places and names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Blank {
    /// Place of the type in the file.
    type_at: u64,
    /// Contents in the file.
    start: u64,
    end: u64,
}

/// Copies a clip, with the boxes blank that say where and by whom it was taken. Their places stay, so that the index
/// stays right.
pub(super) fn copy(source: &Path, target: &Path) -> Result<(), Problem> {
    let mut file = File::open(source)?;
    let length = file.metadata()?.len();
    let blanks = scan(&mut file, length)?;
    std::fs::copy(source, target)?;
    let mut copied = File::options().write(true).open(target)?;
    for blank in blanks {
        copied.seek(SeekFrom::Start(blank.type_at))?;
        copied.write_all(b"free")?;
        copied.seek(SeekFrom::Start(blank.start))?;
        let mut left = blank.end - blank.start;
        while left > 0 {
            let part = usize::try_from(left).unwrap_or(BLANK_BYTES).min(BLANK_BYTES);
            copied.write_all(&vec![0; part])?;
            left -= part as u64;
        }
    }
    copied.sync_all()?;
    Ok(())
}

/// Checks the order of the boxes, and finds those to blank.
fn scan(file: &mut (impl Read + Seek), length: u64) -> Result<Vec<Blank>, Problem> {
    let mut scan = Scan { blanks: Vec::new(), boxes: 0, has_index: false };
    scan.walk(file, 0, length, 0)?;
    if !scan.has_index {
        return Err(refused("the clip has no index (moov)"));
    }
    Ok(scan.blanks)
}

struct Scan {
    blanks: Vec<Blank>,
    boxes: usize,
    has_index: bool,
}

impl Scan {
    fn walk(
        &mut self,
        file: &mut (impl Read + Seek),
        start: u64,
        end: u64,
        depth: usize,
    ) -> Result<(), Problem> {
        let mut at = start;
        while at < end {
            self.boxes += 1;
            if self.boxes > BOXES_MAX {
                return Err(refused("the clip has too many parts"));
            }
            let (kind, contents, next) = read_box(file, at, end)?;
            match (&kind, depth) {
                (b"moov", 0) => {
                    self.has_index = true;
                    self.walk(file, contents, next, 1)?;
                }
                (b"trak", 1) if depth < DEPTH_MAX => self.walk(file, contents, next, depth + 1)?,
                (b"mdat", 0) if !self.has_index => {
                    return Err(refused(
                        "the index of the clip (moov) is at its end, so that nobody could watch before all bytes are \
                         there; export it for the web, with the index first (fast start)",
                    ));
                }
                (b"udta" | b"meta" | b"uuid", _) => {
                    self.blanks.push(Blank { type_at: at + 4, start: contents, end: next });
                }
                _ => {}
            }
            at = next;
        }
        Ok(())
    }
}

/// Reads the head of a box. Returns its type, the place of its contents and that of the next box.
fn read_box(file: &mut (impl Read + Seek), at: u64, end: u64) -> Result<([u8; 4], u64, u64), Problem> {
    let cut = || refused("the clip is cut off or has a part of a wrong length");
    let room = end - at;
    if room < 8 {
        return Err(cut());
    }
    let mut head = [0; 8];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut head)?;
    let [a, b, c, d, kind @ ..] = head;
    let (size, head_bytes) = match u32::from_be_bytes([a, b, c, d]) {
        // To the end of what contains it.
        0 => (room, 8),
        1 => {
            let mut large = [0; 8];
            if room < 16 {
                return Err(cut());
            }
            file.read_exact(&mut large)?;
            (u64::from_be_bytes(large), 16)
        }
        size => (u64::from(size), 8),
    };
    if size < head_bytes || size > room {
        return Err(cut());
    }
    Ok((kind, at + head_bytes, at + size))
}

fn refused(message: &str) -> Problem {
    Problem::Refused(Refusal::new(Code::UnsupportedMedia, message))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn boxed(kind: &[u8; 4], contents: &[u8]) -> Vec<u8> {
        let size = u32::try_from(contents.len() + 8).unwrap();
        [&size.to_be_bytes()[..], kind, contents].concat()
    }

    fn scanned(file: &[u8]) -> Result<Vec<Blank>, String> {
        scan(&mut Cursor::new(file), file.len() as u64).map_err(|problem| match problem {
            Problem::Refused(refusal) => refusal.message,
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn index_must_come_before_the_data() {
        let (ftyp, moov, mdat) = (boxed(b"ftyp", b"isom"), boxed(b"moov", b""), boxed(b"mdat", &[0; 50]));
        assert_eq!(scanned(&[&ftyp[..], &moov, &mdat].concat()), Ok(vec![]));
        assert!(scanned(&[&ftyp[..], &mdat, &moov].concat()).unwrap_err().contains("fast start"));
        assert!(scanned(&ftyp).unwrap_err().contains("no index"));
    }

    #[test]
    fn places_and_names_are_blank_and_all_else_stays() {
        let place = boxed(b"udta", &boxed(b"\xa9xyz", b"+48.85+002.35/"));
        let trak = boxed(b"trak", &[boxed(b"tkhd", &[1; 20]), boxed(b"meta", b"a name")].concat());
        let moov = boxed(b"moov", &[boxed(b"mvhd", &[2; 20]), trak, place].concat());
        let file = [boxed(b"ftyp", b"isom"), moov, boxed(b"mdat", b"udta inside of data")].concat();
        let folder = tempfile::tempdir().unwrap();
        let (source, target) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&source, &file).unwrap();
        copy(&source, &target).unwrap();
        let copied = std::fs::read(&target).unwrap();
        let has = |text: &[u8]| copied.windows(text.len()).any(|window| window == text);
        assert!(!has(b"+48.85") && !has(b"a name") && !has(b"meta"), "{copied:?}");
        assert!(has(b"udta inside of data") && has(b"tkhd") && copied.len() == file.len());
    }

    #[test]
    fn parts_of_wrong_lengths_are_refused() {
        let moov = |size: u32| [&size.to_be_bytes()[..], b"moov", &[0; 8]].concat();
        for size in [2, 7, 17, u32::MAX] {
            assert!(scanned(&moov(size)).unwrap_err().contains("wrong length"), "{size}");
        }
        let large = [&1_u32.to_be_bytes()[..], b"moov", &u64::MAX.to_be_bytes()].concat();
        assert!(scanned(&large).is_err());
        assert!(scanned(b"\0\0\0\x08moo").is_err());
        // Many empty boxes cost a bounded time.
        let many = boxed(b"free", b"").repeat(BOXES_MAX + 1);
        assert!(scanned(&many).unwrap_err().contains("too many"));
    }

    proptest! {
        /// Any bytes are scanned to an end, and what is blanked lies inside of the file.
        #[test]
        fn any_file_is_scanned(file in proptest::collection::vec(any::<u8>(), 0..300), nested in any::<bool>()) {
            let file = if nested { boxed(b"moov", &file) } else { file };
            for blank in scanned(&file).unwrap_or_default() {
                prop_assert!(blank.start <= blank.end && blank.end <= file.len() as u64);
            }
        }
    }
}
