//! Messages that are right in every part, read and written in one go.
//!
//! Nearly all messages are, so that this is the way that must be quick: a small table of steps, one
//! for each element, no look at the content of an element by itself (side by side, those of one
//! [`Form`] are one stretch), and bytes that stand in the message as they stand on the wire are
//! copied together. It has nothing to say of a message that is not right, or that needs more (a
//! text to be padded): `decode` and `encode` then go the careful way, element by element. Both ways
//! agree on every message: `tests/properties.rs`.

use super::content::{Form, bits_of_hex, first_not_hex, first_wrong, is_right};
use super::decode::MTI_LENGTH;
use super::dialect::{Dialect, ElementType, Encoding, Length, Rule};
use super::encode::{put_hex, put_number};
use super::message::{Bits, Filling, HALF, Message, number};
use crate::limits::MESSAGE_SLACK;

/// One element on the way through a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Longest value, in characters; bytes for type b.
    max: u16,
    /// Digits of its length; 0 when fixed.
    digits: u8,
    form: Form,
}

/// Of every element, in the order of [`Bits`].
pub(super) type Steps = [[Step; HALF]; 2];

/// The steps of a dialect, by the rules of its elements.
pub(super) fn steps(rule: impl Fn(u8) -> Rule) -> Steps {
    std::array::from_fn(|half| {
        std::array::from_fn(|place| {
            let rule = rule(number(half, place));
            let digits = match rule.length {
                Length::Fixed => 0,
                Length::Variable { digits } => digits,
            };
            let form = match (rule.encoding, rule.kind) {
                (Encoding::Hex, _) | (_, ElementType::Xn) => Form::Apart,
                (_, ElementType::N) => Form::Digits,
                (_, ElementType::An | ElementType::Ans) => Form::Printable,
                (_, ElementType::Z) => Form::Track,
                (_, ElementType::B) => Form::Any,
            };
            Step { max: rule.max, digits, form }
        })
    })
}

/// Reads a whole message that has that type; `None` when not all of it is right.
pub(super) fn read(dialect: &Dialect, mti: scheme::Mti, frame: &[u8]) -> Option<Message> {
    let mut at = MTI_LENGTH;
    let mut present = [read_bitmap(dialect, frame, &mut at)?, 0];
    if present[0] & 1 == 1 {
        present = [present[0] & !1, read_bitmap(dialect, frame, &mut at)?];
    }
    let mut reading = Reading {
        dialect,
        frame,
        at,
        filling: Filling::new(mti, frame.len() + MESSAGE_SLACK),
        left_out: at,
        stretch: (Form::Any, at),
        copied: at,
    };
    for half in [0, 1] {
        reading.elements(half, present[half])?;
    }
    reading.end_stretch(Form::Any)?;
    if reading.at != frame.len() {
        return None;
    }
    reading.copy();
    Some(reading.filling.finish(present))
}

/// DE1 or DE65 is the lowest bit.
fn read_bitmap(dialect: &Dialect, frame: &[u8], at: &mut usize) -> Option<u64> {
    let rest = &frame[*at..];
    let (bits, length) = match dialect.bitmap() {
        Encoding::Binary => (u64::from_be_bytes(*rest.first_chunk()?), 8),
        Encoding::Ascii | Encoding::Hex => {
            let digits = rest.first_chunk()?;
            (first_not_hex(digits).is_none().then(|| bits_of_hex(digits))?, 16)
        }
    };
    *at += length;
    Some(bits.reverse_bits())
}

struct Reading<'a> {
    dialect: &'a Dialect,
    frame: &'a [u8],
    /// Where the next element begins.
    at: usize,
    filling: Filling,
    /// Bytes before `at` that are in no value.
    left_out: usize,
    /// The stretch that `at` stands in and that was not looked at: its form and beginning.
    stretch: (Form, usize),
    /// From here on values were not copied.
    copied: usize,
}

