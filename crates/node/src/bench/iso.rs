//! As much of ISO 8583:1987 in ASCII as a load generator needs: where each field of a frame
//! stands, frames made once and patched, answers put together from pieces of their requests.

use keys::LinkMac;
use wire::iso8583::{Dialect, ElementType, Length};

/// A MAC on the wire: 8 bytes in hexadecimal digits, the last of a frame.
const MAC_DIGITS: usize = 16;

/// How long each field is on the wire, for DE2 to DE128.
#[derive(Debug)]
pub(super) struct Table([Size; 129]);

#[derive(Clone, Copy, Debug)]
enum Size {
    Fixed(usize),
    /// Digits of the length, bytes of a unit.
    Counted(usize, usize),
}

impl Table {
    /// The lengths of `iso87-ascii`; nothing else is taken from the dialect.
    pub(super) fn new() -> Option<Self> {
        let dialect = Dialect::builtin("iso87-ascii")?;
        Some(Self(std::array::from_fn(|de| {
            let field = dialect.field(u8::try_from(de).unwrap_or(0));
            let unit = if field.kind == ElementType::B { 2 } else { 1 };
            match field.length {
                Length::Fixed => Size::Fixed(usize::from(field.max) * unit),
                Length::Variable { digits } => Size::Counted(usize::from(digits), unit),
            }
        })))
    }

    /// Finds the fields of a message (without its length); `false` if it is none.
    pub(super) fn scan(&self, message: &[u8], found: &mut Fields) -> bool {
        self.walk(message, found).is_some()
    }

    fn walk(&self, message: &[u8], found: &mut Fields) -> Option<()> {
        found.mti = digits(message.get(..4)?)?;
        let first = bitmap(message.get(4..20)?)?;
        let mut at = 20;
        found.present = u128::from(first) << 64;
        if first >> 63 == 1 {
            found.present |= u128::from(bitmap(message.get(20..36)?)?);
            at = 36;
        }
        let mut left = found.present & !(1 << 127);
        while left != 0 {
            let de = left.leading_zeros() as usize + 1;
            left &= !(1 << (128 - de));
            let (head, length) = match self.0[de] {
                Size::Fixed(length) => (0, length),
                Size::Counted(count, unit) => {
                    (count, digits(message.get(at..at + count)?)? as usize * unit)
                }
            };
            let end = at + head + length;
            if end > message.len() {
                return None;
            }
            found.spans[de] = Span { from: at, value: at + head, end };
            at = end;
        }
        (at == message.len()).then_some(())
    }

