//! Paths of all routes, as the sources of the roles have them.

use std::collections::BTreeSet;
use std::path::Path;

/// Collects the paths of all routes from the sources of the roles.
pub(crate) fn all() -> BTreeSet<String> {
    let services = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = BTreeSet::new();
    for role in ["barrage", "entry", "gateway", "media", "uplink"] {
        read(&services.join(role).join("src"), &mut found);
    }
    found
}

fn read(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            // The formatter puts a long route on the line after `.route(`.
            for after in code.split(".route(").skip(1) {
                if let Some(route) = after.trim_start().strip_prefix('"') {
                    found.insert(route.split('"').next().unwrap().to_owned());
                }
            }
        }
    }
}
