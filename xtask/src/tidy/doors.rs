//! Licences and doors of deny.toml, judged from `cargo metadata`: they hold where cargo-deny is not
//! installed.
//!
//! A door is an entry of `[bans] deny`: only its `wrappers` may depend on that crate directly, and
//! a crate of ours that is not among them may not reach it through somebody else's either, unless
//! that one is a door which admits it: who may use axum may use what axum is made of.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use super::Violation;
use super::workspace::{Package, Workspace};

const PAGE: &str = "deny.toml";

/// The part of deny.toml that tidy enforces.
struct Policy {
    licences: BTreeSet<String>,
    /// Crate, its line in deny.toml, who may use it.
    doors: Vec<(String, usize, BTreeSet<String>)>,
}

pub(super) fn check(root: &Path, workspace: &Workspace) -> Result<Vec<Violation>, String> {
    let text = std::fs::read_to_string(root.join(PAGE)).map_err(|why| format!("{PAGE}: {why}"))?;
    let policy = parse(&text)?;
    let mut found = licences(&policy, workspace);
    for (door, line, wrappers) in &policy.doors {
        found.extend(direct(door, *line, wrappers, workspace));
        found.extend(through_others(door, wrappers, &policy, workspace));
    }
    Ok(found)
}

fn parse(text: &str) -> Result<Policy, String> {
    let table: toml::Table = text.parse().map_err(|why| format!("{PAGE}: {why}"))?;
    let list = |section: &str, key: &str| {
        table
            .get(section)
            .and_then(|s| s.get(key))
            .and_then(toml::Value::as_array)
            .ok_or_else(|| format!("{PAGE}: no list `{key}` in [{section}]"))
    };
    let strings = |values: &[toml::Value]| -> BTreeSet<String> {
        values.iter().filter_map(|v| v.as_str().map(String::from)).collect()
    };
    let licences = strings(list("licenses", "allow")?);
    let mut doors = Vec::new();
    for entry in list("bans", "deny")? {
        let name = entry
            .get("crate")
            .and_then(toml::Value::as_str)
            .ok_or_else(|| format!("{PAGE}: an entry of [bans] deny has no `crate`"))?;
        let wrappers = entry.get("wrappers").and_then(toml::Value::as_array);
        let key = format!("\"{name}\"");
        let line = text.lines().position(|l| l.contains(&key)).map_or(1, |at| at + 1);
        doors.push((name.to_string(), line, strings(wrappers.map_or(&[], |w| w.as_slice()))));
    }
    Ok(Policy { licences, doors })
}

fn licences(policy: &Policy, workspace: &Workspace) -> Vec<Violation> {
    workspace
        .iter()
        .filter(|(_, package)| !permitted(&package.licence, &policy.licences))
        .map(|(name, package)| {
            Violation::new(
                if package.is_member() { &package.manifest } else { PAGE },
                1,
                format!("`{name}` is under `{}`, which is not allowed", package.licence),
                "use another crate, or argue the licence in docs/decisions and allow it",
            )
        })
        .collect()
}

/// Whether one alternative of an SPDX expression needs allowed licences only. `/` is the old `OR`.
fn permitted(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let fine = either(&words, &mut at, allowed);
    fine && at == words.len()
}

fn either(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut fine = all(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        fine |= all(words, at, allowed);
    }
    fine
}

fn all(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut fine = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        fine &= one(words, at, allowed);
    }
    fine
}

fn one(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let Some(word) = words.get(*at) else {
        return false;
    };
    *at += 1;
    if *word == "(" {
        let fine = either(words, at, allowed);
        *at += 1;
        return fine && words.get(*at - 1) == Some(&")");
    }
    let mut licence = (*word).to_string();
    if let (Some(&"WITH"), Some(exception)) = (words.get(*at), words.get(*at + 1)) {
        licence = format!("{licence} WITH {exception}");
        *at += 2;
    }
    allowed.contains(&licence)
}

fn direct(
    door: &str,
    line: usize,
    wrappers: &BTreeSet<String>,
    workspace: &Workspace,
) -> Vec<Violation> {
    workspace
        .iter()
        .filter(|(name, package)| package.uses.contains(door) && !wrappers.contains(*name))
        .map(|(name, package)| {
            if package.is_member() {
                Violation::new(
                    &package.manifest,
                    package.line_of(door),
                    format!("`{name}` depends on `{door}`, which has other doors"),
                    format!("leave it to {}", listed(wrappers)),
                )
            } else {
                Violation::new(
                    PAGE,
                    line,
                    format!("`{name}` depends on `{door}` and is not among its wrappers"),
                    "do without that crate, or name it there",
                )
            }
        })
        .collect()
}

/// Members that reach the door without depending on it, by way of crates that are not ours.
fn through_others(
    door: &str,
    wrappers: &BTreeSet<String>,
    policy: &Policy,
    workspace: &Workspace,
) -> Vec<Violation> {
    let mut found = Vec::new();
    for (name, package) in workspace.iter().filter(|(n, p)| p.is_member() && !wrappers.contains(*n))
    {
        let admitted = |other: &str| {
            policy.doors.iter().any(|(door, _, admits)| door == other && admits.contains(name))
        };
        let Some(way) = way_to(door, package, admitted, workspace) else {
            continue;
        };
        let first = way.first().map_or(door, String::as_str);
        found.push(Violation::new(
            &package.manifest,
            package.line_of(first),
            format!("`{name}` reaches `{door}` through {}", way.join(" -> ")),
            format!("switch the feature off that brings it, or leave it to {}", listed(wrappers)),
        ));
    }
    found
}

