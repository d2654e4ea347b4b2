//! Limits and windows of a gateway.

use barrage_recorder::RecorderConfig;

use crate::load::OverloadConfig;
use crate::room::HeatConfig;

barrage_part::part! {
    /// Limits and windows of a gateway.
    pub struct GatewayConfig {
        /// Name in the registry, in fleet metrics and in the answers of entry.
        id: String = "gateway-1".into();
        /// Base URLs by which clients reach this gateway. Without any: the host that the client asked
        /// entry on, with the port of each listener. `{pod_name}`, `{pod_ip}`, `{pod_ip_dashed}`,
        /// `{node_ip}` and `{node_name}` become the values of POD_NAME, POD_IP, NODE_IP and NODE_NAME.
        base_urls: Vec<String> = Vec::new();
        /// IP addresses of the hosts in `base_urls`, at most 8; `{node_ip}` and `{pod_ip}` are replaced. Entry
        /// adds them to its answers, so that clients reach this gateway without DNS. An `https` URL needs a
        /// certificate for the host's name at each address. Hosts of `entry.addresses` are not affected.
        addresses: Vec<String> = Vec::new();
        /// Region in the names of `entry.region_file`, such as `CN-SH` or `CN`: entry prefers it for
        /// clients of the region, and of those whose region begins with it and a dash.
        @[serde(skip_serializing_if = "Option::is_none")]
        region: Option<String> = None;
        /// Carriers whose networks have a line to this gateway, in the names of `entry.region_file`; none
        /// means all carriers.
        carriers: Vec<String> = Vec::new();
        /// Worker threads that own connections; 0 means one per core.
        shards: usize = 0, between(0, 1_024);
        /// Batching window of a busy room, in milliseconds; a quiet room sends at once. Below what a
        /// viewer notices, with twenty sends a second at most. The gateway stretches the windows of all its
        /// rooms while writes, as measured, would take more than half of a shard's time.
        window_ms: u64 = 50, between(1, 5_000);
        /// Longest window of a hot room, by the cost of writes, and under overload, in milliseconds. Well
        /// below the second within which a signal or gift must arrive.
        window_ms_max: u64 = 500, between(1, 5_000);
        /// Maximum messages in a batch; a full batch is sent before its window ends.
        batch_messages_max: usize = 500, between(1, 10_000);
        /// Most viewers of one room that a shard serves in one turn. A larger room is served in waves, each
        /// with the messages up to its own turn. The measured cost of a write makes waves smaller, so that
        /// a turn takes 3 to 8 ms.
        wave_viewers_max: usize = 4_000, between(1, 1_000_000);
        /// Shortest interval between two sums of likes and online counts, in milliseconds.
        pulse_ms: u64 = 1_000, between(100, 60_000);
        /// Heartbeat interval that the gateway suggests to clients, in milliseconds. Below the idle
        /// timeouts of common middleboxes. Clients of version 1.1 begin their search here.
        ping_interval_ms: u64 = 25_000, between(1_000, 600_000);
        /// The same for clients that state a mobile network, in milliseconds.
        ping_interval_cellular_ms: u64 = 25_000, between(1_000, 600_000);
        /// Longest heartbeat interval that clients of version 1.1 may find out, in milliseconds. The
        /// default is below the five minutes after which several carriers drop idle connections.
        ping_interval_ms_max: u64 = 270_000, between(1_000, 1_800_000);
        /// Silence beyond the heartbeat interval after which the gateway closes, in milliseconds.
        ping_margin_ms: u64 = 10_000, between(1, 600_000);
        /// Names and versions of clients with a metric series of their own; further ones count as
        /// `other`.
        client_versions_max: usize = 32, between(0, 1_000);
        /// Longest wait for the first frame when the handshake carried no token, in seconds.
        join_secs: u64 = 5, between(1, 600);
        /// Time for which a room stays subscribed after its last viewer has left, in seconds.
        linger_secs: u64 = 30, between(0, 86_400);
        /// Bytes queued for one viewer from which chat is dropped for the viewer.
        queue_soft_bytes: usize = 64 * 1024, between(4_096, 1 << 26);
        /// Bytes queued for one viewer from which the gateway sends a reconnect; at least
        /// `queue_soft_bytes`.
        queue_hard_bytes: usize = 256 * 1024, between(4_096, 1 << 28);
        /// JSON bytes of one answer to a poll, a resume, a repair or a lagging event stream; the next
        /// answer continues a longer range. The default holds 130 ordinary messages, so that 1,000
        /// clients that never read cost less than 64 MiB. At most half of `queue_hard_bytes` counts, and
        /// half of that for an event stream, whose answers follow one another without a request.
        answer_bytes_max: usize = 32 * 1024, between(4_096, 1 << 26);
        /// Bytes of repairs a second that one viewer gets at full speed, after a burst of two seconds'
        /// worth. Beyond, each answer waits for up to a second. Eight viewers that repair all the time
        /// cost 2 MB/s.
        repair_bytes_per_s: u32 = 256 * 1024, between(1_024, 1 << 30);
        /// Bytes of the bodies in one batch; a full batch is sent before its window ends. The rest of a
        /// batch of the default size fits into the queue of a viewer. At most half of `queue_hard_bytes`
        /// counts.
        batch_bytes_max: usize = 128 * 1024, between(4_096, 1 << 26);
        /// Connections of one user at this gateway, WebSockets and event streams together. Beyond, the
        /// oldest is closed with `too_many_connections`. Anonymous viewers are not counted.
        user_connections_max: usize = 20, between(1, 1_000_000);
        /// Time for which a queue may be non-empty without a break, in seconds. Then the gateway sends a
        /// reconnect, however much the viewer reads.
        behind_secs_max: u64 = 15, between(1, 3_600);
        /// Kernel send buffer of one viewer, in bytes. Further bytes are queued in the gateway, which can
        /// still drop chat there. The default is a second of a hot room. A batch is sent before its window
        /// ends when it fills half of this.
        socket_send_bytes: u32 = 65_536, between(1, 1 << 30);
        /// Compression effort of deflate. A batch is compressed once for all its viewers.
        deflate_effort: u8 = 6, between(1, 9);
        /// Chat messages in one repair; older ones are skipped.
        repair_chat_max: usize = 200, between(1, 100_000);
        /// Frames a second that a client may send. Beyond, the gateway closes with a retry time.
        client_frames_per_s: u32 = 20, between(1, 100_000);
        /// WebSocket pings and pongs a second that a client may send.
        control_frames_per_s: u32 = 10, between(1, 100_000);
        /// Refused frames after which the gateway closes the connection.
        bad_frames_max: u32 = 8, between(1, 100_000);
        /// Longest wait of a long poll, in seconds.
        poll_wait_secs_max: u64 = 30, between(1, 600);
        /// Shortest drain at a shutdown or on request, in seconds. A large gateway takes as long as the
        /// other gateways need to admit its viewers.
        drain_secs: u64 = 3, between(0, 3_600);
        /// Longest drain, in seconds; at least `drain_secs`. Then the remaining viewers are closed and
        /// come back through entry. A supervisor must wait a little longer before it kills the process.
        drain_secs_max: u64 = 120, between(0, 86_400);
        /// Maximum viewers, fallbacks included. Beyond, joins get `overloaded`. Below
        /// `http.connections_max`.
        viewers_max: u64 = 17_000, between(1, 1_000_000);
        /// Joins a second; further viewers wait for a slot. About the handshakes that one core manages
        /// beside the fan-out. While viewers come with tickets, those without get a quarter of the
        /// queue.
        joins_per_s: u32 = 4_000, between(1, 1_000_000);
        /// Longest wait for a slot, in milliseconds. Beyond, a join is refused with a retry time.
        joins_wait_ms_max: u32 = 2_000, between(0, 60_000);
        /// Bytes a second to viewers. The gateway counts as overloaded near this limit. The default is
        /// half of a 10 Gbit/s link.
        egress_bytes_per_s: u64 = 600_000_000, between(10_000, 1 << 40);
        /// Heat levels of rooms.
        heat: HeatConfig = HeatConfig::default();
        /// Overload levels of the gateway.
        overload: OverloadConfig = OverloadConfig::default();
        /// Flight recorder of batches.
        recorder: RecorderConfig = RecorderConfig::default();
        /// Time after which an unacknowledged notice is sent again, in milliseconds.
        notice_resend_ms: u64 = 3_000, between(100, 600_000);
        /// Sends of one notice per connection. Then the notice waits for the next connect of the user.
        notice_sends_max: u32 = 5, between(1, 1_000);
        /// Frames of mail a second for one attached viewer, after a burst of two seconds' worth. Beyond, they
        /// wait for their turn. A busy group has five frames a second.
        mail_frames_per_s: u32 = 5, between(1, 1_000);
        /// Bytes of mail that wait for one attached viewer. Beyond, all that waits becomes one bell, and the
        /// client asks for the rest.
        mail_queue_bytes: usize = 64 * 1024, between(1_024, 1 << 24);
    }
}

