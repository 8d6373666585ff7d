//! Message types, processing codes and response codes (ISO 8583:1987).

use core::fmt;

/// Data elements of a message with a primary and a secondary bitmap.
pub const DE_COUNT: usize = 128;

/// Message type indicator, four digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mti(u16);

/// Second digit: what the message is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MtiClass {
    /// 01xx.
    Authorisation,
    /// 02xx.
    Financial,
    /// 04xx.
    Reversal,
    /// 05xx.
    Reconciliation,
    /// 08xx.
    Network,
    /// Any other.
    Other,
}

/// Third digit: which part of the conversation it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MtiFunction {
    /// xx0x: expects an answer that may refuse.
    Request,
    /// xx1x: the answer to a request.
    RequestResponse,
    /// xx2x: tells what has happened; may only be acknowledged.
    Advice,
    /// xx3x: the acknowledgement of an advice.
    AdviceResponse,
    /// Any other.
    Other,
}

impl Mti {
    /// Four decimal digits as a number, `None` above 9999.
    pub const fn new(number: u16) -> Option<Self> {
        if number <= 9999 { Some(Self(number)) } else { None }
    }

    /// Four ASCII digits.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != 4 || !text.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let number = text.iter().fold(0u16, |n, b| {
            n.saturating_mul(10).saturating_add(u16::from(b.saturating_sub(b'0')))
        });
        Self::new(number)
    }

    /// The four digits as a number: 200 for 0200.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The four digits as text.
    #[expect(clippy::arithmetic_side_effects, reason = "digits of a number below 10,000")]
    pub const fn digits(self) -> [u8; 4] {
        let n = self.0;
        [
            b'0' + (n / 1000) as u8,
            b'0' + (n / 100 % 10) as u8,
            b'0' + (n / 10 % 10) as u8,
            b'0' + (n % 10) as u8,
        ]
    }

    /// What the message is about.
    pub const fn class(self) -> MtiClass {
        match self.digits()[1] {
            b'1' => MtiClass::Authorisation,
            b'2' => MtiClass::Financial,
            b'4' => MtiClass::Reversal,
            b'5' => MtiClass::Reconciliation,
            b'8' => MtiClass::Network,
            _ => MtiClass::Other,
        }
    }

    /// Which part of the conversation it is.
    pub const fn function(self) -> MtiFunction {
        match self.digits()[2] {
            b'0' => MtiFunction::Request,
            b'1' => MtiFunction::RequestResponse,
            b'2' => MtiFunction::Advice,
            b'3' => MtiFunction::AdviceResponse,
            _ => MtiFunction::Other,
        }
    }

    /// Whether it asks for something, so that an answer may be sent to it.
    pub const fn is_request(self) -> bool {
        matches!(self.function(), MtiFunction::Request | MtiFunction::Advice)
    }

    /// Whether it repeats an earlier message (last digit 1, 3 or 5).
    pub const fn is_repeat(self) -> bool {
        matches!(self.digits()[3], b'1' | b'3' | b'5')
    }

    /// Whether it tells of what has happened: a reversal or an advice. It is never refused for
    /// overload, and a hop that cannot pass it on keeps it.
    pub const fn tells(self) -> bool {
        matches!(self.class(), MtiClass::Reversal) || matches!(self.function(), MtiFunction::Advice)
    }

    /// The same message without its repeat flag.
    pub const fn first(self) -> Self {
        if self.is_repeat() { Self(self.0.saturating_sub(1)) } else { self }
    }

    /// The repeat of this message: 0421 for 0420.
    pub const fn repeat(self) -> Self {
        if self.is_repeat() { self } else { Self(self.0.saturating_add(1)) }
    }

    /// The answer to this request or advice: 0210 for 0200 and 0201, 0430 for 0421.
    pub const fn answer(self) -> Option<Self> {
        if self.is_request() { Some(Self(self.first().0.saturating_add(10))) } else { None }
    }
}

impl fmt::Display for Mti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

impl fmt::Debug for Mti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

