//! The moderator without a hook.

use std::fs;
use std::time::Duration;

use barrage_guarded::BreakerMetrics;
use barrage_moderation::{
    Candidate, Decision, ListError, Measure, ModerationConfig, ModerationError, ModerationMetrics, Moderator,
    Named, Outcome, WordList,
};
use barrage_protocol::words::{WordAction, WordRule};
use barrage_protocol::{Class, MessageId, RoomId, UserId};
use prometheus::{Registry, TextEncoder};

struct Fixture {
    moderator: Moderator,
    registry: Registry,
}

impl Fixture {
    fn new(config: &str) -> Self {
        Self::with(&toml::from_str(config).unwrap()).unwrap()
    }

    fn with(config: &ModerationConfig) -> Result<Self, ModerationError> {
        let registry = Registry::new();
        let metrics = ModerationMetrics::new(&registry).unwrap();
        let breakers = BreakerMetrics::new(&registry).unwrap();
        Ok(Fixture { moderator: Moderator::new(config.clone(), metrics, &breakers)?, registry })
    }

    fn words(&self, list: &str, words: &str) {
        self.moderator.replace(list, WordList::build(words.lines()).unwrap()).unwrap();
    }

    async fn check(&self, id: u32, text: &str, secs: u64) -> Decision {
        let (room, user) = (RoomId::parse("room").unwrap(), UserId::parse("user").unwrap());
        let id = MessageId::parse(&id.to_string()).unwrap();
        let candidate = Candidate {
            room: &room,
            user: &user,
            id: &id,
            name: "Ann",
            role: "viewer",
            attributes: "",
            room_rules: None,
            class: Class::Chat,
            text,
        };
        self.moderator.check(&candidate, Duration::from_secs(secs), 1_000).await
    }

    async fn outcome(&self, text: &str) -> Outcome {
        self.check(1, text, 0).await.outcome
    }

    fn scrape(&self) -> String {
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap()
    }
}

fn rule(outcome: &Outcome) -> (&str, &str) {
    match outcome {
        Outcome::Admit => ("admit", ""),
        Outcome::Masked(text) => ("masked", text),
        Outcome::Held(hit) => ("held", &hit.rule),
        Outcome::Review(hit, _) => ("review", &hit.rule),
        Outcome::Refused(hit) => ("refused", &hit.rule),
    }
}

const LISTS: &str = r#"
    [[lists]]
    name = "mild"
    action = "mask"
    [[lists]]
    name = "watched"
    action = "refuse"
    shadow = true
    [[lists]]
    name = "grave"
    action = "refuse"
    [[lists]]
    name = "doubtful"
    action = "hold"
"#;

#[tokio::test]
async fn each_list_takes_its_action() {
    let fixture = Fixture::new(LISTS);
    for (list, words) in
        [("mild", "darn\n笨蛋"), ("watched", "new"), ("grave", "slur"), ("doubtful", "加微信")]
    {
        fixture.words(list, words);
    }
    assert_eq!(fixture.outcome("hello 你好").await, Outcome::Admit);
    assert_eq!(rule(&fixture.outcome("d a r n, 你这笨.蛋!").await), ("masked", "* * * *, 你这*.*!"));
    assert_eq!(rule(&fixture.outcome("darn SLUR").await), ("refused", "list:grave"));
    assert_eq!(rule(&fixture.outcome("加 V微 信 加\u{200B}微-信").await), ("held", "list:doubtful"));

    let decision = fixture.check(2, "darn new", 0).await;
    assert_eq!(rule(&decision.outcome), ("masked", "**** new"), "a list in shadow mode does nothing");
    assert_eq!(decision.shadow.len(), 1);
    assert_eq!(
        (decision.shadow[0].rule.as_str(), decision.shadow[0].measure),
        ("list:watched", Measure::Refuse)
    );
    let audit: Vec<_> = decision.audit.iter().map(|entry| (entry.hit.rule.as_str(), entry.shadow)).collect();
    assert_eq!(audit, [("list:mild", false), ("list:watched", true)]);
    assert_eq!(decision.mute, None);

    let scraped = fixture.scrape();
    for line in [
        r#"barrage_moderation_hits_total{action="mask",rule_kind="list",shadow="false"} 3"#,
        r#"barrage_moderation_hits_total{action="refuse",rule_kind="list",shadow="true"} 1"#,
        "barrage_moderation_check_duration_seconds_count 5",
    ] {
        assert!(scraped.contains(line), "{line}\n{scraped}");
    }
    assert!(!scraped.contains("watched"), "no list's name is a label");
}

