//! Where an export goes: a file, written as a whole or not at all; or what is there already, a pipe
//! or a device, and written to as it is.

use std::fs::{File, FileType, Permissions};
use std::io::{BufWriter, ErrorKind, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::error::Failure;

/// What is under a name.
enum Target {
    /// A file, once every link to it is followed, and who may read the one that is there.
    File(PathBuf, Option<Permissions>),
    /// A pipe or a character device, which nothing may be put in the place of.
    Stream,
}

/// Gives `write` a place for what stands under this name in the end.
pub(super) fn to_file<T>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    match target(path)? {
        Target::File(file, permissions) => whole(&file, permissions, write),
        Target::Stream => {
            let opened = File::options().write(true).open(path);
            let mut out = BufWriter::new(opened.map_err(|error| misplaced(path, &error))?);
            let value = write(&mut out)?;
            match out.flush() {
                // Whoever closes the pipe has seen enough.
                Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(misplaced(path, &error)),
                Ok(()) | Err(_) => Ok(value),
            }
        }
    }
}

fn target(path: &Path) -> Result<Target, Failure> {
    let unwritable = |error: std::io::Error| misplaced(path, &error);
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => {
            let file = path.canonicalize().map_err(unwritable)?;
            Ok(Target::File(file, Some(found.permissions())))
        }
        Ok(found) if is_stream(found.file_type()) => Ok(Target::Stream),
        Ok(found) => {
            let what = if found.is_dir() { "a directory" } else { "a disk or a socket" };
            Err(Failure::new("unwritable", format!("it is {what}"))
                .at(path.display().to_string())
                .todo("name a file, a pipe or a character device"))
        }
        // A link that leads to nothing is there, though what it leads to is not.
        Err(error) if error.kind() == ErrorKind::NotFound && path.is_symlink() => {
            Err(Failure::new("unwritable", "it is a link to a file that is not there")
                .at(path.display().to_string())
                .todo("name the file that it leads to, or remove the link"))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Ok(Target::File(path.to_owned(), None))
        }
        Err(error) => Err(unwritable(error)),
    }
}

fn is_stream(kind: FileType) -> bool {
    kind.is_fifo() || kind.is_char_device()
}

/// Writes a file beside its place and puts it there when it is whole.
fn whole<T>(
    path: &Path,
    permissions: Option<Permissions>,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let unwritable = |error: std::io::Error| misplaced(path, &error);
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.tmp", std::process::id()));
    let beside = PathBuf::from(beside);
    // What a killed run of the same number left; anything else is told by what follows.
    drop(std::fs::remove_file(&beside));
    let mut out = BufWriter::new(File::create_new(&beside).map_err(unwritable)?);
    let allowed = match permissions {
        Some(permissions) => out.get_ref().set_permissions(permissions).map_err(unwritable),
        None => Ok(()),
    };
    let done = allowed.and_then(|()| write(&mut out)).and_then(|value| {
        out.flush().and_then(|()| out.get_ref().sync_all()).map_err(unwritable)?;
        std::fs::rename(&beside, path).map_err(unwritable)?;
        Ok(value)
    });
    if done.is_err() {
        // What is left of it helps nobody, and the failure is told.
        drop(std::fs::remove_file(&beside));
    }
    done
}

fn misplaced(path: &Path, error: &std::io::Error) -> Failure {
    unwritable(error)
        .at(path.display().to_string())
        .todo("name a file in a directory that is there and may be written")
}

pub(super) fn unwritable(error: &std::io::Error) -> Failure {
    Failure::new("unwritable", format!("it can't be written: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    /// A directory of its own, gone at the end.
    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("bongsu-{name}-{}", std::process::id()));
            std::fs::create_dir(&dir).unwrap();
            Self(dir)
        }

        fn names(&self) -> Vec<String> {
            let entries = std::fs::read_dir(&self.0).unwrap();
            let mut names: Vec<String> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn put(path: &Path, text: &str) -> Result<(), Failure> {
        to_file(path, |out| out.write_all(text.as_bytes()).map_err(|error| unwritable(&error)))
    }

    #[test]
    fn a_file_is_put_in_its_place_whole_and_stays_as_open_as_it_was() {
        let dir = Dir::new("export-file");
        let file = dir.0.join("f");
        put(&file, "one").unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let failed: Result<(), _> = to_file(&file, |out| {
            out.write_all(b"half").unwrap();
            Err(Failure::new("journal", "it ends here"))
        });
        assert_eq!(failed.unwrap_err().kind, "journal");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "one");
        put(&file, "two").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "two");
        assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(dir.names(), ["f"]);
    }

    #[test]
    fn a_link_is_followed_and_stays_a_link() {
        let dir = Dir::new("export-link");
        let (file, link) = (dir.0.join("f"), dir.0.join("link"));
        symlink("f", &link).unwrap();
        let failure = put(&link, "nowhere").unwrap_err();
        assert_eq!((failure.kind, failure.place), ("unwritable", Some(link.display().to_string())));
        assert_eq!(dir.names(), ["link"]);
        std::fs::write(&file, "old").unwrap();
        put(&link, "new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(dir.names(), ["f", "link"]);
    }

    #[test]
    fn what_is_no_file_is_written_to_or_refused_and_never_replaced() {
        use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};
        let dir = Dir::new("export-stream");
        let (pipe, link) = (dir.0.join("pipe"), dir.0.join("link"));
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
        symlink("pipe", &link).unwrap();
        for path in [&pipe, &link] {
            // Without waiting for who writes to it.
            let reader = open(&pipe, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap();
            put(path, "through").unwrap();
            let mut text = String::new();
            File::from(reader).read_to_string(&mut text).unwrap();
            assert_eq!(text, "through");
        }
        let failure = put(&dir.0, "no").unwrap_err();
        assert_eq!((failure.kind, failure.message.as_str()), ("unwritable", "it is a directory"));
        assert_eq!(dir.names(), ["link", "pipe"]);
        assert!(std::fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
        assert!(link.is_symlink());
    }
}
