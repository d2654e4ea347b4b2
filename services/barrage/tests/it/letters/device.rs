//! A device of a user: a connection for the inbox, and what a client knows by it.

use std::net::SocketAddr;
use std::time::Duration;

use barrage_client::{InboxBook, InboxNews, InboxStep, Letters, Sender, SenderConfig};
use barrage_protocol::frame::ServerFrame;
use barrage_protocol::inbox::InboxQuery;
use barrage_testkit::{Frame, RawSocket};

/// Longest wait for news, with room for a courier or gateway that starts again.
const NEWS_MAX: Duration = Duration::from_secs(40);

/// A device at one gateway and one uplink. It takes mail, and asks where the book lacks something.
pub(super) struct Device {
    socket: RawSocket,
    letters: Letters,
    book: InboxBook,
    cursor: Option<String>,
    /// Bells that told to spread the request: mail may have been lost.
    pub(super) losses: usize,
    /// Requests for the inbox.
    pub(super) syncs: usize,
}

impl Device {
    /// Connects, and has the inbox of this moment.
    pub(super) async fn open(gateway: SocketAddr, uplink: SocketAddr, user: &str, token: &str) -> Self {
        let protocol = format!("barrage.v1.1.json, barrage.token.{token}");
        let headers = [("Sec-WebSocket-Protocol", protocol.as_str())];
        let socket = RawSocket::connect(gateway, "/v1/inbox/ws", &headers).await.expect("a connection");
        let sender = Sender::new(SenderConfig::new(format!("http://{uplink}"), token)).unwrap();
        let letters = sender.letters(&"demo".parse().unwrap());
        let book = InboxBook::new(user.parse().unwrap());
        let mut device = Device { socket, letters, book, cursor: None, losses: 0, syncs: 0 };
        device.step().await;
        device
    }

    /// Takes frames until the book has so many unread items.
    pub(super) async fn until_unread(&mut self, unread: u64) {
        self.until(&format!("{unread} unread items"), |book| book.unread() == unread).await;
    }

    /// Takes frames until the book is as expected.
    pub(super) async fn until(&mut self, expected: &str, is_so: impl Fn(&InboxBook) -> bool) {
        let taken = async {
            while !is_so(&self.book) {
                self.step().await;
            }
        };
        let came = tokio::time::timeout(NEWS_MAX, taken).await;
        assert!(came.is_ok(), "no {expected}: {:?}", self.book);
    }

    /// Takes all frames of a time.
    pub(super) async fn listen(&mut self, time: Duration) {
        let until = std::time::Instant::now() + time;
        while let Some(frame) =
            self.socket.next_within(until.saturating_duration_since(std::time::Instant::now())).await
        {
            self.take(frame).await;
        }
    }

    /// Takes one frame of any kind.
    async fn step(&mut self) {
        let frame = self.socket.next_within(NEWS_MAX).await.expect("news");
        self.take(frame).await;
    }

    async fn take(&mut self, frame: Frame) {
        let news = match frame {
            Frame::Protocol(ServerFrame::Attached(_), _) => InboxNews::Attached,
            Frame::Protocol(ServerFrame::Mail(mail), _) => InboxNews::Mail(Box::new(mail)),
            Frame::Protocol(ServerFrame::Bell(bell), _) => {
                self.losses += usize::from(bell.spread_ms.is_some());
                InboxNews::Bell(bell)
            }
            other => panic!("no news, but {other:?}"),
        };
        let mut step = self.book.take(&news);
        while let InboxStep::Ask { .. } = step {
            self.syncs += 1;
            let query = InboxQuery { cursor: self.cursor.clone(), ..InboxQuery::default() };
            let answer = self.letters.sync(&query).await.expect("an answer to the sync");
            self.cursor = Some(answer.cursor.clone());
            step = self.book.answered(answer);
        }
    }
}
