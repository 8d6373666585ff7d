//! What a role died of, in `DIR/<role>/poison`: one file for each death, and what follows from them
//! at the next start (`docs/formats/directory.md`).
//!
//! The loop catches a broken invariant only to write the file; the process ends all the same.
//! Deliberately absent: the input itself. Its hash and shape are enough to refuse it and to see
//! which element is odd; the trace beside the journal has what may be kept of it.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::PathBuf;

use host::Level;
use host::limits::POISONS_MAX;
use host::poison::{InHand, InputHash, Poisons};
use scheme::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::error::RunError;
use crate::layout::{make_dir, write_whole};
use crate::limits::POISON_WHY_CHARS;
use crate::logging::Log;

/// One death.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Grave {
    /// When, ns since 1970, UTC.
    pub at_ns: u64,
    /// Whose input it was.
    pub peer: String,
    /// Whether a certificate says so; if not, the peer is not fenced.
    #[serde(default)]
    pub certified: bool,
    /// Whether reading it is what the role died of.
    #[serde(default)]
    pub unread: bool,
    /// SHA-256 of the input, 64 hex digits.
    pub sha256: String,
    /// The input's shape: digits as 0, letters as a, everything else as a dot.
    pub shape: String,
    /// What the broken invariant said, digits as 0.
    pub why: String,
}

/// The directory of a role's deaths.
#[derive(Clone, Debug)]
pub struct Graveyard {
    dir: PathBuf,
}

impl Graveyard {
    /// That directory; made with the first death.
    pub fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Writes down what was in hand. Whatever fails here is logged: the role dies anyway.
    pub(crate) fn died(
        &self,
        log: &Log,
        in_hand: impl FnOnce() -> Option<InHand>,
        panic: &(dyn Any + Send),
    ) {
        let why = why(panic);
        // The machine broke in the middle of its work: looking at it may break too.
        let look = std::panic::AssertUnwindSafe(in_hand);
        let hand = std::panic::catch_unwind(look).ok().flatten();
        let Some(InHand { peer, hash, shape, is_read, is_certified }) = hand else {
            return log.say(Level::Error, "died", &[("why", why.as_str().into())]);
        };
        let at_ns = clock::read().wall.0;
        let (certified, unread) = (is_certified, !is_read);
        let grave = Grave { at_ns, peer, certified, unread, sha256: hex(&hash), shape, why };
        let name = format!("{}-{}.json", grave.at_ns, &grave.sha256[..16]);
        let path = self.dir.join(name);
        let written = serde_json::to_vec_pretty(&grave)
            .map_err(std::io::Error::from)
            .and_then(|text| make_dir(&self.dir).and_then(|()| write_whole(&path, &text)));
        let kept = written.map_or_else(|error| error.to_string(), |()| path.display().to_string());
        let values = [
            ("peer", grave.peer.as_str().into()),
            ("sha256", grave.sha256.as_str().into()),
            ("why", grave.why.as_str().into()),
            ("kept", kept.as_str().into()),
        ];
        log.say(Level::Error, "died_of_input", &values);
    }

    /// The newest deaths, oldest first. What cannot be read is left out: a half-written file must
    /// not keep a role from starting.
    pub fn read(&self) -> Result<Vec<Grave>, RunError> {
        let entries = match std::fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(RunError::file("read what the role died of", &self.dir, &error));
            }
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|end| end == "json"));
        // Names begin with the time, which has the same number of digits until 2286.
        paths.sort();
        let newest = paths.split_off(paths.len().saturating_sub(POISONS_MAX));
        let read = |path: &PathBuf| serde_json::from_slice(&std::fs::read(path).ok()?).ok();
        Ok(newest.iter().filter_map(read).collect())
    }
}

/// What follows: every input is refused, and every peer of whose inputs the role died `deaths`
/// times within `window_s`, if a certificate named it: else anybody could have it fenced.
/// With words for the person who starts the role.
pub fn judge(graves: &[Grave], deaths: usize, window_s: u32) -> (Poisons, Vec<String>) {
    let mut poisons = Poisons::default();
    let mut times: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for grave in graves {
        let Some(hash) = unhex(&grave.sha256) else { continue };
        if grave.unread {
            poisons.unread.insert(hash);
        } else {
            poisons.inputs.insert((grave.peer.clone(), hash));
        }
        if grave.certified {
            times.entry(&grave.peer).or_default().push(grave.at_ns);
        }
    }
    let window_ns = Timestamp::from_s(window_s.into()).0;
    for (peer, mut times) in times {
        times.sort_unstable();
        let close = |some: &[u64]| match some {
            [first, .., last] => last - first <= window_ns,
            [_] => true,
            [] => false,
        };
        if times.windows(deaths.max(1)).any(close) {
            poisons.fenced.insert(peer.to_owned());
        }
    }
    let mut notices = Vec::new();
    let count = poisons.inputs.len() + poisons.unread.len();
    if count > 0 {
        notices.push(format!("died of {count} inputs; they are refused: see its poison directory"));
    }
    notices.extend(poisons.fenced.iter().map(|peer| {
        format!("{peer} is fenced: it died of its inputs; remove their files to let it in again")
    }));
    (poisons, notices)
}

