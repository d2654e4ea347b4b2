//! What every engine promises.

use barrage_blob::{BlobError, BlobName, Blobs, PIECE_BYTES, Pieces};
use bytes::Bytes;

/// More than two parts of an upload to S3.
const LARGE_BYTES: usize = 11 << 20;

fn name(text: &str) -> BlobName {
    BlobName::parse(text).unwrap()
}

async fn read_all(mut pieces: Pieces) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(piece) = pieces.next().await {
        all.extend_from_slice(&piece.unwrap());
    }
    all
}

pub(crate) async fn run(blobs: &Blobs) {
    let folder = tempfile::tempdir().unwrap();
    let (small, large) = (name("media/ab/abcd/small"), name("media/ab/abcd/large"));
    assert_eq!(blobs.size(&small).await.unwrap(), None);
    for _ in 0..2 {
        blobs.put(&small, Bytes::from_static(b"0123456789")).await.unwrap();
    }
    let source = folder.path().join("source");
    let bytes: Vec<u8> = (0..LARGE_BYTES).map(|n| u8::try_from(n % 251).unwrap()).collect();
    std::fs::write(&source, &bytes).unwrap();
    blobs.put_file(&large, &source).await.unwrap();
    std::fs::write(&source, b"short").unwrap();
    blobs.put_file(&name("media/cd/short"), &source).await.unwrap();

    assert_eq!(blobs.size(&large).await.unwrap(), Some(bytes.len() as u64));
    // s3rver takes `bytes=0-0` for the whole blob; no caller asks for one byte at the start.
    for range in [0..bytes.len(), 0..2, 65_000..(5 << 20) + 10, bytes.len() - 1..bytes.len()] {
        let wanted = range.start as u64..range.end as u64;
        let read = read_all(blobs.read(&large, wanted).await.unwrap().unwrap()).await;
        assert!(read == bytes[range.clone()], "{range:?}");
    }
    assert_eq!(blobs.get(&small, 10).await.unwrap().unwrap(), "0123456789");
    assert!(matches!(blobs.get(&small, 9).await, Err(BlobError::TooLarge { bytes: 10, .. })));
    assert_eq!(blobs.get(&name("media/cd/short"), 10).await.unwrap().unwrap(), "short");

    let listed = blobs.list(&name("media/ab"), 10).await.unwrap();
    let mut names: Vec<_> = listed.iter().map(|blob| blob.name.clone()).collect();
    names.sort();
    assert_eq!(names, [large.clone(), small.clone()]);
    // A store's clock may have whole seconds.
    assert!(listed.iter().all(|blob| blob.written_ms > 1_600_000_000_000), "{listed:?}");
    let written = blobs.written_ms(&large).await.unwrap().unwrap();
    assert!(listed.iter().any(|blob| blob.name == large && blob.written_ms.abs_diff(written) < 1_000));
    assert_eq!(blobs.written_ms(&name("media/none")).await.unwrap(), None);
    assert!(blobs.list(&name("media/none"), 10).await.unwrap().is_empty());
    assert_eq!(blobs.list(&name("media"), 2).await.unwrap().len(), 2);
    for _ in 0..2 {
        blobs.delete(&large).await.unwrap();
    }
    assert_eq!(blobs.size(&large).await.unwrap(), None);
    assert!(blobs.read(&large, 0..1).await.unwrap().is_none());
    assert_eq!(blobs.get(&large, 10).await.unwrap(), None);
    assert!(blobs.put_file(&large, &folder.path().join("none")).await.is_err());
    const { assert!(PIECE_BYTES == 64 * 1024) }
}