impl Reading<'_> {
    #[inline]
    fn elements(&mut self, half: usize, present: u64) -> Option<()> {
        let steps = &self.dialect.steps()[half];
        let mut rest = present;
        while rest != 0 {
            let place = rest.trailing_zeros() as usize % HALF;
            rest &= rest - 1;
            let step = steps[place];
            if step.form != self.stretch.0 {
                self.end_stretch(step.form)?;
            }
            let mut length = usize::from(step.max);
            if step.digits > 0 {
                length = self.length(step)?;
            }
            if step.form == Form::Apart {
                self.apart(number(half, place), length)?;
            } else {
                self.at += length;
            }
            if self.at > self.frame.len() {
                return None;
            }
            self.filling.end(half, place, self.at - self.left_out);
        }
        Some(())
    }

    /// Reads a length and goes to the value behind it.
    #[inline]
    fn length(&mut self, step: Step) -> Option<usize> {
        self.copy();
        let rest = &self.frame[self.at..];
        let digits = usize::from(step.digits);
        let length = match step.digits {
            2 => decimal(rest.first_chunk::<2>()?)?,
            3 => decimal(rest.first_chunk::<3>()?)?,
            _ => decimal(rest.get(..digits)?)?,
        };
        self.at += digits;
        self.left_out += digits;
        self.copied = self.at;
        (length <= usize::from(step.max)).then_some(length)
    }

    /// Looks at the stretch that ends here, and begins another.
    #[inline]
    fn end_stretch(&mut self, next: Form) -> Option<()> {
        let (form, from) = std::mem::replace(&mut self.stretch, (next, self.at));
        is_right(form, &self.frame[from..self.at]).then_some(())
    }

    /// Copies all values up to here.
    #[inline]
    fn copy(&mut self) {
        self.filling.push(&self.frame[self.copied..self.at]);
        self.copied = self.at;
    }

    /// An element of that many units whose bytes are not those of its value, or whose content is
    /// not alike in every place.
    #[cold]
    fn apart(&mut self, de: u8, units: usize) -> Option<()> {
        let rule = self.dialect.rule(de);
        let value = self.frame.get(self.at..self.at + rule.wire_bytes(units))?;
        match rule.encoding {
            Encoding::Hex if first_not_hex(value).is_none() => {
                self.copy();
                self.filling.push_hex(value);
                self.left_out += value.len() / 2;
                self.copied += value.len();
            }
            Encoding::Ascii | Encoding::Binary if first_wrong(rule.kind, value).is_none() => {}
            Encoding::Hex | Encoding::Ascii | Encoding::Binary => return None,
        }
        self.at += value.len();
        Some(())
    }
}

fn decimal(digits: &[u8]) -> Option<usize> {
    digits.iter().try_fold(0, |number, digit| {
        let digit = digit.wrapping_sub(b'0');
        (digit < 10).then(|| number * 10 + usize::from(digit))
    })
}

/// Appends the elements of `due`, which the message has; `None` when one of them is not right or
/// must be padded, and then `out` holds whatever was written before.
pub(super) fn write(
    dialect: &Dialect,
    message: &Message,
    due: Bits,
    out: &mut Vec<u8>,
) -> Option<()> {
    let values = message.values();
    let mut writing = Writing { dialect, values, out, at: 0, stretch: (Form::Any, 0), copied: 0 };
    for half in [0, 1] {
        let mut rest = message.present()[half];
        while rest != 0 {
            let place = rest.trailing_zeros() as usize % HALF;
            rest &= rest - 1;
            let end = usize::from(message.ends()[half][place]);
            if due[half] >> place & 1 == 1 {
                writing.element(half, place, end)?;
            } else {
                writing.skip(end)?;
            }
        }
    }
    writing.end_stretch(Form::Any)?;
    writing.copy();
    Some(())
}

struct Writing<'a> {
    dialect: &'a Dialect,
    values: &'a [u8],
    out: &'a mut Vec<u8>,
    /// Where the next value begins.
    at: usize,
    /// The stretch that `at` stands in and that was not looked at: its form and beginning.
    stretch: (Form, usize),
    /// From here on values were not written.
    copied: usize,
}

