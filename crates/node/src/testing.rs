//! What the tests of this crate share.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

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
