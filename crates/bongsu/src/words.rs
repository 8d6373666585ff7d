//! The rule book in words: what message types, processing codes, response codes and other coded
//! elements say, for people with a message or a receipt in hand.

use scheme::{Currency, MonthTime, Mti, MtiClass, MtiFunction, Pan, PanError, Reason};

/// What a message of this type is (MTI).
pub(crate) fn mti(mti: Mti) -> String {
    let class = match mti.class() {
        MtiClass::Authorisation => "authorisation",
        MtiClass::Financial => "financial",
        MtiClass::Reversal => "reversal",
        MtiClass::Reconciliation => "reconciliation",
        MtiClass::Network => "network management",
        MtiClass::Other => return "not a message of this scheme".into(),
    };
    let function = match mti.function() {
        MtiFunction::Request => "request",
        MtiFunction::RequestResponse => "answer to a request",
        MtiFunction::Advice => "advice (tells what has happened)",
        MtiFunction::AdviceResponse => "acknowledgement of an advice",
        MtiFunction::Other => return "not a message of this scheme".into(),
    };
    let repeat = if mti.is_repeat() { ", a repeat of an earlier one" } else { "" };
    let answer = match mti.answer() {
        Some(answer) => format!(", answered by {answer}"),
        None => String::new(),
    };
    format!("{class} {function}{repeat}{answer}")
}

/// What the first two digits of a processing code ask for (DE3).
pub(crate) fn processing(code: &str) -> &'static str {
    match code.get(..2) {
        Some("00") => "purchase",
        Some("01") => "cash",
        Some("09") => "purchase with cashback",
        Some("20") => "refund",
        Some("26") => "payment by merchant-presented QR code",
        Some("31") => "balance enquiry",
        Some("40") => "payment from account to account",
        Some(_) | None => "not a transaction of this scheme",
    }
}

/// What a network message is about (DE70).
pub(crate) fn network(code: &str) -> &'static str {
    match code {
        "001" => "sign-on",
        "002" => "sign-off",
        "161" => "key change",
        "201" => "cutover",
        "301" => "echo: are you there?",
        _ => "not a network message of this scheme",
    }
}

/// What somebody with a response code (DE39) should do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    /// It is done.
    Done,
    /// No money has moved; the same may be tried again as a new payment.
    TryAgain,
    /// No money has moved; another card, PIN or amount may work.
    OtherCard,
    /// The card must not be tried again.
    KeepOff,
    /// Trying again changes nothing: the message, the terminal or the register is wrong.
    PutRight,
    /// This trace number was used before.
    NewTrace,
    /// Another payment has this trace number.
    OtherTrace,
    /// It was taken back; whoever wants it still pays anew.
    PayAnew,
    /// Voided by the switch; the issuer may hear of that later.
    Voided,
}

impl Next {
    /// In words, for a receipt.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Done => "do not send it again",
            Self::TryAgain => "no money has moved; safe to try again as a new payment",
            Self::OtherCard => "no money has moved; another card or amount may work",
            Self::KeepOff => "do not try this card again",
            Self::PutRight => "do not try again before the cause is put right",
            Self::NewTrace => "this payment was sent before; look it up before a new one",
            Self::OtherTrace => "send it with a trace number that is not in use",
            Self::PayAnew => "if it is still wanted, make a new payment with a new trace number",
            Self::Voided => "safe to try again as a new payment",
        }
    }
}

/// What a response code says (DE39; ISO 8583:1987 and the rule book), and what to do.
pub(crate) fn response(code: &str) -> (&'static str, Next) {
    match code {
        "00" => ("approved", Next::Done),
        "01" | "02" => ("the issuer wants to be asked by telephone", Next::OtherCard),
        "03" => ("the retailer is unknown, or not this terminal's", Next::PutRight),
        "04" | "07" => ("the issuer wants the card kept", Next::KeepOff),
        "05" => ("the issuer declines without a reason", Next::OtherCard),
        "12" => ("not supported: message, transaction, currency or clock", Next::PutRight),
        "13" => ("the amount is zero or over a limit", Next::PutRight),
        "14" => ("no such card number", Next::OtherCard),
        "15" => ("no issuer has cards that begin so", Next::OtherCard),
        "17" => ("the customer has cancelled", Next::Done),
        "22" => ("a malfunction is suspected", Next::Done),
        "25" => ("the original is not found", Next::PutRight),
        "30" => ("the message is malformed or lacks a field", Next::PutRight),
        "32" => ("completed in part", Next::Done),
        "41" => ("the card is reported lost", Next::KeepOff),
        "43" => ("the card is reported stolen", Next::KeepOff),
        "51" => ("not enough money in the account", Next::OtherCard),
        "54" => ("the card has expired", Next::OtherCard),
        "55" => ("wrong PIN", Next::OtherCard),
        "57" => ("not allowed to this card, or against a refund rule", Next::PutRight),
        "58" => ("not allowed to this terminal, or it is not known here", Next::PutRight),
        "61" => ("over the card's limit of amounts", Next::OtherCard),
        "62" => ("the card is blocked", Next::KeepOff),
        "63" => ("a security rule is broken", Next::PutRight),
        "65" => ("over the card's limit of payments", Next::OtherCard),
        "68" => ("no answer in time", Next::TryAgain),
        "75" => ("too many wrong PINs", Next::KeepOff),
        "91" => ("the issuer or a line to it is not available", Next::TryAgain),
        "92" => ("there is no route to the issuer", Next::PutRight),
        "94" => ("a duplicate, or already reversed", Next::NewTrace),
        "96" => ("the switch is overloaded or at fault", Next::TryAgain),
        "08" | "10" | "11" | "16" | "85" => {
            ("not a code that this scheme takes: it counts as no approval", Next::TryAgain)
        }
        _ => ("declined with a code that has no words here", Next::OtherCard),
    }
}

