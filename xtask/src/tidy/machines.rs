//! One host: `node` with real bytes and `nation` with simulated ones run the same code.
//!
//! It holds because both depend on `host` and name its `Host`, because nobody else defines a type
//! of that name, and because no crate but `host` can name the machines `switch::Hub` and
//! `switch::Station`, so no crate but `host` can construct one.

use super::Violation;
use super::source::{self, File};
use super::workspace::Workspace;

const MACHINES: &[&str] = &["Hub", "Station"];
const DRIVERS: &[&str] = &["nation", "node"];

pub(super) fn check(workspace: &Workspace, files: &[File]) -> Vec<Violation> {
    let mut found = Vec::new();
    for driver in DRIVERS {
        found.extend(drives(driver, workspace, files));
    }
    let defined: Vec<(&File, usize)> = files
        .iter()
        .flat_map(|file| definitions(file).into_iter().map(move |line| (file, line)))
        .collect();
    if !defined.iter().any(|(file, _)| file.krate == "host") {
        found.push(Violation::new(
            "crates/host/src/lib.rs",
            1,
            "no type `Host` is defined in `host`",
            "the role without a world is `host::Host`",
        ));
    }
    for (file, line) in defined.into_iter().filter(|(file, _)| file.krate != "host") {
        found.push(Violation::new(
            &file.path,
            line,
            format!("`{}` defines a second `Host`", file.krate),
            "run `host::Host`, or give it the name of what it is",
        ));
    }
    found.extend(files.iter().flat_map(constructs));
    found
}

fn drives(driver: &str, workspace: &Workspace, files: &[File]) -> Option<Violation> {
    let package = workspace.get(driver)?;
    let depends = package.named.iter().any(|d| d.name == "host");
    let names = |file: &File| {
        source::paths(&file.code).iter().any(|n| {
            !file.is_test(n.line) && n.path.starts_with("host::") && last(&n.path, &["Host"])
        })
    };
    let runs = files.iter().any(|file| file.krate == driver && names(file));
    (!depends || !runs).then(|| {
        Violation::new(
            &package.manifest,
            package.line_of("host"),
            format!("`{driver}` does not run `host::Host`"),
            "drive it: a second way of running a role is a second set of faults",
        )
    })
}

/// Whether a path names one of these types, or something of it.
fn last(path: &str, types: &[&str]) -> bool {
    path.split("::").any(|word| types.contains(&word))
}

/// Lines of the program that define a type `Host`.
fn definitions(file: &File) -> Vec<usize> {
    let tokens = source::tokens(&file.code);
    tokens
        .windows(2)
        .filter(|pair| matches!(pair[0].1, "struct" | "enum" | "trait" | "union" | "type"))
        .filter(|pair| pair[1].1 == "Host" && !file.is_test(pair[1].0))
        .map(|pair| pair[1].0)
        .collect()
}

/// What would let a crate construct a machine of its own.
fn constructs(file: &File) -> Vec<Violation> {
    let outside = !matches!(file.krate.as_str(), "switch" | "host");
    source::paths(&file.code)
        .into_iter()
        .filter(|n| {
            let machine = n.path.starts_with("switch::")
                && (last(&n.path, MACHINES) || n.path.ends_with("::*"));
            let handed_on = file.krate == "host" && n.published && (machine || n.path == "switch");
            (outside && machine) || handed_on
        })
        .map(|n| {
            Violation::new(
                &file.path,
                n.line,
                format!("`{}` in `{}`", n.path, file.krate),
                "machines are constructed by `host` alone: name what you need, and go through it",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::workspace::{Named, Package};
    use super::*;

    fn member(name: &str, deps: &[&str]) -> (String, Package) {
        let named = deps.iter().map(|d| Named { name: (*d).into(), default_features: true });
        let manifest = format!("crates/{name}/Cargo.toml");
        (name.into(), Package { manifest, named: named.collect(), ..Package::default() })
    }

    fn file(krate: &str, text: &str) -> File {
        File::new(&format!("crates/{krate}/src/lib.rs"), krate, text, false)
    }

    fn what(nation_uses: &[&str], files: &[(&str, &str)]) -> Vec<String> {
        let workspace =
            [member("node", &["host"]), member("nation", nation_uses)].into_iter().collect();
        let files: Vec<File> = files.iter().map(|(krate, text)| file(krate, text)).collect();
        check(&workspace, &files)
            .into_iter()
            .map(|v| format!("{}:{}: {}", v.file, v.line, v.what))
            .collect()
    }

    const HOST: (&str, &str) = ("host", "use switch::{Hub, Station};\npub struct Host;\n");
    const NODE: (&str, &str) = ("node", "use host::{Action, Host};\n");
    const NATION: (&str, &str) = ("nation", "fn a() { host::Host::new(c) }\n");

    #[test]
    fn one_host_run_by_both_passes() {
        let other = ("bongsu", "use switch::Reason;\nenum Role { Hub, Station }\nRole::Hub;\n");
        assert_eq!(what(&["host"], &[HOST, NODE, NATION, other]), Vec::<String>::new());
    }

    #[test]
    fn finds_a_driver_without_the_host() {
        let expected = ["crates/nation/Cargo.toml:1: `nation` does not run `host::Host`"];
        assert_eq!(what(&[], &[HOST, NODE, NATION]), expected);
        assert_eq!(what(&["host"], &[HOST, NODE, ("nation", "// host::Host\n")]), expected);
        let tested = "#[cfg(test)]\nmod tests {\n    use host::Host;\n}\n";
        assert_eq!(what(&["host"], &[HOST, NODE, ("nation", tested)]), expected);
    }

    #[test]
    fn finds_a_second_host() {
        let second = ("nation", "use host::Host;\nmod fast {\n    pub struct Host;\n}\n");
        assert_eq!(
            what(&["host"], &[HOST, NODE, second]),
            ["crates/nation/src/lib.rs:3: `nation` defines a second `Host`"]
        );
        assert_eq!(
            what(&["host"], &[("host", ""), NODE, NATION]),
            ["crates/host/src/lib.rs:1: no type `Host` is defined in `host`"]
        );
    }

    #[test]
    fn finds_a_machine_outside_the_host() {
        for (line, path) in [
            ("use switch::Hub;", "switch::Hub"),
            ("use switch::{Reason, station::Station};", "switch::station::Station"),
            ("fn a() { switch::Hub::new(b) }", "switch::Hub::new"),
            ("use switch::*;", "switch::*"),
        ] {
            let text = format!("use host::Host;\n{line}\n");
            assert_eq!(
                what(&["host"], &[HOST, NODE, ("nation", &text)]),
                [format!("crates/nation/src/lib.rs:2: `{path}` in `nation`")],
                "{line}"
            );
        }
        let handed_on = ("host", "pub use switch::Hub;\npub struct Host;\n");
        assert_eq!(
            what(&["host"], &[handed_on, NODE, NATION]),
            ["crates/host/src/lib.rs:1: `switch::Hub` in `host`"]
        );
    }
}
