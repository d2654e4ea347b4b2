use super::ids::SEARCHED_MAX;
use super::*;
use proptest::prelude::*;

fn message(sequence: u64, previous: u64, class: Class) -> Arc<Message> {
    Arc::new(Message {
        room: "r".parse().unwrap(),
        sequence: Sequence(sequence),
        previous: Sequence(previous),
        class,
        sender: Some("u".parse().unwrap()),
        id: Some(format!("m{sequence}").parse().unwrap()),
        to: None,
        at_ms: 0,
        trace: None,
        body: "{}".into(),
    })
}

fn config() -> BusConfig {
    BusConfig {
        chat_per_room_max: 8,
        precious_per_room_max: 8,
        dedup_per_room_max: 10,
        ..BusConfig::default()
    }
}

proptest! {
    /// Over any history, a range accounts for each message: it is returned, counted as skipped,
    /// or the range is answered `gone`.
    #[test]
    fn a_range_accounts_for_every_message(classes in prop::collection::vec(0_u8..3, 1..60), after in 0_u64..130, limit in 1_usize..10, bytes_max in 0_usize..1_000) {
        let mut log = TopicLog::default();
        let mut all = Vec::new();
        let mut previous = 0;
        for (i, class) in classes.iter().enumerate() {
            let sequence = 2 * i as u64 + 1;
            let class = if *class == 0 { Class::Gift } else { Class::Chat };
            let m = message(sequence, previous, class);
            previous = sequence;
            log.push(Arc::clone(&m), 0, 0, &config());
            all.push(m);
        }
        let limits = RangeLimits { chat_max: limit, precious_max: limit, bytes_max };
        let range = log.range(Sequence(after), None, limits);
        let due: Vec<_> = all.iter().filter(|m| m.sequence.0 > after && m.sequence <= range.covered_to).collect();
        let gifts = |list: &[Sequence]| list.len();
        let due_gifts: Vec<_> = due.iter().filter(|m| m.class == Class::Gift).map(|m| m.sequence).collect();
        let got_gifts: Vec<_> = range.messages.iter().filter(|m| m.class == Class::Gift).map(|m| m.sequence).collect();
        if after <= previous {
            let due_chat = due.len() - gifts(&due_gifts);
            let got_chat = range.messages.len() - gifts(&got_gifts);
            prop_assert_eq!(due_chat as u64, got_chat as u64 + range.skipped);
            if range.outcome != RepairOutcome::Gone {
                prop_assert_eq!(due_gifts, got_gifts);
            }
            prop_assert_eq!(range.outcome == RepairOutcome::Partial, range.skipped > 0 && range.outcome != RepairOutcome::Gone);
        } else {
            prop_assert_eq!(range.outcome, RepairOutcome::Gone);
        }
        let bytes: usize = range.messages.iter().map(|m| m.body.len() + RangeLimits::OVERHEAD_BYTES).sum();
        prop_assert!(bytes <= bytes_max || range.messages.len() == 1);
        prop_assert!(range.messages.windows(2).all(|w| w[0].sequence < w[1].sequence));
    }
}

#[test]
fn a_range_is_cut_at_bytes_max_and_the_next_one_continues() {
    let mut log = TopicLog::default();
    for n in 1..=8 {
        log.push(message(n, n - 1, Class::Chat), 0, 0, &config());
    }
    let each = 2 + RangeLimits::OVERHEAD_BYTES;
    let limits = RangeLimits { chat_max: 6, bytes_max: 4 * each, ..RangeLimits::default() };
    let first = log.range(Sequence(0), None, limits);
    assert_eq!((first.messages.len(), first.skipped, first.covered_to), (4, 2, Sequence(6)));
    let second = log.range(first.covered_to, None, limits);
    assert_eq!((second.messages.len(), second.skipped, second.covered_to), (2, 0, Sequence(8)));
    let none = RangeLimits { bytes_max: 0, ..limits };
    assert_eq!(log.range(Sequence(6), None, none).covered_to, Sequence(7), "at least one message");
}

