//! ISO 8583:1987 as a bank's or a till's own programmer would write it: fields in and out of a
//! message, by their numbers. The dialect is `iso87-ascii` behind a 2-byte length. Where the link
//! has MAC keys (R-MAC) the last 16 characters of a message are its MAC, in DE64 or DE128.

use keys::LinkMac;
use scheme::{Amount, Mti, ParticipantId, Stan, Timestamp};
use wire::frame::{Framing, write_frame};
use wire::iso8583::{Dialect, Message};

/// The codec of one party.
#[derive(Debug)]
pub(crate) struct Codec {
    dialect: &'static Dialect,
    mac: Option<LinkMac>,
}

/// Why a payload is no message.
#[derive(Debug)]
pub(crate) enum Unread {
    /// It cannot be parsed; this much of it could.
    Malformed(Option<Box<Message>>),
    /// Its MAC is missing or wrong.
    Mac,
}

/// Characters of a MAC: 8 bytes in hexadecimal.
const MAC_CHARS: usize = 16;

impl Codec {
    pub(crate) fn new(mac: Option<LinkMac>) -> Self {
        let dialect = Dialect::builtin("iso87-ascii")
            .expect("wire carries the dialect of every bank and terminal");
        Self { dialect, mac }
    }

    /// The message, or as much of it as could be read.
    pub(crate) fn read(&self, payload: &[u8]) -> Result<Message, Unread> {
        if let Some(mac) = &self.mac {
            let before = payload.len().checked_sub(MAC_CHARS).ok_or(Unread::Mac)?;
            let (covered, sent) = payload.split_at(before);
            let sent = unhex(sent).ok_or(Unread::Mac)?;
            if !mac.verify.verify(&[covered], &sent) {
                return Err(Unread::Mac);
            }
        }
        let message =
            self.dialect.decode(payload).map_err(|error| Unread::Malformed(error.partial))?;
        if self.mac.is_some() && !message.has(mac_element(&message)) {
            return Err(Unread::Mac);
        }
        Ok(message)
    }

    /// The framed bytes. A field that the dialect refuses leaves nothing to send.
    pub(crate) fn write(&self, message: &Message) -> Option<Vec<u8>> {
        let mut payload = Vec::with_capacity(256);
        if let Some(mac) = &self.mac {
            // The MAC's own place is filled with zeros first, so that the bitmap says so.
            let mut message = message.clone();
            message.remove(64);
            message.remove(128);
            message.set(mac_element(&message), &[0; MAC_CHARS / 2]);
            self.dialect.encode(&message, &mut payload).ok()?;
            payload.truncate(payload.len().checked_sub(MAC_CHARS)?);
            let code = mac.sign.sign(&[&payload]);
            payload.extend(code.iter().flat_map(|byte| format!("{byte:02X}").into_bytes()));
        } else {
            self.dialect.encode(message, &mut payload).ok()?;
        }
        let mut framed = Vec::with_capacity(payload.len() + 2);
        write_frame(Framing::Be2, &payload, &mut framed).ok()?;
        Some(framed)
    }
}

/// DE128 when anything from DE65 to DE127 is there, else DE64.
fn mac_element(message: &Message) -> u8 {
    if (65..128).any(|de| message.has(de)) { 128 } else { 64 }
}

fn unhex(characters: &[u8]) -> Option<Vec<u8>> {
    let digit = |c: &u8| char::from(*c).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let mut pairs = characters.chunks_exact(2);
    pairs.try_fold(Vec::new(), |mut bytes, pair| {
        bytes.push(digit(&pair[0])? << 4 | digit(&pair[1])?);
        Some(bytes)
    })
}

/// A message with this type, which is one of the constants of this crate.
pub(crate) fn message(mti: Mti) -> Message {
    Message::new(mti)
}

/// Sets a field.
pub(crate) fn put(message: &mut Message, de: u8, text: &str) {
    message.set(de, text.as_bytes());
}