/// The words of a panic, without anything that could be a number of somebody.
fn why(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let masked = |c: char| if c.is_ascii_digit() { '0' } else { c };
    text.unwrap_or("no words").chars().take(POISON_WHY_CHARS).map(masked).collect()
}

fn hex(hash: &InputHash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<InputHash> {
    let mut hash = [0; 32];
    let digits = (text.len() == 64).then_some(text.as_bytes())?;
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn grave(at_s: u64, peer: &str, input: u8) -> Grave {
        let hand = InHand::new(peer.to_owned(), &[input]);
        let (sha256, shape, certified, unread) = (hex(&hand.hash), hand.shape, true, false);
        let at_ns = 1_795_000_000 * SECOND + at_s * SECOND;
        let (peer, why) = (peer.to_owned(), String::new());
        Grave { at_ns, peer, certified, unread, sha256, shape, why }
    }

    #[test]
    fn three_deaths_in_a_minute_fence_a_peer_and_every_input_is_refused() {
        let two = [grave(0, "bank 1", 1), grave(1, "bank 2", 2), grave(30, "bank 1", 3)];
        let (poisons, notices) = judge(&two, 3, 60);
        assert_eq!((poisons.inputs.len(), poisons.fenced.len(), notices.len()), (3, 0, 1));
        let hash = InHand::new(String::new(), &[3]).hash;
        assert!(poisons.inputs.contains(&("bank 1".to_owned(), hash)));
        let [one, other, third] = two.clone();
        let three = [one, other, third, grave(60, "bank 1", 1)];
        let (poisons, notices) = judge(&three, 3, 60);
        assert_eq!(poisons.fenced.iter().collect::<Vec<_>>(), ["bank 1"]);
        assert!(notices[1].contains("bank 1 is fenced"), "{notices:?}");
        let slow = [two.as_slice(), &[grave(61, "bank 1", 1)]].concat();
        assert!(judge(&slow, 3, 60).0.fenced.is_empty());
        assert!(judge(&[], 3, 60).0.is_empty());
        // What anybody can write into a message fences nobody; the inputs are refused all the same.
        let claimed = three.clone().map(|grave| Grave { certified: false, ..grave });
        let (poisons, _) = judge(&claimed, 3, 60);
        assert_eq!((poisons.inputs.len(), poisons.fenced.len()), (3, 0));
        let unread = three.map(|grave| Grave { certified: false, unread: true, ..grave });
        let (poisons, notices) = judge(&unread, 3, 60);
        let found = (poisons.inputs.len(), poisons.unread.len(), poisons.fenced.len());
        assert_eq!((found, notices.len()), ((0, 3, 0), 1));
    }

    #[test]
    fn a_death_is_written_without_the_input_and_read_again() {
        let dir = crate::testing::temp_dir("poison").join("poison");
        let yard = Graveyard::at(dir.clone());
        assert_eq!(yard.read().unwrap(), Vec::new());
        let input = b"0200 9408020000000015";
        let hand = || Some(InHand::new("terminal PYO00001".to_owned(), input));
        yard.died(&Log::quiet(), hand, &"card 9408020000000015 is odd".to_owned());
        let graves = yard.read().unwrap();
        assert_eq!(graves.len(), 1);
        assert_eq!(graves[0].peer, "terminal PYO00001");
        assert_eq!(graves[0].why, "card 0000000000000000 is odd");
        for entry in std::fs::read_dir(&dir).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            assert!(!text.contains("940802"), "{text}");
        }
        std::fs::write(dir.join("9-broken.json"), b"{").unwrap();
        assert_eq!(yard.read().unwrap().len(), 1, "half a file keeps nobody from starting");
        // A death with nothing in hand, or of looking, leaves no file and does not fail.
        yard.died(&Log::quiet(), || None, &"timer");
        assert_eq!(yard.read().unwrap().len(), 1);
    }
}
