//! A journal's directory on a real disk.
//!
//! How things flow: every read and write goes through one aligned buffer past the system's cache
//! (O_DIRECT). Where the file system has no such thing, files are read and written through the
//! cache, and what it holds of them is dropped when they are opened, so that a read shows what the
//! medium holds. Files stay open from use to use; a rename or removal closes them.
//! What bounds it: [`crate::limits::OPEN_FILES`], [`crate::limits::BOUNCE_BYTES`].

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use journal::{Disk, DiskError, DiskErrorKind, DiskOp};
use rustix::fs::{Advice, AtFlags, FallocateFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::limits::{BOUNCE_BYTES, MEMORY_ALIGN, OPEN_FILES};

/// One directory, used by one process.
#[derive(Debug)]
pub struct FileDisk {
    path: PathBuf,
    dir: OwnedFd,
    /// Most recently used last.
    open: Vec<OpenFile>,
    bounce: Bounce,
    direct: bool,
}

#[derive(Debug)]
struct OpenFile {
    name: String,
    fd: OwnedFd,
    direct: bool,
}

impl FileDisk {
    /// Opens a directory, making it (mode 0700) if it is not there.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        crate::layout::make_dir(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(path, flags, Mode::empty())?;
        // The directory itself must outlive a crash, and with it the journal's name.
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            std::fs::File::open(parent)?.sync_all()?;
        }
        Ok(Self {
            path: path.to_owned(),
            dir,
            open: Vec::new(),
            bounce: Bounce::new(),
            direct: true,
        })
    }

    /// Whether files are read and written past the cache, as far as is known.
    pub fn is_direct(&self) -> bool {
        self.direct
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// As on a file system without O_DIRECT.
    #[cfg(test)]
    fn through_cache(mut self) -> Self {
        self.direct = false;
        self
    }

    /// The place of an opened file in the list: its end.
    fn file(&mut self, op: DiskOp, name: &str) -> Result<usize, DiskError> {
        if let Some(at) = self.open.iter().position(|file| file.name == name) {
            let file = self.open.remove(at);
            self.open.push(file);
            return Ok(self.open.len() - 1);
        }
        let (fd, direct) = self.open_file(name).map_err(|errno| fault(op, name, errno))?;
        if self.open.len() >= OPEN_FILES {
            self.open.remove(0);
        }
        self.open.push(OpenFile { name: name.to_owned(), fd, direct });
        Ok(self.open.len() - 1)
    }

    fn open_file(&mut self, name: &str) -> Result<(OwnedFd, bool), Errno> {
        plain(name)?;
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        if self.direct {
            match rustix::fs::openat(&self.dir, name, flags | OFlags::DIRECT, Mode::empty()) {
                Ok(fd) => return Ok((fd, true)),
                Err(Errno::INVAL) => self.direct = false,
                Err(errno) => return Err(errno),
            }
        }
        let fd = rustix::fs::openat(&self.dir, name, flags, Mode::empty())?;
        rustix::fs::fadvise(&fd, 0, None, Advice::DontNeed)?;
        Ok((fd, false))
    }

    fn forget(&mut self, name: &str) {
        self.open.retain(|file| file.name != name);
    }

    /// Leaves O_DIRECT for good: the device wants larger blocks than the journal's.
    fn fall_back(&mut self, op: DiskOp, name: &str) -> Result<usize, DiskError> {
        self.direct = false;
        self.open.clear();
        self.file(op, name)
    }

    fn new_file(&self, name: &str, len: u64) -> Result<(), Errno> {
        plain(name)?;
        // A file system may take all that is left before it says that it is too little; nobody
        // else's writes are to fail for that.
        let room = rustix::fs::fstatvfs(&self.dir)?;
        let wanted = u128::from(len);
        if wanted > u128::from(room.f_bavail) * u128::from(room.f_frsize) {
            return Err(Errno::NOSPC);
        }
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let fd = rustix::fs::openat(&self.dir, name, flags, mode)?;
        if len == 0 {
            return Ok(());
        }
        let made = match rustix::fs::fallocate(&fd, FallocateFlags::empty(), 0, len) {
            // No allocation ahead here: the journal's own zero-filling does it.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => rustix::fs::ftruncate(&fd, len),
            other => other,
        };
        if made.is_err() {
            rustix::fs::unlinkat(&self.dir, name, AtFlags::empty())?;
        }
        made
    }
}

