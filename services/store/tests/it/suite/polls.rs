//! One vote a user, and results that have every vote that was answered.

use std::sync::Arc;

use barrage_protocol::MessageId;
use barrage_protocol::poll::Poll;
use barrage_store::{Cast, POLLS_PER_ROOM_MAX, Store, Vote};

use super::{room, user};

fn id(id: &str) -> MessageId {
    id.parse().unwrap()
}

fn poll(name: &str) -> Poll {
    Poll {
        id: id(name),
        question: "哪一个? \u{0}".into(),
        options: ["a", "b", "c"].map(Into::into).into(),
        opened_ms: 1_000,
        ends_ms: 61_000,
        guests: true,
        words: false,
    }
}

fn vote(poll: &str, voter: &str, option: u8) -> Vote {
    Vote { room: room("demo"), poll: id(poll), voter: user(voter), option }
}

pub(crate) async fn each_user_has_one_vote_and_the_first_counts(store: Arc<dyn Store>) {
    let polls = store.poll_store();
    let unknown = polls.cast_votes(&[vote("p", "ann", 1)]).await.unwrap();
    assert_eq!(unknown, [Cast::Unknown]);
    let opened = polls.open_poll(&room("demo"), &poll("p")).await.unwrap();
    assert_eq!((opened.votes, opened.closed_at_ms), (vec![0, 0, 0], None));
    let other = Poll { question: "another".into(), ..poll("p") };
    let again = polls.open_poll(&room("demo"), &other).await.unwrap();
    assert_eq!(again.poll.options, poll("p").options, "the first one stays");
    assert!(again.poll.question.starts_with("哪一个"), "{}", again.poll.question);

    let batch = [vote("p", "ann", 2), vote("p", "bob", 3), vote("p", "ann", 1), vote("q", "ann", 1)];
    let answers = polls.cast_votes(&batch).await.unwrap();
    assert_eq!(answers, [Cast::Counted, Cast::Counted, Cast::Already(2), Cast::Unknown]);
    let later = polls.cast_votes(&[vote("p", "bob", 1), vote("p", "cid", 2)]).await.unwrap();
    assert_eq!(later, [Cast::Already(3), Cast::Counted]);
    assert_eq!(polls.poll(&room("demo"), &id("p")).await.unwrap().unwrap().votes, [0, 2, 1]);
    assert_eq!(polls.cast_votes(&[]).await.unwrap(), []);
    assert_eq!(polls.poll(&room("other"), &id("p")).await.unwrap(), None);
}

pub(crate) async fn a_closed_poll_keeps_its_result(store: Arc<dyn Store>) {
    let polls = store.poll_store();
    assert_eq!(polls.close_poll(&room("demo"), &id("p"), 5).await.unwrap(), None);
    polls.open_poll(&room("demo"), &poll("p")).await.unwrap();
    polls.cast_votes(&[vote("p", "ann", 1), vote("p", "bob", 1)]).await.unwrap();
    let closed = polls.close_poll(&room("demo"), &id("p"), 5_000).await.unwrap().unwrap();
    assert_eq!((&closed.votes[..], closed.closed_at_ms), (&[2, 0, 0][..], Some(5_000)));
    let late = polls.cast_votes(&[vote("p", "cid", 1), vote("p", "ann", 1)]).await.unwrap();
    assert_eq!(late, [Cast::Closed, Cast::Closed]);
    assert_eq!(polls.close_poll(&room("demo"), &id("p"), 9_000).await.unwrap().unwrap(), closed);

    assert_eq!(polls.single_votes(&room("demo"), &id("p")).await.unwrap(), 2);
    assert_eq!(polls.sweep_votes(5_000, 1).await.unwrap(), 0, "not before its time");
    for deleted in [1, 1, 0, 0] {
        assert_eq!(polls.sweep_votes(5_001, 1).await.unwrap(), deleted);
    }
    assert_eq!(polls.single_votes(&room("demo"), &id("p")).await.unwrap(), 0);
    assert_eq!(polls.poll(&room("demo"), &id("p")).await.unwrap().unwrap(), closed);
}

pub(crate) async fn polls_of_a_room_are_listed_and_bounded(store: Arc<dyn Store>) {
    let polls = store.poll_store();
    for n in 0..POLLS_PER_ROOM_MAX + 5 {
        let name = format!("p{n}");
        polls.open_poll(&room("demo"), &poll(&name)).await.unwrap();
        polls.cast_votes(&[vote(&name, "ann", 1)]).await.unwrap();
        polls.close_poll(&room("demo"), &id(&name), 5).await.unwrap();
        while polls.sweep_votes(6, 10).await.unwrap() > 0 {}
    }
    polls.open_poll(&room("other"), &poll("p")).await.unwrap();
    let listed = polls.polls(&room("demo"), 1_000).await.unwrap();
    assert_eq!(listed.len(), POLLS_PER_ROOM_MAX);
    assert_eq!((listed[0].poll.id.as_str(), &listed[0].votes[..]), ("p104", &[1, 0, 0][..]));
    assert_eq!(polls.polls(&room("demo"), 2).await.unwrap()[..], listed[..2]);
    assert_eq!(polls.poll(&room("demo"), &id("p0")).await.unwrap(), None);
}

/// Several processes count the same voters while one closes the poll.
pub(crate) async fn a_close_among_votes_of_several_writers_counts_each_answer_once(store: Arc<dyn Store>) {
    store.poll_store().open_poll(&room("demo"), &poll("p")).await.unwrap();
    let writers: Vec<_> = (0..4_usize)
        .map(|writer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut counted = [0_u64; 3];
                // Each writer takes the voters in another order.
                for n in 0..60 {
                    let batch: Vec<_> = (0..10)
                        .map(|m| (n * 10 + m + writer * 150) % 600)
                        .map(|voter| vote("p", &format!("u{voter}"), u8::try_from(voter % 3 + 1).unwrap()))
                        .collect();
                    let answers = store.poll_store().cast_votes(&batch).await.unwrap();
                    for (vote, answer) in batch.iter().zip(answers) {
                        counted[usize::from(vote.option) - 1] += u64::from(answer == Cast::Counted);
                    }
                }
                counted
            })
        })
        .collect();
    let closing = async {
        loop {
            let so_far = store.poll_store().poll(&room("demo"), &id("p")).await.unwrap().unwrap();
            if so_far.votes.iter().sum::<u64>() >= 200 {
                return store.poll_store().close_poll(&room("demo"), &id("p"), 7).await.unwrap().unwrap();
            }
        }
    };
    let closed = closing.await;
    let mut counted = [0; 3];
    for writer in writers {
        for (sum, more) in counted.iter_mut().zip(writer.await.unwrap()) {
            *sum += more;
        }
    }
    assert_eq!(closed.votes, counted);
    assert_eq!(store.poll_store().poll(&room("demo"), &id("p")).await.unwrap().unwrap(), closed);
    let single = store.poll_store().single_votes(&room("demo"), &id("p")).await.unwrap();
    assert_eq!(single, counted.iter().sum::<u64>());
}
