//! Import circles of one crate: of files, and between folders.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::source::CrateTree;

/// Sets of files or folders that import one another, each with more than one member.
#[derive(Debug, Default)]
pub(crate) struct Circles {
    pub(crate) files: Vec<Vec<String>>,
    /// Neighbours in one folder, at least one of which is a folder.
    pub(crate) folders: Vec<Vec<String>>,
}

impl Circles {
    pub(crate) fn of(tree: &CrateTree) -> Circles {
        let edges: Vec<_> = tree.edges.iter().map(|edge| (edge.from, edge.to)).collect();
        let shown = |file: &usize| tree.files[*file].display().to_string();
        let files = circles(&edges).iter().map(|circle| circle.iter().map(shown).collect()).collect();
        let places: Vec<_> = tree.files.iter().map(|file| place(file, &tree.files)).collect();
        let mut levels: BTreeMap<Vec<String>, Vec<(Node, Node)>> = BTreeMap::new();
        for (from, to) in edges {
            let (from, to) = (&places[from], &places[to]);
            let shared = from.iter().zip(to).take_while(|(a, b)| a == b).count();
            let edge = (Node::of(from, shared), Node::of(to, shared));
            levels.entry(from[..shared].to_vec()).or_default().push(edge);
        }
        let mut folders = Vec::new();
        for (parent, edges) in levels {
            let with_folder = |circle: &Vec<Node>| circle.iter().any(|node| node.is_folder);
            for circle in circles(&edges).into_iter().filter(with_folder) {
                folders.push(circle.iter().map(|node| node.shown(&parent)).collect());
            }
        }
        Circles { files, folders }
    }
}

/// A file or a folder beside others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Node {
    name: String,
    is_folder: bool,
}

impl Node {
    fn of(place: &[String], depth: usize) -> Node {
        Node { name: place[depth].clone(), is_folder: place.len() > depth + 1 }
    }

    fn shown(&self, parent: &[String]) -> String {
        let end = if self.is_folder { "/" } else { "" };
        format!("{}{}{end}", parent.iter().map(|part| format!("{part}/")).collect::<String>(), self.name)
    }
}

/// Returns the parts of a file's path. `a.rs` beside the folder `a` belongs to that folder.
fn place(file: &Path, all: &[PathBuf]) -> Vec<String> {
    let mut parts: Vec<_> = file.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let folder = file.with_extension("");
    if all.iter().any(|other| other.starts_with(&folder))
        && let Some(name) = folder.file_name()
    {
        parts.insert(parts.len() - 1, name.to_string_lossy().into_owned());
    }
    parts
}

/// Returns the strongly connected sets of more than one node, by their nodes' order.
fn circles<N: Ord + Clone>(edges: &[(N, N)]) -> Vec<Vec<N>> {
    let mut next: BTreeMap<&N, BTreeSet<&N>> = BTreeMap::new();
    for (from, to) in edges {
        next.entry(from).or_default().insert(to);
        next.entry(to).or_default();
    }
    let reached: BTreeMap<&N, BTreeSet<&N>> =
        next.keys().map(|&node| (node, reachable(node, &next))).collect();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for node in next.keys() {
        let circle: Vec<_> = reached[node]
            .iter()
            .filter(|other| reached[*other].contains(node))
            .map(|n| (*n).clone())
            .collect();
        if circle.len() > 1 && circle.iter().all(|member| seen.insert(member.clone())) {
            found.push(circle);
        }
    }
    found
}

/// Returns the nodes that edges lead to from a node.
fn reachable<'n, N: Ord>(from: &'n N, next: &BTreeMap<&'n N, BTreeSet<&'n N>>) -> BTreeSet<&'n N> {
    let mut found = BTreeSet::new();
    let mut open = vec![from];
    while let Some(node) = open.pop() {
        for to in next.get(node).into_iter().flatten() {
            if found.insert(*to) {
                open.push(to);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)]) -> Circles {
        let read = |path: &Path| {
            files.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned())
        };
        Circles::of(&CrateTree::read(Path::new("src/lib.rs"), &read))
    }

    #[test]
    fn folders_that_import_each_other_are_a_circle() {
        let found = of(&[
            ("src/lib.rs", "mod a; mod b; mod c; pub use a::A;"),
            ("src/a.rs", "mod x; pub use x::A;"),
            ("src/a/x.rs", "use crate::b::B; pub struct A;"),
            ("src/b.rs", "pub mod y; pub struct B;"),
            ("src/b/y.rs", "use crate::A; use crate::c::C;"),
            ("src/c.rs", "pub struct C;"),
        ]);
        assert_eq!(found.folders, [["a/", "b/"]]);
        assert!(found.files.is_empty(), "no file of them is in a circle: {:?}", found.files);
    }

    #[test]
    fn files_of_one_folder_are_no_circle_between_folders() {
        let found = of(&[
            ("src/lib.rs", "mod a;"),
            ("src/a.rs", "mod x; pub struct A(x::X);"),
            ("src/a/x.rs", "pub struct X; impl X { fn f(_: super::A) {} }"),
        ]);
        assert!(found.folders.is_empty());
        assert_eq!(found.files, [["a.rs", "a/x.rs"]]);
    }
}
