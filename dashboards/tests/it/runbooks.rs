//! Every alert names what a person on call needs. Its runbook exists, and points to panels and
//! commands that exist.

use std::collections::{BTreeMap, BTreeSet};

use barrage_dashboards::dashboards;
use barrage_dashboards::rules::{self, Alert};

const PAGE: &str = "docs/operations.md";
/// Parts of each runbook, in this order.
const PARTS: [&str; 5] =
    ["- **Viewers notice**", "- **Look first**", "- **Causes", "- **Do:**", "- **Wake**"];

fn alerts() -> Vec<Alert> {
    rules::groups().into_iter().flat_map(|group| group.alerts).collect()
}

#[test]
fn every_alert_has_a_severity_texts_with_a_value_and_a_dashboard() {
    let boards: BTreeSet<_> = dashboards().iter().map(|dashboard| dashboard.name).collect();
    for alert in alerts() {
        assert!(alert.name.starts_with("Barrage"), "{}", alert.name);
        assert!(alert.summary.ends_with('.') && !alert.summary.contains('$'), "{}", alert.name);
        assert!(alert.description.contains("$value"), "{}: the description has no value", alert.name);
        assert!(boards.contains(alert.dashboard), "{}: no dashboard {}", alert.name, alert.dashboard);
    }
    let names: BTreeSet<_> = alerts().iter().map(|alert| alert.name).collect();
    assert!(names.len() >= 24, "{} alerts", names.len());
}

/// Headings of the third level and the text below each.
fn sections(page: &str) -> BTreeMap<&str, &str> {
    let parts = page.split("\n### ").skip(1);
    parts
        .filter_map(|part| part.split_once('\n'))
        .map(|(head, text)| (head, text.split("\n## ").next().unwrap()))
        .collect()
}

#[test]
fn every_alert_has_a_runbook_with_all_parts_and_no_runbook_is_left() {
    let page = crate::read(PAGE);
    let sections = sections(&page);
    let names: BTreeSet<_> = alerts().iter().map(|alert| alert.name).collect();
    assert_eq!(sections.keys().copied().collect::<BTreeSet<_>>(), names);
    for alert in alerts() {
        assert_eq!(alert.runbook(), format!("{PAGE}#{}", alert.name.to_lowercase()));
        let text = sections[alert.name];
        let places = PARTS.map(|part| text.find(part));
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{}: {places:?}", alert.name);
    }
}

#[test]
fn links_of_the_runbooks_lead_to_runbooks() {
    let page = crate::read(PAGE);
    let anchors: BTreeSet<_> = sections(&page).keys().map(|name| name.to_lowercase()).collect();
    for link in page.split("](#").skip(1) {
        let anchor = link.split(')').next().unwrap();
        assert!(anchors.contains(anchor), "#{anchor}");
    }
}

/// A runbook names a panel or a row as `*Gateway*, "CPU"`.
#[test]
fn panels_of_the_runbooks_exist() {
    let page = crate::read(PAGE).replace('\n', " ").replace("   ", " ");
    let boards = dashboards();
    let mut found = 0;
    for (before, after) in page.match_indices("*, \"").map(|(at, _)| page.split_at(at)) {
        let board = before.rsplit('*').next().unwrap();
        let named = after.trim_start_matches("*, \"").split('"').next().unwrap();
        let dashboard = boards.iter().find(|it| it.title.trim_start_matches("Barrage / ").starts_with(board));
        let dashboard = dashboard.unwrap_or_else(|| panic!("no dashboard {board}"));
        let exists = dashboard
            .rows
            .iter()
            .any(|row| row.question == named || row.panels.iter().any(|panel| panel.title == named));
        assert!(exists, "{board} has no panel or row {named:?}");
        found += 1;
    }
    assert!(found > 20, "{found} panels");
}

/// Commands in code spans, and lines of code blocks.
fn commands(page: &str) -> impl Iterator<Item = &str> {
    let spans = page.split('`').skip(1).step_by(2).filter(|span| !span.contains('\n'));
    let lines = page.lines().map(|line| line.split(" # ").next().unwrap().trim());
    spans.chain(lines).filter(|text| text.starts_with("barrage "))
}

#[test]
fn commands_of_the_runbooks_are_known_to_the_command_line() {
    let page = crate::read(PAGE).replace("```", "");
    let reference = crate::read("docs/reference/cli.md");
    let verbs: BTreeMap<_, _> =
        reference.split("\n## `").skip(1).filter_map(|part| part.split_once('`')).collect();
    let mut found = 0;
    for command in commands(&page) {
        let words: Vec<_> = command.split(' ').collect();
        // Options before the verb are of the whole program.
        let start = if words[1].starts_with("--") { 3 } else { 1 };
        let verb = (start..=words.len()).rev().find_map(|end| {
            let path = format!("barrage {}", words[start..end].join(" "));
            verbs.get_key_value(path.trim_end())
        });
        let (verb, help) = verb.unwrap_or_else(|| panic!("unknown: {command}"));
        assert!(*verb != "barrage", "unknown: {command}");
        for flag in words.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(flag), "{verb} has no {flag}: {command}");
        }
        found += 1;
    }
    assert!(found > 15, "{found} commands");
}