#[tokio::test]
async fn audit_entry_names_the_hit_and_is_bounded() {
    let fixture = Fixture::new(LISTS);
    fixture.words("grave", "# words\nslur");
    let decision = fixture.check(7, &format!("slur {}", "长".repeat(1_000)), 0).await;
    let entry = serde_json::to_value(&decision.audit[0]).unwrap();
    assert_eq!(entry["excerpt"].as_str().unwrap().chars().count(), 500);
    for (field, value) in [
        ("room", "room"),
        ("user", "user"),
        ("message", "7"),
        ("rule", "list:grave"),
        ("measure", "refuse"),
        ("detail", "line 2"),
    ] {
        assert_eq!(entry[field], value, "{entry}");
    }
    assert_eq!((&entry["at_ms"], &entry["shadow"]), (&1_000.into(), &false.into()));
    assert_eq!(decision.audit, [serde_json::from_value(entry).unwrap()]);
}

#[tokio::test]
async fn links_are_masked_and_long_texts_refused() {
    let fixture = Fixture::new("text_bytes_max = 40\n[links]\naction = 'mask'\nallow = ['ok.com']");
    assert_eq!(rule(&fixture.outcome("去 bad。com/x 或ok.com").await), ("masked", "去 ********* 或ok.com"));
    assert_eq!(rule(&fixture.outcome("evil dot net").await), ("masked", "********"));
    assert_eq!(rule(&fixture.outcome(&"x".repeat(41)).await), ("refused", "length"));
    let watching = Fixture::new("[links]\naction = 'mask'\nshadow = true");
    let decision = watching.check(1, "evil.net", 0).await;
    assert_eq!((decision.outcome, decision.shadow[0].detail.as_str()), (Outcome::Admit, "evil.net"));
}

#[tokio::test]
async fn sender_with_repeated_hits_is_muted() {
    let fixture = Fixture::new(
        "[escalation]\nhits = 3\nwindow_mins = 1\nmute_mins = 5\n[repeat]\nuser_times_max = 2\nuser_secs = 30",
    );
    for id in 0..2 {
        assert_eq!(fixture.check(id, "spam", 0).await.outcome, Outcome::Admit);
    }
    for id in 2..4 {
        let decision = fixture.check(id, "SPAM!", 1).await;
        assert_eq!(rule(&decision.outcome), ("refused", "repeat:user"));
        assert_eq!(decision.mute, None);
    }
    let decision = fixture.check(4, "spam", 2).await;
    assert_eq!(decision.mute, Some(Duration::from_secs(300)));
    let last = decision.audit.last().unwrap();
    assert_eq!((last.hit.rule.as_str(), last.hit.measure), ("escalation", Measure::Mute));
}

#[tokio::test]
async fn hits_in_shadow_mode_do_not_mute() {
    let fixture = Fixture::new("[escalation]\nhits = 1\n[repeat]\nuser_times_max = 1\nshadow = true");
    for id in 0..5 {
        let decision = fixture.check(id, "spam", 0).await;
        assert_eq!((decision.outcome, decision.mute), (Outcome::Admit, None));
        assert_eq!(decision.shadow.len(), usize::from(id > 0));
    }
}

