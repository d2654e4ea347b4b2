//! The valid name nearest to a misspelt one.

/// Greatest edit distance at which a name is offered: a third of its length, but at most this.
const DISTANCE_MAX: usize = 3;

/// Returns `; did you mean `NAME`?` with the nearest name, and nothing when no name is near.
#[must_use]
pub fn hint<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, names).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// Returns the name with the smallest edit distance, if it is near enough.
#[must_use]
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = (name.chars().count() / 3).clamp(1, DISTANCE_MAX);
    let near =
        names.into_iter().map(|other| (distance(name, other), other)).min_by_key(|(distance, _)| *distance);
    near.filter(|(distance, _)| *distance <= most).map(|(_, other)| other)
}

/// Distance by optimal string alignment: insertions, deletions, substitutions, and swaps of
/// neighbours.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let changed = above[j] + usize::from(x != y);
            let mut least = changed.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_name_is_offered_and_far_ones_are_not() {
        let names = ["loss.gift", "loss.chat", "viewers", "p99"];
        assert_eq!(nearest("loss.gifts", names), Some("loss.gift"));
        assert_eq!(nearest("viewrs", names), Some("viewers"));
        assert_eq!(nearest("veiwers", names), Some("viewers"));
        assert_eq!(nearest("p98", names), Some("p99"));
        assert_eq!(nearest("gateways", names), None);
        assert_eq!(hint("viewer", names), "; did you mean `viewers`?");
        assert_eq!(hint("", names), "");
    }
}
