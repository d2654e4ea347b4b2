//! The module tree of one crate, and which file refers to which.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::file::SourceFile;
use super::imports::{Import, Role};

/// Re-exports that are followed from one path.
const HOPS_MAX: usize = 12;

/// A file that refers to another one of its crate, by number of [`CrateTree::files`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge {
    pub(crate) from: usize,
    pub(crate) to: usize,
}

/// A crate's files, without those of tests, and the edges between them.
#[derive(Debug, Default)]
pub(crate) struct CrateTree {
    /// Paths of the crate's files, below its `src` folder.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) edges: BTreeSet<Edge>,
    modules: Vec<Module>,
    /// Files of macros, which are found by their name from everywhere.
    macros: BTreeMap<String, usize>,
}

#[derive(Debug, Default)]
struct Module {
    file: usize,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    items: BTreeSet<String>,
    /// Names that this module offers from elsewhere, or has imported.
    names: BTreeMap<String, Vec<String>>,
    offered_globs: Vec<Vec<String>>,
    imports: Vec<Import>,
}

/// End of a path inside the crate.
enum Found {
    Module(usize),
    Item(usize),
}

impl CrateTree {
    /// Reads a crate from its root file, with `read` as the file system.
    pub(crate) fn read(root: &Path, read: &dyn Fn(&Path) -> Option<String>) -> CrateTree {
        let mut tree = CrateTree::default();
        let folder = root.parent().unwrap_or(Path::new("")).to_path_buf();
        tree.add(root, &folder, &folder, None, read);
        tree.connect();
        tree
    }

    /// Adds a file and the modules that it declares. `children` is the folder of its modules.
    fn add(
        &mut self,
        file: &Path,
        children: &Path,
        src: &Path,
        parent: Option<usize>,
        read: &dyn Fn(&Path) -> Option<String>,
    ) -> Option<usize> {
        let parsed = SourceFile::parse(&read(file)?);
        let number = self.files.len();
        self.files.push(file.strip_prefix(src).unwrap_or(file).to_path_buf());
        let id = self.module(number, parent);
        for item in &parsed.items {
            self.modules[id].items.insert(item.clone());
            self.macros.entry(item.clone()).or_insert(number);
        }
        let mut inline = BTreeMap::from([(Vec::<String>::new(), id)]);
        for declared in &parsed.modules {
            let Some(&within) = inline.get(&declared.within) else { continue };
            let mut path = declared.within.clone();
            path.push(declared.name.clone());
            let child = if declared.is_inline {
                let child = self.module(number, Some(within));
                inline.insert(path, child);
                Some(child)
            } else {
                let beside = file.parent().unwrap_or(src);
                let base = children.join(declared.within.join("/"));
                let (flat, nested) = (base.join(format!("{}.rs", declared.name)), base.join(&declared.name));
                match &declared.path {
                    Some(path) => self.add(&beside.join(path), &nested, src, Some(within), read),
                    None => self
                        .add(&flat, &nested, src, Some(within), read)
                        .or_else(|| self.add(&nested.join("mod.rs"), &nested, src, Some(within), read)),
                }
            };
            if let Some(child) = child {
                self.modules[within].children.insert(declared.name.clone(), child);
            }
        }
        self.add_imports(id, parsed.imports, &inline);
        Some(id)
    }

    fn module(&mut self, file: usize, parent: Option<usize>) -> usize {
        self.modules.push(Module { file, parent, ..Module::default() });
        self.modules.len() - 1
    }

    /// Gives each import to the file's module. One of an inline module starts that much deeper.
    fn add_imports(&mut self, id: usize, imports: Vec<Import>, inline: &BTreeMap<Vec<String>, usize>) {
        for mut import in imports {
            // `super` out of an inline module stays in this file.
            let own = import.path.iter().take_while(|part| *part == "super").count().min(import.depth);
            import.path.drain(..own);
            if own > 0 && import.path.first().is_none_or(|first| first != "super") {
                import.path.insert(0, "self".to_owned());
            }
            let module = &mut self.modules[id];
            match &import.role {
                Role::Named(name) | Role::Offered(name) => {
                    module.names.entry(name.clone()).or_insert_with(|| import.path.clone());
                }
                Role::OfferedGlob => module.offered_globs.push(import.path.clone()),
                Role::Glob | Role::InCode => {}
            }
            module.imports.push(import);
        }
        // What an inline module imports is offered by the file: good enough for edges between files.
        for &child in inline.values().filter(|child| **child != id) {
            self.modules[child].names = self.modules[id].names.clone();
        }
    }

