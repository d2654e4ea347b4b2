//! Rules for the JSON of dashboards that Grafana does not enforce.

use std::collections::BTreeSet;

use barrage_dashboards::dashboards;
use serde_json::Value;

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn panels(dashboard: &Value) -> &[Value] {
    dashboard["panels"].as_array().unwrap()
}

#[test]
fn uids_and_titles_are_unique() {
    let all = dashboards();
    let uids: BTreeSet<_> = all.iter().map(barrage_dashboards::grafana::Dashboard::uid).collect();
    let titles: BTreeSet<_> = all.iter().map(|dashboard| dashboard.title).collect();
    assert_eq!((uids.len(), titles.len()), (all.len(), all.len()));
}

#[test]
fn each_panel_has_an_id_a_unit_a_query_and_advice() {
    for dashboard in dashboards() {
        let json = dashboard.json();
        let (mut ids, mut titles) = (BTreeSet::new(), BTreeSet::new());
        for panel in panels(&json) {
            let place = format!("{}: {}", dashboard.name, text(panel, "title"));
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{place}: the id is taken");
            assert!(titles.insert(text(panel, "title")), "{place}: the title is taken");
            if text(panel, "type") == "row" {
                assert!(text(panel, "title").ends_with('?'), "{place}: a row is a question");
                continue;
            }
            let words = text(panel, "description").split("\n\n").next().unwrap().split(' ').count();
            assert!(words >= 5, "{place}: the description has {words} words before the metrics");
            assert!(!text(&panel["fieldConfig"]["defaults"], "unit").is_empty(), "{place}: no unit");
            assert_eq!(text(&panel["datasource"], "uid"), "${datasource}", "{place}");
            for target in panel["targets"].as_array().unwrap() {
                let expr = text(target, "expr");
                assert!(!barrage_dashboards::metric_names(expr).is_empty(), "{place}: {expr}: no metric");
                assert!(!expr.contains('@'), "{place}: {expr}: the filter is missing");
            }
        }
    }
}

#[test]
fn panels_do_not_overlap_and_stay_within_24_columns() {
    for dashboard in dashboards() {
        let mut taken = BTreeSet::new();
        for panel in panels(&dashboard.json()) {
            let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert!(at("x") + at("w") <= 24, "{}: {}", dashboard.name, panel["title"]);
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(taken.insert((x, y)), "{}: {} overlaps", dashboard.name, panel["title"]);
                }
            }
        }
    }
}

#[test]
fn queries_use_declared_variables_alone() {
    let built_in = ["__rate_interval", "__interval"];
    for dashboard in dashboards() {
        let json = dashboard.json();
        let variables = json["templating"]["list"].as_array().unwrap();
        let declared: BTreeSet<_> =
            variables.iter().map(|variable| text(variable, "name")).chain(built_in).collect();
        let texts = panels(&json)
            .iter()
            .flat_map(|panel| panel["targets"].as_array().into_iter().flatten())
            .chain(json["annotations"]["list"].as_array().unwrap());
        for expr in texts.map(|part| text(part, "expr")) {
            for used in expr.split('$').skip(1) {
                let end = used.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(used.len());
                assert!(declared.contains(&used[..end]), "{}: ${} in {expr}", dashboard.name, &used[..end]);
            }
        }
    }
}

#[test]
fn first_row_says_whether_people_are_well_in_numbers() {
    use barrage_dashboards::grafana::Kind;
    for dashboard in dashboards() {
        let first = &dashboard.rows[0];
        assert!(first.panels.iter().all(|panel| panel.kind == Kind::Stat), "{}", dashboard.name);
    }
}
