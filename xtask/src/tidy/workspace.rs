//! What `cargo metadata` says of the workspace, as plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand, PackageId};

/// A dependency that a member's manifest names, for its program (not for its tests).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Named {
    pub(super) name: String,
    /// Whether it is used with default features, and has any.
    pub(super) default_features: bool,
}

/// A package: a member of the workspace, or somebody else's.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Package {
    /// Path of its manifest from the workspace's root; empty if it is not a member.
    pub(super) manifest: String,
    /// The manifest's text; empty if it is not a member.
    pub(super) text: String,
    /// SPDX expression, empty if it states none.
    pub(super) licence: String,
    /// Normal and build dependencies as the manifest names them; members only.
    pub(super) named: BTreeSet<Named>,
    /// Names of the packages that its normal and build dependencies resolve to.
    pub(super) uses: BTreeSet<String>,
}

impl Package {
    pub(super) fn is_member(&self) -> bool {
        !self.manifest.is_empty()
    }

    /// Line of the manifest that names this dependency, else 1.
    pub(super) fn line_of(&self, dependency: &str) -> usize {
        self.text
            .lines()
            .position(|l| {
                l.strip_prefix(dependency).is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
            })
            .map_or(1, |at| at + 1)
    }
}

/// Every package that a build of the members for this machine needs, by name. Two versions of one
/// crate are one entry: no rule here speaks of versions.
pub(super) type Workspace = BTreeMap<String, Package>;

pub(super) fn read(root: &Path) -> Result<Workspace, String> {
    let machine = machine()?;
    let ask = |features: Option<CargoOpt>| {
        let mut command = MetadataCommand::new();
        command
            .manifest_path(root.join("Cargo.toml"))
            .other_options(["--filter-platform".to_string(), machine.clone()]);
        if let Some(features) = features {
            command.features(features);
        }
        command.exec().map_err(|why| format!("cargo metadata: {why}"))
    };
    // What is behind a feature passes by the same doors; where the registry can't be had it is not
    // there to be judged, nor to be built.
    let metadata = ask(Some(CargoOpt::AllFeatures)).or_else(|_| ask(None))?;
    convert(root, &metadata)
}

/// Target triple of this machine.
fn machine() -> Result<String, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_string());
    let out =
        Command::new(&cargo).arg("-vV").output().map_err(|why| format!("{cargo} -vV: {why}"))?;
    String::from_utf8_lossy(&out.stdout)
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(String::from)
        .ok_or_else(|| format!("{cargo} -vV names no host"))
}

fn convert(root: &Path, metadata: &Metadata) -> Result<Workspace, String> {
    let names: BTreeMap<&PackageId, String> =
        metadata.packages.iter().map(|p| (&p.id, p.name.to_string())).collect();
    let has_default: BTreeSet<String> = metadata
        .packages
        .iter()
        .filter(|p| p.features.get("default").is_some_and(|default| !default.is_empty()))
        .map(|p| p.name.to_string())
        .collect();
    let mut workspace = Workspace::new();
    for package in &metadata.packages {
        let entry = workspace.entry(package.name.to_string()).or_default();
        entry.licence = package.license.clone().unwrap_or_default();
        if !metadata.workspace_members.contains(&package.id) {
            continue;
        }
        let path = package.manifest_path.as_std_path();
        entry.manifest = path.strip_prefix(root).unwrap_or(path).display().to_string();
        entry.text =
            std::fs::read_to_string(path).map_err(|why| format!("{}: {why}", path.display()))?;
        let program = package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development);
        entry.named = program
            .map(|d| Named {
                name: d.name.clone(),
                default_features: d.uses_default_features && has_default.contains(&d.name),
            })
            .collect();
    }
    let resolve = metadata.resolve.as_ref().ok_or("cargo metadata resolved nothing")?;
    for node in &resolve.nodes {
        let uses = node
            .deps
            .iter()
            .filter(|d| d.dep_kinds.iter().any(|k| k.kind != DependencyKind::Development))
            .filter_map(|d| names.get(&d.pkg).cloned());
        if let Some(entry) = names.get(&node.id).and_then(|name| workspace.get_mut(name)) {
            entry.uses.extend(uses);
        }
    }
    keep_reachable(&mut workspace);
    Ok(workspace)
}

/// Leaves out what only tests need.
fn keep_reachable(workspace: &mut Workspace) {
    let members = workspace.iter().filter(|(_, p)| p.is_member());
    let mut queue: Vec<String> = members.map(|(name, _)| name.clone()).collect();
    let mut reached: BTreeSet<String> = queue.iter().cloned().collect();
    while let Some(name) = queue.pop() {
        for next in workspace.get(&name).iter().flat_map(|package| &package.uses) {
            if reached.insert(next.clone()) {
                queue.push(next.clone());
            }
        }
    }
    workspace.retain(|name, _| reached.contains(name));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(manifest: &str, uses: &[&str]) -> Package {
        let uses = uses.iter().map(ToString::to_string).collect();
        Package { manifest: manifest.into(), uses, ..Package::default() }
    }

    #[test]
    fn what_only_tests_need_is_left_out() {
        let mut workspace: Workspace = [
            ("ours".to_string(), package("ours/Cargo.toml", &["near"])),
            ("near".to_string(), package("", &["far"])),
            ("far".to_string(), package("", &["near"])),
            ("tests".to_string(), package("", &["far"])),
        ]
        .into();
        keep_reachable(&mut workspace);
        assert_eq!(workspace.keys().collect::<Vec<_>>(), ["far", "near", "ours"]);
    }

    #[test]
    fn finds_the_line_that_names_a_dependency() {
        let mut package = package("Cargo.toml", &[]);
        package.text = "[dependencies]\nserde_json.workspace = true\nserde = \"1\"\n".into();
        assert_eq!(package.line_of("serde"), 3);
        assert_eq!(package.line_of("serde_json"), 2);
        assert_eq!(package.line_of("mio"), 1);
    }
}