/// What the first two digits of the processing code ask for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TransactionKind {
    /// 00.
    Purchase,
    /// 01.
    Cash,
    /// 09.
    Cashback,
    /// 20.
    Refund,
    /// 26.
    QrPayment,
    /// 31.
    Balance,
    /// 40.
    AccountPayment,
}

/// Processing code: DE3, n 6. The first two digits decide, the rest pass through.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Processing(u32);

impl Processing {
    /// `None` above six digits.
    pub const fn new(code: u32) -> Option<Self> {
        if code <= 999_999 { Some(Self(code)) } else { None }
    }

    /// All six digits.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The two digits that decide.
    #[expect(clippy::cast_possible_truncation, reason = "two digits fit a byte")]
    pub const fn transaction(self) -> u8 {
        (self.0 / 10_000) as u8
    }

    /// What is asked for, when the scheme knows it.
    pub const fn kind(self) -> Option<TransactionKind> {
        match self.transaction() {
            0 => Some(TransactionKind::Purchase),
            1 => Some(TransactionKind::Cash),
            9 => Some(TransactionKind::Cashback),
            20 => Some(TransactionKind::Refund),
            26 => Some(TransactionKind::QrPayment),
            31 => Some(TransactionKind::Balance),
            40 => Some(TransactionKind::AccountPayment),
            _ => None,
        }
    }
}

impl fmt::Display for Processing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

/// What a request or advice of the scheme is, by its MTI and DE3.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PaymentKind {
    /// 0200, DE3 00.
    Purchase,
    /// 0200, DE3 01.
    Cash,
    /// 0200, DE3 09: a purchase, part of which is paid out in cash.
    Cashback,
    /// 0200, DE3 20.
    Refund,
    /// 0200, DE3 31: moves nothing.
    Balance,
    /// 0100, DE3 00: a hold that a completion (0220) ends.
    PreAuthorisation,
}

impl PaymentKind {
    /// `None` where the scheme supports no such request (12).
    pub const fn of(mti: Mti, processing: Processing) -> Option<Self> {
        match (mti.first().number(), processing.transaction()) {
            (200, 0) => Some(Self::Purchase),
            (200, 1) => Some(Self::Cash),
            (200, 9) => Some(Self::Cashback),
            (200, 20) => Some(Self::Refund),
            (200, 31) => Some(Self::Balance),
            (100, 0) => Some(Self::PreAuthorisation),
            _ => None,
        }
    }

    /// Its name for scripts and pages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Purchase => "purchase",
            Self::Cash => "cash",
            Self::Cashback => "cashback",
            Self::Refund => "refund",
            Self::Balance => "balance",
            Self::PreAuthorisation => "preauth",
        }
    }
}

/// Response code: DE39, an 2.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResponseCode([u8; 2]);

impl ResponseCode {
    /// Approved.
    pub const APPROVED: Self = Self(*b"00");

    /// Two alphanumeric characters.
    pub fn new(code: &[u8]) -> Option<Self> {
        let code: [u8; 2] = code.try_into().ok()?;
        code.iter().all(u8::is_ascii_alphanumeric).then_some(Self(code))
    }

    /// A code of the rule book.
    pub const fn of(code: &[u8; 2]) -> Self {
        Self(*code)
    }

    /// The two characters.
    pub const fn bytes(self) -> [u8; 2] {
        self.0
    }

    /// The two characters as text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Whether it is 00; nothing else approves.
    pub fn is_approved(self) -> bool {
        self == Self::APPROVED
    }
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_repeats() {
        for (request, answer) in
            [(200, 210), (201, 210), (400, 410), (420, 430), (421, 430), (800, 810), (100, 110)]
        {
            assert_eq!(Mti::new(request).unwrap().answer(), Mti::new(answer), "{request}");
        }
        assert_eq!(Mti::new(210).unwrap().answer(), None);
        assert_eq!(Mti::new(430).unwrap().answer(), None);
        assert_eq!(Mti::new(420).unwrap().repeat(), Mti::new(421).unwrap());
    }
}
