//! Starters and clients for integration tests.
//!
//! Every real server that a test needs is started here, on a free port, in a temporary folder, and is
//! stopped when its value is dropped: [`Server`] (Barrage), [`NatsServer`], [`RedisServer`],
//! [`PostgresServer`], [`S3Server`], [`Clamd`], [`KubernetesServers`], [`Squid`] and [`Nginx`]. [`RawSocket`] is a WebSocket client
//! that sends any bytes, valid or not. [`wait`] polls a condition up to a deadline.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test fails by panicking")]

mod answer;
pub mod certificates;
pub mod chart;
mod clamd;
pub mod kubernetes;
mod meddler;
pub mod nats;
mod nginx;
mod otlp;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod programs;
mod proxy;
mod push;
pub mod redis;
mod s3;
mod server;
mod socket;
mod squid;
mod toxic;
pub mod wait;

pub use answer::Answer;
pub use barrage_tls::ClientTls;
pub use clamd::{Clamd, EICAR};
pub use kubernetes::KubernetesServers;
pub use meddler::{Meddler, Meddling};
pub use nats::NatsServer;
pub use nginx::{Forwarding, Nginx};
pub use otlp::{OtlpReceiver, ReceivedSpan};
pub use postgres::PostgresServer;
pub use proxy::{Proxy, Treatment};
pub use push::{PushAnswer, PushRequest, PushServices};
pub use redis::RedisServer;
pub use s3::{S3Program, S3Server};
pub use server::{Endpoint, Server, ServerOptions};
pub use socket::{Frame, RawSocket, masked};
pub use squid::{Squid, Tunnels};
pub use toxic::{Toxic, ToxicProxy};
