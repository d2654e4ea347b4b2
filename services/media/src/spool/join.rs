//! The join of parts into one upload.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::files::Part;
use super::spool_file::{SpoolFile, Syncing};
use crate::upload::UploadId;

/// Bytes that are copied at once.
const COPY_BYTES: usize = 64 * 1024;

/// Copies the bytes of parts, in their order, into the files of an upload. Blocks. A join that was cut short begins
/// anew.
pub(super) fn join(folder: &Path, parts: &[UploadId], id: UploadId) -> std::io::Result<SpoolFile> {
    for part in [Part::Data, Part::Mark] {
        super::files::remove(&part.of(folder, id))?;
    }
    let mut joined = SpoolFile::open(folder, id)?;
    let mut buffer = vec![0; COPY_BYTES];
    for part in parts {
        let mut data = File::open(Part::Data.of(folder, *part))?;
        loop {
            let read = data.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            joined.append(&buffer[..read], Syncing::AtTheEnd)?;
        }
    }
    joined.sync()?;
    Ok(joined)
}