/// What a refusal of the network says by DE39 and DE44 together, where that is more than
/// [`response`] of DE39 alone.
pub(crate) fn refusal(code: &str, text: Option<&str>) -> Option<(&'static str, Next)> {
    let is_it =
        |reason: &Reason| reason.response_code().as_str() == code && Some(reason.text()) == text;
    match Reason::ALL.into_iter().find(is_it)? {
        Reason::Duplicate => {
            Some(("another payment used this trace number; nothing moved", Next::OtherTrace))
        }
        Reason::Reversed => Some(("the payment was reversed or voided before", Next::PayAnew)),
        Reason::TrunkDown | Reason::Restarted | Reason::IssuerLate | Reason::IssuerAnswer => {
            Some((
                "not charged by the switch; the bank may show it until its reversal has reached it",
                Next::Voided,
            ))
        }
        Reason::Cap | Reason::CapBlocked => {
            Some(("the card's bank has reached its net debit cap", Next::TryAgain))
        }
        _ => None,
    }
}

/// What 00 says in an answer of this type, to a reversal or advice: it was heard, no more.
pub(crate) fn acknowledged(answer: Mti) -> &'static str {
    match answer.class() {
        MtiClass::Reversal => "acknowledged: this does not say that money came back",
        MtiClass::Authorisation
        | MtiClass::Financial
        | MtiClass::Reconciliation
        | MtiClass::Network
        | MtiClass::Other => "acknowledged: this does not say that money was taken",
    }
}

/// Whether an answer of this type acknowledges, instead of approving.
pub(crate) fn acknowledges(mti: Mti) -> bool {
    match mti.function() {
        MtiFunction::AdviceResponse => true,
        MtiFunction::RequestResponse => mti.class() == MtiClass::Reversal,
        MtiFunction::Request | MtiFunction::Advice | MtiFunction::Other => false,
    }
}

/// An amount in minor units (DE4, n 12) in a currency (DE49), if that is known.
pub(crate) fn amount(digits: &str, currency: Option<&str>) -> Option<String> {
    let minor: u64 = digits.parse().ok()?;
    match currency {
        Some(code) if code == format!("{:03}", Currency::KPW.numeric()) => {
            let kpw = Currency::KPW;
            Some(format!("{} {}", kpw.format(i128::from(minor)), kpw.alpha()))
        }
        Some(code) => Some(format!("{minor} minor units of currency {code}")),
        None => Some(format!("{minor} minor units of the terminal's currency")),
    }
}

/// Month, day and time of ten digits (DE7, UTC).
pub(crate) fn month_time(digits: &str) -> Option<String> {
    MonthTime::parse(digits.as_bytes())?;
    let (date, time) = (date(digits.get(..4)?)?, time(digits.get(4..)?)?);
    Some(format!("{date} {time} UTC"))
}

/// Month and day (DE13, DE15, n 4).
pub(crate) fn date(digits: &str) -> Option<String> {
    MonthTime::from_parts(digits.as_bytes(), b"000000")?;
    let day = digits.get(2..)?.trim_start_matches('0');
    let months = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let month = digits.get(..2)?.parse::<usize>().ok()?.checked_sub(1)?;
    Some(format!("{day} {}", months.get(month)?))
}

/// Time of day (DE12, n 6).
pub(crate) fn time(digits: &str) -> Option<String> {
    MonthTime::from_parts(b"0101", digits.as_bytes())?;
    Some(format!("{}:{}:{}", digits.get(..2)?, digits.get(2..4)?, digits.get(4..)?))
}

/// Original data elements (DE90: MTI 4, DE11 6, DE7 10, DE32 11, DE33 11).
pub(crate) fn original(digits: &str) -> Option<String> {
    let part = |from: usize, to: usize| digits.get(from..to);
    let is_zero = |part: &str| part.bytes().all(|digit| digit == b'0');
    let mut words = Vec::new();
    let mti = part(0, 4)?;
    words.push(if is_zero(mti) { "a message of any type".into() } else { format!("the {mti}") });
    let stan = part(4, 10)?;
    words.push(if is_zero(stan) { "any DE11".into() } else { format!("with DE11 {stan}") });
    let at = part(10, 20)?;
    words.push(if is_zero(at) {
        "sent at any time".into()
    } else {
        format!("sent (DE7) {}", month_time(at).unwrap_or_else(|| format!("at {at}, no date")))
    });
    for (name, from, to) in [("acquirer (DE32)", 20, 31), ("forwarder (DE33)", 31, 42)] {
        let code = part(from, to)?;
        if !is_zero(code) {
            words.push(format!("{name} {}", code.trim_start_matches('0')));
        }
    }
    Some(format!("speaks of {}", words.join(", ")))
}

