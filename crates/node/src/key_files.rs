//! Key files below `DIR/keys`: made at the first start, mode 0600, one key a line.
//!
//! A key that is lost is never made anew: what its journal holds is sealed under it, and a role
//! that could not open that would stay silent about what it owes.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use keys::file::{parse, print};
use keys::{CardKey, CardRing, CardVault, Key128, KeyId, TokenKey};
use rustix::rand::{GetRandomFlags, getrandom};
use scheme::ParticipantId;

use crate::error::{RunError, RunErrorKind};
use crate::layout::{Layout, make_dir, write_whole};
use crate::role::RoleName;
use crate::tls::files;

/// Reads the nation's token key and this role's card keys. What is not there yet is made, but only
/// while nothing has been written with it: the role's cards as long as its journal is empty, the
/// token as long as every journal is.
///
/// A station that lives on another machine gets the token key in the trunk hello; what it makes
/// here until then serves matching at that station alone.
pub(crate) fn vault(layout: &Layout, role: &RoleName) -> Result<CardVault, RunError> {
    let dir = layout.keys();
    let (token, cards) = (dir.join("token.key"), dir.join(format!("cards-{role}.key")));
    none_lost(layout, role, &token, &cards)?;
    make_dir(&dir).map_err(|error| RunError::file("make the directory", &dir, &error))?;
    let mut token = load(&token)?;
    let cards = load(&cards)?;
    let keys = cards.into_iter().map(|(id, key)| CardKey::new(id, key)).collect();
    let ring = CardRing::new(keys).map_err(|error| {
        let place = dir.join(format!("cards-{role}.key")).display().to_string();
        let remedy = "put back the file as it was";
        RunError::new(RunErrorKind::Keys, error.to_string(), place, remedy)
    })?;
    // `parse` returns at least one key; the newest is last.
    let (_, token) = token.pop().ok_or_else(|| RunError::system("read the token key", "empty"))?;
    Ok(CardVault::new(TokenKey::new(token), ring))
}

/// The MAC keys of a bank's link: of what the bank sends, and of what the hub sends. The newest of
/// each file is in force.
pub(crate) fn mac_keys(keys: &Path, bank: ParticipantId) -> Result<(Key128, Key128), RunError> {
    let one = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let remedy = "make them with `bongsu init DIR --renew`, or copy the two files of this \
                          link from where they were made";
            let place = path.display().to_string();
            RunError::new(RunErrorKind::Keys, format!("no MAC key: {error}"), place, remedy)
        })?;
        let mut list = parse(&text).map_err(|error| {
            let place = format!("{}:{}", path.display(), error.line);
            let remedy = "put back the file; both ends of the link have the same";
            RunError::new(RunErrorKind::Keys, error.to_string(), place, remedy)
        })?;
        // `parse` returns at least one key; the newest is last.
        let newest = list.pop().map(|(_, key)| key);
        newest.ok_or_else(|| RunError::system("read a MAC key", "empty"))
    };
    Ok((one(files::mac_from_bank(keys, bank))?, one(files::mac_to_bank(keys, bank))?))
}

/// Makes those MAC keys of a bank's link that are not there; whether any was made.
pub(crate) fn make_mac_keys(keys: &Path, bank: ParticipantId) -> Result<bool, RunError> {
    let paths = [files::mac_from_bank(keys, bank), files::mac_to_bank(keys, bank)];
    let mut made = false;
    for path in paths.iter().filter(|path| !path.exists()) {
        make(path)?;
        made = true;
    }
    Ok(made)
}

/// Refuses when a journal is there and a key file that it was written with is not.
fn none_lost(layout: &Layout, role: &RoleName, token: &Path, cards: &Path) -> Result<(), RunError> {
    // Journals first, files then: a role that starts beside this one makes the token key before
    // its journal.
    let own = layout.journal(role);
    let own = is_written(&own)?.then_some(own);
    let first = match &own {
        Some(own) => Some(own.clone()),
        None => sealing_journal(layout)?,
    };
    let mut lost = Vec::new();
    for (file, journal) in [(token, &first), (cards, &own)] {
        if let Some(journal) = journal
            && !file.try_exists().map_err(|e| RunError::file("read the key file", file, &e))?
        {
            lost.push((file.display().to_string(), journal.display().to_string()));
        }
    }
    let Some((_, journal)) = lost.first() else { return Ok(()) };
    let message = format!("not here, but the journal {journal} was written with it");
    let files: Vec<&str> = lost.iter().map(|(file, _)| file.as_str()).collect();
    let remedy = "put it back, from the backup of the keys: without it the cards in the journal \
                  stay sealed and banks are never told of reversals; nothing was made or changed";
    Err(RunError::new(RunErrorKind::Keys, message, files.join(", "), remedy))
}

/// Whether journals are there and their keys' directory is not.
pub(crate) fn are_lost(layout: &Layout) -> Result<bool, RunError> {
    Ok(!layout.keys().exists() && sealing_journal(layout)?.is_some())
}

/// Some journal of the hub or of a station; banks seal nothing.
fn sealing_journal(layout: &Layout) -> Result<Option<PathBuf>, RunError> {
    let hub = layout.journal(&RoleName::Hub);
    if is_written(&hub)? {
        return Ok(Some(hub));
    }
    let mut stations = entries(&layout.stations())?;
    stations.sort();
    for station in stations {
        let journal = layout.journal(&RoleName::Station(station));
        if is_written(&journal)? {
            return Ok(Some(journal));
        }
    }
    Ok(None)
}

fn is_written(journal: &Path) -> Result<bool, RunError> {
    Ok(!entries(journal)?.is_empty())
}

