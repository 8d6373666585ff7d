//! One writer for each directory: an advisory lock that the system lets go with its holder.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::{RunError, RunErrorKind};
use crate::limits::PREDECESSOR_LOOK;

/// A lock that is held until this is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, waiting at most `wait` for a predecessor that is on its way out, and writes
    /// who holds it into the file.
    pub fn take(path: &Path, who: &str, wait: Duration) -> Result<Self, RunError> {
        let refused = |error: std::io::Error| RunError::file("take the lock", path, &error);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(refused)?;
        let until = Instant::now() + wait;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) if Instant::now() < until => {
                    std::thread::sleep(PREDECESSOR_LOOK);
                }
                Err(Errno::WOULDBLOCK) => return Err(held(path, &mut file)),
                Err(errno) => return Err(refused(errno.into())),
            }
        }
        let note = format!("{} {who}\n", std::process::id());
        file.set_len(0).map_err(refused)?;
        file.rewind().map_err(refused)?;
        file.write_all(note.as_bytes()).map_err(refused)?;
        Ok(Self { _file: file })
    }
}

/// Who holds a lock, or held it last: another one as soon as anybody has taken it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Holder {
    is_there: bool,
    note: String,
}

impl Holder {
    /// Looks, and leaves nothing behind. A lock that nobody ever took has no holder.
    pub fn of(path: &Path) -> Result<Self, RunError> {
        let refused = |error: std::io::Error| RunError::file("look at the lock", path, &error);
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(refused(error)),
        };
        let is_there = loop {
            match flock(&file, FlockOperation::NonBlockingLockShared) {
                Ok(()) => break false,
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) => break true,
                Err(errno) => return Err(refused(errno.into())),
            }
        };
        Ok(Self { is_there, note: note(&mut file) })
    }

    /// Whether it holds the lock now.
    pub fn is_there(&self) -> bool {
        self.is_there
    }
}

/// What a holder has written about itself; what cannot be read is empty.
fn note(file: &mut File) -> String {
    let mut bytes = Vec::new();
    let _ = file.take(200).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

fn held(path: &Path, file: &mut File) -> RunError {
    let holder = match note(file).split_once(' ') {
        Some((pid, who)) => format!("process {pid} ({who})"),
        None => "another process".to_owned(),
    };
    RunError::new(
        RunErrorKind::Locked,
        format!("{holder} is the writer of this directory"),
        path.display().to_string(),
        "stop it first, or choose another --dir",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_is_refused_by_name_until_the_first_is_gone() {
        let dir = crate::testing::temp_dir("lock");
        let path = dir.join("lock");
        let first = Lock::take(&path, "hub", Duration::ZERO).unwrap();
        let error = Lock::take(&path, "hub", Duration::from_millis(60)).unwrap_err();
        assert_eq!(error.kind, RunErrorKind::Locked);
        let holder = format!("process {} (hub)", std::process::id());
        assert!(error.message.contains(&holder), "{error}");
        let waiter = std::thread::spawn({
            let path = path.clone();
            move || Lock::take(&path, "next", crate::testing::PATIENCE).map(|_| ())
        });
        std::thread::sleep(Duration::from_millis(80));
        drop(first);
        waiter.join().unwrap().unwrap();
    }

    #[test]
    fn a_look_tells_who_is_there_and_whether_somebody_was() {
        let dir = crate::testing::temp_dir("lock-look");
        let path = dir.join("lock");
        let nobody = Holder::of(&path).unwrap();
        assert!(!nobody.is_there() && !path.exists());

        let first = Lock::take(&path, "hub", Duration::ZERO).unwrap();
        let there = Holder::of(&path).unwrap();
        assert!(there.is_there());
        assert_eq!(there, Holder::of(&path).unwrap());
        drop(first);
        let gone = Holder::of(&path).unwrap();
        assert!(!gone.is_there() && gone != there);
        assert_eq!(gone, Holder::of(&path).unwrap());

        drop(Lock::take(&path, "another", Duration::ZERO).unwrap());
        assert_ne!(gone, Holder::of(&path).unwrap(), "somebody was here meanwhile");
    }
}