/// Bytes of a frame around its messages: room, positions, counts and the frame's own header.
const FRAME_BYTES: usize = 512;

impl GatewayConfig {
    /// Returns the place that the reports to the registry name.
    pub(crate) fn place(&self) -> barrage_bus::Place {
        let region = self.region.clone().filter(|region| !region.is_empty());
        let place = barrage_bus::Place { region, carriers: self.carriers.clone(), ..Default::default() };
        place.with_addresses(&self.addresses)
    }

    /// Bytes of the messages of one answer, so that its frame is within both bounds.
    pub(crate) fn answer_messages_bytes(&self) -> usize {
        self.answer_bytes_max.min(self.queue_hard_bytes / 2).saturating_sub(FRAME_BYTES)
    }

    /// Bytes of bodies from which a batch is full.
    pub(crate) fn full_batch_bytes(&self) -> usize {
        self.batch_bytes_max.min(self.queue_hard_bytes / 2).max(1)
    }

    /// Bytes of bodies from which a batch is sent before its window ends: half of a socket's send buffer. The
    /// frame's own bytes and what the kernel counts beside the data fill the other half. A larger frame would leave
    /// a rest to queue for every viewer.
    pub(crate) fn due_batch_bytes(&self) -> usize {
        let buffer = usize::try_from(self.socket_send_bytes).unwrap_or(usize::MAX);
        self.full_batch_bytes().min(buffer / 2).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_due_batch_fits_the_socket_and_the_bounds() {
        assert_eq!(GatewayConfig::default().due_batch_bytes(), 32 * 1024);
        let small = GatewayConfig { batch_bytes_max: 4_096, ..GatewayConfig::default() };
        assert_eq!(small.due_batch_bytes(), 4_096);
        let none = GatewayConfig { socket_send_bytes: 1, ..GatewayConfig::default() };
        assert_eq!(none.due_batch_bytes(), 1);
    }
}
