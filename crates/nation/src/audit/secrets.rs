//! R-SECRETS: no file and no log line of any role holds a card number, a track, chip data or a PIN
//! block, in any of the forms in which they travel.

use journal::sim_disk::SimDisk;
use scheme::Iin;

use crate::net::{CHIP, PIN_BLOCK, TRACK_TAIL};

/// What is looked for, with its name.
#[derive(Clone, Debug)]
pub(crate) struct Secrets {
    /// By their first byte, so that one pass over a file finds them all.
    by_first: Vec<Vec<(&'static str, Vec<u8>)>>,
}

/// What a segment that is filled ahead consists of.
static ZEROS: [u8; 512] = [0; 512];

impl Secrets {
    pub(crate) fn new(iins: &[Iin]) -> Self {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
        let mut secrets = vec![
            ("a track", TRACK_TAIL.as_bytes()[1..].to_vec()),
            ("a track", pack(&TRACK_TAIL[1..])),
            ("a PIN block", PIN_BLOCK.to_vec()),
            ("a PIN block", hex(&PIN_BLOCK).into_bytes()),
            ("chip data", CHIP.to_vec()),
            ("chip data", hex(&CHIP).into_bytes()),
        ];
        for iin in iins {
            // Accounts of shops are below 100: seven zeros follow the prefix of every card.
            let digits = format!("{iin}0000000");
            secrets.push(("a card number", pack(&digits[..digits.len() & !1])));
            secrets.push(("a card number", digits.into_bytes()));
        }
        let mut by_first = vec![Vec::new(); 256];
        for (name, secret) in secrets {
            by_first[usize::from(secret[0])].push((name, secret));
        }
        Self { by_first }
    }

    /// The first secret in these bytes.
    pub(crate) fn find(&self, bytes: &[u8]) -> Option<&'static str> {
        // A plain loop: tests run it unoptimised over megabytes.
        let mut at = 0;
        while at < bytes.len() {
            if bytes[at] == 0 && bytes[at..].starts_with(&ZEROS) {
                at += ZEROS.len();
                continue;
            }
            for (name, secret) in &self.by_first[usize::from(bytes[at])] {
                if bytes[at..].starts_with(secret) {
                    return Some(name);
                }
            }
            at += 1;
        }
        None
    }

    /// The first file of a disk that holds a secret.
    pub(crate) fn on_disk(&self, disk: &SimDisk) -> Option<(String, &'static str)> {
        disk.names().into_iter().find_map(|name| {
            let what = self.find(disk.contents(&name)?)?;
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
