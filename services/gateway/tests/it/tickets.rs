//! Tickets at a real gateway.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::fleet::{self, Fleet, Member};
use barrage_gateway::GatewayConfig;
use barrage_protocol::Code;
use barrage_testkit::RawSocket;
use barrage_token::{Keyring, Role, Ticket, TokenConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn ticket(from_secs: i64, id: u64) -> Ticket {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now_ms = i64::try_from(now.as_millis()).unwrap();
    let not_before_ms = u64::try_from(now_ms + from_secs * 1_000).unwrap();
    Ticket { room: fleet::room(), not_before_ms, expires_ms: not_before_ms + 30_000, id }
}

async fn ws(at: &Member, ticket: &str) -> Result<RawSocket, u16> {
    RawSocket::connect(at.address, &format!("/v1/rooms/demo/ws?ticket={ticket}"), &[]).await
}

/// Returns the head of the answer and, of a refusal, its body.
async fn sse(at: &Member, ticket: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(at.address).await.unwrap();
    let request = format!("GET /v1/rooms/demo/sse?ticket={ticket} HTTP/1.1\r\nHost: h\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4_096];
    let mut length = 0;
    while !answer[..length].windows(2).any(|pair| pair == b"}\n" || pair == b"}}") {
        let read = stream.read(&mut answer[length..]).await.unwrap();
        assert!(read > 0, "the connection ended");
        length += read;
    }
    String::from_utf8(answer[..length].to_vec()).unwrap().to_lowercase()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn early_forged_and_used_tickets_are_refused() {
    let fleet = Fleet::new().await;
    let a = fleet.start(GatewayConfig { id: "a".into(), ..GatewayConfig::default() }).await;
    let sign = |ticket| fleet.keyring.sign_ticket(ticket).unwrap();
    let others = Keyring::from_secret(&[8; 32], &TokenConfig::default()).unwrap();
    let elsewhere = Ticket { room: "other".parse().unwrap(), ..ticket(0, 4) };
    for (text, code) in [
        (sign(ticket(20, 1)), Code::TooEarly),
        (sign(ticket(-40, 2)), Code::TicketExpired),
        (others.sign_ticket(ticket(0, 3)).unwrap(), Code::BadTicket),
        (sign(elsewhere), Code::BadTicket),
        (fleet.token(Role::Admin), Code::BadTicket),
        (String::new(), Code::BadTicket),
    ] {
        assert_eq!(ws(&a, &text).await.unwrap_err(), code.status(), "{code:?}");
        let answer = sse(&a, &text).await;
        assert!(answer.contains("retry-after: ") && answer.contains(code.label()), "{answer}");
    }
    let early = sse(&a, &sign(ticket(20, 1))).await;
    assert!(early.contains("retry-after: 20"), "{early}");
    assert_eq!(a.viewers(), 0);

    let good = sign(ticket(0, 5));
    let _viewer = ws(&a, &good).await.unwrap();
    assert_eq!(ws(&a, &good).await.unwrap_err(), Code::TicketExpired.status());
    assert!(sse(&a, &sign(ticket(0, 6))).await.starts_with("http/1.1 200"));
    // A viewer without a ticket joins all the same.
    let _other = RawSocket::connect(a.address, "/v1/rooms/demo/ws", &[]).await.unwrap();
    assert_eq!(a.metric("barrage_gateway_tickets_total"), 16);
}

/// The gateway admits one join a second and queues four, and many viewers come without tickets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_goes_before_joins_without_one_and_is_not_spent_on_a_refusal() {
    let config = GatewayConfig { joins_per_s: 1, joins_wait_ms_max: 4_000, ..GatewayConfig::default() };
    let fleet = Fleet::new().await;
    let a = fleet.start(GatewayConfig { id: "a".into(), ..config }).await;
    let sign = |id| fleet.keyring.sign_ticket(ticket(0, id)).unwrap();
    let first = ws(&a, &sign(1)).await.unwrap();
    // Slots are given at once: three tickets fill the queue behind the first.
    let (second, third, fourth) = (sign(2), sign(3), sign(4));
    let waiting = async { tokio::join!(ws(&a, &second), ws(&a, &third)) };
    let outside = async {
        fleet::until(|| a.viewers() == 3).await;
        let crowd = RawSocket::connect(a.address, "/v1/rooms/demo/ws", &[]).await;
        assert_eq!(crowd.unwrap_err(), Code::Overloaded.status(), "the last quarter is kept for tickets");
        ws(&a, &fourth).await.unwrap()
    };
    let ((second, third), _fourth) = tokio::join!(waiting, outside);
    drop((first, second.unwrap(), third.unwrap()));

    // A full queue refuses a ticket as well, and the ticket stays valid.
    let (fifth, kept): (Vec<_>, _) = ((5..=12).map(sign).collect(), sign(13));
    let filling = futures_util::future::join_all(fifth.iter().map(|text| ws(&a, text)));
    let refused = async {
        fleet::until(|| a.metric("barrage_gateway_joins_refused_total") >= 4).await;
        let join = async || match ws(&a, &kept).await {
            Ok(viewer) => Some(viewer),
            Err(status) => {
                assert_eq!(status, Code::Overloaded.status());
                None
            }
        };
        let patience = std::time::Duration::from_secs(40);
        barrage_testkit::wait::until(patience, "the kept ticket is admitted", join).await
    };
    let (filled, _kept) = tokio::join!(filling, refused);
    assert!(filled.iter().any(Result::is_err));
}
