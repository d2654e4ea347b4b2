//! Grafana's JSON for dashboards: layout, variables, links and annotations.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Dashboard, Kind, Panel, Query};
use crate::metric_names;

/// Filter that stands in for `@` in a query.
pub(crate) const FILTER: &str = r#"cluster=~"$cluster",namespace=~"$namespace",instance=~"$instance""#;
/// Columns of Grafana's grid.
const COLUMNS: u32 = 24;
/// Version of the JSON schema of dashboards: Grafana 11.
const SCHEMA_VERSION: u32 = 39;

/// Events that each dashboard marks on its time axis: name, colour, query, text.
const ANNOTATIONS: [(&str, &str, &str, &str); 4] = [
    (
        "Scale actions",
        "blue",
        "sum by (fleet, action) (increase(barrage_autoscaler_actions_total{cluster=~\"$cluster\",namespace=~\"$namespace\"}[$__interval])) > 0",
        "{{fleet}}: {{action}}",
    ),
    (
        "Switches",
        "purple",
        "sum by (switch) (changes(barrage_switch_on{cluster=~\"$cluster\",namespace=~\"$namespace\"}[$__interval])) > 0",
        "switch {{switch}}",
    ),
    (
        "Overload changes",
        "orange",
        "sum by (instance, level) (increase(barrage_gateway_overload_changes_total{@}[$__interval])) > 0",
        "{{instance}}: overload level {{level}}",
    ),
    ("Restarts", "red", "changes(process_start_time_seconds{@}[$__interval]) > 0", "{{instance}} started"),
];

/// Returns the JSON of a dashboard.
pub(super) fn dashboard(dashboard: &Dashboard) -> Value {
    json!({
        "uid": dashboard.uid(),
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["barrage"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": true,
        "graphTooltip": 1,
        "refresh": "30s",
        "timezone": "browser",
        "time": { "from": "now-1h", "to": "now" },
        "links": [{
            "title": "Barrage", "type": "dashboards", "tags": ["barrage"], "asDropdown": true,
            "includeVars": true, "keepTime": true, "targetBlank": false, "icon": "external link",
            "tooltip": "Other dashboards of Barrage, with the same time and variables", "url": ""
        }],
        "templating": { "list": variables(dashboard.source) },
        "annotations": { "list": ANNOTATIONS.map(annotation) },
        "panels": panels(dashboard),
    })
}

fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

fn variables(source: &str) -> Value {
    let query = |name: &str, label: &str, matchers: &str| {
        let query = format!("label_values({source}{matchers}, {name})");
        json!({
            "name": name, "label": label, "type": "query", "datasource": datasource(),
            "query": { "query": query, "refId": "variable" },
            "includeAll": true, "allValue": ".*", "multi": true,
            "current": { "selected": true, "text": "All", "value": "$__all" },
            "refresh": 2, "sort": 1, "hide": 0, "regex": "", "options": []
        })
    };
    json!([
        {
            "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
            "hide": 0, "includeAll": false, "multi": false, "refresh": 1, "regex": "", "options": []
        },
        query("cluster", "Cluster", ""),
        query("namespace", "Namespace", "{cluster=~\"$cluster\"}"),
        query("instance", "Instance", "{cluster=~\"$cluster\",namespace=~\"$namespace\"}"),
    ])
}

fn annotation((name, colour, expr, text): (&str, &str, &str, &str)) -> Value {
    json!({
        "name": name, "iconColor": colour, "datasource": datasource(), "enable": true, "hide": false,
        "expr": expr.replace('@', FILTER), "titleFormat": text, "step": "15s", "useValueForTime": false
    })
}

/// Places the panels row by row, from left to right.
fn panels(dashboard: &Dashboard) -> Vec<Value> {
    let mut placed = Vec::new();
    let mut top = 0;
    for row in &dashboard.rows {
        let id = placed.len() + 1;
        placed.push(json!({
            "id": id, "type": "row", "title": row.question, "collapsed": false, "panels": [],
            "gridPos": { "x": 0, "y": top, "w": COLUMNS, "h": 1 }
        }));
        top += 1;
        let (mut left, mut tallest) = (0, 0);
        for panel in &row.panels {
            let (width, height) = panel.size();
            if left + width > COLUMNS {
                top += tallest;
                (left, tallest) = (0, 0);
            }
            let mut value = panel_json(panel);
            value["id"] = json!(placed.len() + 1);
            value["gridPos"] = json!({ "x": left, "y": top, "w": width, "h": height });
            placed.push(value);
            left += width;
            tallest = tallest.max(height);
        }
        top += tallest;
    }
    placed
}

fn panel_json(panel: &Panel) -> Value {
    let (kind, options, custom) = match panel.kind {
        Kind::Stat => ("stat", stat_options(), json!({})),
        Kind::Series => ("timeseries", series_options(), series_style(panel.is_stacked)),
        Kind::Heatmap => ("heatmap", heatmap_options(panel.unit.id()), json!({})),
    };
    // The first step has no value in Grafana's JSON: an infinite number is `null`.
    let lowest = [("green", f64::NEG_INFINITY)];
    let lowest = lowest.iter().filter(|_| panel.colours.first().is_none_or(|(_, from)| from.is_finite()));
    let steps = lowest.chain(panel.colours).map(|(colour, from)| json!({ "color": colour, "value": from }));
    json!({
        "type": kind,
        "title": panel.title,
        "description": description(panel),
        "datasource": datasource(),
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit.id(),
                "custom": custom,
                "thresholds": { "mode": "absolute", "steps": steps.collect::<Vec<_>>() }
            },
            "overrides": []
        },
        "options": options,
        "targets": panel.queries.iter().zip('A'..).map(|(query, id)| target(panel.kind, query, id)).collect::<Vec<_>>(),
    })
}

