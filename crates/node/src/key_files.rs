//! Key files below `DIR/keys`: made at the first start, mode 0600, one key a line.

use std::path::Path;

use keys::file::{parse, print};
use keys::{CardKey, CardRing, CardVault, Key128, KeyId, TokenKey};
use rustix::rand::{GetRandomFlags, getrandom};

use crate::error::{RunError, RunErrorKind};
use crate::layout::{Layout, make_dir, write_whole};
use crate::role::RoleName;

/// Reads the nation's token key and this role's card keys, making what is not there yet.
///
/// A station that lives on another machine gets the token key in the trunk hello; what it makes
/// here until then serves matching at that station alone.
pub(crate) fn vault(layout: &Layout, role: &RoleName) -> Result<CardVault, RunError> {
    let dir = layout.keys();
    make_dir(&dir).map_err(|error| RunError::file("make the directory", &dir, &error))?;
    let mut token = load(&dir.join("token.key"))?;
    let cards = load(&dir.join(format!("cards-{role}.key")))?;
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

fn load(path: &Path) -> Result<Vec<(KeyId, Key128)>, RunError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => make(path)?,
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
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(refused(error)),
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
}
