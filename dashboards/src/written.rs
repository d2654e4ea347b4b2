//! The generated files and their places in the repository.

use crate::rules;

/// A generated file of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Path from the root of the repository.
    pub path: String,
    /// Text of the whole file.
    pub text: String,
}

/// Folder from which the chart reads copies: Helm reads no file outside of a chart.
const CHART: &str = "helm/barrage/files";

/// Returns all generated files, the copies for the chart included.
#[must_use]
pub fn files() -> Vec<File> {
    let mut files = Vec::new();
    for dashboard in crate::dashboards() {
        let text = format!("{:#}\n", dashboard.json());
        let name = format!("{}.json", dashboard.uid());
        files.push(File { path: format!("{CHART}/dashboards/{name}"), text: text.clone() });
        files.push(File { path: format!("dashboards/{name}"), text });
    }
    let text = rules::yaml(&rules::groups());
    files.push(File { path: format!("{CHART}/rules/barrage.yaml"), text: text.clone() });
    files.push(File { path: "dashboards/rules/barrage.yaml".into(), text });
    files
}
