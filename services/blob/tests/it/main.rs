//! One suite for all engines: files, and real servers that speak S3.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod suite;

use std::time::Duration;

use barrage_blob::{BlobName, Blobs, S3Config};
use barrage_testkit::{Meddler, Meddling, S3Program, S3Server};
use bytes::Bytes;

fn config(server: &S3Server) -> S3Config {
    S3Config {
        endpoint: server.url(),
        bucket: S3Server::BUCKET.into(),
        access_key_id: S3Server::KEY.into(),
        secret_file: server.secret_file(),
        ..S3Config::default()
    }
}

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
async fn bucket_of_s3rver_keeps_the_promises_of_the_store() {
    let server = S3Server::start(S3Program::S3rver).await;
    suite::run(&Blobs::s3(&config(&server)).unwrap()).await;
}

#[tokio::test]
async fn bucket_of_moto_keeps_the_promises_of_the_store() {
    let server = S3Server::start(S3Program::Moto).await;
    suite::run(&Blobs::s3(&config(&server)).unwrap()).await;
}

#[tokio::test]
#[ignore = "s3s-fs is compiled for minutes"]
async fn bucket_of_s3s_fs_keeps_the_promises_of_the_store() {
    let server = S3Server::start(S3Program::S3sFs).await;
    suite::run(&Blobs::s3(&config(&server)).unwrap()).await;
}

#[tokio::test]
async fn server_that_is_away_is_an_error_and_no_missing_blob() {
    let server = S3Server::start(S3Program::S3rver).await;
    let blobs = Blobs::s3(&S3Config { request_secs: 1, ..config(&server) }).unwrap();
    drop(server);
    let name = BlobName::parse("media/ab/x").unwrap();
    assert!(blobs.get(&name, 10).await.is_err());
}

#[tokio::test]
async fn server_that_answers_500_or_nothing_is_an_error_and_leaves_no_part_of_a_blob() {
    let server = S3Server::start(S3Program::S3rver).await;
    let proxy = Meddler::start(Meddling::Pass).await;
    proxy.connect_to(server.address());
    let config = S3Config { endpoint: proxy.url(), request_secs: 1, ..config(&server) };
    let blobs = Blobs::s3(&config).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (name, other) = (BlobName::parse("media/ab/x").unwrap(), BlobName::parse("media/ab/y").unwrap());
    let (file, bytes) = (folder.path().join("large"), vec![7; 11 << 20]);
    std::fs::write(&file, &bytes).unwrap();

    // Each second request fails, parts of the blob too: all are sent again.
    proxy.set(Meddling::EverySecond);
    blobs.put_file(&name, &file).await.unwrap();
    proxy.set(Meddling::Pass);
    assert_eq!(blobs.size(&name).await.unwrap(), Some(bytes.len() as u64));

    proxy.set(Meddling::Errors);
    assert!(blobs.put_file(&other, &file).await.is_err());
    assert!(blobs.put(&other, Bytes::from_static(b"x")).await.is_err());
    assert!(blobs.size(&name).await.is_err(), "an error is no missing blob");
    assert!(blobs.list(&BlobName::parse("media").unwrap(), 10).await.is_err());
    proxy.set(Meddling::Pass);
    assert_eq!(blobs.size(&other).await.unwrap(), None);

    // The server takes the connection and says nothing.
    server.pause();
    let waits = tokio::time::timeout(Duration::from_secs(20), blobs.get(&name, 100 << 20)).await;
    assert!(waits.expect("an end within its deadlines").is_err());
    server.resume();
    assert!(blobs.get(&name, 100 << 20).await.unwrap().unwrap() == bytes);
}
