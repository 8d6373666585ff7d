//! Rules of one source file: header, sizes, purity, attributes.

use std::collections::BTreeSet;

use super::source::{self, File};
use super::table::Table;
use super::{Violation, policy};

/// Which crates a rule applies to, out of the table.
pub(super) struct Kinds {
    /// Levels 0 to 5 without a star: no formats of a boundary.
    core: BTreeSet<String>,
    /// The core and `nation`: no world.
    pure: BTreeSet<String>,
}

impl Kinds {
    pub(super) fn of(table: &Table) -> Self {
        let core: BTreeSet<String> = table
            .iter()
            .filter(|(_, row)| row.level <= 5 && !row.may_touch_world)
            .map(|(name, _)| name.clone())
            .collect();
        let mut pure = core.clone();
        pure.insert("nation".to_string());
        Self { core, pure }
    }
}

pub(super) fn check(file: &File, kinds: &Kinds) -> Vec<Violation> {
    let mut found = Vec::new();
    found.extend(header(file));
    found.extend(length(file));
    found.extend(width(file));
    found.extend(allowed_without_reason(file));
    if kinds.core.contains(&file.krate) {
        found.extend(serialised(file));
    }
    if kinds.pure.contains(&file.krate) {
        found.extend(world(file));
    }
    found
}

fn header(file: &File) -> Option<Violation> {
    (!file.text.starts_with("//!")).then(|| {
        Violation::new(
            &file.path,
            1,
            "does not open with `//!`",
            "say what it is, how things flow, what bounds it, what is deliberately absent",
        )
    })
}

fn length(file: &File) -> Option<Violation> {
    let (over, _) = file.program().nth(policy::FILE_LINES_MAX)?;
    let count = file.program().count();
    Some(Violation::new(
        &file.path,
        over,
        format!("{count} lines without tests, {} allowed", policy::FILE_LINES_MAX),
        "it is two things: make the second a module",
    ))
}

fn width(file: &File) -> Vec<Violation> {
    let lines = file.text.lines().enumerate();
    lines
        .filter(|(_, line)| line.chars().count() > policy::LINE_CHARS_MAX)
        .map(|(at, line)| {
            Violation::new(
                &file.path,
                at + 1,
                format!("{} characters, {} allowed", line.chars().count(), policy::LINE_CHARS_MAX),
                "break the line",
            )
        })
        .collect()
}

fn allowed_without_reason(file: &File) -> Vec<Violation> {
    let tokens = source::tokens(&file.code);
    let mut found = Vec::new();
    for (at, (line, token)) in tokens.iter().enumerate() {
        let before = |n: usize| at.checked_sub(n).and_then(|b| tokens.get(b)).map_or("", |t| t.1);
        let attribute = before(1) == "[" && (before(2) == "#" || before(2) == "!");
        if *token != "allow" || !attribute {
            continue;
        }
        let body = tokens[at..].iter().map(|(_, t)| *t);
        if !body.take_while(|t| *t != "]").any(|t| t == "reason") {
            found.push(Violation::new(
                &file.path,
                *line,
                "`allow` without a reason",
                "write `#[expect(lint, reason = \"...\")]`, or follow the lint",
            ));
        }
    }
    found
}

fn serialised(file: &File) -> Vec<Violation> {
    let formats = ["serde", "serde_json", "Serialize", "Deserialize"];
    source::paths(&file.code)
        .into_iter()
        .filter(|n| !file.is_test(n.line) && n.path.split("::").any(|w| formats.contains(&w)))
        .map(|n| {
            Violation::new(
                &file.path,
                n.line,
                format!("`{}` in the core", n.path),
                "give the boundary a type of its own; write the core's formats by hand",
            )
        })
        .collect()
}

fn world(file: &File) -> Vec<Violation> {
    let touches = |path: &str| {
        let within = |banned: &str| {
            path.strip_prefix(banned).is_some_and(|r| r.is_empty() || r.starts_with("::"))
        };
        let whole = path.strip_suffix("::*").unwrap_or(path);
        policy::WORLD.iter().any(|banned| within(banned)) || policy::WORLD_WHOLE.contains(&whole)
    };
    source::paths(&file.code)
        .into_iter()
        .filter(|n| !file.is_test(n.line) && n.path.starts_with("std") && touches(&n.path))
        .map(|n| {
            Violation::new(
                &file.path,
                n.line,
                format!("`{}` in a pure crate", n.path),
                "take it as an input, or move it to `node`; maps: BTreeMap or hashbrown; \
                 addresses as data: `core::net`",
            )
        })
        .collect()
}

