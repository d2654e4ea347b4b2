//! Modes of files, and memory per room.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use barrage_testkit::{RawSocket, Server};
use serde_json::json;

use super::{in_folder, lines_with, log, post};
use crate::support::{BINARY, gift, start};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn data_files_are_private_and_wider_modes_are_logged() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(BINARY, in_folder(&folder)).await;
    let token = server.token("u1", "demo", "viewer").await;
    post(&server, &token, "g").await;
    let data_dir = folder.path().join("data");
    assert_eq!(mode(&data_dir), 0o700);
    let files: Vec<PathBuf> = std::fs::read_dir(&data_dir).unwrap().map(|it| it.unwrap().path()).collect();
    assert!(files.len() > 6, "{files:?}");
    for file in &files {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    assert_eq!(lines_with(&log(&folder), "chmod").len(), 0);
    assert_eq!(server.stop("TERM").await, Some(0));
    for (path, mode) in [("", 0o755), ("store.sqlite", 0o644), ("token.key", 0o640)] {
        std::fs::set_permissions(data_dir.join(path), PermissionsExt::from_mode(mode)).unwrap();
    }
    drop(Server::start(BINARY, in_folder(&folder)).await);
    let log = log(&folder);
    for advice in ["run `chmod 700", "run `chmod 600"] {
        assert!(log.contains(advice), "{advice}: {log}");
    }
    assert_eq!(lines_with(&log, "other users of this machine have access").len(), 3, "{log}");
}

/// Opens rooms with one message each.
async fn open_rooms(server: &Server, rooms: std::ops::Range<u64>) {
    let admin = server.token("a1", "*", "admin").await;
    let token = server.token("u1", "*", "viewer").await;
    for n in rooms {
        let made = server.admin("PUT", &format!("/rooms/room-{n}"), &admin, &json!({ "title": "r" })).await;
        assert_eq!(made.status, 201, "{made:?}");
        let posted = server.post(&format!("/v1/rooms/room-{n}/messages"), &token, gift("g")).await;
        assert_eq!(posted.status, 200, "{posted:?}");
    }
}

/// The first rooms fill caches that all rooms share.
const FIRST_ROOMS: u64 = 300;
const ROOMS: u64 = 1_500;

/// Each room is open, has one message and no viewer.
#[tokio::test]
async fn quiet_room_costs_the_process_at_most_8_kib() {
    let server = start().await;
    open_rooms(&server, 0..FIRST_ROOMS).await;
    let before = server.resident_bytes();
    open_rooms(&server, FIRST_ROOMS..FIRST_ROOMS + ROOMS).await;
    let each = server.resident_bytes().saturating_sub(before) / ROOMS;
    println!("{each} bytes a room");
    assert!(each <= 8 << 10, "{each} bytes a room");
}

/// Each room is open, has one message and one viewer.
#[tokio::test]
async fn quiet_room_costs_the_process_at_most_16_kib_with_a_viewer() {
    let server = start().await;
    let mut viewers = Vec::new();
    let mut watched = async |rooms: std::ops::Range<u64>| {
        open_rooms(&server, rooms.clone()).await;
        for n in rooms {
            viewers.push(RawSocket::joined(server.public, &format!("room-{n}")).await);
        }
        server.resident_bytes()
    };
    let before = watched(0..FIRST_ROOMS).await;
    let after = watched(FIRST_ROOMS..FIRST_ROOMS + ROOMS).await;
    let each = after.saturating_sub(before) / ROOMS;
    println!("{each} bytes a room with a viewer");
    assert!(each <= 16 << 10, "{each} bytes a room with a viewer");
}