/// Returns the advice, then the metrics of the queries, then why the panel may be empty.
fn description(panel: &Panel) -> String {
    let names: BTreeSet<_> = panel.queries.iter().flat_map(|query| metric_names(&query.expr)).collect();
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    let empty = panel.empty_because.map_or_else(String::new, |reason| format!("\n\nMay be empty: {reason}"));
    format!("{}\n\nMetrics: {}.{empty}", panel.advice, names.join(", "))
}

fn target(kind: Kind, query: &Query, id: char) -> Value {
    json!({
        "refId": id.to_string(),
        "datasource": datasource(),
        "expr": query.expr.replace('@', FILTER),
        "legendFormat": query.legend,
        "format": if kind == Kind::Heatmap { "heatmap" } else { "time_series" },
        "range": true,
    })
}

fn stat_options() -> Value {
    json!({
        "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
        "colorMode": "value", "graphMode": "area", "justifyMode": "auto", "orientation": "auto",
        "textMode": "auto", "wideLayout": true,
        "percentChangeColorMode": "standard", "showPercentChange": false
    })
}

fn series_options() -> Value {
    json!({
        "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": [] },
        "tooltip": { "mode": "multi", "sort": "desc" }
    })
}

fn series_style(is_stacked: bool) -> Value {
    let (mode, fill) = if is_stacked { ("normal", 40) } else { ("none", 8) };
    json!({
        "drawStyle": "line", "lineWidth": 1, "fillOpacity": fill, "showPoints": "never", "spanNulls": false,
        "stacking": { "mode": mode, "group": "A" }, "axisSoftMin": 0
    })
}

fn heatmap_options(unit: &str) -> Value {
    json!({
        "calculate": false, "cellGap": 1, "showValue": "never",
        "color": { "mode": "scheme", "scheme": "Oranges", "exponent": 0.5, "steps": 64, "fill": "dark-orange", "reverse": false },
        "exemplars": { "color": "rgba(255,0,255,0.7)" },
        "filterValues": { "le": 1e-9 },
        "legend": { "show": true },
        "rowsFrame": { "layout": "auto" },
        "tooltip": { "mode": "single", "yHistogram": true, "showColorScale": false },
        "yAxis": { "axisPlacement": "left", "unit": unit, "reverse": false }
    })
}