impl Disk for FileDisk {
    fn list(&mut self) -> Result<Vec<String>, DiskError> {
        let failed = |errno| fault(DiskOp::List, "", errno);
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // A name that is no UTF-8 is none of ours.
            let name = entry.file_name().to_str().unwrap_or("");
            let file = matches!(entry.file_type(), FileType::RegularFile | FileType::Unknown);
            if file && !name.is_empty() && name != "." && name != ".." {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    fn len(&mut self, name: &str) -> Result<Option<u64>, DiskError> {
        let stat = plain(name)
            .and_then(|()| rustix::fs::statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW));
        match stat {
            Ok(stat) => Ok(Some(u64::try_from(stat.st_size).unwrap_or(0))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(fault(DiskOp::Len, name, errno)),
        }
    }

    fn create(&mut self, name: &str, len: u64) -> Result<(), DiskError> {
        self.forget(name);
        self.new_file(name, len).map_err(|errno| fault(DiskOp::Create, name, errno))
    }

    fn read(&mut self, name: &str, offset: u64, buf: &mut [u8]) -> Result<usize, DiskError> {
        let mut at = self.file(DiskOp::Read, name)?;
        let mut done = 0;
        while done < buf.len() {
            let want = (buf.len() - done).min(BOUNCE_BYTES);
            let room = &mut self.bounce.bytes()[..want];
            let from = offset.saturating_add(done as u64);
            match rustix::io::pread(&self.open[at].fd, room, from) {
                Ok(0) => break,
                Ok(count) => {
                    buf[done..done + count].copy_from_slice(&self.bounce.bytes()[..count]);
                    done += count;
                }
                Err(Errno::INTR) => {}
                Err(Errno::INVAL) if self.open[at].direct => {
                    at = self.fall_back(DiskOp::Read, name)?;
                }
                Err(errno) => return Err(fault(DiskOp::Read, name, errno)),
            }
        }
        Ok(done)
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let mut at = self.file(DiskOp::Write, name)?;
        let mut done = 0;
        while done < bytes.len() {
            let want = (bytes.len() - done).min(BOUNCE_BYTES);
            let room = &mut self.bounce.bytes()[..want];
            room.copy_from_slice(&bytes[done..done + want]);
            let to = offset.saturating_add(done as u64);
            match rustix::io::pwrite(&self.open[at].fd, room, to) {
                Ok(0) => return Err(fault(DiskOp::Write, name, Errno::IO)),
                Ok(count) => done += count,
                Err(Errno::INTR) => {}
                Err(Errno::INVAL) if self.open[at].direct => {
                    at = self.fall_back(DiskOp::Write, name)?;
                }
                Err(errno) => return Err(fault(DiskOp::Write, name, errno)),
            }
        }
        Ok(())
    }

    fn sync(&mut self, name: &str) -> Result<(), DiskError> {
        let at = self.file(DiskOp::Sync, name)?;
        // Never repeated, not even after an interruption: what a second call says proves nothing.
        let synced = rustix::fs::fdatasync(&self.open[at].fd);
        synced.map_err(|errno| fault(DiskOp::Sync, name, errno))
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        self.forget(from);
        self.forget(to);
        let renamed = plain(from)
            .and_then(|()| plain(to))
            .and_then(|()| rustix::fs::renameat(&self.dir, from, &self.dir, to));
        renamed.map_err(|errno| fault(DiskOp::Rename, from, errno))
    }

    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        self.forget(name);
        let removed =
            plain(name).and_then(|()| rustix::fs::unlinkat(&self.dir, name, AtFlags::empty()));
        removed.map_err(|errno| fault(DiskOp::Remove, name, errno))
    }

    fn truncate(&mut self, name: &str, len: u64) -> Result<(), DiskError> {
        let at = self.file(DiskOp::Truncate, name)?;
        let cut = rustix::fs::ftruncate(&self.open[at].fd, len);
        cut.map_err(|errno| fault(DiskOp::Truncate, name, errno))
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        rustix::fs::fsync(&self.dir).map_err(|errno| fault(DiskOp::SyncDir, "", errno))
    }
}

/// A name in this directory and nowhere else.
fn plain(name: &str) -> Result<(), Errno> {
    let bad = name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']);
    if bad { Err(Errno::INVAL) } else { Ok(()) }
}

fn fault(op: DiskOp, name: &str, errno: Errno) -> DiskError {
    let kind = match errno {
        Errno::NOSPC | Errno::DQUOT => DiskErrorKind::NoSpace,
        Errno::NOENT => DiskErrorKind::NotFound,
        Errno::EXIST => DiskErrorKind::Exists,
        _ => DiskErrorKind::Io,
    };
    let detail = std::io::Error::from(errno).to_string();
    DiskError { kind, op, name: name.to_owned(), detail }
}

/// Memory aligned as O_DIRECT wants it: a longer buffer, used from its first aligned byte on.
#[derive(Debug)]
struct Bounce {
    memory: Vec<u8>,
    start: usize,
}

impl Bounce {
    fn new() -> Self {
        let memory = vec![0; BOUNCE_BYTES + MEMORY_ALIGN];
        // Never moves: nothing is pushed.
        let start = memory.as_ptr().align_offset(MEMORY_ALIGN);
        assert!(start < MEMORY_ALIGN, "a byte pointer can be aligned within one alignment");
        Self { memory, start }
    }