#[tokio::test]
async fn changed_file_is_reloaded_and_a_broken_one_keeps_the_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("words.txt");
    let config = format!("[[lists]]\nname = 'file'\nfile = '{}'\naction = 'refuse'", path.display());
    let config: ModerationConfig = toml::from_str(&config).unwrap();
    let missing = Fixture::with(&config).err().unwrap();
    assert!(matches!(missing, ModerationError::List { source: ListError::Io(_), .. }), "{missing}");

    fs::write(&path, "\u{FEFF}one\r\n").unwrap();
    let fixture = Fixture::with(&config).unwrap();
    assert_eq!(rule(&fixture.outcome("one").await).0, "refused");
    assert!(fixture.moderator.reload().await.is_empty(), "nothing changed");

    fs::write(&path, "second\n").unwrap();
    let reloaded = fixture.moderator.reload().await;
    assert!(matches!(reloaded[..], [ref list] if list.name == "file" && *list.result.as_ref().unwrap() == 1));
    assert_eq!(rule(&fixture.outcome("one").await).0, "admit");
    assert_eq!(rule(&fixture.outcome("second").await).0, "refused");

    fs::write(&path, "third\n🙂\n").unwrap();
    let reloaded = fixture.moderator.reload().await;
    assert!(matches!(reloaded[0].result, Err(ListError::Words(_))));
    assert_eq!(rule(&fixture.outcome("second").await).0, "refused", "the older words stay in force");
    fs::remove_file(&path).unwrap();
    assert!(matches!(fixture.moderator.reload().await[0].result, Err(ListError::Io(_))));
    assert!(fixture.moderator.reload().await.is_empty(), "a failure is reported once");
    assert!(fixture.scrape().contains("barrage_moderation_list_failures_total 2"));
    assert_eq!(fixture.moderator.lists(), [("file".to_owned(), 1)]);

    let unknown = fixture.moderator.replace("other", WordList::build([]).unwrap());
    assert!(matches!(unknown, Err(ListError::Unknown)));
}

#[test]
fn each_text_is_checked_against_one_state_of_the_lists() {
    let fixture = Fixture::new("[[lists]]\nname = 'a'\naction = 'mask'\n[repeat]\nuser_times_max = 0");
    fixture.words("a", "cat");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    std::thread::scope(|scope| {
        let replacing = scope.spawn(|| {
            for n in 0..200 {
                fixture.words("a", if n % 2 == 0 { "dog" } else { "cat" });
            }
        });
        while !replacing.is_finished() {
            let outcome = runtime.block_on(fixture.outcome("cat dog"));
            let seen = rule(&outcome);
            assert!([("masked", "*** dog"), ("masked", "cat ***")].contains(&seen), "{seen:?}");
        }
    });
}