    /// Puts a frame together: length, type, bitmaps, fields in ascending order, and the MAC.
    pub(super) fn frame(
        &self,
        mti: &str,
        fields: &[(usize, &[u8])],
        mac: Option<&LinkMac>,
        out: &mut Vec<u8>,
    ) {
        let mut fields = fields.to_vec();
        if mac.is_some() {
            let last = fields.last().map_or(0, |(de, _)| *de);
            fields.push((if last > 64 { 128 } else { 64 }, &[b'0'; MAC_DIGITS]));
        }
        let begin = out.len();
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(mti.as_bytes());
        let mut present = fields.iter().fold(0, |all, (de, _)| all | 1u128 << (128 - de));
        if present as u64 != 0 {
            present |= 1 << 127;
        }
        put_bitmap((present >> 64) as u64, out);
        if present as u64 != 0 {
            put_bitmap(present as u64, out);
        }
        for (de, value) in fields {
            if let Size::Counted(count, unit) = self.0[de] {
                let length = value.len() / unit;
                out.extend_from_slice(format!("{length:0count$}").as_bytes());
            }
            out.extend_from_slice(value);
        }
        close(out, begin);
        if let Some(mac) = mac {
            sign(out, begin, mac);
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Span {
    from: usize,
    value: usize,
    end: usize,
}

/// Where the fields of one message stand.
#[derive(Debug)]
pub(super) struct Fields {
    /// Message type.
    pub(super) mti: u64,
    present: u128,
    spans: [Span; 129],
}

impl Fields {
    pub(super) fn new() -> Self {
        Self { mti: 0, present: 0, spans: [Span::default(); 129] }
    }

    /// A field's value.
    pub(super) fn value<'m>(&self, message: &'m [u8], de: usize) -> Option<&'m [u8]> {
        let span = self.spans[de];
        let has = self.present >> (128 - de) & 1 == 1;
        if has { message.get(span.value..span.end) } else { None }
    }

    /// Where a field's value begins in the message.
    pub(super) fn place(&self, de: usize) -> usize {
        self.spans[de].value
    }

    /// A field's value as a number; `None` also if it is none.
    pub(super) fn number(&self, message: &[u8], de: usize) -> Option<u64> {
        digits(self.value(message, de)?)
    }
}

/// What an issuer echoes (R-FIELDS), with what it adds in its place.
const ECHO: [usize; 14] = [2, 3, 4, 7, 11, 12, 13, 32, 37, 38, 39, 41, 42, 49];

/// Appends the approving answer to a request or advice (0210 to 0200, 0430 to 0420), with DE38 made
/// of the trace number.
pub(super) fn approve(message: &[u8], fields: &Fields, mac: Option<&LinkMac>, out: &mut Vec<u8>) {
    let begin = out.len();
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&[message[0], message[1], message[2] + 1, b'0']);
    let has = |de: usize| matches!(de, 38 | 39) || fields.present >> (128 - de) & 1 == 1;
    let present = ECHO.iter().filter(|de| has(**de)).fold(0, |all, de| all | 1u64 << (64 - de));
    put_bitmap(present | u64::from(mac.is_some()), out);
    for de in ECHO {
        let span = fields.spans[de];
        match de {
            38 => out.extend_from_slice(fields.value(message, 11).unwrap_or(b"000000")),
            39 => out.extend_from_slice(b"00"),
            _ if has(de) => out.extend_from_slice(&message[span.from..span.end]),
            _ => {}
        }
    }
    if mac.is_some() {
        out.extend_from_slice(&[b'0'; MAC_DIGITS]);
    }
    close(out, begin);
    if let Some(mac) = mac {
        sign(out, begin, mac);
    }
}

/// Writes the MAC over the frame that began there into its last bytes (R-MAC).
pub(super) fn sign(out: &mut [u8], begin: usize, mac: &LinkMac) {
    let (covered, place) = out.split_at_mut(out.len() - MAC_DIGITS);
    let code = mac.sign.sign(&[&covered[begin + 2..]]);
    put_bitmap_at(u64::from_be_bytes(code), place);
}

/// Whether a message ends with its MAC.
pub(super) fn is_signed(message: &[u8], mac: &LinkMac) -> bool {
    let Some((covered, digits)) = message.split_last_chunk::<MAC_DIGITS>() else { return false };
    bitmap(digits).is_some_and(|code| mac.verify.verify(&[covered], &code.to_be_bytes()))
}

/// Writes the length in front of a frame that began there.
fn close(out: &mut [u8], begin: usize) {
    // Our own frames are some hundred bytes long.
    let length = u16::try_from(out.len() - begin - 2).unwrap_or(u16::MAX);
    out[begin..begin + 2].copy_from_slice(&length.to_be_bytes());
}

/// Decimal digits alone, at most 18.
pub(super) fn digits(text: &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(number)
}

/// Writes a number over all of `place`, with leading zeros.
pub(super) fn put_digits(place: &mut [u8], mut number: u64) {
    for byte in place.iter_mut().rev() {
        *byte = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn bitmap(hex: &[u8]) -> Option<u64> {
    hex.iter().try_fold(0u64, |all, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'F' => byte - b'A' + 10,
            _ => return None,
        };
        Some(all << 4 | u64::from(digit))
    })
}

fn put_bitmap(bits: u64, out: &mut Vec<u8>) {
    let mut hex = [0; 16];
    put_bitmap_at(bits, &mut hex);
    out.extend_from_slice(&hex);
}