#[test]
fn ids_are_forgotten_after_their_window_and_at_the_bound() {
    let mut log = TopicLog::default();
    let key = |n: u64| (Some("u".parse().unwrap()), format!("m{n}").parse().unwrap());
    for n in 1..=12 {
        log.push(message(n, n - 1, Class::Gift), 7, n * 1000, &config());
    }
    assert_eq!(log.seen(&key(2)), None);
    assert_eq!(log.seen(&key(3)), Some(Seen { sequence: Sequence(3), fingerprint: 7 }));
    log.expire(125_001, &config());
    assert_eq!(log.seen(&key(5)), None);
    assert!(log.seen(&key(6)).is_some());
}

#[test]
fn ids_are_found_alike_in_topics_with_few_and_with_many() {
    let config = BusConfig { dedup_per_room_max: 1_000, ..BusConfig::default() };
    let key = |n: u64| (Some("u".parse().unwrap()), format!("m{n}").parse().unwrap());
    let mut log = TopicLog::default();
    for n in 1..=3 * SEARCHED_MAX as u64 {
        log.push(message(n, n - 1, Class::Chat), n, n * 1_000, &config);
        for known in 1..=n {
            let seen = Some(Seen { sequence: Sequence(known), fingerprint: known });
            assert_eq!(log.seen(&key(known)), seen);
        }
        assert_eq!(log.seen(&key(n + 1)), None);
    }
    assert!(log.ids.sizes().2 > SEARCHED_MAX, "a map");
    // All but the newest three are older than the window.
    let left = 3 * SEARCHED_MAX as u64 - 2;
    log.expire(left * 1_000 + config.dedup_secs * 1_000, &config);
    let (ids, _, map) = log.ids.sizes();
    assert_eq!((ids, map), (3, 0));
    for n in 1..=3 * SEARCHED_MAX as u64 {
        assert_eq!(log.seen(&key(n)).is_some(), n >= left, "{n}");
    }
}

#[test]
fn quiet_topic_holds_memory_for_its_one_message_alone() {
    let mut log = TopicLog::default();
    log.push(message(1, 0, Class::Chat), 0, 0, &BusConfig::default());
    assert_eq!((log.chat.capacity(), log.ids.sizes()), (1, (1, 1, 0)));
    assert_eq!((log.precious.capacity(), log.evicted_chat.capacity()), (0, 0));
}

#[test]
fn topic_that_was_busy_frees_its_memory_after_the_retention() {
    let config = config();
    let mut log = TopicLog::default();
    for n in 1..=5_000 {
        log.push(message(n, n - 1, Class::Chat), 0, 0, &config);
    }
    log.expire(config.retention_secs * 1_000 + 1, &config);
    let (_, ids, map) = log.ids.sizes();
    let capacity = log.chat.capacity() + ids + log.evicted_chat.capacity();
    assert!(capacity <= 64 && map == 0, "{capacity}");
    let range = log.range(Sequence(10), None, RangeLimits::default());
    assert_eq!((range.outcome, range.skipped), (RepairOutcome::Partial, 1), "at least one was skipped");
    let up_to_date = log.range(Sequence(5_000), None, RangeLimits::default());
    assert_eq!(up_to_date.outcome, RepairOutcome::Complete);
    log.push(message(5_001, 5_000, Class::Chat), 0, 0, &config);
    assert_eq!(log.last(), Sequence(5_001), "the chain goes on");
}

#[test]
fn messages_older_than_retention_are_evicted_and_ranges_over_them_are_gone() {
    let mut log = TopicLog::default();
    log.push(message(1, 0, Class::Gift), 0, 1_000, &config());
    log.push(message(2, 1, Class::Chat), 0, 1_000, &config());
    log.push(message(3, 2, Class::Gift), 0, 900_000_000, &config());
    log.expire(900_000_000, &config());
    let gone = log.range(Sequence(0), None, RangeLimits::default());
    assert_eq!((gone.outcome, gone.messages.len()), (RepairOutcome::Gone, 1));
    let partial = log.range(Sequence(1), None, RangeLimits::default());
    assert_eq!((partial.outcome, partial.skipped), (RepairOutcome::Partial, 1));
    assert_eq!(log.range(Sequence(2), None, RangeLimits::default()).outcome, RepairOutcome::Complete);
    assert_eq!(log.range(Sequence(3), None, RangeLimits::default()).outcome, RepairOutcome::Complete);
}
