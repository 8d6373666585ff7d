//! `cargo xtask fuzz`: the targets of `fuzz/` under libFuzzer, with the stable compiler and without
//! a sanitizer. What `cargo fuzz run --sanitizer none` does, and nothing to install.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::shell;

/// The targets: one program each.
const TARGETS: [&str; 6] = ["decoder", "session", "trunk", "journal", "records", "configuration"];

/// What tells libFuzzer where the program has been: LLVM's own coverage, which is no sanitizer.
const COVERAGE: &str = "--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Longest input, bytes: a frame is at most 8 KiB, and shorter ones find more.
const INPUT_MAX: u32 = 4096;
/// A single input that takes longer, seconds, is a finding.
const SLOW_S: u32 = 10;
/// More memory than this, MiB, is a finding.
const MEMORY_MIB: u32 = 1024;
/// Seconds of each target unless said otherwise.
const SECONDS: u32 = 60;

/// `fuzz [TARGET] [--seconds N]`.
pub(crate) fn run(root: &Path, words: &[&str]) -> ExitCode {
    let (targets, seconds) = match asked(words) {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!("fuzz: {why}");
            return ExitCode::from(2);
        }
    };
    let programs = match build(root) {
        Ok(programs) => programs,
        Err(why) => {
            eprintln!("fuzz: {why}");
            return ExitCode::from(2);
        }
    };
    let mut found = Vec::new();
    for target in targets {
        println!("\n== fuzz {target}, {seconds} s");
        if let Err(why) = fuzz(root, &programs, target, seconds) {
            println!("{target}: {why}; the input is in fuzz/artifacts/{target}");
            found.push(target);
        }
    }
    println!("fuzz: {}", if found.is_empty() { "nothing found".into() } else { found.join(", ") });
    if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn asked<'w>(words: &[&'w str]) -> Result<(Vec<&'w str>, u32), String> {
    let (targets, rest) = match words {
        [target, rest @ ..] if !target.starts_with('-') => (vec![*target], rest),
        rest => (TARGETS.to_vec(), rest),
    };
    if let Some(unknown) = targets.iter().find(|target| !TARGETS.contains(target)) {
        return Err(format!("no target {unknown}; there are {}", TARGETS.join(", ")));
    }
    let seconds = match rest {
        [] => SECONDS,
        ["--seconds", seconds] => seconds.parse().map_err(|why| format!("{seconds}: {why}"))?,
        rest => return Err(format!("what is {}?", rest.join(" "))),
    };
    Ok((targets, seconds))
}

/// Builds all targets; returns where the programs are. They have a target directory of their own:
/// with these flags every dependency is another one.
fn build(root: &Path) -> Result<PathBuf, String> {
    let triple = machine(root)?;
    let target = shell::target(root)?.join("fuzz");
    shell::run(
        shell::cargo(&root.join("fuzz"))
            .args(["build", "--release", "--bins", "--locked", "--target", &triple])
            .env("CARGO_TARGET_DIR", &target)
            .env("RUSTFLAGS", COVERAGE),
    )?;
    Ok(target.join(triple).join("release"))
}

/// This machine's triple. Named, so that the flags are not also those of build scripts.
fn machine(root: &Path) -> Result<String, String> {
    let out = shell::cargo(root).arg("-vV").output().map_err(|why| format!("cargo -vV: {why}"))?;
    let text = String::from_utf8_lossy(&out.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "cargo -vV names no host".to_owned())
}

/// Runs one target. What it finds new goes to `fuzz/found`, apart from the committed corpus.
fn fuzz(root: &Path, programs: &Path, target: &str, seconds: u32) -> Result<(), String> {
    let place = |name: &str| root.join("fuzz").join(name).join(target);
    let (found, artifacts) = (place("found"), place("artifacts"));
    for folder in [&found, &artifacts] {
        std::fs::create_dir_all(folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    }
    shell::run(
        Command::new(programs.join(target))
            .arg(found)
            .arg(place("corpus"))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-max_len={INPUT_MAX}"))
            .arg(format!("-timeout={SLOW_S}"))
            .arg(format!("-rss_limit_mb={MEMORY_MIB}"))
            .arg("-print_final_stats=1"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_is_asked() {
        assert_eq!(asked(&[]), Ok((TARGETS.to_vec(), SECONDS)));
        assert_eq!(asked(&["trunk"]), Ok((vec!["trunk"], SECONDS)));
        assert_eq!(asked(&["trunk", "--seconds", "5"]), Ok((vec!["trunk"], 5)));
        assert_eq!(asked(&["--seconds", "7"]), Ok((TARGETS.to_vec(), 7)));
        assert!(asked(&["nonsense"]).is_err() && asked(&["--seconds", "x"]).is_err());
        assert!(asked(&["trunk", "session"]).is_err());
    }

    #[test]
    fn every_target_has_a_program_and_a_corpus() {
        let fuzz = crate::root().join("fuzz");
        for target in TARGETS {
            assert!(fuzz.join("fuzz_targets").join(format!("{target}.rs")).is_file(), "{target}");
            assert!(fuzz.join("corpus").join(target).is_dir(), "{target}");
        }
    }
}
