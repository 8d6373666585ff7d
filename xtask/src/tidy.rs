//! Rules of the tree that no compiler checks, as pure functions from plain data to violations.
//!
//! `workspace` reads `cargo metadata`, `source` reads the .rs files; `table`, `graph`, `doors`,
//! `rules`, `machines` and `pages` judge. Exceptions are named in `policy`, each with its reason.
//! Absent on purpose: style that rustfmt or clippy already hold.

mod doors;
mod graph;
mod machines;
mod pages;
mod policy;
mod rules;
mod source;
mod table;
mod workspace;

use std::fmt;
use std::path::Path;

/// One thing to put right: where, what is wrong, and what to do.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Violation {
    /// Path from the workspace's root.
    file: String,
    /// First line is 1.
    line: usize,
    what: String,
    todo: String,
}

impl Violation {
    fn new(
        file: impl Into<String>,
        line: usize,
        what: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        Self { file: file.into(), line, what: what.into(), todo: todo.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}\n    do: {}", self.file, self.line, self.what, self.todo)
    }
}

/// Every violation of the tree, in order of file and line; an error if it could not be read.
pub(crate) fn run(root: &Path) -> Result<Vec<Violation>, String> {
    let workspace = workspace::read(root)?;
    let files = source::read(root, &workspace)?;
    let pages = pages::read(root)?;
    let mut found = Vec::new();

    let (table, torn) = table::parse(pages::architecture(&pages));
    found.extend(torn);
    found.extend(graph::check(&workspace, &table));
    found.extend(doors::check(root, &workspace)?);
    let kinds = rules::Kinds::of(&table);
    for file in &files {
        found.extend(rules::check(file, &kinds));
    }
    found.extend(rules::check_roots(&files, policy::UNSAFE_MODULES));
    found.extend(machines::check(&workspace, &files));
    found.extend(pages::check(root, &pages));
    found.sort();
    found.dedup();
    Ok(found)
}

#[cfg(test)]
mod tests {
    /// The tree itself, so that plain `cargo test` holds the rules.
    #[test]
    fn this_tree_is_tidy() {
        let found = super::run(crate::root()).unwrap();
        let list: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(list.is_empty(), "{}", list.join("\n"));
    }
}
