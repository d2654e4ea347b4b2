//! Several processes as one platform: processes on one NATS server, `up --cluster` and
//! `up --autoscale`.

mod autoscale;
mod cluster;
mod lost_signals;
mod probe;
mod scrape;
mod shared_bus;
mod tls;

use std::time::Duration;

use barrage_client::{Event, Viewer};
use barrage_protocol::Class;
use barrage_protocol::post::Post;
use barrage_testkit::{ServerOptions, programs, wait};

use crate::support;

/// Longest wait for a step of a fleet, with room for a busy machine.
const STEP_MAX: Duration = Duration::from_secs(30);

/// Options of `barrage up` that starts a fleet.
pub(crate) fn fleet(arguments: &[&str]) -> ServerOptions {
    ServerOptions {
        arguments: arguments.iter().map(ToString::to_string).collect(),
        environment: vec![("PATH".into(), programs::path_with_nats())],
        ..ServerOptions::default()
    }
}

fn gift(id: &str) -> Post {
    serde_json::from_str(&support::paid_gift(id)).unwrap()
}

/// Waits until the viewer has joined its room.
async fn joined(viewer: &mut Viewer) {
    let hello = async {
        loop {
            match viewer.next().await {
                Some(Event::Hello(..)) => return,
                Some(_) => {}
                None => panic!("the viewer has ended"),
            }
        }
    };
    wait::within(STEP_MAX, "the hello of a viewer", hello).await;
}

/// Waits for the next gift, which must have this id.
async fn receives(viewer: &mut Viewer, id: &str) {
    let received = async {
        loop {
            match viewer.next().await {
                Some(Event::Message(message)) if message.class == Class::Gift => return message,
                Some(_) => {}
                None => panic!("the viewer has ended"),
            }
        }
    };
    let message = wait::within(Duration::from_secs(10), "the next gift", received).await;
    assert!(message.body.get().contains(&format!("\"id\":\"{id}\"")), "{}", message.body);
}
