//! Writes a checked medium into the store: its forms, then its record.

use std::path::Path;

use barrage_protocol::digest::hex;
use barrage_protocol::{Digest, MediaKind};
use bytes::Bytes;

use super::form::{Form, Picture, Problem};
use crate::known::{ANSWERS, Answers};
use crate::marks::RECORD;
use crate::media::Media;
use crate::record::{MediaRecord, Variant};
use crate::spool::Upload;

/// Bytes of a hash in an entity tag.
const ETAG_BYTES: usize = 12;

/// What a check has found and made.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) kind: MediaKind,
    pub(super) picture: Option<Picture>,
    pub(super) forms: Vec<Form>,
}

/// Writes the forms, and last the record. The same medium again writes the same names.
pub(super) async fn write(
    media: &Media,
    digest: Digest,
    length: u64,
    checked: Checked,
) -> Result<(), Problem> {
    use base64::Engine;
    let mut variants = Vec::new();
    for form in &checked.forms {
        let failed = |error: barrage_blob::BlobError| Problem::Failed(error.to_string());
        let name = Media::blob(digest, &form.name).map_err(|error| Problem::Failed(error.0.message))?;
        media.blobs.put_file(&name, &form.file).await.map_err(failed)?;
        let (form_length, etag) = measure(&form.file).await?;
        let (name, media_type) = (form.name.clone(), form.media_type.clone());
        variants.push(Variant { name, media_type, length: form_length, etag });
    }
    let picture = checked.picture.as_ref();
    let thumbhash =
        picture.map(|picture| base64::engine::general_purpose::STANDARD.encode(&picture.thumbhash));
    let record = MediaRecord {
        digest,
        length,
        kind: checked.kind,
        width: picture.map(|picture| picture.width),
        height: picture.map(|picture| picture.height),
        is_animated: picture.is_some_and(|picture| picture.is_animated),
        thumbhash,
        variants,
        created_ms: barrage_clock::unix_ms(),
    };
    let bytes = serde_json::to_vec(&record).map_err(|error| Problem::Failed(error.to_string()))?;
    let name = Media::blob(digest, RECORD).map_err(|error| Problem::Failed(error.0.message))?;
    media.blobs.put(&name, Bytes::from(bytes)).await.map_err(|error| Problem::Failed(error.to_string()))
}

/// Writes the answers to challenges, which need the uploaded bytes.
pub(super) async fn answer(media: &Media, upload: &Upload, digest: Digest) -> Result<(), Problem> {
    let (secret, source) = (media.known_secret.clone(), media.spool.data(upload));
    let answers = tokio::task::spawn_blocking(move || Answers::of_file(&secret, digest, &source)).await;
    let answers = answers.map_err(|error| Problem::Failed(error.to_string()))??;
    let answers = serde_json::to_vec(&answers).map_err(|error| Problem::Failed(error.to_string()))?;
    let name = Media::blob(digest, ANSWERS)?;
    media.blobs.put(&name, Bytes::from(answers)).await.map_err(|error| Problem::Failed(error.to_string()))
}

/// Returns length and entity tag of a file.
async fn measure(file: &Path) -> Result<(u64, String), Problem> {
    let file = file.to_owned();
    let measured = tokio::task::spawn_blocking(move || {
        use sha2::{Digest as _, Sha256};
        let (mut file, mut hash, mut length) = (std::fs::File::open(file)?, Sha256::new(), 0);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = std::io::Read::read(&mut file, &mut buffer)?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
            length += read as u64;
        }
        std::io::Result::Ok((length, hex(&hash.finalize()[..ETAG_BYTES])))
    });
    let measured = measured.await.map_err(|error| Problem::Failed(error.to_string()))?;
    Ok(measured?)
}
