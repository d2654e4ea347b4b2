//! The bill of materials of the server `barrage`, as CycloneDX 1.5: every crate that is linked into it, with
//! version, licence, checksum and dependencies.
//!
//! Derived from `cargo metadata` and `Cargo.lock` alone: the same lock file gives the same file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::run::{command, note, root};

/// Program whose parts are listed.
const PROGRAM: &str = "barrage";
/// Platform of the image; dependencies of other systems are not in it.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// Writes the bill to `file`, relative to the repository.
pub(crate) fn write(file: &Path) -> anyhow::Result<()> {
    let arguments = ["metadata", "--locked", "--format-version", "1", "--filter-platform", PLATFORM];
    let output = command("cargo", &arguments).output()?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata = serde_json::from_slice(&output.stdout)?;
    let lock = std::fs::read_to_string(root().join("Cargo.lock"))?;
    let bill = bill(&metadata, &checksums(&lock))?;
    let parts = bill["components"].as_array().map_or(0, Vec::len);
    std::fs::write(root().join(file), format!("{bill:#}\n")).with_context(|| file.display().to_string())?;
    note(&format!("{}: {parts} components", file.display()));
    Ok(())
}

/// Returns the checksum of each package of the lock file, by name and version.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    for package in lock.split("[[package]]") {
        let field = |name: &str| {
            let start = format!("{name} = \"");
            package.lines().find_map(|line| line.strip_prefix(&start)?.strip_suffix('"')).map(str::to_owned)
        };
        if let (Some(name), Some(version), Some(sum)) = (field("name"), field("version"), field("checksum")) {
            found.insert((name, version), sum);
        }
    }
    found
}

/// Makes the bill: the program, and everything that it reaches without dependencies of tests.
fn bill(metadata: &Value, checksums: &BTreeMap<(String, String), String>) -> anyhow::Result<Value> {
    let by_id = |values: &Value| -> BTreeMap<String, Value> {
        let values = values.as_array().into_iter().flatten();
        values.filter_map(|value| Some((value["id"].as_str()?.to_owned(), value.clone()))).collect()
    };
    let (packages, nodes) = (by_id(&metadata["packages"]), by_id(&metadata["resolve"]["nodes"]));
    let program = packages.iter().find(|(_, package)| package["name"] == PROGRAM);
    let (id, program) = program.context("the program is not in the workspace")?;
    let mut linked = BTreeMap::new();
    let mut open = vec![id.clone()];
    while let Some(id) = open.pop() {
        if linked.contains_key(&id) {
            continue;
        }
        let uses = dependencies(nodes.get(&id).with_context(|| format!("{id} is not resolved"))?);
        open.extend(uses.iter().cloned());
        linked.insert(id, uses);
    }
    let reference = |id: &String| packages.get(id).map_or_else(String::new, purl);
    let mut components = Vec::new();
    let mut edges = Vec::new();
    for (id, uses) in &linked {
        let uses: BTreeSet<_> = uses.iter().map(reference).collect();
        edges.push(json!({ "ref": reference(id), "dependsOn": uses }));
        if let Some(package) = packages.get(id).filter(|package| package["name"] != PROGRAM) {
            components.push(component(package, checksums, "library"));
        }
    }
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": component(program, checksums, "application") },
        "components": components,
        "dependencies": edges,
    }))
}

/// Returns the packages that a package links or builds with, without those of its tests.
fn dependencies(node: &Value) -> BTreeSet<String> {
    let all = node["deps"].as_array().into_iter().flatten();
    let of_product = all.filter(|dependency| {
        dependency["dep_kinds"].as_array().into_iter().flatten().any(|kind| kind["kind"] != "dev")
    });
    of_product.filter_map(|dependency| dependency["pkg"].as_str().map(str::to_owned)).collect()
}

fn component(package: &Value, checksums: &BTreeMap<(String, String), String>, kind: &str) -> Value {
    let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
    let mut component = json!({
        "type": kind,
        "bom-ref": purl(package),
        "name": text("name"),
        "version": text("version"),
        "purl": purl(package),
    });
    if let Some(licence) = package["license"].as_str() {
        component["licenses"] = json!([{ "expression": licence.replace('/', " OR ") }]);
    }
    if let Some(sum) = checksums.get(&(text("name"), text("version"))) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
    }
    component
}

/// Returns the package URL, which is the same for everybody.
fn purl(package: &Value) -> String {
    let text = |key: &str| package[key].as_str().unwrap_or_default().replace('+', "%2B");
    format!("pkg:cargo/{}@{}", text("name"), text("version"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bill_has_what_the_program_links_and_nothing_of_its_tests() {
        let package = |name: &str, license: Value| json!({ "id": name, "name": name, "version": "1.0.0+a", "license": license });
        let uses = |name: &str, kind: Value| json!({ "pkg": name, "dep_kinds": [{ "kind": kind }] });
        let metadata = json!({
            "packages": [
                package("barrage", json!("Apache-2.0")), package("a", json!("MIT/Apache-2.0")), package("b", Value::Null),
                package("tests", json!("MIT")),
            ],
            "resolve": { "nodes": [
                { "id": "barrage", "deps": [uses("a", Value::Null), uses("tests", json!("dev"))] },
                { "id": "a", "deps": [uses("b", json!("build"))] },
                { "id": "b", "deps": [] },
                { "id": "tests", "deps": [] },
            ] },
        });
        let lock = "[[package]]\nname = \"a\"\nversion = \"1.0.0+a\"\nchecksum = \"ff\"\n";
        let bill = bill(&metadata, &checksums(lock)).unwrap();
        let names: Vec<_> =
            bill["components"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
        assert_eq!(names, ["a", "b"]);
        let a = &bill["components"][0];
        assert_eq!((&a["purl"], &a["hashes"][0]["content"]), (&json!("pkg:cargo/a@1.0.0%2Ba"), &json!("ff")));
        assert_eq!(a["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(bill["dependencies"][2]["dependsOn"], json!(["pkg:cargo/a@1.0.0%2Ba"]));
    }
}