#[tokio::test]
async fn names_are_checked_by_lists_with_their_scope() {
    let fixture = Fixture::new(
        r#"
        lists = [
            { name = "mask", action = "mask" },
            { name = "hosts", action = "refuse", scope = "names" },
            { name = "review", action = "hold" },
            { name = "talk", action = "refuse", scope = "texts" },
            { name = "trial", action = "refuse", shadow = true },
        ]
        "#,
    );
    assert_eq!(fixture.moderator.check_name("anything"), Named::Plain);
    fixture.words("mask", "damn");
    fixture.words("hosts", "*admin\n夜航船");
    fixture.words("review", "casino");
    fixture.words("talk", "spoiler");
    fixture.words("trial", "rehearsal");
    let name = |name: &str| match fixture.moderator.check_name(name) {
        Named::Plain => "plain".to_owned(),
        Named::Masked(name) => name,
        Named::Refused(hit) => hit.rule,
    };
    assert_eq!(name("Ann"), "plain");
    assert_eq!(name("Damn Ann"), "**** Ann");
    // Look-alikes of a reserved name: Cyrillic, boxed, spaced, full-width.
    for alike in ["Admin", "аdmіn", "a d m i n", "ＡＤＭＩＮ", "🅰🅳🅼🅸🅽", "Admin2", "夜\u{200B}航船"]
    {
        assert_eq!(name(alike), "list:hosts", "{alike}");
    }
    assert_eq!(name("casino"), "list:review", "a name cannot be held");
    assert_eq!((name("spoiler"), name("rehearsal")), ("plain".into(), "plain".into()));
    assert_eq!(rule(&fixture.outcome("ask the admin").await), ("admit", ""));
    assert_eq!(rule(&fixture.outcome("a spoiler").await).0, "refused");
    let scraped = fixture.scrape();
    assert!(scraped.contains(r#"action="refuse",rule_kind="name",shadow="true"} 1"#), "{scraped}");
}

#[tokio::test]
async fn rules_that_review_name_the_matched_part_and_show_the_masked_text() {
    let config = "[[lists]]\nname = 'mild'\naction = 'mask'\n[[lists]]\nname = 'odd'\naction = 'review'\n\
                  [links]\naction = 'review'\n[repeat]\nuser_times_max = 1\nuser_action = 'review'\n\
                  [escalation]\nhits = 1";
    let fixture = Fixture::new(config);
    fixture.words("mild", "darn");
    fixture.words("odd", "secret");
    let reviewed = |decision: Decision| match decision.outcome {
        Outcome::Review(hit, text) => (hit.rule, hit.matched, text, decision.mute),
        other => panic!("{other:?}"),
    };
    // The masked word alone counts towards a mute.
    let odd = reviewed(fixture.check(1, "darn S e cret", 0).await);
    let matched = |text: &str| Some(text.to_owned());
    assert_eq!(
        odd,
        (
            "list:odd".into(),
            matched("S e cret"),
            Some("**** S e cret".into()),
            Some(Duration::from_secs(600))
        )
    );
    let link = reviewed(fixture.check(2, "see example[.]com now", 0).await);
    assert_eq!(link, ("links".into(), matched("example[.]com"), None, None));
    fixture.check(3, "again", 0).await;
    assert_eq!(reviewed(fixture.check(4, "again", 0).await).0, "repeat:user");
    let line = r#"barrage_moderation_hits_total{action="review",rule_kind="links",shadow="false"} 1"#;
    assert!(fixture.scrape().lines().any(|it| it == line), "{}", fixture.scrape());
}

#[tokio::test]
async fn words_of_a_room_act_after_the_lists_and_count_in_shadow_mode() {
    let fixture = Fixture::new("[[lists]]\nname = 'ban'\naction = 'refuse'");
    fixture.words("ban", "awful");
    let rule = |name: &str, word: &str, action, shadow| WordRule {
        name: name.into(),
        words: vec![word.into()],
        action,
        shadow,
    };
    let rules =
        [rule("quiet", "spoiler", WordAction::Hold, true), rule("ask", "leak", WordAction::Review, false)];
    let rules = fixture.moderator.build_room_rules(&rules, None).unwrap();
    let (room, user) = (RoomId::parse("room").unwrap(), UserId::parse("user").unwrap());
    let texts = ["a spoiler", "a leak", "awful spoiler", "hello"];
    let mut outcomes = Vec::new();
    for (n, text) in texts.into_iter().enumerate() {
        let id = MessageId::parse(&n.to_string()).unwrap();
        let (name, role, attributes, room_rules) = ("Ann", "viewer", "", Some(&rules));
        let (room, user, id, class) = (&room, &user, &id, Class::Chat);
        let candidate = Candidate { room, user, id, name, role, attributes, room_rules, class, text };
        let decision = fixture.moderator.check(&candidate, Duration::ZERO, 0).await;
        outcomes.push(rule_name(&decision.outcome));
        assert_eq!(decision.shadow.len(), usize::from(n == 0), "{text}");
    }
    assert_eq!(outcomes, ["admit ", "review words:ask", "refused list:ban", "admit "]);
    let shares: Vec<_> = rules.shares(Duration::ZERO).iter().map(|share| (share.texts, share.hits)).collect();
    assert_eq!(shares, [(3, 1), (3, 1)], "the list refused one text before");
}

fn rule_name(outcome: &Outcome) -> String {
    let (outcome, rule) = rule(outcome);
    format!("{outcome} {rule}")
}
