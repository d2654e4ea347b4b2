//! Reasons for which the server closes an HTTP/2 connection by force.

/// Why the server closed a connection by force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The client canceled more requests than `http.http2.resets_per_s` allows.
    Resets,
    /// The client sent more frames without a request than `http.http2.control_frames_per_s` allows.
    ControlFrames,
    /// The client granted more windows than the bytes that it was sent need.
    WindowUpdates,
    /// The HTTP/2 library closed the connection: a defect of the protocol, or a bound of its own.
    Protocol,
}

impl Cut {
    /// All reasons, for the metric.
    pub(crate) const ALL: [Cut; 4] = [Cut::Resets, Cut::ControlFrames, Cut::WindowUpdates, Cut::Protocol];

    /// Returns the value of the metric's label.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Cut::Resets => "resets",
            Cut::ControlFrames => "control_frames",
            Cut::WindowUpdates => "window_updates",
            Cut::Protocol => "protocol",
        }
    }
}
