use barrage_protocol::{Class, FrameVersion};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::room::Tally;
use crate::room::batch_of;
use crate::socket::DetachedSocket;
use crate::viewer::held_batches::HELD_BATCHES_MAX;

/// A viewer and its client's end of the connection.
pub(crate) async fn test_viewer(queue_hard_bytes: usize) -> (Viewer, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let stream = listener.accept().await.unwrap().0.into_std().unwrap();
    let socket = Socket::new(DetachedSocket { stream, tls: None }).unwrap();
    (Viewer::new(socket, Encoding::Json, FrameVersion::default(), queue_hard_bytes), client)
}

fn deliver(viewer: &Viewer, batch: &Arc<SharedBatch>) -> Tally {
    let mut tally = Tally::default();
    viewer.deliver(batch, &GatewayConfig::default(), &mut tally);
    tally
}

#[tokio::test]
async fn a_batch_is_written_once_and_known_batches_are_not() {
    let (viewer, mut client) = test_viewer(1 << 20).await;
    let batch = batch_of(0, &[Class::Gift]);
    let tally = deliver(&viewer, &batch);
    assert_eq!((tally.viewers, tally.written, tally.queued), (1, 1, 0));
    assert_eq!(deliver(&viewer, &batch).viewers, 0, "the position is known");
    let mut received = vec![0; batch.frame(Encoding::Json).len()];
    client.read_exact(&mut received).await.unwrap();
    assert_eq!(received[..], batch.frame(Encoding::Json)[..]);
}

#[tokio::test]
async fn a_signal_ahead_of_its_place_is_written_and_moves_no_position() {
    let (viewer, _client) = test_viewer(1 << 20).await;
    assert_eq!(deliver(&viewer, &batch_of(0, &[Class::Chat])).viewers, 1);
    let ahead = crate::room::Contents {
        room: "demo".parse().unwrap(),
        previous: barrage_protocol::Sequence(1),
        sequence: barrage_protocol::Sequence(1),
        messages: vec![crate::room::message(9, Class::Signal)],
        thinned: 0,
        pulse: barrage_protocol::batch::Pulse::default(),
        effort: 3,
        lines: None,
    };
    let ahead = Arc::new(SharedBatch::new(ahead, 0, barrage_clock::now()));
    assert_eq!(deliver(&viewer, &ahead).written, 1);
    assert_eq!(deliver(&viewer, &batch_of(1, &[Class::Chat])).viewers, 1, "the next batch is news");
}

#[tokio::test]
async fn a_hidden_viewer_gets_gifts_and_the_count_of_the_chat() {
    let (viewer, mut client) = test_viewer(1 << 20).await;
    viewer.set_hidden(true);
    let batch = batch_of(0, &[Class::Chat, Class::Gift]);
    let tally = deliver(&viewer, &batch);
    assert_eq!((tally.viewers, tally.written, tally.hidden, tally.hidden_written), (1, 1, 1, 1));
    let quiet = batch_of(2, &[Class::Signal]);
    assert_eq!(deliver(&viewer, &quiet).hidden, 0, "a batch without chat is whole");
    viewer.set_hidden(false);
    let shown = batch_of(3, &[Class::Chat]);
    assert_eq!(deliver(&viewer, &shown).hidden, 0);
    let expected = [
        batch.counted_frame(Encoding::Json).as_ref(),
        quiet.frame(Encoding::Json).as_ref(),
        shown.frame(Encoding::Json).as_ref(),
    ]
    .concat();
    let mut received = vec![0; expected.len()];
    client.read_exact(&mut received).await.unwrap();
    assert_eq!(received, expected);
}

#[tokio::test]
async fn the_queue_of_a_hidden_viewer_holds_no_chat_and_its_overflow_closes() {
    let (viewer, _client) = test_viewer(8 * 1024).await;
    viewer.set_hidden(true);
    let classes = [Class::Gift, Class::Chat].repeat(10);
    let (mut hidden, mut position) = (0, 0);
    while viewer.closing.get().is_none() {
        let tally = deliver(&viewer, &batch_of(position, &classes));
        assert_eq!((tally.viewers, tally.written + tally.queued, tally.dropped_chat), (1, 1, 0));
        hidden += tally.hidden;
        position += classes.len() as u64;
    }
    assert_eq!(hidden * classes.len() as u64, position);
    assert_eq!(viewer.queued().chat, 0);
    assert!(viewer.queued_bytes() <= 8 * 1024);
}

#[tokio::test]
async fn batches_are_held_until_the_join_is_answered() {
    let (viewer, _client) = test_viewer(1 << 20).await;
    viewer.hold();
    for n in 0..HELD_BATCHES_MAX as u64 {
        assert_eq!(deliver(&viewer, &batch_of(n, &[Class::Chat])).viewers, 0);
    }
    assert_eq!(viewer.closing.get(), None);
    deliver(&viewer, &batch_of(HELD_BATCHES_MAX as u64, &[Class::Chat]));
    assert_eq!(viewer.closing.get(), Some(Code::SlowViewer), "one batch too many");
    assert_eq!(viewer.release().len(), HELD_BATCHES_MAX);
}

#[tokio::test]
async fn a_full_socket_queues_and_an_overflow_of_gifts_closes() {
    let (viewer, _client) = test_viewer(8 * 1024).await;
    let gifts = [Class::Gift; 20];
    let (mut written, mut queued, mut position) = (0, 0, 0);
    while viewer.closing.get().is_none() {
        let tally = deliver(&viewer, &batch_of(position, &gifts));
        assert_eq!(tally.viewers, tally.written + tally.queued);
        (written, queued) = (written + tally.written, queued + tally.queued);
        position += gifts.len() as u64;
    }
    assert!(written > 0 && queued > 1, "{written} {queued}");
    assert_eq!(viewer.closing.get(), Some(Code::SlowViewer));
    assert!(viewer.queued_bytes() <= 8 * 1024);
}
