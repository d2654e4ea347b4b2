//! The gateway's limits and windows.

use barrage_recorder::RecorderConfig;
use serde::{Deserialize, Serialize};

use crate::load::OverloadConfig;
use crate::room::HeatConfig;

/// `[gateway]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayConfig {
    /// Name in the registry, in metrics of the fleet and in entry's answers.
    /// Default `gateway-1`.
    pub id: String,
    /// Base URLs that clients reach this gateway by. Default: none, which means the
    /// host that the client asked entry on, with each of the listeners' ports.
    pub base_urls: Vec<String>,
    /// Worker threads that own connections. Default 0: one per core.
    pub shards: usize,
    /// A room's batching window while it is busy; a quiet room sends at once.
    /// Default 50: below what a viewer notices, and twenty sends a second at most.
    pub window_ms: u64,
    /// Longest window of a hot room, or under overload. Default 500: still well within
    /// the second in which a signal or gift must arrive.
    pub window_ms_max: u64,
    /// Messages in one batch at most; a fuller one is sent before its window ends.
    /// Default 500.
    pub batch_messages_max: usize,
    /// Viewers of one room that a shard serves in one turn; a larger room is served in
    /// waves, each with what has come until its own turn. Default 1000: some 10 ms.
    pub wave_viewers_max: usize,
    /// Sums of likes and the online count are sent this often at most. Default 1000.
    pub pulse_ms: u64,
    /// Heartbeat interval suggested to clients. Default 25000: below the idle
    /// timeouts of common middleboxes.
    pub ping_interval_ms: u64,
    /// Silence beyond the interval before the server closes. Default 10000.
    pub ping_margin_ms: u64,
    /// For the first frame, when the handshake carried no token. Default 5.
    pub join_secs: u64,
    /// How long a room stays subscribed after its last viewer left. Default 30.
    pub linger_secs: u64,
    /// Bytes queued for one viewer before chat is left out for it. Default 65536.
    pub queue_soft_bytes: usize,
    /// Bytes queued for one viewer before it is told to reconnect. Default 262144.
    pub queue_hard_bytes: usize,
    /// JSON bytes of one answer to a poll, a resume, a repair or a lagging event stream; a
    /// longer range goes on in the next answer. Default 32768: 130 ordinary messages, and
    /// 1,000 clients that ask and never read cost less than 64 MiB. At most
    /// half of `queue_hard_bytes` counts.
    pub answer_bytes_max: usize,
    /// Bytes of repairs a second that one viewer is answered at full speed, after a burst of
    /// two seconds' worth; beyond, its answers wait, by at most a second each. Default 262144:
    /// a resume over a busy hour takes seconds, and eight viewers that repair all the time
    /// cost 2 MB/s.
    pub repair_bytes_per_s: u32,
    /// Bodies of one batch, in bytes; a fuller one is sent before its window ends. Default
    /// 131072, so that the rest of one batch fits into a viewer's queue. At most half of
    /// `queue_hard_bytes` counts.
    pub batch_bytes_max: usize,
    /// Connections of one user at this gateway, WebSockets and event streams together; beyond,
    /// the oldest is closed with `too_many_connections`. Anonymous viewers are not counted. Default 20: tabs and
    /// devices of one person.
    pub user_connections_max: usize,
    /// A viewer for which something was queued for this long without a break is told
    /// to reconnect, however much it reads. Default 15.
    pub behind_secs_max: u64,
    /// Kernel send buffer of one viewer; what it does not hold is queued here, where
    /// it can still be left out. Default 65536: a second of a hot room.
    pub socket_send_bytes: u32,
    /// Effort of deflate, 1 to 9. Default 6: a batch is deflated once, whoever watches.
    pub deflate_effort: u8,
    /// Chat messages in one repair at most; older ones are skipped. Default 200.
    pub repair_chat_max: usize,
    /// Frames a client may send a second; beyond, it is closed with a time to come
    /// back. Default 20.
    pub client_frames_per_s: u32,
    /// WebSocket pings and pongs a client may send a second. Default 10.
    pub control_frames_per_s: u32,
    /// Refused frames after which a client is closed. Default 8.
    pub bad_frames_max: u32,
    /// Longest wait of a long poll. Default 30.
    pub poll_wait_secs_max: u64,
    /// Viewers are sent away over this time at the fastest, at a shutdown or a drain. A
    /// larger gateway takes the time that the other gateways need to take its viewers.
    /// Default 3.
    pub drain_secs: u64,
    /// The longest that this may take; then who is left is closed and comes back through
    /// entry. Default 120: whoever ends the process must wait a little longer.
    pub drain_secs_max: u64,
    /// Viewers at most, fallbacks included; beyond, joins get `overloaded`.
    /// Default 17000: under the listener's own bound.
    pub viewers_max: u64,
    /// Viewers let in a second; who comes faster waits its turn. Default 4000: about
    /// what one core can shake hands with while it delivers. While viewers come with
    /// tickets, those without may take a quarter of the queue alone.
    pub joins_per_s: u32,
    /// Longest such turn; beyond, joins are refused with a time to come back.
    /// Default 2000.
    pub joins_wait_ms_max: u32,
    /// Bytes sent to viewers a second; nearing it counts as overload. Default
    /// 600000000: half of a 10 Gbit/s link.
    pub egress_bytes_per_s: u64,
    /// When a room is hot.
    pub heat: HeatConfig,
    /// When there is too much to do.
    pub overload: OverloadConfig,
    /// What is remembered of each batch.
    pub recorder: RecorderConfig,
    /// Unacknowledged notices are sent again after this long. Default 3000.
    pub notice_resend_ms: u64,
    /// Sends of one notice per connection at most; then it waits for the user's
    /// next connect. Default 5.
    pub notice_sends_max: u32,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        GatewayConfig {
            id: "gateway-1".into(),
            base_urls: Vec::new(),
            shards: 0,
            window_ms: 50,
            window_ms_max: 500,
            batch_messages_max: 500,
            wave_viewers_max: 1_000,
            pulse_ms: 1_000,
            ping_interval_ms: 25_000,
            ping_margin_ms: 10_000,
            join_secs: 5,
            linger_secs: 30,
            queue_soft_bytes: 64 * 1024,
            queue_hard_bytes: 256 * 1024,
            answer_bytes_max: 32 * 1024,
            repair_bytes_per_s: 256 * 1024,
            batch_bytes_max: 128 * 1024,
            user_connections_max: 20,
            behind_secs_max: 15,
            socket_send_bytes: 65_536,
            deflate_effort: 6,
            repair_chat_max: 200,
            client_frames_per_s: 20,
            control_frames_per_s: 10,
            bad_frames_max: 8,
            poll_wait_secs_max: 30,
            drain_secs: 3,
            drain_secs_max: 120,
            viewers_max: 17_000,
            joins_per_s: 4_000,
            joins_wait_ms_max: 2_000,
            egress_bytes_per_s: 600_000_000,
            heat: HeatConfig::default(),
            overload: OverloadConfig::default(),
            recorder: RecorderConfig::default(),
            notice_resend_ms: 3_000,
            notice_sends_max: 5,
        }
    }
}

/// Bytes of a frame around its messages: room, positions, counts and the frame's own header.
const FRAME_BYTES: usize = 512;

impl GatewayConfig {
    /// Bytes of the messages of one answer, so that its frame is within both bounds.
    pub(crate) fn answer_messages_bytes(&self) -> usize {
        self.answer_bytes_max.min(self.queue_hard_bytes / 2).saturating_sub(FRAME_BYTES)
    }

    /// Bytes of bodies from which a batch is full.
    pub(crate) fn full_batch_bytes(&self) -> usize {
        self.batch_bytes_max.min(self.queue_hard_bytes / 2).max(1)
    }
}
