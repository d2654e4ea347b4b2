//! One suite for both engines: files, and a real server that speaks S3.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod s3;
mod suite;

use barrage_blob::Blobs;

#[tokio::test]
async fn files_keep_the_promises_of_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::files(&folder.path().join("blobs")).unwrap();
    suite::run(&blobs).await;
    let left = std::fs::read_dir(folder.path().join("blobs")).unwrap();
    let left: Vec<_> = left.flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["media"], "no draft is left");
}

#[tokio::test]
async fn bucket_keeps_the_promises_of_the_store() {
    let server = s3::S3Server::start().await;
    suite::run(&Blobs::s3(&server.config()).unwrap()).await;
}

#[tokio::test]
async fn server_that_is_away_is_an_error_and_no_missing_blob() {
    let server = s3::S3Server::start().await;
    let blobs = Blobs::s3(&barrage_blob::S3Config { request_secs: 1, ..server.config() }).unwrap();
    drop(server);
    let name = barrage_blob::BlobName::parse("media/ab/x").unwrap();
    assert!(blobs.get(&name, 10).await.is_err());
}
