//! `cargo xtask tigerbeetle`: a real TigerBeetle 0.16.78 and what its client is built with.
//!
//! The source of both comes with the crate of the client from the registry, Zig from PyPI, libclang
//! from the system. The server is built once and kept in `target/tigerbeetle`; cargo builds and
//! keeps the client. What can't be had is named, and whoever asked skips with that reason.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use cargo_metadata::{CargoOpt, MetadataCommand};

use crate::clients::{Obstacle, fetch, installed, mark};
use crate::shell;

/// The crate that carries the source.
const SOURCE: &str = "tigerbeetle-unofficial-sys";
/// What the server says of itself.
const VERSION: &str = "0.16.78+c3d9b09";
/// How the release is built, and with which clients it speaks.
const BUILD: [&str; 5] = [
    "build",
    "-Drelease",
    "-Dconfig-release=0.16.78",
    "-Dconfig-release-client-min=0.16.4",
    "-Dgit-commit=c3d9b09dc88e94dde9ac915c6e94a4c650332080",
];

/// Stands before Zig when cargo builds the client: its crate asks for the libraries of seven
/// platforms, each linked in two ways, which takes a quarter of an hour; this machine's own, to be
/// linked in, is enough and takes half a minute. Were the text of `build.zig` another one, all of
/// them would be built.
const ZIG_HERE: &str = r#"#!/bin/sh
set -eu
if grep -q 'std.enums.values(Platform)' build.zig 2>/dev/null; then
    libraries='for (\[_\]\*std.Build.Step.Compile{ shared_lib, static_lib })'
    library='_ = shared_lib; for ([_]*std.Build.Step.Compile{static_lib})'
    sed -e "s/std.enums.values(Platform)/\&.{.@\"$(uname -m)-linux-gnu.2.27\"}/" \
        -e "s/$libraries/$library/" build.zig > build.zig.here
    mv build.zig.here build.zig
fi
exec "$(dirname "$0")/zig/ziglang/zig" "$@"
"#;

/// A server and what builds the client.
pub(crate) struct Tools {
    pub(crate) server: PathBuf,
    folder: PathBuf,
}

impl Tools {
    /// What a cargo that builds the client has in its environment.
    pub(crate) fn environment(&self) -> [(&'static str, PathBuf); 4] {
        [
            ("ZIG_PATH", self.folder.join("zig-here")),
            ("ZIG_GLOBAL_CACHE_DIR", self.folder.join("cache")),
            // Else a profile with line tables would get a client without optimisation.
            ("TB_CLIENT_DEBUG", "false".into()),
            ("TIGERBEETLE", self.server.clone()),
        ]
    }
}

/// `tigerbeetle`: makes all of it, and says where it is.
pub(crate) fn run(root: &Path) -> ExitCode {
    match prepare(root) {
        Ok(tools) => {
            println!("server: {}", tools.server.display());
            let words: Vec<String> = tools
                .environment()
                .iter()
                .map(|(name, value)| format!("{name}={}", value.display()))
                .collect();
            println!(
                "with the engine: {} cargo build --release -p bongsu --features tigerbeetle",
                words.join(" ")
            );
            ExitCode::SUCCESS
        }
        Err(Obstacle::Missing(why) | Obstacle::Wrong(why)) => {
            eprintln!("tigerbeetle: {why}");
            ExitCode::from(2)
        }
    }
}

/// `differential [--transfers N] [--from SEED] [--seed SEED]`: a million transfers through a real
/// server and every engine of the ledger, or those of one seed.
pub(crate) fn differential(root: &Path, words: &[&str]) -> ExitCode {
    let mut asked = vec![("DIFFERENTIAL_TRANSFERS", "1000000")];
    for pair in words.chunks(2) {
        match pair {
            ["--transfers", n] if n.parse::<u64>().is_ok() => {
                asked.push(("DIFFERENTIAL_TRANSFERS", n));
            }
            ["--from", n] if n.parse::<u64>().is_ok() => asked.push(("DIFFERENTIAL_FROM", n)),
            ["--seed", n] if n.parse::<u64>().is_ok() => asked.push(("DIFFERENTIAL_SEED", n)),
            _ => {
                eprintln!("differential: not understood: {}", pair.join(" "));
                return ExitCode::from(2);
            }
        }
    }
    let tools = match prepare(root) {
        Ok(tools) => tools,
        Err(Obstacle::Missing(why) | Obstacle::Wrong(why)) => {
            eprintln!("differential: {why}");
            return ExitCode::from(2);
        }
    };
    let mut command = tests(root, &tools);
    command.args(["--test", "server", "differential", "--", "--nocapture"]).envs(asked);
    match shell::run(&mut command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("differential: {why}");
            ExitCode::FAILURE
        }
    }
}

/// The tests of the engine.
pub(crate) fn tests(root: &Path, tools: &Tools) -> Command {
    let mut command = shell::cargo(root);
    command
        .args(["test", "--release", "-p", "ledger-tigerbeetle", "--features", "client"])
        .envs(tools.environment());
    command
}