/// A field of decimal digits alone, as a number.
pub(crate) fn number(message: &Message, de: u8) -> Option<u64> {
    digits(message.text(de)?)
}

/// Decimal digits alone, as a number.
pub(crate) fn digits(text: &str) -> Option<u64> {
    let all_digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| all_digits)
}

/// DE11, n 6.
pub(crate) fn stan(message: &Message) -> Option<Stan> {
    number(message, 11).and_then(|n| u32::try_from(n).ok()).and_then(Stan::new)
}

/// DE7, n 10: MMDDhhmmss UTC, kept as the number that it reads as.
pub(crate) fn sent_at(message: &Message) -> Option<u32> {
    number(message, 7).and_then(|n| u32::try_from(n).ok())
}

/// DE4, n 12, minor units.
pub(crate) fn amount(message: &Message) -> Option<Amount> {
    number(message, 4).and_then(Amount::new)
}

/// Copies those of `elements` that `from` has.
pub(crate) fn echo(from: &Message, to: &mut Message, elements: &[u8]) {
    for de in elements {
        if let Some(value) = from.get(*de) {
            let value = value.to_vec();
            to.set(*de, &value);
        }
    }
}

/// 0800: DE7, DE11, DE32, DE70.
pub(crate) fn network(
    now: Timestamp,
    stan: Stan,
    sender: ParticipantId,
    information: u16,
) -> Message {
    let mut request = message(NETWORK);
    put(&mut request, 7, &now.month_time().to_string());
    put(&mut request, 11, &stan.to_string());
    put(&mut request, 32, &sender.to_string());
    put(&mut request, 70, &format!("{information:03}"));
    request
}

/// DE90, n 42: MTI 4, DE11 6, DE7 10, DE32 11, DE33 11; the last is never sent here.
pub(crate) fn original(mti: Mti, stan: Stan, sent_at: u32, acquirer: ParticipantId) -> String {
    format!("{mti}{stan}{sent_at:010}{:011}{:011}", acquirer.get(), 0)
}

/// The parts of DE90 that find an original.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OriginalKey {
    /// Second digit of the MTI.
    pub(crate) class: u8,
    /// DE11 of the original.
    pub(crate) stan: Stan,
    /// DE7 of the original; zero matches any.
    pub(crate) sent_at: u32,
}

/// Reads DE90; nothing when it names no trace number.
pub(crate) fn original_key(message: &Message) -> Option<OriginalKey> {
    let text = message.text(90).filter(|text| text.len() == 42)?;
    // 42 digits are too many for one number.
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| text.get(from..to).and_then(digits);
    let stan = u32::try_from(part(4, 10)?).ok().and_then(Stan::new)?;
    if stan.get() == 0 {
        return None;
    }
    Some(OriginalKey {
        class: text.as_bytes().get(1)?.wrapping_sub(b'0'),
        stan,
        sent_at: u32::try_from(part(10, 20)?).ok()?,
    })
}

/// 0100.
pub(crate) const AUTHORISATION: Mti = mti(100);
/// 0101.
pub(crate) const AUTHORISATION_REPEAT: Mti = mti(101);
/// 0220.
pub(crate) const ADVICE: Mti = mti(220);
/// 0221.
pub(crate) const ADVICE_REPEAT: Mti = mti(221);
/// 0200.
pub(crate) const FINANCIAL: Mti = mti(200);
/// 0201.
pub(crate) const FINANCIAL_REPEAT: Mti = mti(201);
/// 0420.
pub(crate) const REVERSAL: Mti = mti(420);
/// 0421.
pub(crate) const REVERSAL_REPEAT: Mti = mti(421);
/// 0800.
pub(crate) const NETWORK: Mti = mti(800);

const fn mti(number: u16) -> Mti {
    // The numbers above have four digits.
    Mti::new(number).expect("at most 9999")
}
