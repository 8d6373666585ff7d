//! What the tests of this crate share.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take in a test before it counts as never: machines are busy with other
/// tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for a condition, and no shorter than it takes.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// An empty directory of its own for a test, on the disk that builds are on.
pub(crate) fn temp_dir(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let exe = std::env::current_exe().unwrap();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let dir = exe.parent().unwrap().join("tmp-node").join(format!("{name}-{number}"));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}
