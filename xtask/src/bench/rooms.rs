//! Rooms: resident bytes of `barrage up` per room with one message, without viewers and with one each.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use anyhow::ensure;
use serde_json::{Map, Value, json};

use super::figures;
use super::site::admin::{self, sleep};
use super::site::{Build, Process, empty_folder, read_answer};
use crate::run::{command, note};

const PUBLIC: &str = "127.0.0.1:18488";
const ADMIN: &str = "127.0.0.1:18489";
/// Share of the rooms before the first reading: they fill the caches that all rooms share.
const FIRST_SHARE: u32 = 4;
/// Time for memory of the requests themselves to be released. Two sweeps of the log are in it.
const SETTLE: Duration = Duration::from_secs(12);
const READ_MAX: Duration = Duration::from_secs(20);
/// Limits above the load.
const LIMITS: [(&str, &str); 4] = [
    ("BARRAGE_UPLINK__LIMITS__USER_PER_S", "1000000"),
    ("BARRAGE_UPLINK__LIMITS__ADDRESS_PER_S", "1000000"),
    ("BARRAGE_GATEWAY__USER_CONNECTIONS_MAX", "1000000"),
    ("BARRAGE_UPLINK__LIMITS__PLATFORM_PER_S", "1000000"),
];

/// Number of rooms of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Rooms with one message each.
    pub(crate) rooms: u32,
    /// Rooms of these that then get a viewer each.
    pub(crate) watched: u32,
}

/// Measures the binary of this checkout alone, or the one given by `--binary`.
pub(crate) fn alone(build: &Build, plan: Plan, as_json: bool) -> anyhow::Result<()> {
    let measured = measure(&build.barrage(), plan)?;
    let mut figures = Map::new();
    measured.each(|name, value| drop(figures.insert(name.into(), json!(value.round()))));
    figures::print(&figures, as_json)
}

/// Measures this checkout's binary by turns with another one.
pub(crate) fn against(
    build: &Build,
    other: &str,
    plan: Plan,
    rounds: u32,
    as_json: bool,
) -> anyhow::Result<()> {
    let (mut ours, mut others) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        note(&format!("round {round} of {rounds}"));
        ours.push(measure(&build.barrage(), plan)?);
        others.push(measure(other, plan)?);
    }
    let mut figures: Map<String, Value> = Map::new();
    for (all, suffix) in [(&ours, ""), (&others, "_other")] {
        for (at, name) in NAMES.iter().enumerate() {
            let mut values: Vec<f64> = all.iter().map(|measured| measured.0[at]).collect();
            figures.insert(format!("{name}{suffix}"), json!(figures::median(&mut values).round()));
        }
    }
    figures::print(&figures, as_json)
}

const NAMES: [&str; 5] = [
    "bytes_per_idle_room",
    "bytes_per_watched_room",
    "resident_bytes_without_rooms",
    "resident_bytes",
    "rooms",
];

/// Figures of one run, in the order of [`NAMES`].
struct Measured([f64; NAMES.len()]);

impl Measured {
    fn each(&self, mut take: impl FnMut(&str, f64)) {
        NAMES.iter().zip(self.0).for_each(|(name, value)| take(name, value));
    }
}

fn measure(binary: &str, plan: Plan) -> anyhow::Result<Measured> {
    let Plan { rooms, watched } = plan;
    let first = rooms / FIRST_SHARE;
    ensure!(
        first > 0 && watched > 0 && watched <= rooms,
        "give at least {FIRST_SHARE} rooms, and watch some"
    );
    let server = Server::start(binary)?;
    let without_rooms = server.settled_bytes()?;
    server.open(0..first)?;
    let with_first = server.settled_bytes()?;
    server.open(first..rooms)?;
    let with_all = server.settled_bytes()?;
    let idle = (with_all - with_first) / f64::from(rooms - first);
    note(&format!("{rooms} rooms: {:.1} MB, {idle:.0} bytes each", with_all / 1e6));
    let _viewers = (0..watched).map(|n| server.watch(n)).collect::<anyhow::Result<Vec<_>>>()?;
    let viewer = (server.settled_bytes()? - with_all) / f64::from(watched);
    Ok(Measured([idle, idle + viewer, without_rooms, with_all, f64::from(rooms)]))
}

