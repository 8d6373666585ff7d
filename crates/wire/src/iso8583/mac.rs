//! Where a message's MAC stands (R-MAC): DE128 if any of DE65 to DE127 is there, else DE64; in
//! either case the last bytes of the message, over all bytes before them.
//!
//! Key and cipher are the caller's: this module knows places alone, so that a message is encoded
//! once and its MAC put into the room that was left for it.

use super::content::hex_digit;
use super::dialect::{Dialect, Encoding};
use super::encode::{EncodeError, put_hex};
use super::message::Message;

/// Bytes of a MAC: DE64 and DE128 are b 64.
pub const MAC_BYTES: usize = 8;

/// DE64, and in its half DE128.
const LAST: u64 = 1 << 63;
/// DE66 to DE127, and DE65, which this version of the standard keeps for a third bitmap.
const BEYOND: u64 = !LAST;

impl Dialect {
    /// Bytes of a MAC on the wire.
    pub fn mac_length(&self) -> usize {
        self.rule(64).wire_bytes(MAC_BYTES)
    }

    /// Appends the message without its MAC, its bitmap saying that one follows; [`Self::put_mac`]
    /// over what was appended comes next. A MAC that the message has is another link's and left
    /// out. `out` is untouched on error.
    pub fn encode_before_mac(
        &self,
        message: &Message,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let [low, high] = message.present().map(|half| half & !LAST);
        let mac = if high == 0 { [LAST, 0] } else { [0, LAST] };
        self.put(message, [low | mac[0], high | mac[1]], mac, out)
    }

    /// Appends a MAC.
    pub fn put_mac(&self, mac: &[u8; MAC_BYTES], out: &mut Vec<u8>) {
        match self.rule(64).encoding {
            Encoding::Binary | Encoding::Ascii => out.extend_from_slice(mac),
            Encoding::Hex => put_hex(mac, out),
        }
    }

    /// The bytes that a MAC at the end of this frame covers, and the MAC; `None` when the frame is
    /// too short for one or its last bytes are no MAC. Says nothing about the bitmap:
    /// [`Message::has_mac_in_place`] does.
    pub fn split_mac<'f>(&self, frame: &'f [u8]) -> Option<(&'f [u8], [u8; MAC_BYTES])> {
        let (covered, last) =
            frame.split_at_checked(frame.len().checked_sub(self.mac_length())?)?;
        let mut mac = [0; MAC_BYTES];
        match self.rule(64).encoding {
            Encoding::Binary | Encoding::Ascii => mac.copy_from_slice(last),
            Encoding::Hex => {
                if !last.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                for (byte, pair) in mac.iter_mut().zip(last.chunks_exact(2)) {
                    *byte = hex_digit(pair[0]) << 4 | hex_digit(pair[1]);
                }
            }
        }
        Some((covered, mac))
    }
}

impl Message {
    /// Whether the message has a MAC, and where R-MAC wants it.
    pub fn has_mac_in_place(&self) -> bool {
        let wants_last = self.present()[1] & BEYOND != 0;
        self.has(if wants_last { 128 } else { 64 }) && (wants_last || !self.has(128))
    }
}