    fn bytes(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + BOUNCE_BYTES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use journal::{Batch, NodeId, Options, Replay};

    fn options() -> Options {
        let node = NodeId::from_name("test").unwrap();
        Options { segment_bytes: 64 * 1024, ..Options::new(node) }
    }

    fn records(disk: FileDisk) -> (journal::Writer<FileDisk>, Vec<Vec<u8>>) {
        let mut found = Vec::new();
        let mut replay = |item: Replay<'_>| {
            if let Replay::Record(record) = item {
                found.push(record.payload.to_vec());
            }
            Ok(())
        };
        let (writer, _) = journal::open(disk, options(), 1, &mut replay).unwrap();
        (writer, found)
    }

    /// Appends over several segments, is left without a stop, and is found whole again; so are
    /// the files by a disk of the other kind.
    fn survives_a_kill(first: fn(FileDisk) -> FileDisk, second: fn(FileDisk) -> FileDisk) {
        let dir = crate::testing::temp_dir("disk").join("journal");
        let mut expected = Vec::new();
        for round in 0..3u8 {
            let (mut writer, found) = records(first(FileDisk::open(&dir).unwrap()));
            assert_eq!(found, expected);
            for n in 0..40u8 {
                let mut batch = Batch::new(1);
                let payload = vec![round ^ n; 900 * usize::from(n % 9)];
                batch.push(1, 1, 1, &payload).unwrap();
                writer.append(&mut batch).unwrap();
                expected.push(payload);
            }
            drop(writer);
        }
        let (writer, found) = records(second(FileDisk::open(&dir).unwrap()));
        assert_eq!(found, expected);
        let mut disk = writer.stop(2).unwrap();
        assert!(disk.list().unwrap().iter().filter(|name| name.ends_with(".seg")).count() > 3);
        let report = journal::verify(&mut disk, journal::Extent::All, &mut |_| Ok(())).unwrap();
        assert!(report.stopped && report.damage.is_empty());
        assert_eq!(report.records, expected.len() as u64);
    }

