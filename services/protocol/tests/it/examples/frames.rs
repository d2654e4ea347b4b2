//! Frames of the downlink.

use barrage_protocol::frame::{ClientFrame, PollNotices, RepairOutcome, ServerFrame};

use super::all_shown;
use super::page::{Example, PROTOCOL, check};

/// Returns the frames of a server that the page shows.
fn frames() -> Vec<ServerFrame> {
    let read =
        |example: &Example| check(example.line, &example.text, ServerFrame::parse(example.text.as_bytes()));
    PROTOCOL.tagged("server-frame").iter().map(read).collect()
}

#[test]
fn every_server_frame_has_an_example() {
    let name = |frame: &ServerFrame| match frame {
        ServerFrame::Hello(_) => "hello",
        ServerFrame::Batch(_) => "batch",
        ServerFrame::Notice(_) => "notice",
        ServerFrame::Reconnect(_) => "reconnect",
        ServerFrame::Error(_) => "error",
        ServerFrame::Pong(_) => "pong",
        ServerFrame::Traced(_) => "traced",
        ServerFrame::Attached(_) => "attached",
        ServerFrame::Mail(_) => "mail",
        ServerFrame::Bell(_) => "bell",
    };
    let of_rooms = ["hello", "batch", "notice", "reconnect", "error", "pong", "traced"];
    let all = [&of_rooms[..], &["attached", "mail", "bell"]].concat();
    all_shown("server frames", frames().iter().map(name), &all);
}

#[test]
fn a_polls_answer_is_a_batch_with_notices() {
    for Example { line, text, .. } in PROTOCOL.tagged("poll-answer") {
        let batch = ServerFrame::parse(text.as_bytes());
        assert!(matches!(batch, Ok(ServerFrame::Batch(_))), "line {line}: {batch:?}");
        let PollNotices { notices } = serde_json::from_str(&text).expect("the example has notices");
        assert_eq!(notices.len(), 1, "line {line}");
    }
}

#[test]
fn batches_cover_a_range_and_show_every_repair_outcome() {
    let mut outcomes = Vec::new();
    for frame in frames() {
        let ServerFrame::Batch(batch) = frame else { continue };
        let mut last = batch.previous;
        for message in &batch.messages {
            assert!(message.sequence > last && message.sequence <= batch.sequence, "{batch:?}");
            last = message.sequence;
        }
        assert!(batch.previous <= batch.sequence, "{batch:?}");
        outcomes.extend(batch.repair.map(|repair| repair.outcome.label()));
    }
    let name = |outcome: RepairOutcome| match outcome {
        RepairOutcome::Complete | RepairOutcome::Partial | RepairOutcome::Gone => outcome.label(),
    };
    let all = [RepairOutcome::Complete, RepairOutcome::Partial, RepairOutcome::Gone].map(name);
    all_shown("repair outcomes", outcomes, &all);
}

#[test]
fn every_client_frame_has_an_example() {
    let name = |frame: &ClientFrame| match frame {
        ClientFrame::Join { .. } => "join",
        ClientFrame::Ping { .. } => "ping",
        ClientFrame::Ack { .. } => "ack",
        ClientFrame::Switch { .. } => "switch",
        ClientFrame::Repair { .. } => "repair",
        ClientFrame::Visibility { .. } => "visibility",
        ClientFrame::Traces {} => "traces",
        ClientFrame::Traced { .. } => "traced",
        ClientFrame::Attach { .. } => "attach",
        ClientFrame::Detach {} => "detach",
    };
    let shown = PROTOCOL.read::<ClientFrame>("client-frame");
    let of_rooms = ["join", "ping", "ack", "switch", "repair", "visibility", "traces", "traced"];
    let all = [&of_rooms[..], &["attach", "detach"]].concat();
    all_shown("client frames", shown.iter().map(name), &all);
}