/// The names in a directory; none if it is not there.
fn entries(dir: &Path) -> Result<Vec<String>, RunError> {
    let refused = |error: std::io::Error| RunError::file("read the directory", dir, &error);
    let list = match std::fs::read_dir(dir) {
        Ok(list) => list,
        // A stray file among the directories of stations is none of them.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(refused(error)),
    };
    let names = list.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    names.collect::<std::io::Result<_>>().map_err(refused)
}

fn load(path: &Path) -> Result<Vec<(KeyId, Key128)>, RunError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => make(path)?,
        Err(error) => return Err(RunError::file("read the key file", path, &error)),
    };
    parse(&text).map_err(|error| {
        let place = format!("{}:{}", path.display(), error.line);
        let remedy = "put back the file as it was; cards sealed under a lost key stay sealed";
        RunError::new(RunErrorKind::Keys, error.to_string(), place, remedy)
    })
}

/// Makes a file with one new key. Two roles that start together agree on whose file stands: the
/// new file is linked into place, and the loser reads the winner's.
fn make(path: &Path) -> Result<String, RunError> {
    let refused = |error: std::io::Error| RunError::file("make the key file", path, &error);
    let mut random = [0; 16];
    let filled = getrandom(&mut random, GetRandomFlags::empty())
        .map_err(|errno| RunError::system("get random bytes", errno))?;
    if filled != random.len() {
        return Err(RunError::system("get random bytes", "too few"));
    }
    let key = Key128::from_random(random);
    let temp = path.with_extension(format!("{}.new", std::process::id()));
    write_whole(&temp, print([(KeyId(1), &key)]).as_bytes()).map_err(refused)?;
    let linked = std::fs::hard_link(&temp, path);
    std::fs::remove_file(&temp).map_err(refused)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(refused(error)),
        Ok(()) | Err(_) => {
            if let Some(dir) = path.parent() {
                std::fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(refused)?;
            }
            std::fs::read_to_string(path).map_err(refused)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn keys_are_made_once_and_for_their_owner_alone() {
        let layout = Layout::new(&crate::testing::temp_dir("keys"));
        let pan = scheme::Pan::parse(b"9408010000000016").unwrap();
        let first = vault(&layout, &RoleName::Hub).unwrap();
        let again = vault(&layout, &RoleName::Hub).unwrap();
        let station = vault(&layout, &RoleName::Station("nampo".into())).unwrap();
        assert_eq!(first.token_key().token(&pan), again.token_key().token(&pan));
        assert_eq!(first.token_key().token(&pan), station.token_key().token(&pan));
        let sealed = first.reference(&pan, None, 1, 1);
        assert!(again.pan(&sealed, 1, 1).is_ok());
        assert!(station.pan(&sealed, 1, 1).is_err(), "each role has card keys of its own");
        let mut names = Vec::new();
        for entry in std::fs::read_dir(layout.keys()).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            names.push(entry.file_name());
        }
        names.sort();
        assert_eq!(names, ["cards-hub.key", "cards-station-nampo.key", "token.key"]);
        std::fs::write(layout.keys().join("token.key"), "1:zz\n").unwrap();
        assert_eq!(vault(&layout, &RoleName::Hub).unwrap_err().kind, RunErrorKind::Keys);
    }

    /// What a key file was used for must never find another key in its place.
    #[test]
    fn a_lost_key_is_not_made_anew() {
        let layout = Layout::new(&crate::testing::temp_dir("keys"));
        let nampo = RoleName::Station("nampo".into());
        let journal = |role: &RoleName| {
            let journal = layout.journal(role);
            std::fs::create_dir_all(&journal).unwrap();
            journal
        };
        // A journal's directory alone, and a bank's journal, were written without keys.
        journal(&RoleName::Hub);
        let bank = RoleName::Bank(scheme::ParticipantId::new(100_001).unwrap());
        std::fs::write(journal(&bank).join("head"), "x").unwrap();
        vault(&layout, &RoleName::Hub).unwrap();
        std::fs::write(journal(&RoleName::Hub).join("head"), "x").unwrap();
        let keys = layout.keys();
        let lost = |role: &RoleName, file: &str| {
            let kept = layout.dir().join("kept");
            std::fs::rename(keys.join(file), &kept).unwrap();
            let error = vault(&layout, role).unwrap_err();
            assert_eq!(error.kind, RunErrorKind::Keys, "{error}");
            assert!(error.place.ends_with(file), "{error}");
            assert!(!keys.join(file).exists(), "nothing is made");
            std::fs::rename(&kept, keys.join(file)).unwrap();
            error
        };
        lost(&RoleName::Hub, "cards-hub.key");
        let error = lost(&RoleName::Hub, "token.key");
        assert!(error.message.contains("hub/journal was written with it"), "{error}");
        assert!(error.remedy.starts_with("put it back"), "{error}");
        // A new station's first start beside the hub, with the nation's key and without.
        let error = lost(&nampo, "token.key");
        assert!(error.message.contains("hub/journal"), "{error}");
        assert!(!keys.join("cards-station-nampo.key").exists(), "nothing at all is made");
        vault(&layout, &nampo).unwrap();
        std::fs::write(journal(&nampo).join("head"), "x").unwrap();
        lost(&nampo, "cards-station-nampo.key");
        std::fs::remove_dir_all(layout.journal(&RoleName::Hub)).unwrap();
        let error = lost(&RoleName::Hub, "token.key");
        assert!(error.message.contains("station/nampo/journal"), "{error}");
        // All of them at once.
        std::fs::remove_dir_all(&keys).unwrap();
        let error = vault(&layout, &nampo).unwrap_err();
        let files = ["token.key", "cards-station-nampo.key"].map(|f| keys.join(f));
        assert_eq!(error.place, files.map(|f| f.display().to_string()).join(", "));
        assert!(!keys.exists());
    }
}
