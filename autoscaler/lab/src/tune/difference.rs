//! The keys in which two policies differ.

use barrage_scaling::PolicyConfig;
use toml::{Table, Value};

/// A key whose values differ between two policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Path of the key, as in `scale_in.window_secs`.
    pub key: String,
    /// Value in the first policy, as TOML.
    pub before: String,
    /// Value in the second policy, as TOML.
    pub after: String,
}

/// Returns every key whose values differ, in the order of the policy file.
#[must_use]
pub fn differences(before: &PolicyConfig, after: &PolicyConfig) -> Vec<Difference> {
    let mut found = Vec::new();
    if let (Ok(before), Ok(after)) = (Table::try_from(before), Table::try_from(after)) {
        walk("", &before, &after, &mut found);
    }
    found
}

fn walk(path: &str, before: &Table, after: &Table, found: &mut Vec<Difference>) {
    for (name, value) in after {
        let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match (before.get(name), value) {
            (Some(Value::Table(before)), Value::Table(after)) => walk(&key, before, after, found),
            (Some(same), after) if same == after => {}
            (before, after) => {
                let before = before.map_or_else(|| "absent".into(), ToString::to_string);
                found.push(Difference { key, before, after: after.to_string() });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_list_only_changed_keys() {
        let before = PolicyConfig::default();
        assert_eq!(differences(&before, &before), []);
        let mut after = before.clone();
        after.target_utilization = 0.75;
        after.scale_in.window_secs = 300.0;
        let found = differences(&before, &after);
        let shown: Vec<_> = found.iter().map(|it| (it.key.as_str(), it.after.as_str())).collect();
        assert_eq!(shown.len(), 2, "{found:?}");
        assert!(shown.contains(&("target_utilization", "0.75")), "{found:?}");
        assert!(shown.contains(&("scale_in.window_secs", "300.0")), "{found:?}");
    }
}
