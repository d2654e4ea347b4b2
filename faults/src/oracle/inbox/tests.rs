use super::*;

/// Ann wrote twice, Bob once; Ann has read everything, Bob the first letter.
fn run() -> (Kept, Vec<Inbox>) {
    let mut kept = Kept::default();
    kept.members.insert("d.1".into(), ["ann", "bob"].map(str::to_owned).into());
    for (sequence, text) in [(3, "one"), (5, "two"), (9, "three")] {
        kept.sent.insert(text.into());
        kept.accepted.push(Accepted { conversation: "d.1".into(), text: text.into(), sequence });
    }
    kept.reads.insert(("ann".into(), "d.1".into()), Reads { least: 3, most: 3 });
    kept.reads.insert(("bob".into(), "d.1".into()), Reads { least: 1, most: 2 });
    let item =
        |position, sender: &str, text: &str| Item { position, sender: sender.into(), text: text.into() };
    let items = vec![item(1, "ann", "one"), item(2, "ann", "two"), item(3, "bob", "three")];
    let inbox = |user: &str, read, unread| Inbox {
        user: user.into(),
        unread,
        conversations: vec![Conversation { id: "d.1".into(), head: 3, read, unread, items: items.clone() }],
    };
    (kept, vec![inbox("ann", 3, 0), inbox("bob", 1, 1)])
}

fn judge(change: impl FnOnce(&mut Kept, &mut Vec<Inbox>)) -> InboxJudgement {
    let (mut kept, mut inboxes) = run();
    change(&mut kept, &mut inboxes);
    InboxJudgement::new(&kept, &inboxes)
}

#[test]
fn kept_promises_pass() {
    let judged = judge(|_, _| {});
    assert_eq!(judged, InboxJudgement { accepted: 3, ..InboxJudgement::default() });
    assert!(judged.figures().iter().all(Figure::passes));
}

#[test]
fn lost_and_doubled_letters_are_counted_for_each_member() {
    let judged = judge(|_, inboxes| drop(inboxes[1].conversations[0].items.remove(1)));
    assert_eq!((judged.lost, judged.holes, judged.unread_error), (1, 1, 2), "{judged:?}");
    let judged = judge(|_, inboxes| inboxes.truncate(1));
    assert_eq!(judged.lost, 3, "a member without an inbox lacks all letters");
    let judged = judge(|_, inboxes| {
        let items = &mut inboxes[0].conversations[0].items;
        let again = Item { position: 4, ..items[0].clone() };
        items.push(again);
    });
    assert_eq!((judged.doubled, judged.disordered), (1, 1), "{judged:?}");
}

#[test]
fn order_of_the_lane_is_the_order_of_positions() {
    let judged = judge(|_, inboxes| {
        let items = &mut inboxes[0].conversations[0].items;
        (items[0].text, items[1].text) = ("two".into(), "one".into());
    });
    assert_eq!((judged.disordered, judged.lost, judged.doubled), (1, 0, 0), "{judged:?}");
}

#[test]
fn wrong_unread_numbers_and_read_places_are_counted() {
    let judged = judge(|_, inboxes| inboxes[1].conversations[0].unread = 3);
    assert_eq!(judged.unread_error, 2);
    assert_eq!(judge(|_, inboxes| inboxes[0].unread = 1).unread_error, 1, "the total is judged as well");
    let judged = judge(|_, inboxes| inboxes[0].conversations[0].read = 2);
    assert_eq!((judged.reads_wrong, judged.unread_error), (1, 2), "a read that went back: {judged:?}");
    let judged = judge(|kept, inboxes| {
        inboxes[1].conversations[0].read = 3;
        kept.sent.remove("two");
    });
    assert_eq!((judged.reads_wrong, judged.foreign), (1, 2), "a read that nobody asked for: {judged:?}");
    assert!(!judged.examples.is_empty() && !judged.figures().iter().all(Figure::passes));
}