    fn connect(&mut self) {
        let mut edges = BTreeSet::new();
        for (id, module) in self.modules.iter().enumerate() {
            for import in &module.imports {
                if matches!(import.role, Role::Offered(_) | Role::OfferedGlob) {
                    continue;
                }
                let to = match self.resolve(id, &import.path, 0) {
                    Some(Found::Item(to)) => to,
                    // A module is only named: paths that begin with its name follow.
                    Some(Found::Module(to)) if import.role == Role::Glob => self.modules[to].file,
                    _ => continue,
                };
                if to != module.file {
                    edges.insert(Edge { from: module.file, to });
                }
            }
        }
        self.edges = edges;
    }

    /// Follows a path from a module; none if it leads out of the crate.
    fn resolve(&self, from: usize, path: &[String], hops: usize) -> Option<Found> {
        if hops > HOPS_MAX {
            return None;
        }
        let (mut at, rest) = self.start(from, path, hops)?;
        for (n, part) in rest.iter().enumerate() {
            if let Some(&child) = self.modules[at].children.get(part) {
                at = child;
            } else if let Some(offered) = self.modules[at].names.get(part) {
                let whole = [offered.as_slice(), &rest[n + 1..]].concat();
                return self.resolve(at, &whole, hops + 1).or(Some(Found::Item(self.modules[at].file)));
            } else {
                return Some(Found::Item(self.file_of(at, part, hops)));
            }
        }
        Some(Found::Module(at))
    }

    /// Returns the module that a path begins in, and the rest of the path.
    fn start<'p>(&self, from: usize, path: &'p [String], hops: usize) -> Option<(usize, &'p [String])> {
        let (first, mut rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => 0,
            "self" => from,
            "super" => self.modules[from].parent?,
            name => {
                let module = &self.modules[from];
                if let Some(&child) = module.children.get(name) {
                    child
                } else if let Some(imported) = module.names.get(name).filter(|named| **named != path) {
                    match self.resolve(from, imported, hops + 1)? {
                        Found::Module(module) => module,
                        Found::Item(_) => return None,
                    }
                } else {
                    return None;
                }
            }
        };
        while let Some(("super", after)) = rest.split_first().map(|(part, after)| (part.as_str(), after)) {
            at = self.modules[at].parent?;
            rest = after;
        }
        Some((at, rest))
    }

    /// Returns the file of an item that a module has, offers by a glob, or has as a macro.
    fn file_of(&self, module: usize, name: &str, hops: usize) -> usize {
        let own = &self.modules[module];
        if own.items.contains(name) {
            return own.file;
        }
        for glob in &own.offered_globs {
            if let Some(Found::Module(offered)) = self.resolve(module, glob, hops + 1)
                && (self.modules[offered].items.contains(name)
                    || self.modules[offered].names.contains_key(name))
            {
                return self.modules[offered].file;
            }
        }
        match (own.parent, self.macros.get(name)) {
            (None, Some(&file)) => file,
            _ => own.file,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [(&str, &str); 6] = [
        ("src/lib.rs", "mod a; mod b; pub use a::Deep; use b::B; macro_rules! m { () => {} }"),
        ("src/a.rs", "mod deep; pub(crate) use deep::*; mod inline { use super::super::b::B; }"),
        ("src/a/deep.rs", "use crate::b; pub struct Deep(b::B); impl Deep { fn f() { super::g() } }"),
        ("src/b/mod.rs", "mod c; pub struct B(serde::X); use crate::a::Deep;\n#[cfg(test)] mod tests;"),
        ("src/b/c.rs", "use crate::Deep as D; fn f() { crate::m!(); super::B; }"),
        ("src/b/tests.rs", "use crate::a::deep;"),
    ];

    #[test]
    fn files_refer_to_where_items_are_defined() {
        let read = |path: &Path| {
            FILES.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned())
        };
        let tree = CrateTree::read(Path::new("src/lib.rs"), &read);
        let name = |file: usize| tree.files[file].display().to_string();
        let edges: Vec<_> =
            tree.edges.iter().map(|edge| format!("{} {}", name(edge.from), name(edge.to))).collect();
        assert_eq!(
            edges,
            [
                "lib.rs b/mod.rs",
                "a.rs b/mod.rs",
                "a/deep.rs a.rs",
                "a/deep.rs b/mod.rs",
                "b/mod.rs a/deep.rs",
                "b/c.rs lib.rs",
                "b/c.rs a/deep.rs",
                "b/c.rs b/mod.rs"
            ]
        );
    }
}