/// The shortest way of at least one step between, through packages that are not members.
fn way_to(
    door: &str,
    from: &Package,
    admitted: impl Fn(&str) -> bool,
    workspace: &Workspace,
) -> Option<Vec<String>> {
    let others =
        |name: &&String| workspace.get(*name).is_some_and(|p| !p.is_member()) && !admitted(name);
    let mut came_from: BTreeMap<&String, Option<&String>> = BTreeMap::new();
    let mut queue: VecDeque<&String> = VecDeque::new();
    for name in from.uses.iter().filter(others).filter(|n| *n != door) {
        came_from.insert(name, None);
        queue.push_back(name);
    }
    while let Some(name) = queue.pop_front() {
        let package = workspace.get(name)?;
        if package.uses.contains(door) {
            let mut way = vec![name.clone()];
            let mut step = name;
            while let Some(Some(before)) = came_from.get(step) {
                way.insert(0, (*before).clone());
                step = before;
            }
            return Some(way);
        }
        for next in package.uses.iter().filter(others) {
            if !came_from.contains_key(next) {
                came_from.insert(next, Some(name));
                queue.push_back(next);
            }
        }
    }
    None
}

fn listed(wrappers: &BTreeSet<String>) -> String {
    if wrappers.is_empty() {
        return "nobody".to_string();
    }
    wrappers.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENY: &str = "[licenses]\nallow = [\"MIT\", \"Apache-2.0\", \"A WITH B\"]\n[bans]\n\
        deny = [\n  { crate = \"tokio\", wrappers = [\"node\", \"axum\"] },\n\
        { crate = \"ssl\" },\n]\n";

    fn package(ours: bool, name: &str, uses: &[&str]) -> (String, Package) {
        let manifest = if ours { format!("crates/{name}/Cargo.toml") } else { String::new() };
        let text = uses.iter().map(|u| format!("{u} = \"1\"\n")).collect();
        let uses = uses.iter().map(ToString::to_string).collect();
        let licence = "MIT OR Apache-2.0".to_string();
        (name.to_string(), Package { manifest, text, licence, uses, ..Package::default() })
    }

    fn what(packages: &[(String, Package)]) -> Vec<String> {
        let workspace: Workspace = packages.iter().cloned().collect();
        let policy = parse(DENY).unwrap();
        let mut found = licences(&policy, &workspace);
        for (door, line, wrappers) in &policy.doors {
            found.extend(direct(door, *line, wrappers, &workspace));
            found.extend(through_others(door, wrappers, &policy, &workspace));
        }
        found.into_iter().map(|v| format!("{}:{}: {}", v.file, v.line, v.what)).collect()
    }

    #[test]
    fn a_door_that_is_kept_passes() {
        let tree = [
            package(true, "node", &["axum", "tokio"]),
            package(true, "bongsu", &["node"]),
            package(false, "axum", &["tokio"]),
            package(false, "tokio", &[]),
        ];
        assert_eq!(what(&tree), Vec::<String>::new());
    }

    #[test]
    fn finds_a_crate_that_passes_a_door() {
        let tree = [
            package(true, "host", &["tokio"]),
            package(true, "wire", &["serde", "reader"]),
            package(false, "reader", &["mid"]),
            package(false, "mid", &["axum"]),
            package(false, "axum", &["tokio"]),
            package(false, "web", &["tokio", "ssl"]),
            package(false, "tokio", &[]),
        ];
        assert_eq!(
            what(&tree),
            [
                "crates/host/Cargo.toml:1: `host` depends on `tokio`, which has other doors",
                "deny.toml:5: `web` depends on `tokio` and is not among its wrappers",
                "crates/wire/Cargo.toml:2: `wire` reaches `tokio` through reader -> mid -> axum",
                "deny.toml:6: `web` depends on `ssl` and is not among its wrappers",
            ]
        );
    }

    #[test]
    fn who_may_use_a_door_may_use_what_it_is_made_of() {
        let deny = "[licenses]\nallow = [\"MIT\"]\n[bans]\ndeny = [\n\
            { crate = \"clap\", wrappers = [\"bongsu\"] },\n\
            { crate = \"rustix\", wrappers = [\"size\"] },\n]\n";
        let policy = parse(deny).unwrap();
        let reaches = |ours: &str| -> Vec<String> {
            let tree = [
                package(true, ours, &["clap"]),
                package(false, "clap", &["size"]),
                package(false, "size", &["rustix"]),
                package(false, "rustix", &[]),
            ];
            let workspace: Workspace = tree.into_iter().collect();
            let (door, _, wrappers) = &policy.doors[1];
            let found = through_others(door, wrappers, &policy, &workspace);
            found.into_iter().map(|v| v.what).collect()
        };
        assert_eq!(reaches("bongsu"), Vec::<String>::new());
        assert_eq!(reaches("host"), ["`host` reaches `rustix` through clap -> size"]);
    }

    #[test]
    fn judges_licences() {
        let allowed = parse(DENY).unwrap().licences;
        for fine in [
            "MIT",
            "MIT/GPL-3.0",
            "GPL-3.0 OR MIT",
            "(MIT OR GPL-3.0) AND Apache-2.0",
            "A WITH B OR GPL-3.0",
        ] {
            assert!(permitted(fine, &allowed), "{fine}");
        }
        for refused in ["", "GPL-3.0", "MIT AND GPL-3.0", "A", "(MIT", "MIT MIT"] {
            assert!(!permitted(refused, &allowed), "{refused}");
        }
        let mut tree = [package(false, "copyleft", &[])];
        tree[0].1.licence = "AGPL-3.0-only".to_string();
        assert_eq!(
            what(&tree),
            ["deny.toml:1: `copyleft` is under `AGPL-3.0-only`, which is not allowed"]
        );
    }
}
