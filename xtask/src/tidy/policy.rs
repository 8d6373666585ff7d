//! What the rules apply to, and every named exception to them with its reason.

/// Crates whose purity the compiler proves, with the only crates of others that each may use.
/// All of those without default features: a default feature is how `std` slips in. (`crc32c` is
/// built on `std` to ask the processor for its instruction; `journal` itself still can't name it.)
pub(super) const NO_STD: &[(&str, &[&str])] = &[
    ("scheme", &["sha2"]),
    ("journal", &["sha2", "crc32c"]),
    ("ledger", &["hashbrown", "foldhash"]),
    ("switch", &["hashbrown", "foldhash"]),
    ("tlog", &["sha2"]),
];

/// Crates with one module that may hold unsafe code: (crate, module's file, reason). The root of
/// such a crate says `#![deny(unsafe_code)]`, every other root `#![forbid(unsafe_code)]`.
pub(super) const UNSAFE_MODULES: &[(&str, &str, &str)] = &[];

/// What reaches the world, or a seed that differs in every run. The core takes time, chance and
/// bytes as inputs.
pub(super) const WORLD: &[&str] = &[
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::collections::hash_map",
    "std::collections::hash_set",
    "std::env",
    "std::fs",
    "std::hash::RandomState",
    "std::io::stderr",
    "std::io::stdin",
    "std::io::stdout",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
];

/// Modules that hold some of the above: imported whole they would hide it.
pub(super) const WORLD_WHOLE: &[&str] = &["std", "std::collections", "std::io", "std::time"];

/// Lines of one file, its tests not counted.
pub(super) const FILE_LINES_MAX: usize = 800;

/// Characters of one line.
pub(super) const LINE_CHARS_MAX: usize = 100;