/// Attributes that the root of a crate must carry, and unsafe code outside the named modules.
pub(super) fn check_roots(files: &[File], unsafe_modules: &[(&str, &str, &str)]) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in files {
        let module = unsafe_modules.iter().find(|(krate, _, _)| *krate == file.krate);
        let level =
            if module.is_some() { "#![deny(unsafe_code)]" } else { "#![forbid(unsafe_code)]" };
        let says = |attribute: &str| file.program().any(|(_, line)| line.trim() == attribute);
        if file.is_root() && !says(level) {
            found.push(Violation::new(
                &file.path,
                1,
                format!("`{}` does not say `{level}`", file.krate),
                "add it",
            ));
        }
        let proved = policy::NO_STD.iter().any(|(n, _)| *n == file.krate);
        if proved && file.is_root() && !says("#![no_std]") {
            found.push(Violation::new(
                &file.path,
                1,
                format!("`{}` does not say `#![no_std]`", file.krate),
                "add it: the compiler then proves that the crate is pure",
            ));
        }
        if proved {
            found.extend(standard_library(file));
        }
        if module.is_some_and(|(_, path, _)| *path != file.path) {
            let tokens = source::tokens(&file.code);
            let lines = tokens.iter().filter(|(_, t)| *t == "unsafe").map(|(line, _)| *line);
            found.extend(lines.map(|line| {
                Violation::new(
                    &file.path,
                    line,
                    "unsafe code outside the module named for it",
                    "move it there: UNSAFE_MODULES in xtask/src/tidy/policy.rs",
                )
            }));
        }
    }
    found
}

