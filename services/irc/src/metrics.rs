//! Prometheus metrics of the IRC gateway.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use crate::session::CloseCause;

/// Kind of a connection, as a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TransportKind {
    Tcp,
    WebSocket,
}

impl TransportKind {
    const ALL: [TransportKind; 2] = [TransportKind::Tcp, TransportKind::WebSocket];

    const fn label(self) -> &'static str {
        match self {
            TransportKind::Tcp => "tcp",
            TransportKind::WebSocket => "websocket",
        }
    }
}

/// Why a connection was not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    Address,
    Handshake,
}

impl Refused {
    const ALL: [Refused; 3] = [Refused::Full, Refused::Address, Refused::Handshake];

    const fn label(self) -> &'static str {
        match self {
            Refused::Full => "full",
            Refused::Address => "address",
            Refused::Handshake => "handshake",
        }
    }
}

/// Outcome of a post or of a command of a moderator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accepted,
    Held,
    Refused,
    Failed,
}

impl Outcome {
    const ALL: [Outcome; 4] = [Outcome::Accepted, Outcome::Held, Outcome::Refused, Outcome::Failed];

    const fn label(self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Held => "held",
            Outcome::Refused => "refused",
            Outcome::Failed => "failed",
        }
    }
}

/// Handles of the IRC gateway's metrics, registered once per process.
#[derive(Debug, Clone)]
pub struct IrcMetrics {
    connections: IntGaugeVec,
    pub(crate) rooms: IntGauge,
    lines: IntCounterVec,
    refused: IntCounterVec,
    closed: IntCounterVec,
    posts: IntCounterVec,
}

impl IrcMetrics {
    /// Registers all metrics on `registry`.
    ///
    /// # Errors
    /// When one is registered already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name, help, label| IntCounterVec::new(Opts::new(name, help), &[label]);
        let metrics = IrcMetrics {
            connections: IntGaugeVec::new(
                Opts::new("barrage_irc_connections", "Connections of IRC clients, by transport."),
                &["transport"],
            )?,
            rooms: IntGauge::new(
                "barrage_irc_rooms",
                "Rooms of all IRC connections. Each costs one viewer at a gateway.",
            )?,
            lines: counter("barrage_irc_lines_total", "Lines of IRC, by direction.", "direction")?,
            refused: counter(
                "barrage_irc_refused_total",
                "Connections that the IRC gateway did not serve, by reason.",
                "reason",
            )?,
            closed: counter(
                "barrage_irc_closed_total",
                "Connections that ended, by cause; client is the client's own end.",
                "cause",
            )?,
            posts: counter(
                "barrage_irc_posts_total",
                "Posts and moderators' commands of IRC clients, by outcome.",
                "outcome",
            )?,
        };
        TransportKind::ALL.iter().for_each(|kind| metrics.connections(*kind).set(0));
        for direction in ["in", "out"] {
            metrics.lines.with_label_values(&[direction]);
        }
        for refused in Refused::ALL {
            metrics.refused.with_label_values(&[refused.label()]);
        }
        for cause in CloseCause::ALL {
            metrics.closed.with_label_values(&[cause.label()]);
        }
        for outcome in Outcome::ALL {
            metrics.posts.with_label_values(&[outcome.label()]);
        }
        registry.register(Box::new(metrics.connections.clone()))?;
        registry.register(Box::new(metrics.rooms.clone()))?;
        registry.register(Box::new(metrics.lines.clone()))?;
        registry.register(Box::new(metrics.refused.clone()))?;
        registry.register(Box::new(metrics.closed.clone()))?;
        registry.register(Box::new(metrics.posts.clone()))?;
        Ok(metrics)
    }

    pub(crate) fn connections(&self, kind: TransportKind) -> IntGauge {
        self.connections.with_label_values(&[kind.label()])
    }

    pub(crate) fn line_in(&self) {
        self.lines.with_label_values(&["in"]).inc();
    }

    pub(crate) fn lines_out(&self, count: u64) {
        self.lines.with_label_values(&["out"]).inc_by(count);
    }

    pub(crate) fn refused(&self, refused: Refused) {
        self.refused.with_label_values(&[refused.label()]).inc();
    }

    pub(crate) fn closed(&self, cause: CloseCause) {
        self.closed.with_label_values(&[cause.label()]).inc();
    }

    pub(crate) fn posted(&self, outcome: Outcome) {
        self.posts.with_label_values(&[outcome.label()]).inc();
    }
}