fn put_bitmap_at(bits: u64, hex: &mut [u8]) {
    for (place, byte) in hex.iter_mut().enumerate() {
        *byte = b"0123456789ABCDEF"[(bits >> (60 - 4 * place) & 15) as usize];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::iso8583::Message;

    fn read(frame: &[u8]) -> Message {
        let dialect = Dialect::builtin("iso87-ascii").unwrap();
        assert_eq!(usize::from(u16::from_be_bytes([frame[0], frame[1]])), frame.len() - 2);
        dialect.decode(&frame[2..]).unwrap()
    }

    const REQUEST: [(usize, &[u8]); 9] = [
        (2, b"9408020000000015"),
        (3, b"000000"),
        (4, b"000000001250"),
        (7, b"1122030405"),
        (11, b"000012"),
        (18, b"5411"),
        (37, b"000100000007"),
        (41, b"BEN00001"),
        (70, b"001"),
    ];

    #[test]
    fn frames_and_answers_are_what_the_codec_reads() {
        let table = Table::new().unwrap();
        let mut frame = Vec::new();
        table.frame("0200", &REQUEST, None, &mut frame);
        let message = read(&frame);
        for (de, value) in REQUEST {
            assert_eq!(message.get(de as u8), Some(value), "DE{de}");
        }
        let mut fields = Fields::new();
        assert!(table.scan(&frame[2..], &mut fields));
        assert_eq!((fields.mti, fields.number(&frame[2..], 4)), (200, Some(1250)));
        assert_eq!(fields.value(&frame[2..], 39), None);
        let mut answer = Vec::new();
        approve(&frame[2..], &fields, None, &mut answer);
        let answer = read(&answer);
        assert_eq!(answer.mti().to_string(), "0210");
        for de in [2, 3, 4, 7, 11, 37, 41] {
            assert_eq!(answer.get(de), message.get(de), "DE{de}");
        }
        assert_eq!((answer.get(38), answer.get(39)), (Some(&b"000012"[..]), Some(&b"00"[..])));
        assert!(!answer.has(18) && !answer.has(70));
    }

    #[test]
    fn what_is_no_message_is_not_read() {
        let table = Table::new().unwrap();
        let mut frame = Vec::new();
        table.frame("0200", &REQUEST, None, &mut frame);
        let mut fields = Fields::new();
        for end in 2..frame.len() {
            assert!(!table.scan(&frame[2..end], &mut fields), "{end}");
        }
        frame.push(b'0');
        assert!(!table.scan(&frame[2..], &mut fields));
    }

    #[test]
    fn macs_stand_last_and_prove_what_is_before_them() {
        let table = Table::new().unwrap();
        let keys = [[1; 16], [2; 16]].map(keys::Key128::from_random);
        let bank = LinkMac::bank_side(&keys[0], &keys[1]);
        let hub = LinkMac::hub_side(&keys[0], &keys[1]);
        let mut fields = Fields::new();
        for (count, de) in [(9, 128), (8, 64)] {
            let mut frame = Vec::new();
            table.frame("0200", &REQUEST[..count], Some(&bank), &mut frame);
            assert!(read(&frame).has(de) && read(&frame).has_mac_in_place());
            assert!(is_signed(&frame[2..], &hub) && !is_signed(&frame[2..], &bank));
            frame[30] ^= 1;
            assert!(!is_signed(&frame[2..], &hub));
            frame[30] ^= 1;
            assert!(table.scan(&frame[2..], &mut fields));
            let mut answer = vec![7; 5];
            approve(&frame[2..], &fields, Some(&bank), &mut answer);
            assert!(read(&answer[5..]).has(64) && is_signed(&answer[7..], &hub));
        }
    }

    #[test]
    fn numbers_are_written_whole() {
        let mut place = *b"xxxxxx";
        put_digits(&mut place, 70_209);
        assert_eq!(&place, b"070209");
        assert_eq!(digits(b"070209"), Some(70_209));
        assert_eq!((digits(b"7 "), digits(&[b'9'; 40])), (None, None));
    }
}