/// What is compiled only with the engine, under clippy.
pub(crate) fn clippy(root: &Path, tools: &Tools) -> Command {
    let mut command = shell::cargo(root);
    command
        .args(["clippy", "--release", "--all-targets", "-p", "ledger-tigerbeetle", "-p", "bongsu"])
        .args(["--features", "ledger-tigerbeetle/client,bongsu/tigerbeetle"])
        .args(["--", "-D", "warnings"])
        .envs(tools.environment());
    command
}

/// Makes what is not there yet: a few minutes the first time, nothing later.
pub(crate) fn prepare(root: &Path) -> Result<Tools, Obstacle> {
    let folder = shell::target(root)?.join("tigerbeetle");
    fs::create_dir_all(&folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    libclang()?;
    let zig = zig(root, &folder)?;
    let tools = Tools { server: folder.join("tigerbeetle-0.16.78"), folder };
    if version(&tools.server).is_ok() {
        return Ok(tools);
    }
    build(root, &tools, &zig)?;
    version(&tools.server)?;
    Ok(tools)
}

/// Whether that server is the one: it also says whether this processor can run it.
fn version(server: &Path) -> Result<(), String> {
    let out = Command::new(server).arg("version").output();
    let out = out.map_err(|why| format!("{}: {why}", server.display()))?;
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    if out.status.success() && said.contains(VERSION) {
        return Ok(());
    }
    Err(format!("{}: {}, not {VERSION}: {}", server.display(), out.status, said.trim()))
}

/// What reads the client's header for Rust.
fn libclang() -> Result<(), String> {
    let there = || {
        let look = "ldconfig -p | grep -q libclang || ls /usr/lib/llvm-*/lib/libclang*.so*";
        std::env::var_os("LIBCLANG_PATH").is_some()
            || shell::quietly(Command::new("sh").args(["-c", look])).is_ok()
    };
    if there() {
        return Ok(());
    }
    shell::install(&["libclang-dev"]).map_err(|why| format!("no libclang ({why})"))?;
    if there() { Ok(()) } else { Err("no libclang, though libclang-dev is installed".into()) }
}

/// Zig at its exact hash, from PyPI.
fn zig(root: &Path, folder: &Path) -> Result<PathBuf, Obstacle> {
    let requirements = root.join("adapters/ledger-tigerbeetle/zig.txt");
    let text = fs::read_to_string(&requirements)
        .map_err(|why| format!("{}: {why}", requirements.display()))?;
    let here = folder.join("zig-here");
    write_program(&here)?;
    let place = folder.join("zig");
    let zig = place.join("ziglang/zig");
    if installed(&place, &text) {
        return Ok(zig);
    }
    shell::ensure(&["python3"], &["python3", "python3-venv"])?;
    let venv = folder.join("venv");
    let make =
        || shell::quietly(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
    if let Err(why) = make() {
        // Debian keeps what `venv` needs in a package of its own.
        shell::install(&["python3-venv"]).map_err(|also| format!("{why}; {also}"))?;
        make()?;
    }
    println!("Zig 0.14.1 from PyPI");
    fetch(
        Command::new(venv.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check", "--no-compile"])
            .args(["--require-hashes", "--upgrade", "-r"])
            .arg(&requirements)
            .arg("--target")
            .arg(&place),
    )?;
    mark(&place, &text)?;
    Ok(zig)
}

#[cfg(unix)]
fn write_program(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt as _;

    let broken = |why: std::io::Error| format!("{}: {why}", path.display());
    // Cargo builds the client anew if what it is built with has another time.
    if fs::read_to_string(path).is_ok_and(|text| text == ZIG_HERE) {
        return Ok(());
    }
    fs::write(path, ZIG_HERE).map_err(broken)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(broken)
}

/// The server, from a copy of the source: Zig writes beside it.
fn build(root: &Path, tools: &Tools, zig: &Path) -> Result<(), String> {
    println!("TigerBeetle 0.16.78 from source: some minutes, once");
    let copy = tools.folder.join("source");
    let original = source(root)?;
    let broken = |why: std::io::Error| format!("{}: {why}", copy.display());
    if copy.exists() {
        fs::remove_dir_all(&copy).map_err(broken)?;
    }
    shell::quietly(Command::new("cp").args(["-r", "--no-preserve=mode"]).args([&original, &copy]))?;
    shell::quietly(
        Command::new(zig)
            .args(BUILD)
            .current_dir(&copy)
            .env("ZIG_GLOBAL_CACHE_DIR", tools.folder.join("cache"))
            // In a CI of its own it would want more than the release.
            .env_remove("CI"),
    )?;
    fs::rename(copy.join("zig-out/bin/tigerbeetle"), &tools.server).map_err(broken)?;
    fs::remove_dir_all(&copy).map_err(broken)
}

/// Where cargo has put the source.
fn source(root: &Path) -> Result<PathBuf, String> {
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .features(CargoOpt::AllFeatures)
        .exec()
        .map_err(|why| format!("cargo metadata: {why}"))?;
    let package = metadata.packages.iter().find(|package| package.name.as_str() == SOURCE);
    let folder = package.and_then(|package| package.manifest_path.parent());
    let folder = folder.ok_or_else(|| format!("{SOURCE} is no dependency of this workspace"))?;
    Ok(folder.as_std_path().join("tigerbeetle"))
}
