//! Unix sockets at paths of any length: the system takes only 107 bytes, so a longer path goes by
//! way of its opened directory.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::error::{RunError, RunErrorKind};

/// Longest path that fits a socket's address (unix(7): `sun_path` has 108 bytes with its NUL).
const PATH_MAX: usize = 107;

/// Listens at a path, mode 0600. Whoever holds the role's lock owns the path: what an earlier
/// process left there is removed.
pub(crate) fn listen(path: &Path) -> Result<UnixListener, RunError> {
    let bind = || -> io::Result<UnixListener> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let (short, _dir) = short(path)?;
        let listener = UnixListener::bind(short)?;
        // The directory is closed to others already, so there is no moment of an open door.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    };
    bind().map_err(|error| RunError::file("listen at the socket", path, &error))
}

/// Connects to a path.
pub(crate) fn connect(path: &Path) -> Result<UnixStream, RunError> {
    let connected = short(path).and_then(|(short, _dir)| UnixStream::connect(short));
    connected.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => RunError::new(
            RunErrorKind::NotRunning,
            "this role does not run",
            path.display().to_string(),
            "start it (`bongsu up`), or give the directory of the running nation with --dir",
        ),
        _ => RunError::file("connect to the socket", path, &error),
    })
}

/// The path, or a short one to the same place that holds as long as the directory is open.
fn short(path: &Path) -> io::Result<(PathBuf, Option<OwnedFd>)> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok((path.to_owned(), None));
    };
    if path.as_os_str().len() <= PATH_MAX {
        return Ok((path.to_owned(), None));
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = rustix::fs::open(dir, flags, Mode::empty())?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd())).join(name);
    Ok((short, Some(dir)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_is_a_path_like_any_other() {
        let dir = crate::testing::temp_dir("socket").join("d".repeat(120));
        std::fs::create_dir(&dir).unwrap();
        let path = dir.join("hub.sock");
        assert_eq!(connect(&path).unwrap_err().kind, RunErrorKind::NotRunning);
        let listener = listen(&path).unwrap();
        let client = connect(&path).unwrap();
        listener.accept().unwrap();
        drop((client, listener));
        assert_eq!(connect(&path).unwrap_err().kind, RunErrorKind::NotRunning);
        let _again = listen(&path).unwrap();
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
