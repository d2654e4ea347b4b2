//! Dashboards as values, and their JSON in Grafana's form.

mod dashboard;
mod json;
mod panel;
mod unit;

pub use dashboard::{Dashboard, Row, row};
pub use panel::{Kind, Panel, Query, heatmap, quantiles, series, stat};
pub use unit::Unit;