/// One balance of DE54.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Balance<'a> {
    /// Type of account, two digits as in DE3.
    pub(crate) account: &'a str,
    /// Type of amount: `ledger`, `available`, or its two digits.
    pub(crate) kind: &'a str,
    /// ISO 4217, letters if it is the nation's, else digits.
    pub(crate) currency: String,
    /// Decimal; minor units in a currency that is not known here.
    pub(crate) amount: String,
}

impl<'a> Balance<'a> {
    /// Of its 20 characters (account 2, type 2, currency 3, C or D, amount 12).
    pub(crate) fn parse(twenty: &'a str) -> Option<Self> {
        let sign = match twenty.get(7..8)? {
            "C" => "",
            "D" => "-",
            _ => return None,
        };
        let kind = match twenty.get(2..4)? {
            "01" => "ledger",
            "02" => "available",
            other => other,
        };
        let minor: u64 = twenty.get(8..20)?.parse().ok()?;
        let kpw = Currency::KPW;
        let (currency, amount) = match twenty.get(4..7)? {
            code if code == format!("{:03}", kpw.numeric()) => {
                (kpw.alpha().to_owned(), kpw.format(i128::from(minor)))
            }
            code => (code.to_owned(), minor.to_string()),
        };
        Some(Self { account: twenty.get(..2)?, kind, currency, amount: format!("{sign}{amount}") })
    }
}

/// One balance of DE54 in words.
pub(crate) fn balance(twenty: &str) -> Option<String> {
    let Balance { kind, currency, amount, .. } = Balance::parse(twenty)?;
    let kind = match kind {
        "ledger" => "ledger balance",
        "available" => "available balance",
        _ => "amount",
    };
    Some(if currency == Currency::KPW.alpha() {
        format!("{kind} {amount} {currency}")
    } else {
        format!("{kind} {amount} minor units of currency {currency}")
    })
}

/// What is wrong with a card number, if anything (DE2).
pub(crate) fn pan_fault(digits: &[u8]) -> Option<&'static str> {
    match Pan::parse(digits).and_then(|pan| pan.check()) {
        Ok(()) => None,
        Err(PanError::Length) => Some("a card number has 10 to 19 digits (DE39 14)"),
        Err(PanError::NotDigits) => Some("a card number has digits alone (DE39 14)"),
        Err(PanError::CheckDigit) => Some("its check digit (Luhn) is wrong (DE39 14)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_of_ours_has_words() {
        for reason in scheme::Reason::ALL {
            let code = reason.response_code();
            let (words, _) = response(code.as_str());
            assert_ne!(words, response("??").0, "{code}");
        }
    }

    #[test]
    fn de44_says_more_than_de39() {
        let duplicate = refusal("94", Some("DUPLICATE")).unwrap();
        assert!(duplicate.0.contains("another payment used this trace number"));
        assert_ne!(Some(duplicate), refusal("94", Some("REVERSED")));
        let late = refusal("91", Some("ISSUER LATE")).unwrap();
        assert!(late.0.contains("not charged by the switch") && late.1 == Next::Voided);
        assert_eq!(refusal("91", Some("ISSUER DOWN")), None, "nobody was asked");
        assert_eq!(refusal("51", Some("DUPLICATE")), None, "an issuer's own text");
        assert_eq!(refusal("94", None), None);
    }

    #[test]
    fn coded_elements() {
        let golden = "020000001211220914070000010000100000000000";
        assert_eq!(
            original(golden).as_deref(),
            Some(
                "speaks of the 0200, with DE11 000012, sent (DE7) 22 November 09:14:07 UTC, \
                 acquirer (DE32) 100001"
            )
        );
        assert_eq!(
            original(&"0".repeat(42)).as_deref().map(|w| w.contains("any type")),
            Some(true)
        );
        assert_eq!(original("0200"), None);
        assert_eq!(date("0230"), None);
        assert_eq!(date("0229").as_deref(), Some("29 February"));
        assert_eq!(time("240000"), None);
        assert_eq!(amount("000000001250", Some("408")).as_deref(), Some("12.50 KPW"));
        assert_eq!(
            balance("0002408D000000001250").as_deref(),
            Some("available balance -12.50 KPW")
        );
        assert!(acknowledged(Mti::parse(b"0230").unwrap()).contains("taken"));
        assert!(acknowledged(Mti::parse(b"0410").unwrap()).contains("came back"));
        assert!(mti(Mti::parse(b"0421").unwrap()).contains("repeat"));
        assert_eq!(pan_fault(b"9408020000000015"), None);
        assert!(pan_fault(b"9408020000000016").is_some());
    }
}
