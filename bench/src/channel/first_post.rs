//! The first post of a client after idling: with a connection that is closed, and with one that was
//! opened ahead.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use barrage_client::{ClientTls, Sender, SenderConfig};
use barrage_protocol::RoomId;
use clap::Args;
use serde_json::json;

use super::{delay_proxy, posts, quantile_ms};

#[derive(Args)]
pub(crate) struct FirstPost {
    /// Address of the uplink, whose certificate is for `localhost`.
    #[arg(long)]
    address: SocketAddr,
    /// PEM file of the authority that signed the certificate.
    #[arg(long)]
    ca: PathBuf,
    /// Token of the sender.
    #[arg(long)]
    token: String,
    /// Room to post to.
    #[arg(long)]
    room: RoomId,
    /// Round trip of the simulated network.
    #[arg(long, default_value_t = 50)]
    round_trip_ms: u64,
    /// Seconds between the opening of the connection and the post.
    #[arg(long, default_value_t = 3)]
    idle_secs: u64,
    /// Posts of each kind.
    #[arg(long, default_value_t = 15)]
    rounds: u32,
}

impl FirstPost {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.measure())
    }

    async fn measure(self) -> anyhow::Result<()> {
        let proxy = delay_proxy::start(self.address, Duration::from_millis(self.round_trip_ms)).await?;
        let tls = ClientTls::load(Some(&self.ca))?;
        let url = format!("https://localhost:{}", proxy.port());
        let (mut cold, mut warm) = (Vec::new(), Vec::new());
        for round in 0..self.rounds {
            for (is_warm, delays) in [(false, &mut cold), (true, &mut warm)] {
                // A sender of its own: its connections are no other's.
                let sender = Sender::with_tls(SenderConfig::new(&url, &self.token), &tls)?;
                if is_warm {
                    sender.warm(&self.room).await?;
                    tokio::time::sleep(Duration::from_secs(self.idle_secs)).await;
                }
                let post = posts::chat(u64::from(round) * 2 + u64::from(is_warm));
                let began = Instant::now();
                sender.send(&self.room, &post).await?;
                delays.push(began.elapsed());
            }
        }
        println!(
            "{}",
            json!({ "first_post_ms_cold": quantile_ms(&mut cold, 0.5),
                "first_post_ms_warm": quantile_ms(&mut warm, 0.5), "round_trip_ms": self.round_trip_ms })
        );
        Ok(())
    }
}
