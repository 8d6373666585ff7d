//! Whatever strangers send and disks hold: the bodies of the fuzz targets (`fuzz/`) on their
//! committed corpus, and on a million random and mutated inputs, the same at every run.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test stops where something is wrong, and tells the input that broke it"
)]

#[path = "../../../../fuzz/bodies.rs"]
mod bodies;
#[path = "../../../node/src/bench/mutate.rs"]
mod mutate;

use std::path::{Path, PathBuf};

use mutate::Mutator;

type Body = fn(&[u8]);

/// A target, and how many of every thousand mutations it gets: decoder and session most, because
/// theirs is what anybody can send; a journal costs a thousand times as much.
const TARGETS: [(&str, Body, usize); 6] = [
    ("decoder", bodies::decoder, 500),
    ("session", bodies::session, 500),
    ("trunk", bodies::trunk, 50),
    ("journal", bodies::journal, 2),
    ("records", bodies::records, 100),
    ("configuration", bodies::configuration, 1),
];

/// Frames through decoder and session without `BONGSU_MUTATIONS`; `cargo xtask test` sets it to a
/// million.
const MUTATIONS: usize = 10_000;

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// Runs one input; if it fails, the input is told, so that it can become part of the corpus.
fn try_one(target: &str, body: Body, what: &str, input: &[u8]) {
    let run = std::panic::AssertUnwindSafe(|| body(input));
    if let Err(panic) = std::panic::catch_unwind(run) {
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        eprintln!("{target}, {what}: {hex}");
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn every_file_of_the_corpus_holds() {
    for (target, body, _) in TARGETS {
        let files = corpus(target);
        assert!(files.len() >= 4, "the corpus of {target} is gone");
        for (path, input) in files {
            try_one(target, body, &path.display().to_string(), &input);
        }
    }
}

/// Half of them random bytes or mutations of the corpus through the decoder, half through session
/// and mapping; shares of them through the other targets.
#[test]
fn random_and_mutated_frames_never_panic() {
    let frames = std::env::var("BONGSU_MUTATIONS").map_or(MUTATIONS, |n| n.parse().unwrap());
    for (target, body, share) in TARGETS {
        let seeds: Vec<Vec<u8>> = corpus(target).into_iter().map(|(_, input)| input).collect();
        let mut mutator = Mutator::new(&seeds, 0xb0_6950);
        for number in 0..(frames * share / 1000).max(1) {
            let input = mutator.next();
            try_one(target, body, &format!("mutation {number}"), input);
        }
    }
}

/// The mutations are worth something: of messages in our dialects many still decode, many do not.
#[test]
fn mutations_reach_both_sides() {
    let own = |path: &Path| path.file_name().unwrap().to_str().unwrap().starts_with("own-");
    let files = corpus("decoder").into_iter().filter(|(path, _)| own(path));
    let seeds: Vec<Vec<u8>> = files.map(|(_, input)| input).collect();
    let mut mutator = Mutator::new(&seeds, 1);
    let dialect = bodies::dialects()[0];
    let good = (0..5_000).filter(|_| dialect.decode(mutator.next()).is_ok()).count();
    assert!((1_000..4_000).contains(&good), "{good} of 5,000 decode");
}
