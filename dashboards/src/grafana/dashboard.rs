//! A dashboard: rows of panels, each row under the question that it answers.

use serde_json::Value;

use super::Panel;
use super::json;

/// Panels under one question.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Question that the panels answer.
    pub question: &'static str,
    /// Panels from left to right, then down.
    pub panels: Vec<Panel>,
}

/// Makes a row of panels under its question.
#[must_use]
pub fn row(question: &'static str, panels: impl IntoIterator<Item = Panel>) -> Row {
    Row { question, panels: panels.into_iter().collect() }
}

/// One dashboard of the set.
#[derive(Debug, Clone, PartialEq)]
pub struct Dashboard {
    /// Part of the file name and of the uid: `barrage-` and this name.
    pub name: &'static str,
    /// Title in Grafana's list.
    pub title: &'static str,
    /// Who reads the dashboard, and for which question.
    pub description: &'static str,
    /// Metric whose labels fill the variables cluster, namespace and instance.
    pub source: &'static str,
    /// Rows from top to bottom; the first says whether viewers are well.
    pub rows: Vec<Row>,
}

impl Dashboard {
    /// Returns the uid, which is stable over all versions.
    #[must_use]
    pub fn uid(&self) -> String {
        format!("barrage-{}", self.name)
    }

    /// Returns the panels of all rows.
    pub fn panels(&self) -> impl Iterator<Item = &Panel> {
        self.rows.iter().flat_map(|row| &row.panels)
    }

    /// Returns the dashboard in Grafana's JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        json::dashboard(self)
    }
}
