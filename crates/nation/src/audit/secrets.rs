//! R-SECRETS: no file and no log line of any role holds a card number, a track, chip data or a PIN
//! block, in any of the forms in which they travel.

use journal::sim_disk::SimDisk;
use scheme::Iin;

use crate::net::{CHIP, PIN_BLOCK, TRACK_TAIL};

/// What is looked for, with its name.
#[derive(Clone, Debug)]
pub(crate) struct Secrets {
    /// Every card's prefix and account as digits: what a card number in clear begins with.
    prefixes: Vec<Vec<u8>>,
    exact: Vec<(&'static str, Vec<u8>)>,
}

impl Secrets {
    pub(crate) fn new(iins: &[Iin]) -> Self {
        // Accounts of shops are below 100: seven zeros follow the prefix.
        let digits: Vec<String> = iins.iter().map(|iin| format!("{iin}0000000")).collect();
        let packed = digits.iter().map(|digits| pack(&digits[..digits.len() & !1]));
        let prefixes = digits.iter().map(|digits| digits.clone().into_bytes());
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
        let exact = vec![
            ("a track", TRACK_TAIL.as_bytes()[1..].to_vec()),
            ("a track", pack(&TRACK_TAIL[1..])),
            ("a PIN block", PIN_BLOCK.to_vec()),
            ("a PIN block", hex(&PIN_BLOCK).into_bytes()),
            ("chip data", CHIP.to_vec()),
            ("chip data", hex(&CHIP).into_bytes()),
        ];
        Self { prefixes: prefixes.chain(packed).collect(), exact }
    }

    /// The first secret in these bytes.
    pub(crate) fn find(&self, bytes: &[u8]) -> Option<&'static str> {
        let holds = |needle: &[u8]| {
            let Some(first) = needle.first() else { return false };
            let starts = bytes.iter().enumerate().filter(|(_, byte)| *byte == first);
            starts.map(|(at, _)| &bytes[at..]).any(|rest| rest.starts_with(needle))
        };
        if self.prefixes.iter().any(|prefix| holds(prefix)) {
            return Some("a card number");
        }
        self.exact.iter().find(|(_, secret)| holds(secret)).map(|(name, _)| *name)
    }

    /// The first file of a disk that holds a secret.
    pub(crate) fn on_disk(&self, disk: &SimDisk) -> Option<(String, &'static str)> {
        disk.names().into_iter().find_map(|name| {
            let bytes = disk.contents(&name)?;
            // A segment is filled with zeros ahead; nothing is looked for there.
            let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            let what = self.find(&bytes[..used])?;
            Some((name, what))
        })
    }
}

/// Digits two to a byte.
fn pack(digits: &str) -> Vec<u8> {
    let value = |digit: u8| digit.wrapping_sub(b'0') & 0xF;
    let bytes = digits.as_bytes().chunks(2);
    bytes.map(|pair| (value(pair[0]) << 4) | value(*pair.get(1).unwrap_or(&b'0'))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use scheme::Pan;

    #[test]
    fn every_form_of_a_secret_is_found() {
        let iin = Iin::new("940801").unwrap();
        let secrets = Secrets::new(&[iin]);
        let pan = parties::bank::pan(iin, 21).unwrap();
        let text = |pan: &Pan| String::from_utf8(pan.digits().to_vec()).unwrap();
        for (bytes, name) in [
            (format!("x{}y", text(&pan)).into_bytes(), Some("a card number")),
            ([&[7][..], &pack(&text(&pan))].concat(), Some("a card number")),
            (TRACK_TAIL.as_bytes().to_vec(), Some("a track")),
            (b"D1CEFACE5EC2E799".to_vec(), Some("a PIN block")),
            ([&[1, 2][..], &CHIP].concat(), Some("chip data")),
            (b"94080100******0016".to_vec(), None),
            (vec![0; 64], None),
        ] {
            assert_eq!(secrets.find(&bytes), name);
        }
        let mut disk = SimDisk::new(1);
        disk.put("clean", vec![1, 2, 3, 0]);
        assert_eq!(secrets.on_disk(&disk), None);
        disk.put("journal", [&[9; 100][..], &PIN_BLOCK, &[0; 100]].concat());
        assert_eq!(secrets.on_disk(&disk), Some(("journal".to_owned(), "a PIN block")));
    }
}