/// `extern crate std` would undo `#![no_std]`.
fn standard_library(file: &File) -> Vec<Violation> {
    let tokens = source::tokens(&file.code);
    tokens
        .windows(3)
        .filter(|t| t[0].1 == "extern" && t[1].1 == "crate" && t[2].1 == "std")
        .filter(|t| !file.is_test(t[0].0))
        .map(|t| {
            Violation::new(
                &file.path,
                t[0].0,
                "`extern crate std` undoes `#![no_std]`",
                "use `core` and `alloc`; tests may have it under `#[cfg(test)]`",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds() -> Kinds {
        Kinds::of(
            &super::super::table::parse(
                "## Workspace\n```\n6 node* -> 0..5  nation -> host\n5 host -> scheme\n\
                 5 console* -> scheme\n0 scheme -> nothing\n```\n",
            )
            .0,
        )
    }

    fn what(krate: &str, text: &str) -> Vec<String> {
        let file = File::new("f.rs", krate, text, false);
        check(&file, &kinds()).into_iter().map(|v| format!("{}: {}", v.line, v.what)).collect()
    }

    #[test]
    fn a_file_needs_a_header() {
        assert_eq!(what("node", "//! Says.\n"), Vec::<String>::new());
        assert_eq!(what("node", "// Says.\n"), ["1: does not open with `//!`"]);
        assert_eq!(what("node", ""), ["1: does not open with `//!`"]);
    }

    #[test]
    fn a_file_has_its_length_without_tests() {
        let at_limit = format!("//! Says.\n{}", "fn a() {}\n".repeat(799));
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "fn a() {}\n".repeat(900));
        assert_eq!(what("node", &format!("{at_limit}{tests}")), Vec::<String>::new());
        assert_eq!(
            what("node", &format!("{at_limit}{tests}fn b() {{}}\n")),
            ["1704: 801 lines without tests, 800 allowed"]
        );
    }

    #[test]
    fn a_line_has_a_hundred_characters() {
        assert_eq!(what("node", &format!("//!{}\n", "é".repeat(97))), Vec::<String>::new());
        assert_eq!(
            what("node", &format!("//!\n//{}\n", "é".repeat(99))),
            ["2: 101 characters, 100 allowed"]
        );
    }

    #[test]
    fn an_allow_needs_a_reason() {
        let head = "//! #[allow(x)]\n";
        for fine in ["#[allow(x, reason = \"y\")]", "fn allow(x: u8) {}", "a[allow(1)];"] {
            assert_eq!(what("node", &format!("{head}{fine}\n")), Vec::<String>::new(), "{fine}");
        }
        for bare in ["#[allow(x)]", "#![allow(x)]", "#[ allow(\n  x,\n)]\nfn reason() {}"] {
            assert_eq!(
                what("node", &format!("{head}{bare}\n")),
                ["2: `allow` without a reason"],
                "{bare}"
            );
        }
    }

    #[test]
    fn the_core_has_no_formats_of_a_boundary() {
        let text = "//! serde\nuse serde::Serialize;\n#[derive(Serialize)]\nstruct A;\n";
        assert_eq!(
            what("scheme", text),
            ["2: `serde::Serialize` in the core", "3: `Serialize` in the core"]
        );
        assert_eq!(what("node", text), Vec::<String>::new());
        assert_eq!(what("console", text), Vec::<String>::new());
        assert_eq!(what("nation", text), Vec::<String>::new());
    }

    #[test]
    fn a_pure_crate_does_not_reach_the_world() {
        for (line, path) in [
            ("use std::time::{Duration, Instant};", "std::time::Instant"),
            ("fn a() { std::fs::read(b); }", "std::fs::read"),
            ("use std::net::{TcpStream};", "std::net::TcpStream"),
            ("use std::{fmt, thread};", "std::thread"),
            ("use std::time;", "std::time"),
            ("use std::time::*;", "std::time::*"),
            ("use std::collections::HashMap as Map;", "std::collections::HashMap"),
            ("static A: u8 = std::time::SystemTime::now();", "std::time::SystemTime::now"),
        ] {
            let text = format!("//! std::fs\n{line}\n");
            for krate in ["scheme", "host", "nation"] {
                assert_eq!(what(krate, &text), [format!("2: `{path}` in a pure crate")], "{line}");
            }
            assert_eq!(what("node", &text), Vec::<String>::new(), "{line}");
            let tested = format!("//!\n#[cfg(test)]\nmod tests {{\n    {line}\n}}\n");
            assert_eq!(what("scheme", &tested), Vec::<String>::new(), "{line}");
        }
        let fine =
            "//!\nuse std::time::Duration;\nuse std::collections::BTreeMap;\nuse core::fmt;\n";
        assert_eq!(what("scheme", fine), Vec::<String>::new());
    }

    #[test]
    fn a_root_says_what_the_compiler_proves() {
        let exception = [("node", "crates/node/src/os.rs", "a system call without a safe wrapper")];
        let roots = |path: &str, krate: &str, text: &str| -> Vec<String> {
            let files = [File::new(path, krate, text, false)];
            check_roots(&files, &exception).into_iter().map(|v| v.what).collect()
        };
        let forbid = "//!\n#![forbid(unsafe_code)]\n";
        assert_eq!(roots("crates/host/src/lib.rs", "host", forbid), Vec::<String>::new());
        assert_eq!(roots("crates/host/src/a.rs", "host", "//!\n"), Vec::<String>::new());
        assert_eq!(
            roots("crates/host/src/lib.rs", "host", "//! #![forbid(unsafe_code)]\n"),
            ["`host` does not say `#![forbid(unsafe_code)]`"]
        );
        assert_eq!(
            roots("crates/switch/src/lib.rs", "switch", forbid),
            ["`switch` does not say `#![no_std]`"]
        );
        let with_std =
            "//!\n#![cfg_attr(a, b)]\nextern crate std;\n#[cfg(test)]\nextern crate std;\n";
        assert_eq!(
            roots("crates/switch/src/a.rs", "switch", with_std),
            ["`extern crate std` undoes `#![no_std]`"]
        );
        let deny = "//!\n#![deny(unsafe_code)]\n";
        assert_eq!(roots("crates/node/src/lib.rs", "node", deny), Vec::<String>::new());
        assert_eq!(
            roots("crates/node/src/lib.rs", "node", forbid),
            ["`node` does not say `#![deny(unsafe_code)]`"]
        );
        let code = "//! unsafe\nunsafe { a() }\n";
        assert_eq!(roots("crates/node/src/os.rs", "node", code), Vec::<String>::new());
        assert_eq!(
            roots("crates/node/src/a.rs", "node", code),
            ["unsafe code outside the module named for it"]
        );
    }
}