/// A running `barrage up` without NATS.
struct Server {
    process: Process,
    admin_token: String,
    token: String,
}

impl Server {
    fn start(binary: &str) -> anyhow::Result<Server> {
        let folder = empty_folder("rooms")?;
        let data = folder.join("data").display().to_string();
        let mut started =
            command(binary, &["up", "--listen", PUBLIC, "--admin-listen", ADMIN, "--data-dir", &data]);
        let log = std::fs::File::create(folder.join("server.log"))?;
        started.envs(LIMITS).env("RUST_LOG", "warn").stdout(Stdio::null()).stderr(log);
        let process = Process(started.spawn()?);
        admin::wait_ready(ADMIN)?;
        let token = |role| -> anyhow::Result<String> {
            let arguments = ["token", "--user", role, "--room", "*", "--role", role, "--ttl-secs", "86400"];
            let output = command(binary, &[&arguments[..], &["--data-dir", &data]].concat()).output()?;
            Ok(String::from_utf8(output.stdout)?.trim().to_owned())
        };
        let (admin_token, token) = (token("admin")?, token("viewer")?);
        Ok(Server { process, admin_token, token })
    }

    /// Opens rooms, and posts one message to each.
    fn open(&self, rooms: std::ops::Range<u32>) -> anyhow::Result<()> {
        // Opened here: the server closes a connection whose first request does not come in time.
        let connect = |address| -> anyhow::Result<_> { Ok(BufReader::new(TcpStream::connect(address)?)) };
        let (mut admin, mut public) = (connect(ADMIN)?, connect(PUBLIC)?);
        for n in rooms {
            let path = format!("PUT /v1/admin/rooms/room-{n}");
            request(&mut admin, &path, &self.admin_token, r#"{"title":"A room with a title"}"#)?;
            let path = format!("POST /v1/rooms/room-{n}/messages");
            let body = format!(r#"{{"type":"chat","id":"c-{n}","text":"a message of the usual length"}}"#);
            let answer = request(&mut public, &path, &self.token, &body)?;
            ensure!(answer.contains("\"broadcast\""), "message of room {n} was not broadcast: {answer}");
        }
        Ok(())
    }

    /// Joins a room as a viewer; returns the connection.
    fn watch(&self, room: u32) -> anyhow::Result<TcpStream> {
        let mut viewer = TcpStream::connect(PUBLIC)?;
        viewer.set_read_timeout(Some(READ_MAX))?;
        let token = &self.token;
        write!(
            viewer,
            "GET /v1/rooms/room-{room}/ws HTTP/1.1\r\nHost: {PUBLIC}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: barrage.v1.json, barrage.token.{token}\r\n\r\n"
        )?;
        let (mut answer, mut part) = (Vec::new(), [0; 4_096]);
        while !answer.windows(7).any(|text| text == b"\"hello\"") {
            let bytes = viewer.read(&mut part)?;
            let text = String::from_utf8_lossy(&answer);
            ensure!(bytes > 0, "the viewer of room {room} could not join: {text}");
            answer.extend_from_slice(&part[..bytes]);
        }
        Ok(viewer)
    }

    fn settled_bytes(&self) -> anyhow::Result<f64> {
        sleep(SETTLE);
        self.process.resident_bytes()
    }
}

/// Sends a request with a JSON body over a kept connection; returns the body of the response.
fn request(
    connection: &mut BufReader<TcpStream>,
    line: &str,
    token: &str,
    body: &str,
) -> anyhow::Result<String> {
    let host = connection.get_ref().peer_addr()?;
    let request = format!(
        "{line} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.get_mut().write_all(request.as_bytes())?;
    read_answer(connection)
}
