//! Which of our crates may depend on which, and what the compiler-proved crates may use.

use super::Violation;
use super::policy;
use super::table::Table;
use super::workspace::{Package, Workspace};

/// The chores: outside the table, and nothing may depend on them.
const CHORES: &str = "xtask";

pub(super) fn check(workspace: &Workspace, table: &Table) -> Vec<Violation> {
    let mut found = Vec::new();
    for (name, package) in workspace.iter().filter(|(_, p)| p.is_member()) {
        found.extend(lints(name, package));
        found.extend(no_std(name, package, workspace));
        if name == CHORES || table.is_empty() {
            continue;
        }
        let Some(row) = table.get(name) else {
            found.push(Violation::new(
                &package.manifest,
                1,
                format!("`{name}` is not in the table of ARCHITECTURE.md"),
                "give it a level and its dependencies there, or make it a module",
            ));
            continue;
        };
        for dependency in &package.named {
            let ours = workspace.get(&dependency.name).is_some_and(Package::is_member);
            if ours && !row.may_use.contains(&dependency.name) {
                found.push(Violation::new(
                    &package.manifest,
                    package.line_of(&dependency.name),
                    format!("`{name}` depends on `{}`, against the table", dependency.name),
                    "take it out, or argue the table's change in docs/decisions",
                ));
            }
        }
    }
    found
}

fn lints(name: &str, package: &Package) -> Option<Violation> {
    let mut lines = package.text.lines().map(str::trim).skip_while(|l| *l != "[lints]");
    let inherits = lines.nth(1) == Some("workspace = true");
    (!inherits).then(|| {
        Violation::new(
            &package.manifest,
            1,
            format!("`{name}` does not inherit the workspace's lints"),
            "add `[lints]` with `workspace = true`",
        )
    })
}

fn no_std(name: &str, package: &Package, workspace: &Workspace) -> Vec<Violation> {
    let Some((_, allowed)) = policy::NO_STD.iter().find(|(n, _)| *n == name) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for dependency in &package.named {
        if workspace.get(&dependency.name).is_some_and(Package::is_member) {
            continue;
        }
        let line = package.line_of(&dependency.name);
        if !allowed.contains(&dependency.name.as_str()) {
            found.push(Violation::new(
                &package.manifest,
                line,
                format!("`{name}` may not use `{}`", dependency.name),
                "do without, or name it in NO_STD of xtask/src/tidy/policy.rs with a decision page",
            ));
        } else if dependency.default_features {
            found.push(Violation::new(
                &package.manifest,
                line,
                format!("`{name}` uses `{}` with its default features", dependency.name),
                "set `default-features = false`",
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::workspace::Named;
    use super::*;

    fn member(name: &str, deps: &[(&str, bool)]) -> (String, Package) {
        let text = deps.iter().map(|(d, _)| format!("{d}.workspace = true\n")).collect::<String>();
        let package = Package {
            manifest: format!("crates/{name}/Cargo.toml"),
            text: format!("[lints]\nworkspace = true\n[dependencies]\n{text}"),
            named: deps
                .iter()
                .map(|(d, default)| Named { name: (*d).to_string(), default_features: *default })
                .collect(),
            ..Package::default()
        };
        (name.to_string(), package)
    }

    fn table() -> Table {
        super::super::table::parse(
            "## Workspace\n```\n6 node* -> 0..5\n5 host -> scheme ledger\n\
             2 ledger -> scheme\n0 scheme -> nothing\n```\n",
        )
        .0
    }

    fn what(members: &[(String, Package)]) -> Vec<String> {
        let workspace = members.iter().cloned().collect();
        check(&workspace, &table())
            .into_iter()
            .map(|v| format!("{}:{}: {}", v.file, v.line, v.what))
            .collect()
    }

    #[test]
    fn a_tree_by_the_table_passes() {
        let tree = [
            member("node", &[("host", true), ("mio", true)]),
            member("host", &[("ledger", true)]),
            member("ledger", &[("scheme", true), ("hashbrown", false)]),
            member("scheme", &[]),
            member("xtask", &[("cargo_metadata", true)]),
        ];
        assert_eq!(what(&tree), Vec::<String>::new());
    }

    #[test]
    fn finds_a_dependency_against_the_table() {
        let tree = [
            member("node", &[]),
            member("host", &[("scheme", true), ("node", true)]),
            member("scheme", &[("xtask", true)]),
            member("xtask", &[]),
            member("utils", &[]),
        ];
        assert_eq!(
            what(&tree),
            [
                "crates/host/Cargo.toml:5: `host` depends on `node`, against the table",
                "crates/scheme/Cargo.toml:4: `scheme` depends on `xtask`, against the table",
                "crates/utils/Cargo.toml:1: `utils` is not in the table of ARCHITECTURE.md",
            ]
        );
    }

    #[test]
    fn finds_an_unnamed_or_unstripped_crate_in_a_proved_crate() {
        let tree = [member("ledger", &[("rand", false), ("hashbrown", true)])];
        assert_eq!(
            what(&tree),
            [
                "crates/ledger/Cargo.toml:5: `ledger` uses `hashbrown` with its default features",
                "crates/ledger/Cargo.toml:4: `ledger` may not use `rand`",
            ]
        );
    }

    #[test]
    fn finds_a_crate_without_the_lints() {
        let mut tree = [member("scheme", &[])];
        tree[0].1.text = "[lints]\n[dependencies]\n".to_string();
        assert_eq!(
            what(&tree),
            ["crates/scheme/Cargo.toml:1: `scheme` does not inherit the workspace's lints"]
        );
    }
}