impl Writing<'_> {
    #[inline]
    fn element(&mut self, half: usize, place: usize, end: usize) -> Option<()> {
        let step = self.dialect.steps()[half][place];
        let (length, max) = (end - self.at, usize::from(step.max));
        if step.form != self.stretch.0 {
            self.end_stretch(step.form)?;
        }
        if step.digits > 0 {
            if length > max {
                return None;
            }
            self.copy();
            put_number(length, step.digits, self.out);
        } else if length != max {
            return None;
        }
        if step.form == Form::Apart {
            self.apart(number(half, place), end)?;
        }
        self.at = end;
        Some(())
    }

    /// Leaves out an element.
    fn skip(&mut self, end: usize) -> Option<()> {
        self.copy();
        self.end_stretch(Form::Any)?;
        (self.at, self.stretch, self.copied) = (end, (Form::Any, end), end);
        Some(())
    }

    /// Looks at the stretch that ends here, and begins another.
    #[inline]
    fn end_stretch(&mut self, next: Form) -> Option<()> {
        let (form, from) = std::mem::replace(&mut self.stretch, (next, self.at));
        is_right(form, &self.values[from..self.at]).then_some(())
    }

    /// Writes all values up to here.
    #[inline]
    fn copy(&mut self) {
        self.out.extend_from_slice(&self.values[self.copied..self.at]);
        self.copied = self.at;
    }

    /// An element whose bytes are not those of its value, or whose content is not alike in every
    /// place.
    #[cold]
    fn apart(&mut self, de: u8, end: usize) -> Option<()> {
        let rule = self.dialect.rule(de);
        let value = &self.values[self.at..end];
        if first_wrong(rule.kind, value).is_some() {
            return None;
        }
        match rule.encoding {
            Encoding::Hex => {
                self.copy();
                put_hex(value, self.out);
                self.copied = end;
            }
            Encoding::Ascii | Encoding::Binary => {}
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scheme::Mti;

    /// Elements of every form, in fixed and variable length, beside their like and alone.
    const ELEMENTS: [(u8, &[u8]); 22] = [
        (2, b"9408020000000015"),
        (3, b"000000"),
        (7, b"1122030405"),
        (28, b"C00000125"),
        (30, b"D00000000"),
        (32, b"100001"),
        (35, b"9408020000000015=3112"),
        (37, b"632612000012"),
        (41, b"PYO00001"),
        (44, b""),
        (45, b"B9408^NAME"),
        (49, b"408"),
        (52, b"\x00\xca\xfe\xba\x00\x00\xff\x0b"),
        (53, b"0000000000000001"),
        (60, b"0123456789"),
        (64, b"01234567"),
        (65, b"\x80"),
        (70, b"301"),
        (90, b"000000000000000000000000000000000000000000"),
        (95, b"000000000000000000000000C00000000C00000000"),
        (102, b"12"),
        (128, b"76543210"),
    ];

    fn message() -> Message {
        let mut message = Message::new(Mti::new(200).unwrap());
        for (de, value) in ELEMENTS {
            message.set(de, value);
        }
        message
    }

    /// A dialect of types for which the standard has no element: a track of fixed length, x+n and b
    /// of variable length, and lengths of one and four digits.
    const OTHER: &str = "name = \"other\"\ntitle = \"-\"\nbase = \"iso87-ascii-bin\"\n[de]
        3 = { type = \"z6\" }
        28 = { type = \"x+n..9\" }
        35 = { type = \"ans....37\" }
        41 = { type = \"an.8\" }
        52 = { type = \"b..8\" }
        53 = { type = \"b...16\", encoding = \"hex\" }";

    fn each(check: impl Fn(&Dialect)) {
        check(&Dialect::parse(OTHER).unwrap());
        for name in Dialect::builtin_names() {
            check(Dialect::builtin(name).unwrap());
        }
    }

    /// Every byte of a frame, replaced by bytes at the borders of all types, and taken away.
    #[test]
    fn what_is_read_in_one_go_is_what_is_read_with_care() {
        each(|dialect| {
            let mut frame = Vec::new();
            dialect.encode(&message(), &mut frame).unwrap();
            assert_eq!(read(dialect, message().mti(), &frame), Some(message()));
            let check = |bytes: &[u8]| {
                let careful = dialect.decode_carefully(message().mti(), bytes).ok();
                assert_eq!(read(dialect, message().mti(), bytes), careful, "{bytes:?}");
            };
            for at in MTI_LENGTH..frame.len() {
                check(&frame[..at]);
                for byte in b"\x00\x1f /0129:;=?@ACDFG`afg~\x7f\x80\xff" {
                    let mut bytes = frame.clone();
                    bytes[at] = *byte;
                    check(&bytes);
                }
                let mut bytes = frame.clone();
                bytes.remove(at);
                check(&bytes);
            }
            frame.push(b'0');
            check(&frame);
        });
    }

    /// The same for messages to be written, with any element absent or another element's.
    #[test]
    fn what_is_written_in_one_go_is_what_is_written_with_care() {
        let all = message().present();
        each(|dialect| {
            let (mut quick, mut careful) = (Vec::new(), Vec::new());
            let mut written = 0;
            let mut check = |message: &Message, due: Bits| {
                quick.clear();
                careful.clear();
                let sound = write(dialect, message, due, &mut quick).is_some();
                let put = dialect.put_carefully(message, due, &mut careful);
                if sound {
                    assert_eq!((put, &quick), (Ok(()), &careful), "{message:?}");
                    written += 1;
                }
            };
            check(&message(), all);
            for (de, value) in ELEMENTS {
                let (half, place) = super::super::message::place(de);
                let mut due = all;
                due[half] ^= 1 << place;
                check(&message(), due);
                for (_, instead) in ELEMENTS.iter().chain(&[(0, &b"0"[..]), (0, b"\x80")]) {
                    let mut message = message();
                    message.set(de, instead);
                    check(&message, all);
                    check(&message, due);
                }
                let mut short = message();
                short.set(de, &value[..value.len().saturating_sub(1)]);
                check(&short, all);
            }
            // Every message without one of its elements, at the least.
            assert!(written > ELEMENTS.len(), "{written}");
        });
    }
}