    #[test]
    fn a_journal_past_the_cache_survives_a_kill() {
        survives_a_kill(|disk| disk, FileDisk::through_cache);
    }

    #[test]
    fn a_journal_through_the_cache_survives_a_kill() {
        survives_a_kill(FileDisk::through_cache, |disk| disk);
    }

    #[test]
    fn what_the_trait_promises_of_files() {
        let dir = crate::testing::temp_dir("disk");
        let mut disk = FileDisk::open(&dir).unwrap();
        assert_eq!(disk.len("a"), Ok(None));
        assert_eq!(disk.read("a", 0, &mut [0; 512]).unwrap_err().kind, DiskErrorKind::NotFound);
        disk.create("a", 8192).unwrap();
        assert_eq!(disk.create("a", 1).unwrap_err().kind, DiskErrorKind::Exists);
        let mut block = [1; 512];
        assert_eq!(disk.read("a", 7680, &mut block), Ok(512));
        assert_eq!(block, [0; 512]);
        let long: Vec<u8> = (0..8192u32).map(|n| n as u8).collect();
        disk.write("a", 0, &long).unwrap();
        disk.sync("a").unwrap();
        // Fewer than asked only at the end of the file.
        let mut all = vec![9; 16_384];
        assert_eq!(disk.read("a", 0, &mut all), Ok(8192));
        assert_eq!(all[..8192], long);
        // More than one bounce buffer.
        let mega: Vec<u8> = (0..BOUNCE_BYTES * 5 / 2).map(|n| (n / 1000) as u8).collect();
        disk.create("mega", mega.len() as u64 + 4096).unwrap();
        disk.write("mega", 4096, &mega).unwrap();
        let mut back = vec![0; mega.len()];
        assert_eq!(disk.read("mega", 4096, &mut back), Ok(mega.len()));
        assert!(back == mega);
        disk.remove("mega").unwrap();
        disk.truncate("a", 4096).unwrap();
        assert_eq!(disk.len("a"), Ok(Some(4096)));
        // Through another descriptor, by the kernel's own path: what is there is on the file.
        assert_eq!(std::fs::read(dir.join("a")).unwrap(), long[..4096]);
        disk.create("b", 512).unwrap();
        disk.write("b", 0, &[7; 512]).unwrap();
        disk.rename("b", "a").unwrap();
        disk.sync_dir().unwrap();
        assert_eq!(disk.read("a", 0, &mut block), Ok(512));
        assert_eq!(block, [7; 512]);
        assert_eq!(disk.list(), Ok(vec!["a".to_owned()]));
        disk.remove("a").unwrap();
        assert_eq!(disk.remove("a").unwrap_err().kind, DiskErrorKind::NotFound);
        for outside in ["../x", "/etc/passwd", "", ".", "..", "a/b"] {
            assert!(disk.create(outside, 512).is_err(), "{outside}");
            assert!(disk.read(outside, 0, &mut block).is_err(), "{outside}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_made_leaves_nothing() {
        let dir = crate::testing::temp_dir("disk");
        let mut disk = FileDisk::open(&dir).unwrap();
        // Longer than any file may be, so that without our own look at the room the system refuses
        // it too, and no test can take the disk's space from everybody else.
        let error = disk.create("huge", (1 << 63) - 4096).unwrap_err();
        assert_eq!((error.op, error.kind), (DiskOp::Create, DiskErrorKind::NoSpace));
        assert_eq!(disk.list(), Ok(Vec::new()));
    }

    #[test]
    fn a_full_disk_or_quota_is_no_space_and_nothing_else_is() {
        let kind = |errno| fault(DiskOp::Write, "a", errno).kind;
        assert_eq!(kind(Errno::NOSPC), DiskErrorKind::NoSpace);
        assert_eq!(kind(Errno::DQUOT), DiskErrorKind::NoSpace);
        assert_eq!(kind(Errno::IO), DiskErrorKind::Io);
        assert_eq!(kind(Errno::FBIG), DiskErrorKind::Io);
    }
}
